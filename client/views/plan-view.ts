import { createTwoFilesPatch } from 'diff';
import { formatBytes } from '../../contracts/bytes';
import type { MetadataResult } from '../../contracts/metadata';
import type { BatchPlan, HostChange, MigrationPlan, PlanAnswer } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import { formatCount, formatSeconds, plural, withoutControls } from '../format';
import type { Paint } from '../session';
import { table } from './table';

export interface PlanViewOptions {
  paint: Paint;
  /** Passed checks too, and every batch. */
  all?: boolean;
}

const mostBatches = 30;
const mostItems = 40;
const mostNotes = 3;

/** What a run would do, on one page: what stands in its way first. */
export function planView(raw: PlanAnswer, runbook: MigrationRunbook, options: PlanViewOptions): string {
  const answer = withoutControls(raw);
  const { plan } = answer;
  const sections = [
    checksView(answer.checks, options),
    ...(plan
      ? [
          clustersView(plan, options),
          methodView(runbook, plan),
          sharesView(plan),
          repositoriesView(plan, options),
          hostChangesView(answer.hostChanges, options.paint),
          batchesView(plan, options),
          metadataView(plan, options),
          aliasesView(plan, options),
          predictionView(plan),
        ]
      : ['No plan: the checks that failed leave nothing to plan with.']),
    gatesView(runbook),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/**
 * Failed first, each with its remedy; what passed is counted.
 * @public loaded through lazy.ts, which knip cannot follow
 */
export function checksView(checks: readonly Check[], { paint, all }: PlanViewOptions): string {
  const failed = (level: Check['level']) => checks.filter((check) => check.state === 'failed' && check.level === level);
  const passed = checks.filter((check) => check.state === 'passed');
  const rest = checks.filter((check) => check.state === 'not applicable');
  const lines = [
    ...failed('mandatory').flatMap((check) => failedCheck(check, paint.red('FAILED '), paint)),
    ...failed('warning').flatMap((check) => failedCheck(check, paint.yellow('WARNING'), paint)),
  ];
  if (all === true && passed.length > 0) {
    const rows = passed.map((check) => [paint.green('passed'), check.id, check.where, check.seen]);
    lines.push(table([{ name: '' }, { name: 'CHECK' }, { name: 'WHERE' }, { name: 'SEEN' }], rows, paint));
  }
  const counts = [
    `${formatCount(failed('mandatory').length)} failed`,
    plural(failed('warning').length, 'warning'),
    `${formatCount(passed.length)} passed`,
    ...(rest.length > 0 ? [`${formatCount(rest.length)} not applicable`] : []),
  ];
  return [
    ...lines,
    `Checks: ${counts.join(', ')}${all === true || passed.length === 0 ? '' : ' (--all shows them)'}`,
  ].join('\n');
}

function failedCheck(check: Check, word: string, paint: Paint): string[] {
  return [
    `${word} ${paint.bold(check.id)}  ${check.where}`,
    `        seen:   ${check.seen}`,
    `        wanted: ${check.wanted}`,
    ...(check.remedy === undefined ? [] : [`        remedy: ${check.remedy}`]),
  ];
}

function clustersView({ source, target }: MigrationPlan, { paint }: PlanViewOptions): string {
  const rows = [source, target].map((cluster) => [
    cluster.side,
    cluster.name,
    `${cluster.distribution} ${cluster.version}`,
    String(cluster.nodes.length),
    formatBytes(cluster.nodes.reduce((sum, node) => sum + node.diskFreeBytes, 0)),
    cluster.uuid,
  ]);
  return table(
    [
      { name: 'SIDE' },
      { name: 'CLUSTER' },
      { name: 'VERSION' },
      { name: 'NODES', align: 'right' },
      { name: 'FREE', align: 'right' },
      { name: 'UUID' },
    ],
    rows,
    paint,
  );
}

/** How documents get there, where it is not by snapshot; and what that does to them. */
function methodView(runbook: MigrationRunbook, { advice }: MigrationPlan): string {
  return [shapeView(runbook), ...(advice === undefined ? [] : [advice])].filter((text) => text !== '').join('\n');
}

function shapeView(runbook: MigrationRunbook): string {
  const { method } = runbook;
  const shape = runbook.copy ?? runbook.reindex;
  if (method === 'snapshot' || !shape) return '';
  const renamed = shape.rename.map(({ from, to }) => `${from} becomes ${to}`);
  const bodies = [
    ...(shape.pipeline === undefined ? [] : [`go through the ingest pipeline ${shape.pipeline}`]),
    ...(runbook.copy?.dropFields.length ? [`lose ${runbook.copy.dropFields.join(', ')}`] : []),
  ];
  return [
    method === 'copy'
      ? 'Method: copy. Documents pass through the workers as bytes, with their ids, routing and versions.'
      : "Method: remote-reindex. The target's own _reindex fetches them; _source is parsed and printed anew on the way.",
    ...(renamed.length > 0 ? [`Names:  ${renamed.join(', ')}`] : []),
    ...(shape.query === undefined ? [] : [`Only:   documents that match ${JSON.stringify(shape.query)}`]),
    ...(bodies.length > 0 ? [`Bodies change: they ${bodies.join(', and ')}.`] : []),
  ].join('\n');
}

function sharesView(plan: MigrationPlan): string {
  const lines = plan.shares.map((share) => {
    const clients = share.clients.map(({ host, access }) => `${host} (${access})`).join(', ');
    return `Share "${share.id}": ${share.server}:${share.exportPath} mounted at ${share.mountPath} by ${clients || 'nobody else'}`;
  });
  if (plan.copy) {
    const limit = plan.copy.maxBytesPerSec === undefined ? '' : `, at most ${formatBytes(plan.copy.maxBytesPerSec)}/s`;
    lines.push(
      `Snapshot files are copied on ${plan.copy.host}: ${plan.copy.from} to ${plan.copy.to}${limit}, compared by ${plan.copy.verify}`,
    );
  }
  return lines.join('\n');
}

function repositoriesView(plan: MigrationPlan, { paint }: PlanViewOptions): string {
  if (plan.repositories.length === 0) return '';
  const rows = plan.repositories.map((each) => [
    each.side,
    each.name,
    each.register ? 'registered by the run' : 'there already',
    each.readonly ? 'read-only' : 'read and write',
    each.location ?? '',
  ]);
  return table(
    [{ name: 'SIDE' }, { name: 'REPOSITORY' }, { name: '' }, { name: 'ACCESS' }, { name: 'LOCATION' }],
    rows,
    paint,
  );
}

/** Each file as a unified diff, as it would read on that host. */
export function hostChangesView(changes: readonly HostChange[], paint: Paint): string {
  const diffs = changes.map(({ host, what, before, after }) => {
    const text = createTwoFilesPatch(`${host}:${what}`, `${host}:${what}`, lined(before), lined(after), 'now', 'then', {
      context: 3,
    });
    return text
      .split('\n')
      .filter((line) => !/^(\\ No newline|=====|Index: )/.test(line))
      .map((line) => diffLine(line.replace('\t', '  '), paint))
      .join('\n')
      .trimEnd();
  });
  if (diffs.length === 0) return '';
  return [`${plural(changes.length, 'change')} on hosts`, ...diffs].join('\n');
}

function lined(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function diffLine(line: string, paint: Paint): string {
  if (line.startsWith('+++') || line.startsWith('---')) return paint.bold(line);
  if (line.startsWith('+')) return paint.green(line);
  if (line.startsWith('-')) return paint.red(line);
  return line.startsWith('@@') ? paint.cyan(line) : line;
}

function batchesView(plan: MigrationPlan, { paint, all }: PlanViewOptions): string {
  const { batches } = plan;
  const most = all === true ? batches.length : mostBatches;
  const total = (pick: (batch: BatchPlan) => number) => batches.reduce((sum, batch) => sum + pick(batch), 0);
  const rows = batches
    .slice(0, most)
    .map((batch) => [
      String(batch.number),
      formatCount(batch.indices.length),
      formatBytes(batch.sizeBytes),
      formatCount(batch.documents),
      someNames(batch.indices.map(({ name }) => name)),
    ]);
  const columns = [
    { name: 'BATCH', align: 'right' as const },
    { name: 'INDICES', align: 'right' as const },
    { name: 'SIZE', align: 'right' as const },
    { name: 'DOCUMENTS', align: 'right' as const },
    { name: '' },
  ];
  const summary = `${plural(batches.length, 'batch', 'batches')}: ${plural(
    total((each) => each.indices.length),
    'index',
    'indices',
  )}, ${formatBytes(total((each) => each.sizeBytes))}, ${plural(
    total((each) => each.documents),
    'document',
  )}`;
  const more = batches.length > most ? `\n… and ${formatCount(batches.length - most)} more (--all shows them)` : '';
  return rows.length === 0
    ? 'Nothing to move: no index is selected.'
    : `${summary}\n${table(columns, rows, paint)}${more}`;
}

function someNames(names: readonly string[]): string {
  const most = 4;
  return names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
}

/** What does not arrive as it is, an item a line: changed, left out, in conflict or refused; what stays the same is counted. */
function metadataView({ metadata }: MigrationPlan, { paint, all }: PlanViewOptions): string {
  if (!metadata) return '';
  const rows = metadata.items.flatMap((item) => {
    const { kind, name, targetName, result, notes, why } = item;
    const called = targetName === undefined || targetName === name ? name : `${name} as ${targetName}`;
    const about = notes.map((note) => `${note.path}: ${note.how ?? note.result}, ${note.why}`);
    const words = [...(why === undefined ? [] : [why]), ...about];
    const shown = all === true ? words : words.slice(0, mostNotes);
    const more = words.length > shown.length ? [`and ${words.length - shown.length} more (--all shows them)`] : [];
    return [[kind, called, paintResult(result, paint), [...shown, ...more].join('; ')]];
  });
  const most = all === true ? rows.length : mostItems;
  const left = rows.length > most ? `\n… and ${formatCount(rows.length - most)} more (--all shows them)` : '';
  const title = `Settings, mappings and templates: ${formatCount(metadata.same)} stay the same${rows.length === 0 ? '' : `, ${formatCount(rows.length)} to be looked at`}`;
  if (rows.length === 0) return title;
  const columns = [{ name: 'KIND' }, { name: 'NAME' }, { name: '' }, { name: 'WHAT' }];
  return `${title}\n${table(columns, rows.slice(0, most), paint)}${left}`;
}

function paintResult(result: MetadataResult, paint: Paint): string {
  if (result === 'refused' || result === 'conflict') return paint.red(result);
  return result === 'same' ? result : paint.yellow(result);
}

function aliasesView(plan: MigrationPlan, { paint }: PlanViewOptions): string {
  const rows = plan.aliases.flatMap(({ add }) => {
    if (!add) return [];
    const { index, alias, ...settings } = add;
    return [[alias, index, Object.keys(settings).length === 0 ? '' : JSON.stringify(settings)]];
  });
  if (rows.length === 0) return '';
  return `${plural(rows.length, 'alias', 'aliases')}, put on at the cutover\n${table([{ name: 'ALIAS' }, { name: 'INDEX' }, { name: 'WITH' }], rows, paint)}`;
}

function predictionView({ method, predicted, concurrentSnapshots }: MigrationPlan): string {
  if (method !== 'snapshot') {
    return [
      `Predicted: ${formatSeconds(predicted.seconds)} (${predicted.from})`,
      `Disk:      ${formatBytes(predicted.targetDiskBytes)} on the target`,
    ].join('\n');
  }
  const snapshots = concurrentSnapshots
    ? 'the source takes several snapshots at once'
    : 'the source takes one snapshot at a time';
  return [
    `Predicted: ${formatSeconds(predicted.seconds)} (${predicted.from}; ${snapshots})`,
    `Disk:      ${formatBytes(predicted.sourceShareBytes)} on the share, ${formatBytes(predicted.targetDiskBytes)} on the target`,
  ].join('\n');
}

function gatesView(runbook: MigrationRunbook): string {
  if (runbook.gates.length === 0) return 'Gates: none; the run asks nobody.';
  return `Gates: a person is asked before the ${runbook.gates.join(', before the ')}.`;
}
