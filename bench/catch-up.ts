import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunStatus, StepStatus } from '../contracts/status';
import { request, segment } from '../lab/http';
import { loadFiller } from '../lab/loader';
import { progress, timed } from '../lab/progress';
import { waitFor } from '../lab/wait';
import { markerId, type Marker } from './catch-up-writer';
import { contentOf, samenessOf } from './copy-check';
import { corpora, mappings } from './copy-corpora';
import { copyRunbook } from './copy-shardlift';
import { build, runPrefix, withBenchLab, type BenchLab } from './lab';
import { forgetPeak, peakRssMb, watchCpu } from './process-use';
import { report } from './report';
import { median } from './statistics';

export interface CatchUpOptions {
  seconds: number;
  perSecond: number;
  json: boolean;
}

const index = 'bench-live-1';
const documents = 20_000;
const intervalSeconds = 1;
const lookEveryMs = 200;
/** Servers that have just started compile their own code first: a cluster that is moved has been up for weeks. */
const warmUpSeconds = 30;

interface Lag {
  documents: number;
  seconds: number;
}

/** How far behind a live source the target is, and how long the cutover keeps writers out, by a run of the product. */
export async function benchCatchUp(options: CatchUpOptions): Promise<boolean> {
  build();
  return withBenchLab({}, async (lab) => {
    const { source, target } = lab.pair;
    await loadFiller({
      url: source.url,
      indices: 1,
      megabytesEach: 0,
      documents,
      make: corpora.kb.make,
      settings: {},
      mappings,
      shards: 2,
      prefix: 'bench-live',
    });
    const writer = startWriter(source.url, options.perSecond);
    try {
      const name = `${runPrefix}catch-up`;
      const follow = [
        `catchUp: { kind: sequence, interval: ${intervalSeconds}s, lagBelow: 1000000 }`,
        'freeze: atCutover',
        'gates: [cutover]',
        '',
      ];
      const file = lab.runbook(name, copyRunbook(lab, name, index, 'given', follow.join('\n')));
      await timed('copying, and catching up to the gate', () => toGate(lab, file));
      await timed('warming up', () => sleep(warmUpSeconds * 1000));
      forgetPeak(lab.worker.pid);
      const worker = await watchCpu(lab.worker.pid);
      const fromMs = Date.now();
      progress(`watching the lag for ${options.seconds} s …`);
      const { seen, deletes } = await watchLag(source.url, target.url, options.seconds);
      worker.stop();
      const busySeconds = worker.secondsBetween(fromMs, Date.now());
      const { status, written } = await timed('cutting over', () => cutOver(lab, name, writer));
      const [before, after] = [await contentOf(source.url, index, 2_000), await contentOf(target.url, index, 2_000)];
      if (samenessOf(before, after) !== 'bytes' || before.versions !== after.versions)
        throw new Error('documents are not the same to the byte, or have other versions');
      const rate = written.operations / written.seconds;
      const title = `${documents} documents and ${rate.toFixed(0)} adds, updates and deletes a second, rounds ${intervalSeconds} s apart, watched for ${options.seconds} s; ${status.catchUp?.rounds} rounds, ${status.catchUp?.written} written, ${status.catchUp?.deleted} deleted; both sides the same in the end`;
      const of = (value: (lag: Lag) => number) => seen.map(value);
      const [inSeconds, inDocuments] = [of((lag) => lag.seconds), of((lag) => lag.documents)];
      const blocked = stepOf(status, 'cutover/write-block');
      const drained = stepOf(status, 'cutover/drain');
      return report(title, options, [
        { name: 'lag, median', value: median(inSeconds), atMost: 3, unit: ' s' },
        { name: 'lag, p95', value: share(inSeconds, 0.95), atMost: 5, unit: ' s' },
        { name: 'lag, largest', value: Math.max(...inSeconds), atMost: 10, unit: ' s' },
        { name: 'lag of deletes, median', value: median(deletes), atMost: 6, unit: ' s' },
        { name: 'lag of deletes, p95', value: share(deletes, 0.95), atMost: 10, unit: ' s' },
        { name: 'lag, median', value: median(inDocuments), atMost: 3 * options.perSecond, unit: ' operations' },
        { name: 'lag, p95', value: share(inDocuments, 0.95), atMost: 5 * options.perSecond, unit: ' operations' },
        { name: 'lag, largest', value: Math.max(...inDocuments), atMost: 10 * options.perSecond, unit: ' operations' },
        { name: 'write block to drained', value: secondsBetween(blocked, drained), atMost: 10, unit: ' s' },
        { name: 'CPU of one core', value: (busySeconds / options.seconds) * 100, atMost: 50, unit: ' %' },
        { name: 'peak RSS of the worker', value: peakRssMb(lab.worker.pid) ?? Number.NaN, atMost: 512, unit: ' MB' },
      ]);
    } finally {
      writer.kill('SIGKILL');
    }
  });
}

function startWriter(url: string, perSecond: number): ChildProcess {
  return fork(path.join(__dirname, 'catch-up-writer.ts'), [url, index, String(documents), String(perSecond)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 2, 2, 'ipc'],
  });
}

async function toGate({ cli }: BenchLab, file: string): Promise<void> {
  const { code, stdout, stderr } = await cli.run(['start', file, '--wait', '--until-gate'], { capture: true });
  if (code !== 5) throw new Error(`the run did not come to its gate (${code}): ${stderr}${stdout.slice(-2_000)}`);
}

/**
 * By the marker, which each bulk of the writer moves on: a realtime GET finds it before any refresh. A deleted document is
 * looked for until it is gone from the target, one at a time.
 */
async function watchLag(source: string, target: string, seconds: number): Promise<{ seen: Lag[]; deletes: number[] }> {
  const seen: Lag[] = [];
  const deletes: number[] = [];
  let owed: { id: string; at: number } | undefined;
  const untilMs = performance.now() + seconds * 1000;
  while (performance.now() < untilMs) {
    // the target first: what comes in between makes the lag larger, never smaller
    const there = await markerOf(target);
    const here = await markerOf(source);
    seen.push({ documents: here.operations - there.operations, seconds: (Date.now() - there.at) / 1000 });
    if (owed && !(await isThere(target, owed.id))) {
      deletes.push((Date.now() - owed.at) / 1000);
      owed = undefined;
    }
    if (!owed && here.gone !== undefined) owed = { id: here.gone, at: here.at };
    await sleep(lookEveryMs);
  }
  // one that is still there has taken as long at least
  if (owed) deletes.push((Date.now() - owed.at) / 1000);
  return { seen, deletes };
}

async function isThere(url: string, id: string): Promise<boolean> {
  return (await request({ method: 'HEAD', url: `${url}/${segment(index)}/_doc/${segment(id)}` })).status === 200;
}

async function markerOf(url: string): Promise<Marker> {
  // on the target it is not there before the first round that has it
  return waitFor(
    async () => {
      const { status, body } = await request({ url: `${url}/${segment(index)}/_doc/${markerId}` });
      return status === 200 && (JSON.parse(body.toString()) as { _source: Marker })._source;
    },
    { what: 'the marker', timeoutMs: 120_000, everyMs: 50 },
  );
}

interface WriterEnd {
  operations: number;
  seconds: number;
}

async function cutOver(
  { cli, pair }: BenchLab,
  name: string,
  writer: ChildProcess,
): Promise<{ status: RunStatus; written: WriterEnd }> {
  const stopped = new Promise<WriterEnd>((resolve, reject) => {
    writer.once('message', (end) => resolve(end as WriterEnd));
    writer.once('exit', (code) => reject(new Error(`the writer ended with ${code} before a write block met it`)));
  });
  stopped.catch(() => undefined);
  const approved = await cli.run(['approve', name, 'cutover', '--reason', 'benchmark'], { capture: true });
  if (approved.code !== 0) throw new Error(`shardlift approve ended with ${approved.code}: ${approved.stderr}`);
  const status = await waitFor(
    async () => {
      const { stdout } = await cli.run(['status', name, '--output', 'json'], { capture: true });
      const found = JSON.parse(stdout) as RunStatus;
      return found.endedAt !== undefined && found;
    },
    { what: 'the end of the run', timeoutMs: 600_000, everyMs: 1_000 },
  );
  if (status.state !== 'completed')
    throw new Error(`the run is ${status.state}: ${JSON.stringify(status.differences)}`);
  const written = await stopped;
  // so that the source can be read as the target is
  await request({ method: 'PUT', url: `${pair.source.url}/${index}/_settings`, body: { 'index.blocks.write': null } });
  return { status, written };
}

function stepOf({ steps }: RunStatus, id: string): StepStatus {
  const step = steps.find((each) => each.id === id);
  if (step === undefined) throw new Error(`the run has no step ${id}`);
  return step;
}

/** From the moment that the block was asked for. */
function secondsBetween({ startedAt = '' }: StepStatus, { endedAt = '' }: StepStatus): number {
  return (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
}

/** The value that so great a share of all does not exceed. */
function share(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
