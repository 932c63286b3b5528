import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { dismantleOnSignals } from '../lab/guard';
import { startPair, type Pair, type PairOptions } from '../lab/pair';
import { run as runProgram, stopSession, type ProcessIdentity } from '../lab/process';
import { progress } from '../lab/progress';
import { shardlift, type Shardlift } from '../lab/shardlift';
import { startTemporal, type TemporalServer } from '../lab/temporal';
import { waitFor } from '../lab/wait';
import { deleteIndices, forgetRepositories, storedIndices } from './elasticsearch';

/** Every index that the benchmarks make: nothing else of the clusters is touched. */
export const benchIndices = 'bench-*';
/** Where the host activities keep their jobs; on this machine, since the copying host is `connection: local`. */
const jobsDirectory = '/var/lib/shardlift/jobs';

export interface Engine {
  temporal: TemporalServer;
  cli: Shardlift;
  worker: ProcessIdentity;
  stop(): Promise<void>;
}

export interface BenchLab extends Engine {
  pair: Pair;
  /** Writes a runbook and answers with its path. */
  runbook(name: string, text: string): string;
  /** A directory for repositories that is not there yet; below path.repo of both clusters. */
  newDirectory(name: string): string;
  /** The target, the repositories and their directories as they were at the beginning; what is left to write is written. */
  reset(): Promise<void>;
}

/** The product as an operator would install it, freshly built. */
export function build(): void {
  progress('building the product …');
  execFileSync(process.execPath, [path.join(__dirname, '..', 'scripts', 'build.cjs')], { stdio: ['ignore', 2, 2] });
}

export interface EngineOptions {
  withWorker?: boolean;
  /** A directory for the CPU profile that the worker writes at its end. */
  profile?: string;
}

/** A Temporal server, and a worker process of the built product. */
export async function startEngine(directory: string, options: EngineOptions = {}): Promise<Engine> {
  const temporal = await startTemporal({ directory: path.join(directory, 'temporal'), ui: false });
  const env = { TEMPORAL_ADDRESS: temporal.address, SHARDLIFT_USER: 'bench' };
  const cli = shardlift({ directory, env });
  const worker =
    options.withWorker === false
      ? { pid: 0, started: '' }
      : await startWorker(
          options.profile === undefined
            ? cli
            : shardlift({ directory, env: { ...env, ...profiling(options.profile) } }),
          temporal,
        );
  return {
    temporal,
    cli,
    worker,
    async stop() {
      if (worker.pid !== 0) await stopSession(worker);
      await temporal.stop();
    },
  };
}

function profiling(directory: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${path.resolve(directory)}` };
}

async function startWorker(cli: Shardlift, temporal: TemporalServer): Promise<ProcessIdentity> {
  const worker = await cli.start(['worker'], 'worker');
  await waitFor(
    async () => {
      const { stdout } = await runProgram(
        temporal.binary,
        ['task-queue', 'describe', '--task-queue', 'shardlift', '--address', temporal.address],
        { timeoutMs: 10_000 },
      );
      return stdout.includes('workflow');
    },
    { what: 'the worker to poll', timeoutMs: 60_000 },
  );
  return worker;
}

/** Two clusters, a Temporal server and a worker; gone when `work` has ended, however it ends. */
export async function withBenchLab<T>(
  options: PairOptions & EngineOptions,
  work: (lab: BenchLab) => Promise<T>,
): Promise<T> {
  dismantleOnSignals(() => removeJobs());
  const pair = await startPair(options);
  let engine: Engine | undefined;
  try {
    engine = await startEngine(pair.directory, options);
    return await work({ ...engine, pair, ...placesOf(pair) });
  } finally {
    await engine?.stop();
    await pair.stop();
    removeJobs();
  }
}

function placesOf(pair: Pair): Pick<BenchLab, 'runbook' | 'newDirectory' | 'reset'> {
  const runbooks = path.join(pair.directory, 'runbooks');
  return {
    runbook(name, text) {
      mkdirSync(runbooks, { recursive: true });
      const file = path.join(runbooks, `${name}.yaml`);
      writeFileSync(file, text);
      return file;
    },
    newDirectory: (name) => path.join(pair.repositoryDir, name),
    async reset() {
      const restored = await storedIndices(pair.target.url, benchIndices);
      await deleteIndices(
        pair.target.url,
        restored.map(({ name }) => name),
      );
      await Promise.all([forgetRepositories(pair.source.url), forgetRepositories(pair.target.url)]);
      for (const name of readdirSync(pair.repositoryDir))
        rmSync(path.join(pair.repositoryDir, name), { recursive: true, force: true });
      removeJobs();
      // what one procedure has left in memory to be written must not be paid for by the next
      await runProgram('sync', []);
    },
  };
}

/** Also those of a benchmark that was killed: nobody else could know that they are of no use any more. */
function removeJobs(): void {
  if (!existsSync(jobsDirectory)) return;
  for (const name of readdirSync(jobsDirectory)) {
    const pid = Number(/^shardlift-bench-(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid !== 0 && (pid === process.pid || !existsSync(`/proc/${pid}`)))
      rmSync(path.join(jobsDirectory, name), { recursive: true, force: true });
  }
}

/** Beginning of every run's name: two benchmarks beside each other keep their jobs apart. */
export const runPrefix = `bench-${process.pid}-`;
