import { formatBytes } from '../../contracts/bytes';
import { deletesStep } from '../../contracts/catch-up';
import { phases } from '../../contracts/status';
import { isEnd, needsPerson } from '../exit-codes';
import { formatCount, formatSeconds, formatTime, percent, plural, withoutControls } from '../format';
import { allSteps, movesDocuments, refusedIn, type LiveBatch, type LiveStatus, type LiveStep } from '../live-status';
import type { Paint } from '../session';
import { paintState, stepWords, whatWaits } from './status-words';
import { bar, table } from './table';

export interface StatusViewOptions {
  now: Date;
  paint: Paint;
  /** Every step and batch, also those that are done or did not begin. */
  all?: boolean;
  /** Bars are for screens. */
  bars?: boolean;
  /** Most batches in the table; the rest is counted. */
  maxBatches?: number;
}

/** A run on one page: where it is, what it does, what waits and for what. */
export function statusView(raw: LiveStatus, options: StatusViewOptions): string {
  const status = withoutControls(raw);
  const sections = [
    heading(status, options),
    phaseLine(status, options.paint),
    totalsLine(status, options),
    stepTable(status, options),
    batchTable(status, options),
    catchUpLine(status, options),
    refusedTable(status, options),
    whatWaits(status, options.now, options.paint).join('\n'),
    differences(status, options),
    ending(status),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function heading(status: LiveStatus, { now, paint }: StatusViewOptions): string {
  const end = status.endedAt === undefined ? now : new Date(status.endedAt);
  const lasted = formatSeconds((end.getTime() - Date.parse(status.startedAt)) / 1000);
  const times = isEnd(status.state)
    ? `started ${formatTime(status.startedAt)}, ended ${formatTime(status.endedAt)}, after ${lasted}`
    : `started ${formatTime(status.startedAt)}, ${lasted} ago`;
  const lines = [
    `${paint.bold(status.run)}  ${status.kind}  ${paintState(status.state, paint)}`,
    ...(status.now === status.state ? [] : [status.now]),
    paint.dim(times),
  ];
  return [...lines, ...status.warnings.map((each) => paint.yellow(`! ${each}`))].join('\n');
}

function phaseLine(status: LiveStatus, paint: Paint): string {
  const at = phases.indexOf(status.phase);
  const hasSucceeded = status.state === 'completed' || status.state === 'completed with differences';
  const entered = new Set(allSteps(status).map((step) => step.phase));
  const words = phases.map((phase, index) => {
    // Not every way of moving has every phase: what was passed without a step was not done.
    if ((index < at || hasSucceeded) && entered.size > 0 && status.warnings.length === 0 && !entered.has(phase))
      return paint.dim(`– ${phase}`);
    if (index < at || hasSucceeded) return paint.green(`✓ ${phase}`);
    if (index > at) return paint.dim(`· ${phase}`);
    return paint.bold(status.state === 'stuck' || status.state === 'failed' ? paint.red(`✗ ${phase}`) : `▸ ${phase}`);
  });
  return words.join('  ');
}

function totalsLine(status: LiveStatus, { paint, bars }: StatusViewOptions): string {
  const { totals } = status;
  if (totals.indices === 0) return '';
  const part = percent(totals.bytesDone, totals.bytes);
  const words = [
    `${formatBytes(totals.bytesDone)} of ${formatBytes(totals.bytes)} (${part} %)`,
    `${formatCount(totals.indicesDone)} of ${plural(totals.indices, 'index', 'indices')}`,
    // what was written since is in the line of the catch-up
    `${formatCount(totals.documentsDone)} of ${plural(totals.documents, 'document')} ${status.catchUp ? 'of the plan ' : ''}moved and verified`,
  ].join(', ');
  return bars === true ? `${bar(part, 30, paint)} ${words}` : words;
}

function stepTable(status: LiveStatus, { now, paint, all }: StatusViewOptions): string {
  const shown =
    all === true ? allSteps(status) : status.steps.filter(({ state }) => state === 'running' || state === 'stuck');
  if (shown.length === 0) return '';
  const rows = shown.map((step) => [step.id, paintState(step.state, paint), lasted(step, now), stepWords(step, now)]);
  return table([{ name: 'STEP' }, { name: 'STATE' }, { name: 'TIME', align: 'right' }, { name: 'WHAT' }], rows, paint);
}

function lasted(step: { startedAt?: string; endedAt?: string }, now: Date): string {
  if (step.startedAt === undefined) return '';
  const end = step.endedAt === undefined ? now.getTime() : Date.parse(step.endedAt);
  return formatSeconds((end - Date.parse(step.startedAt)) / 1000);
}

function batchTable(status: LiveStatus, options: StatusViewOptions): string {
  const { all, paint, maxBatches } = options;
  if (status.batches.length === 0) return '';
  const active = status.batches.filter((batch) => all === true || batch.state === 'running' || batch.state === 'stuck');
  const shown = active.slice(0, maxBatches ?? active.length);
  const counts = new Map<string, number>();
  for (const batch of status.batches) counts.set(batch.state, (counts.get(batch.state) ?? 0) + 1);
  const summary = `${plural(status.batches.length, 'batch', 'batches')}: ${[...counts].map(([state, count]) => `${formatCount(count)} ${state}`).join(', ')}`;
  if (shown.length === 0) return summary;
  const isByDocuments = movesDocuments(status);
  const rows = shown.map((batch) => batchRow(batch, isByDocuments, options));
  const columns = [
    { name: 'BATCH', align: 'right' as const },
    { name: 'STATE' },
    { name: 'INDICES', align: 'right' as const },
    ...(isByDocuments ? ['DOCUMENTS', 'WRITTEN', 'REFUSED', 'PARTS'] : ['SIZE']).map((name) => ({
      name,
      align: 'right' as const,
    })),
    { name: 'STAGE' },
    ...(options.bars === true ? [{ name: '' }] : []),
    { name: 'WHAT' },
  ];
  return `${summary}\n${table(columns, rows, paint)}`;
}

function batchRow(batch: LiveBatch, isByDocuments: boolean, { now, paint, bars }: StatusViewOptions): string[] {
  const { moved } = batch;
  const current =
    batch.steps.find((step) => step.state === 'stuck') ?? batch.steps.find((step) => step.state === 'running');
  const progress = current?.progress;
  return [
    String(batch.number),
    paintState(batch.state, paint),
    formatCount(batch.indices),
    ...(isByDocuments
      ? [
          formatCount(batch.documents),
          moved ? formatCount(moved.written) : '',
          moved ? formatCount(refusedIn(batch.refused)) : '',
          moved ? `${formatCount(moved.partsDone)}/${formatCount(moved.parts)}` : '',
        ]
      : [formatBytes(batch.sizeBytes)]),
    current?.id.split('/').at(-1) ?? '',
    ...(bars === true ? [progress ? bar(percent(progress.done, progress.total), 16, paint) : ''] : []),
    current ? stepWords(current, now) : '',
  ];
}

/** "Catch-up by sequence: running, 345 operations behind, in step with 12 s ago, …". */
function catchUpLine({ catchUp }: LiveStatus, { now, paint }: StatusViewOptions): string {
  if (!catchUp) return '';
  const { kind, state, lag, rate, rounds, written, deleted, inStepAt } = catchUp;
  const words = [
    lag === null ? 'not yet known how far behind' : `${plural(lag, 'operation')} behind`,
    ...(inStepAt === undefined
      ? []
      : [`in step with the source of ${formatSeconds((now.getTime() - Date.parse(inStepAt)) / 1000)} ago`]),
    ...(lag && rate ? [`${formatSeconds(lag / rate)} to go at ${formatCount(Math.round(rate))} a second`] : []),
    `${formatCount(written)} written and ${formatCount(deleted)} deleted in ${plural(rounds, 'round')}`,
  ];
  const series = seriesWords(catchUp, now);
  const unread = (catchUp.unread ?? []).map(({ where, what }) => paint.yellow(`! ${where}: ${what}`));
  const held = catchUp.steps.flatMap(({ progress, retrying }: LiveStep) => {
    if (retrying) return [paint.yellow(`! attempt ${retrying.attempt}, last failure: ${retrying.lastFailure}`)];
    const { detail = '' } = progress ?? {};
    return /held back|paused by itself/.test(detail) ? [paint.yellow(`! ${detail}`)] : [];
  });
  // of large shards it takes minutes, and until it has ended the lag keeps what was deleted
  const searching = catchUp.steps.flatMap((step) =>
    step.id === deletesStep && step.state === 'running' && step.progress ? [`  ${stepWords(step, now)}`] : [],
  );
  const line = `Catch-up by ${kind}: ${paintState(state, paint)}, ${words.join(', ')}`;
  return [line, ...searching, ...series, ...held, ...unread.slice(0, 5)].join('\n');
}

/** "12 indices followed; 3 appeared: …", and what was deleted on the source; the newest by name. */
function seriesWords({ series }: NonNullable<LiveStatus['catchUp']>, now: Date): string[] {
  if (!series) return [];
  const { followed, joining, appeared, newest, deleted } = series;
  const ago = ({ index, at }: (typeof newest)[number]) =>
    `${index} (${formatSeconds((now.getTime() - Date.parse(at)) / 1000)} ago)`;
  const named = (changes: typeof newest, count: number) => {
    const shown = changes.slice(-3).reverse();
    return `${shown.map(ago).join(', ')}${count > shown.length ? `, and ${formatCount(count - shown.length)} more` : ''}`;
  };
  const words = [
    `${plural(followed, 'index', 'indices')} followed`,
    ...(appeared > 0 ? [`${formatCount(appeared)} appeared: ${named(newest, appeared)}`] : []),
    ...(joining.length > 0 ? [`${formatCount(joining.length)} being moved: ${joining.slice(0, 3).join(', ')}`] : []),
    ...(deleted.length > 0
      ? [`${formatCount(deleted.length)} deleted on the source: ${named(deleted, deleted.length)}`]
      : []),
  ];
  return [`  ${words.join('; ')}`];
}

/** Documents that the target refused, by cause, each with what helps. */
function refusedTable(status: LiveStatus, { paint }: StatusViewOptions): string {
  const causes = [...status.batches.flatMap((batch) => batch.refused), ...(status.catchUp?.refused ?? [])];
  if (causes.length === 0) return '';
  const rows = causes
    .slice(0, 10)
    .map(({ index, count, type, reason, example, remedy }) => [
      index,
      formatCount(count),
      `${type}: ${reason}`.slice(0, 160),
      example,
      remedy,
    ]);
  const columns = [
    { name: 'INDEX' },
    { name: 'COUNT', align: 'right' as const },
    { name: 'CAUSE' },
    { name: 'SUCH AS' },
    { name: 'REMEDY' },
  ];
  return `${paint.yellow(plural(refusedIn(causes), 'document'))} refused by the target\n${table(columns, rows, paint)}`;
}

function differences(status: LiveStatus, { paint, all }: StatusViewOptions): string {
  if (status.differences.length === 0) return '';
  const most = all === true ? status.differences.length : 20;
  const rows = status.differences.slice(0, most).map(({ where, what }) => [where, what]);
  const more =
    status.differences.length > most
      ? `\n… and ${plural(status.differences.length - most, 'more', 'more')}: --all shows them`
      : '';
  return `${paint.yellow(plural(status.differences.length, 'difference'))}\n${table([{ name: 'WHERE' }, { name: 'WHAT' }], rows, paint)}${more}`;
}

function ending(status: LiveStatus): string {
  const lines: string[] = [];
  if (status.cutover !== undefined) lines.push(`After the cutover: ${status.cutover}`);
  if (isEnd(status.state)) lines.push(`What happened, with evidence: shardlift report ${status.run}`);
  else if (!needsPerson(status.state) && allSteps(status).some((step) => step.retrying))
    lines.push('A failed attempt is repeated by itself: nothing has to be done yet.');
  return lines.join('\n');
}
