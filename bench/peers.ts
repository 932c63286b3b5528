import { spawn } from 'node:child_process';
import path from 'node:path';
import { cached } from '../lab/cache';
import { runOrThrow } from '../lab/process';
import type { CopyUse } from './copy-client';
import { flushed } from './elasticsearch';
import { endedChildrenTicks, peakRssMb, ticksPerSecond } from './process-use';
import { secondsOf } from './statistics';

/**
 * The tools that people copy with today. They are no dependencies of ours: each is fetched into the cache at first use, in
 * the version named here, and where that cannot be done its rows are left out, and it is said why.
 */
const elasticdumpVersion = '6.125.1';
/** Of the servers' own minor version. */
const pythonClientVersion = '7.17.13';

const fetchMs = 300_000;
const longestMs = 1_200_000;

export type Use = Omit<CopyUse, 'documents' | 'bytes'>;

export interface Peer {
  name: string;
  version: string;
  /** Where its program is; fetched when it is not there. */
  ready(): Promise<string>;
}

export const elasticdump: Peer = {
  name: 'elasticdump',
  version: elasticdumpVersion,
  async ready() {
    const directory = await cached({
      name: 'bench-peers',
      version: `elasticdump-${elasticdumpVersion}`,
      building: `fetching elasticdump ${elasticdumpVersion}`,
      build: async (place) => {
        const quietly = ['--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries', '1'];
        await runOrThrow('npm', ['install', '--prefix', place, ...quietly, `elasticdump@${elasticdumpVersion}`], {
          timeoutMs: fetchMs,
        });
      },
    });
    return path.join(directory, 'node_modules', 'elasticdump', 'bin', 'elasticdump');
  },
};

export const pythonClient: Peer = {
  name: 'elasticsearch-py',
  version: pythonClientVersion,
  async ready() {
    const directory = await cached({
      name: 'bench-peers',
      version: `elasticsearch-py-${pythonClientVersion}`,
      building: `fetching elasticsearch-py ${pythonClientVersion}`,
      build: async (place) => {
        await runOrThrow('python3', ['-m', 'venv', place], { timeoutMs: fetchMs });
        const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
        await runOrThrow(path.join(place, 'bin', 'python'), [...pip, `elasticsearch==${pythonClientVersion}`], {
          timeoutMs: fetchMs,
        });
      },
    });
    // the programs beside it name the place that it was built in; the interpreter finds its own
    return path.join(directory, 'bin', 'python');
  },
};

export interface Way {
  source: string;
  target: string;
  index: string;
}

/** What one run took, from its start to its end, with the processor time of everything that it started. */
async function whole(program: string, args: string[]): Promise<Use> {
  const before = endedChildrenTicks();
  let peak = 0;
  const seconds = await secondsOf(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: longestMs });
        let said = '';
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
        const timer = setInterval(() => (peak = peakRssMb(child.pid ?? 0) ?? peak), 50);
        child.once('error', reject);
        child.once('close', (code) => {
          clearInterval(timer);
          if (code === 0) resolve();
          else reject(new Error(`it ended with ${code}: ${said.trim().split('\n').slice(-3).join(' ').slice(-400)}`));
        });
      }),
  );
  return { seconds, cpuSeconds: (endedChildrenTicks() - before) / (await ticksPerSecond()), peakRssMb: peak };
}

/** Loading its own code is not what it is measured for: what `--help` takes is taken off. */
export async function runElasticdump(
  program: string,
  { source, target, index }: Way,
  tuned?: { limit: number; concurrency: number },
): Promise<Use> {
  const start = await whole(process.execPath, [program, '--help']);
  const options =
    tuned === undefined
      ? []
      : [`--limit=${tuned.limit}`, `--concurrency=${tuned.concurrency}`, '--noRefresh', '--quiet'];
  const ends = [`--input=${source}/${index}`, `--output=${target}/${index}`, '--type=data'];
  const use = await whole(process.execPath, [program, ...ends, ...options]);
  return {
    seconds: use.seconds - start.seconds + (await secondsOf(() => flushed(target, index))),
    cpuSeconds: use.cpuSeconds - start.cpuSeconds,
    peakRssMb: use.peakRssMb,
  };
}

/** It measures itself, from after its imports, and asks for the flush by itself. */
export async function runPythonClient(program: string, { source, target, index }: Way, chunk?: number): Promise<Use> {
  const script = path.join(__dirname, 'peer-reindex.py');
  const args = [script, source, target, index, chunk === undefined ? 'default' : String(chunk)];
  return JSON.parse(await runOrThrow(program, args, { timeoutMs: longestMs })) as Use;
}
