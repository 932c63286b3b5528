import type { CopyBenchOptions, CopyFindings } from './copy';
import type { CopyCorpus } from './copy-corpora';
import { rowsOf, tableOf, type CopyRow } from './copy-rows';
import { median, rounded } from './statistics';
import { figureLine, isReached, type Figure } from './wanted';

/** Beginnings of the rows' names; the tools of others, those with a client of their own first. */
export const rowNames = {
  copy: 'Shardlift copy',
  raised: 'Shardlift copy, raised load settings',
  run: 'Shardlift run, start to end',
  load: 'bare bulk load',
  raisedLoad: 'bare load, raised load settings',
  scan: 'bare scan',
  elasticdump: 'elasticdump',
  python: 'elasticsearch-py reindex',
  reindex: 'remote _reindex',
} as const;

export interface CopyRatios {
  toBestPeer: number | null;
  toBound: number;
  cpuToBestPeer: number | null;
}

/** `1 / (1/load + 1/scan)` of the medians; ours over the best of the peers that there are. */
export function ratiosOf(rows: readonly CopyRow[], documents: number): { ratios: CopyRatios; bound: number } {
  const named = (...beginnings: string[]) =>
    rows.filter(({ name }) => beginnings.some((beginning) => name.startsWith(beginning)));
  const best = (found: CopyRow[], value: (row: CopyRow) => number) =>
    found.length === 0 ? undefined : Math.max(...found.map(value));
  const rate = ({ docsPerSecond }: CopyRow) => docsPerSecond;
  const perCpu = ({ clientCpuSeconds }: CopyRow) => documents / clientCpuSeconds;
  const ours = rows.find(({ name }) => name === rowNames.copy);
  const load = best(named(rowNames.load), rate);
  const scan = best(named(rowNames.scan), rate);
  if (ours === undefined || load === undefined || scan === undefined) throw new Error('rows of the bound are missing');
  const bound = 1 / (1 / load + 1 / scan);
  const over = (own: number, other: number | undefined) => (other === undefined ? null : rounded(own / other));
  const clients = named(rowNames.elasticdump, rowNames.python);
  return {
    bound,
    ratios: {
      toBestPeer: over(rate(ours), best([...clients, ...named(rowNames.reindex)], rate)),
      toBound: rounded(rate(ours) / bound),
      cpuToBestPeer: over(perCpu(ours), best(clients, perCpu)),
    },
  };
}

export function reportCopy(options: CopyBenchOptions, corpus: CopyCorpus, found: CopyFindings): boolean {
  const rows = rowsOf(found.measurements);
  const { ratios, bound } = ratiosOf(rows, options.documents);
  const ours = rows.filter(({ name }) => name === rowNames.copy);
  const figures: Figure[] = [
    { name: 'toBound', value: ratios.toBound, atLeast: 0.95 },
    ...(ratios.toBestPeer === null ? [] : [{ name: 'toBestPeer', value: ratios.toBestPeer, atLeast: 1 }]),
    ...(ratios.cpuToBestPeer === null ? [] : [{ name: 'cpuToBestPeer', value: ratios.cpuToBestPeer, atLeast: 5 }]),
    { name: 'peak RSS of the worker', value: ours[0]?.peakRssMb ?? Number.NaN, atMost: 512, unit: ' MB' },
  ];
  const lines = [
    `${options.documents} ${corpus.title}, 7.17 to 7.17, medians of ${options.rounds} interleaved rounds`,
    '',
    tableOf(rows, found.sameness),
    '',
    `bound 1/(1/load + 1/scan): ${bound.toFixed(0)} documents/s`,
    `Temporal server while documents moved: ${median(found.temporalCpuSeconds).toFixed(2)} s of CPU, not counted as the client's`,
    ...[...found.leftOut].map(([name, why]) => `left out: ${name}: ${why}`),
    '',
    ...figures.map(figureLine),
    '',
  ];
  (options.json ? process.stderr : process.stdout).write(lines.join('\n'));
  if (options.json) process.stdout.write(`${JSON.stringify({ rows, ratios })}\n`);
  return figures.every(isReached);
}
