import { loadavg } from 'node:os';
import { formatBytes, parseBytes } from '../contracts/bytes';
import { loadFiller } from '../lab/loader';
import { run as runProgram } from '../lab/process';
import { progress, timed } from '../lab/progress';
import { waitFor } from '../lab/wait';
import { byHand, stagesAlone } from './by-hand';
import { checkCounts, isMerged, storedIndices, type StoredIndex } from './elasticsearch';
import { benchIndices, build, runPrefix, withBenchLab, type BenchLab } from './lab';
import { benchRunbook } from './runbooks';
import { plannedBatches, runShardlift, timeline } from './shardlift-run';
import { medians, rounded, type Measurement } from './statistics';
import { figureLine, isReached, type Figure } from './wanted';

export interface SnapshotOptions {
  size: string;
  indices: number;
  rounds: number;
  /** Most bytes of a batch; a twelfth of the whole, about, unless given. */
  batch?: string;
  limit: string;
  json: boolean;
  timeline: boolean;
}

const names = {
  byHand: 'by hand, default limits',
  shardlift: 'Shardlift, default limits',
  bound: 'bound: slowest stage alone',
  raised: 'Shardlift, raised limits',
  snapshot: '  snapshot alone',
  copy: '  copy alone',
  restore: '  restore alone',
} as const;

/** Filling and emptying the pipeline costs about one batch, and each batch has its fixed costs: a compromise of the two. */
const batchesWanted = 12;

/** The procedure by hand, Shardlift, and the bound, side by side in interleaved rounds. */
export async function benchSnapshot(options: SnapshotOptions): Promise<boolean> {
  if ((await runProgram('rsync', ['--version'])).code !== 0)
    throw new Error('rsync is not installed: both procedures copy with it (apt-get install rsync)');
  build();
  return withBenchLab({}, async (lab) => {
    const documents = await load(lab, options);
    const stored = await settledIndices(lab.pair.source.url);
    const bytes = sizeOf(stored);
    const batchBytes = options.batch === undefined ? evenBatches(bytes, options.indices) : parseBytes(options.batch);
    const batches = await plannedBatches(lab, lab.runbook('plan', benchRunbook(lab, 'plan', { batchBytes })));
    progress(`${stored.length} indices, ${formatBytes(bytes)} in ${batches.length} batches; load ${load1()}`);
    const measurements: Measurement[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      const note = (name: string, seconds: number) => {
        measurements.push({ name, seconds, bytes });
        progress(`round ${round}: ${name.trim()}: ${seconds.toFixed(1)} s (load ${load1()})`);
      };
      const shardlift = async (variant: string, limit?: string) => {
        await lab.reset();
        const name = `${runPrefix}${variant}-${round}`;
        const file = lab.runbook(name, benchRunbook(lab, name, { batchBytes, limit }));
        const { seconds, status } = await runShardlift(lab, name, file);
        await checkCounts(lab.pair.target.url, documents);
        if (status.batches.length !== batches.length)
          throw new Error(`${status.batches.length} batches instead of the ${batches.length} that were planned`);
        if (options.timeline) process.stderr.write(`${timeline(status)}\n`);
        return seconds;
      };
      await lab.reset();
      note(names.byHand, await byHand(lab, batches));
      note(names.shardlift, await shardlift('default'));
      await lab.reset();
      const alone = await stagesAlone(
        lab,
        stored.map(({ name }) => name),
      );
      note(names.bound, Math.max(alone.snapshot, alone.copy, alone.restore));
      note(names.raised, await shardlift('raised', options.limit));
      for (const stage of ['snapshot', 'copy', 'restore'] as const) note(names[stage], alone[stage]);
    }
    await lab.reset();
    return report(options, measurements, batches.length);
  });
}

function sizeOf(indices: StoredIndex[]): number {
  return indices.reduce((sum, index) => sum + index.bytes, 0);
}

/** Elasticsearch tells sizes that are up to 10 s old, and other sizes would make other batches. */
async function settledIndices(url: string): Promise<StoredIndex[]> {
  let before = -1;
  return waitFor(
    async () => {
      const stored = await storedIndices(url, benchIndices);
      const bytes = sizeOf(stored);
      const isSettled = bytes === before;
      before = bytes;
      return isSettled && stored;
    },
    { what: 'sizes to settle', timeoutMs: 120_000, everyMs: 11_000 },
  );
}

function load1(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

/** Whole indices go into a batch, and all are of about one size: a batch is a few of them, with some room. */
function evenBatches(bytes: number, indices: number): number {
  const each = bytes / indices;
  const perBatch = Math.max(1, Math.round(indices / batchesWanted));
  return Math.ceil(each * (perBatch + 0.5));
}

/** Answers with how many documents went into each index. */
async function load(lab: BenchLab, { size, indices }: SnapshotOptions): Promise<Map<string, number>> {
  const url = lab.pair.source.url;
  const megabytesEach = parseBytes(size) / indices / 1e6;
  const manifest = await timed(`loading ${size} into ${indices} indices`, async () => {
    const loaded = await loadFiller({ url, indices, megabytesEach, prefix: 'bench' });
    await waitFor(() => isMerged(url), { what: 'merges to end', timeoutMs: 600_000, everyMs: 500 });
    return loaded;
  });
  return new Map(manifest.indices.map(({ name, docs }) => [name, docs]));
}

function report(options: SnapshotOptions, measurements: Measurement[], batches: number): boolean {
  const rows = medians(measurements);
  const secondsOf = (name: string) => rows.find((row) => row.name === name)?.seconds ?? Number.NaN;
  const ratios = {
    toBound: rounded(secondsOf(names.shardlift) / secondsOf(names.bound)),
    toByHand: rounded(secondsOf(names.shardlift) / secondsOf(names.byHand)),
    raisedToByHand: rounded(secondsOf(names.raised) / secondsOf(names.byHand)),
  };
  const figures: Figure[] = [
    { name: 'toBound', value: ratios.toBound, atMost: 1.25 },
    { name: 'toByHand', value: ratios.toByHand, atMost: 0.7 },
    { name: 'raisedToByHand', value: ratios.raisedToByHand, atMost: 0.35 },
  ];
  const table = [
    `${formatBytes(rows[0]?.bytes ?? 0)} in ${options.indices} indices and ${batches} batches, medians of ${options.rounds} interleaved rounds`,
    '',
    `${'procedure'.padEnd(28)} ${'seconds'.padStart(8)} ${'MB/s'.padStart(8)}   each round`,
    ...rows.map(({ name, seconds, bytes }) => {
      const each = measurements.filter((one) => one.name === name).map((one) => one.seconds.toFixed(1));
      return `${name.padEnd(28)} ${seconds.toFixed(1).padStart(8)} ${(bytes / 1e6 / seconds).toFixed(1).padStart(8)}   ${each.join(' ')}`;
    }),
    '',
    ...figures.map(figureLine),
    '',
  ].join('\n');
  // for programs stdout is the one document, and the table is for whoever looks on
  (options.json ? process.stderr : process.stdout).write(`${table}`);
  if (options.json) {
    const document = {
      rows: rows.map(({ name, seconds, bytes }) => ({ name: name.trim(), seconds: rounded(seconds), bytes })),
      ratios,
    };
    process.stdout.write(`${JSON.stringify(document)}\n`);
  }
  return figures.every(isReached);
}
