import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createActivities } from '../../activities';
import { allSteps, type LiveStatus, type LiveStep } from '../../client/live-status';
import { runCommandLine } from '../../client/main';
import type { FailureInfo, FailureType } from '../../contracts/failures';
import type { PlanAnswer } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import { differences, digestIndices } from '../../lab/digest';
import { testIo } from '../unit/client-fixtures';
import { http } from './shared-pair';
import { startEnvironment } from './temporal-environment';
import { waitUntil } from './wait-until';

/** Long enough for whatever a step does on a machine that is busy with something else. */
const patienceMs = 150_000;

/** Whole runs on the pair: a Temporal server, the worker's own activities, and the command line as an operator has it. */
export async function startPairOperator() {
  const directory = mkdtempSync(path.join(tmpdir(), 'shardlift-operator-'));
  const environment = await startEnvironment();
  const world = createActivities({ failedDocumentsDirectory: path.join(directory, 'failed-documents') });
  let queue = '';
  let endWorker = (): void => undefined;
  const ended = new Promise<void>((end) => (endWorker = end));
  let work = Promise.resolve();
  await new Promise<void>((isWorking, failed) => {
    work = environment.withWorker(world.activities, (taskQueue) => {
      queue = taskQueue;
      isWorking();
      return ended;
    });
    work.catch(failed);
  });

  async function shardlift(...argv: string[]) {
    const { address } = environment.environment.connection.options;
    const io = testIo({
      env: { TEMPORAL_ADDRESS: address, SHARDLIFT_TASK_QUEUE: queue, SHARDLIFT_USER: 'alice' },
      now: Date.now,
    });
    const code = await runCommandLine(argv, io);
    return { code, out: io.out(), err: io.err() };
  }

  /** A verb that must succeed. */
  async function tell(...argv: string[]): Promise<string> {
    const { code, out, err } = await shardlift(...argv);
    if (code !== 0) throw new Error(`shardlift ${argv.join(' ')} ended with ${code}: ${out}${err}`);
    return out;
  }

  const status = async (run: string) => JSON.parse(await tell('status', run, '-o', 'json')) as LiveStatus;

  function reach(run: string, what: string, isRight: (seen: LiveStatus) => boolean): Promise<LiveStatus> {
    return waitUntil(() => status(run), isRight, { timeoutMs: patienceMs, everyMs: 200, what: `${run}: ${what}` });
  }

  /** Waits until a step is what is wanted of it, and answers with it. */
  async function reachStep(run: string, id: string, isRight: (step: LiveStep) => boolean): Promise<LiveStep> {
    const find = (seen: LiveStatus) => allSteps(seen).find((step) => step.id === id && isRight(step));
    return find(await reach(run, id, (seen) => find(seen) !== undefined)) as LiveStep;
  }

  /** Retry or skip: until the batch has told the run of it, its step is shown as it was. */
  async function decide(run: string, ...argv: string[]): Promise<void> {
    const stuck = (seen: LiveStatus) =>
      allSteps(seen).flatMap(({ id, state, attempt }) => (state === 'stuck' ? [`${id} ${attempt}`] : []));
    const before = stuck(await status(run));
    await tell(...argv);
    await reach(run, argv.join(' '), (seen) => !stuck(seen).some((each) => before.includes(each)));
  }

  /** A runbook's file: JSON is YAML. */
  function write(runbook: MigrationRunbook): string {
    const file = path.join(directory, `${runbook.name}.yaml`);
    writeFileSync(file, JSON.stringify(runbook));
    return file;
  }

  return {
    directory,
    shardlift,
    tell,
    status,
    reach,
    reachStep,
    /** As `shardlift start` of a file. */
    async start(runbook: MigrationRunbook): Promise<string> {
      const file = write(runbook);
      await tell('start', file);
      return file;
    },
    /** As `shardlift plan` of it: what its checks refuse, by their ids. */
    async refusedBy(runbook: MigrationRunbook): Promise<string[]> {
      const { out } = await shardlift('plan', write(runbook), '-o', 'json');
      const { checks } = JSON.parse(out) as PlanAnswer;
      return checks.flatMap(({ id, state, level }) => (state === 'failed' && level === 'mandatory' ? [id] : []));
    },
    /** Waits until that step is stuck, and answers with what the operator is told. */
    async stuckAt(run: string, id: string): Promise<FailureInfo> {
      return (await reachStep(run, id, (step) => step.state === 'stuck')).failure as FailureInfo;
    },
    /** Waits until that step has failed so for now and is tried again by itself, and answers with what the operator is told. */
    async triedAgainAt(run: string, id: string, type: FailureType): Promise<FailureInfo> {
      const step = await reachStep(run, id, ({ retrying }) => retrying?.failure?.type === type);
      return step.retrying?.failure as FailureInfo;
    },
    retry: (run: string) => decide(run, 'retry', run, '--reason', 'mended'),
    skip: (run: string, step: string, reason: string) => decide(run, 'skip', run, step, '--yes', '--reason', reason),
    /** Looks on until the run ends. One that gets stuck on the way is an error. */
    async ended(run: string): Promise<LiveStatus> {
      const last = await reach(run, 'its end', ({ state, endedAt }) => endedAt !== undefined || state === 'stuck');
      if (last.state === 'stuck') throw new Error(`${last.now}: ${JSON.stringify(allSteps(last).at(-1)?.failure)}`);
      return last;
    },
    async stop(): Promise<void> {
      endWorker();
      await work;
      await environment.stop();
      await world.close();
      rmSync(directory, { recursive: true, force: true });
    },
    environment,
  };
}

export type PairOperator = Awaited<ReturnType<typeof startPairOperator>>;

/** What a run could change on a cluster, to be compared with what is there later. */
export async function stateOf(url: string) {
  const [repositories, settings, indices, aliases] = await Promise.all(
    ['_snapshot', '_cluster/settings', '_settings?flat_settings=true&expand_wildcards=all', '_alias'].map((what) =>
      http(`${url}/${what}`).then(({ body }) => body),
    ),
  );
  return { repositories, settings, indices, aliases };
}

/** Documents of both sides by the lab's own reader, which shares no code with our verification. */
export async function lostOrChanged(source: string, target: string, indices: string[]): Promise<string[]> {
  const [from, to] = await Promise.all([source, target].map((url) => digestIndices({ url, indices })));
  return differences(from ?? {}, to ?? {}, { sequence: true });
}

/** A request of ours that must succeed. */
export async function must(url: string, method: string, body?: unknown): Promise<void> {
  const answer = await http(url, method, body);
  if (answer.status >= 300) throw new Error(`${method} ${url}: ${JSON.stringify(answer.body)}`);
}
