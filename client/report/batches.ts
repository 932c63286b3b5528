import { formatBytes } from '../../contracts/bytes';
import { formatCount, formatTime, plural } from '../format';
import { movesDocuments, refusedIn, type LiveBatch, type LiveStatus } from '../live-status';
import type { ReportData } from './data';
import { html, type Content } from './markup';
import { grid, lasted, section, tone } from './tables';

export function batchesSection({ status }: ReportData): Content {
  if (status.batches.length === 0) return '';
  const isByDocuments = movesDocuments(status);
  const stages = isByDocuments ? ['documents', 'verify'] : ['snapshot', 'copy', 'restore', 'verify'];
  const rows = status.batches.map((batch) => [
    batch.number,
    html`<span class="${tone(batch.state)}">${batch.state}</span>`,
    formatCount(batch.indices),
    formatBytes(batch.sizeBytes),
    formatCount(batch.documents),
    ...(isByDocuments ? movedCells(batch) : []),
    ...stages.map((stage) => lasted(stepOf(batch.steps, stage))),
  ]);
  const heads = [
    ...['Batch', 'State', 'Indices', 'Size', 'Documents'],
    ...(isByDocuments ? ['Written', 'There already', 'Refused', 'Parts', 'A second'] : []),
    ...stages,
  ];
  return section(
    'Batches',
    grid(
      heads,
      rows,
      heads.map((_, index) => index).filter((index) => index > 1),
    ),
  );
}

function stepOf<Step extends { id: string }>(steps: readonly Step[], stage: string): Step | undefined {
  return steps.find(({ id }) => id.endsWith(`/${stage}`));
}

/** What matters of a batch that was moved document by document. */
function movedCells({ moved, refused, steps }: LiveBatch): string[] {
  if (!moved) return ['', '', '', '', ''];
  const { startedAt, endedAt } = stepOf(steps, 'documents') ?? {};
  const seconds = (Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')) / 1000;
  return [
    formatCount(moved.written),
    formatCount(moved.superseded),
    formatCount(refusedIn(refused)),
    `${formatCount(moved.partsDone)} of ${formatCount(moved.parts)}`,
    seconds > 0 ? formatCount(Math.round((moved.written + moved.superseded) / seconds)) : '',
  ];
}

/** How a live source was followed, to the end. */
export function catchUpSection({ catchUp, steps }: LiveStatus): Content {
  if (!catchUp) return '';
  const { kind, state, rounds, written, deleted, refused, lag, inStepAt, differences } = catchUp;
  const rows: [string, Content][] = [
    ['Followed by', kind],
    ['State', html`<span class="${tone(state === 'drained' ? 'done' : state)}">${state}</span>`],
    ['Rounds', formatCount(rounds)],
    ['Written', formatCount(written)],
    ['Deleted', formatCount(deleted)],
    ['Refused by the target', formatCount(refusedIn(refused))],
    ['Behind the source', lag === null ? 'not known' : plural(lag, 'operation')],
    ['In step with the source of', formatTime(inStepAt)],
    ['Time until little was left', lasted(steps.find(({ id }) => id === 'catch-up/begin'))],
    ['Time of the drain', lasted(steps.find(({ id }) => id === 'cutover/drain'))],
    ...differences.map(({ where, what }): [string, Content] => ['Difference', `${where}: ${what}`]),
  ];
  return section(
    'Catch-up',
    grid(
      ['', ''],
      rows.filter(([, what]) => what !== ''),
    ),
  );
}

/** Of a time series: what the plan did not have, with its batch, and what went away. */
export function seriesSection({ status, plan }: ReportData): Content {
  const { series } = status.catchUp ?? {};
  if (!series) return '';
  const appeared = (plan?.batches ?? []).filter(({ appearedAt }) => appearedAt !== undefined);
  const rows = [
    ...appeared.flatMap(({ number, appearedAt, indices }) =>
      indices.map(({ name }) => [formatTime(appearedAt), name, `appeared; moved as batch ${number}, and followed`]),
    ),
    ...series.deleted.map(({ index, at, wasMoved }) => [
      formatTime(at),
      index,
      wasMoved
        ? 'deleted on the source; the target keeps it as it was then'
        : 'deleted on the source before it was moved',
    ]),
  ];
  const followed = `${plural(series.followed, 'index', 'indices')} followed at the end.`;
  return section('Time series', [
    html`<p>${followed}</p>`,
    rows.length === 0 ? '' : grid(['Seen', 'Index', 'What'], rows),
  ]);
}
