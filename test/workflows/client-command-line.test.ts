import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { runCommandLine } from '../../client/main';
import type { RestoreInput, SnapshotResult } from '../../contracts/cluster-activities';
import type { RunStatus } from '../../contracts/status';
import { planOf } from '../support/fixtures';
import { recordedActivities, stuckBecause } from '../support/recorded-activities';
import { startEnvironment, type Environment } from '../support/temporal-environment';
import { waitUntil } from '../support/wait-until';
import { testIo } from '../unit/client-fixtures';

/** The command line against real workflows on a real Temporal server; only the activities are recorders. */

jest.setTimeout(120_000);

let environment: Environment;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'shardlift-command-line-'));
  environment = await startEnvironment();
}, 120_000);
afterAll(async () => {
  await environment.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function shardlift(taskQueue: string, ...argv: string[]) {
  const { address } = environment.environment.connection.options;
  const io = testIo({
    env: { TEMPORAL_ADDRESS: address, SHARDLIFT_TASK_QUEUE: taskQueue, SHARDLIFT_USER: 'alice' },
    now: Date.now,
  });
  const code = await runCommandLine(argv, io);
  return { code, out: io.out(), err: io.err() };
}

function runbookFile(name: string, more = ''): string {
  const file = path.join(directory, `${name}.yaml`);
  writeFileSync(
    file,
    `kind: Migration\nname: ${name}\nsource: { urls: ['http://127.0.0.1:9200'] }\ntarget: { urls: ['http://127.0.0.1:9201'] }\nsnapshot: { repository: { existing: { location: /srv/repository/run } } }\n${more}`,
  );
  return file;
}

async function statusOf(taskQueue: string, run: string): Promise<RunStatus> {
  return JSON.parse((await shardlift(taskQueue, 'status', run, '-o', 'json')).out) as RunStatus;
}

test('a run from plan to report, through gates', async () => {
  const { activities } = recordedActivities(planOf(2));
  await environment.withWorker(activities, async (queue) => {
    const file = runbookFile('through-gates');
    const planned = await shardlift(queue, 'plan', file);
    expect(planned).toMatchObject({ code: 0, err: expect.not.stringContaining('shardlift:') as string });
    expect(planned.out).toContain('2 batches: 2 indices, 200 MiB, 2,000 documents');

    const waited = await shardlift(queue, 'start', file, '--wait', '--until-gate');
    expect(waited.code).toBe(5);
    expect(waited.out).toContain("shardlift approve through-gates cutover --reason '…'");

    expect(await shardlift(queue, 'start', file)).toMatchObject({
      code: 4,
      err: expect.stringContaining('is under way') as string,
    });
    expect((await shardlift(queue, 'approve', 'through-gates', 'finish', '--yes')).code).toBe(4);
    expect((await shardlift(queue, 'skip', 'through-gates', 'x', '--reason', 'y')).err).toContain('say --yes');

    const approved = await shardlift(queue, 'approve', 'through-gates', '--reason', 'compared', '-o', 'json');
    expect(JSON.parse(approved.out)).toMatchObject({
      verb: 'approve',
      subject: 'cutover',
      by: 'alice',
      reason: 'compared',
    });

    await waitUntil(
      () => statusOf(queue, 'through-gates'),
      ({ now }) => now.includes('finish'),
    );
    const unsure = await shardlift(queue, 'approve', 'through-gates');
    expect(unsure).toMatchObject({
      code: 4,
      err: expect.stringContaining('deletes the snapshots of this run') as string,
    });
    expect((await shardlift(queue, 'approve', 'through-gates', '--yes')).code).toBe(0);
    expect((await shardlift(queue, 'watch', 'through-gates')).code).toBe(0);

    expect(await shardlift(queue, 'abort', 'through-gates', '--yes', '--reason', 'late')).toMatchObject({
      code: 4,
      err: 'shardlift: the run through-gates has ended: completed\n',
    });
    expect((await shardlift(queue, 'start', file)).err).toContain('was completed: nothing was started');

    const report = path.join(directory, 'report.html');
    expect((await shardlift(queue, 'report', 'through-gates', '--out', report)).code).toBe(0);
    expect(readFileSync(report, 'utf8')).toContain('compared');
    const listed = JSON.parse((await shardlift(queue, 'list', '--state', 'completed', '-o', 'json')).out) as {
      run: string;
    }[];
    expect(listed.map(({ run }) => run)).toContain('through-gates');
  });
});

test('a stuck step is shown, skipped, and ends as completed with differences', async () => {
  const { activities } = recordedActivities(planOf(2), {
    restoreIndices: async ({ step }: RestoreInput) => {
      if (step.startsWith('batch-0002'))
        throw stuckBecause({ type: 'RestoreRefused', message: 'no room', remedy: 'make room' });
      return { changed: true, summary: 'restored', changes: [], bytes: 1 };
    },
  });
  await environment.withWorker(activities, async (queue) => {
    expect((await shardlift(queue, 'start', runbookFile('gets-stuck', 'gates: []\n'))).code).toBe(0);
    const { code, out } = await shardlift(queue, 'watch', 'gets-stuck', '--until-gate');
    expect(code).toBe(5);
    expect(out).toContain('remedy: make room');
    expect((await shardlift(queue, 'status', 'gets-stuck', '--exit-code')).code).toBe(5);
    // without --until-gate it looks on, and says why nothing happens: once, and on stderr where stdout is data
    const watched = await shardlift(queue, 'watch', 'gets-stuck', '--timeout', '4s', '-o', 'json');
    expect(watched.code).toBe(6);
    expect(watched.err.match(/the run is stuck: it goes on when somebody decides/g)).toHaveLength(1);
    expect(watched.err).toContain('remedy: make room');
    expect(watched.err).toContain('shardlift retry gets-stuck batch-0002/restore');
    expect((await shardlift(queue, 'retry', 'gets-stuck', 'batch-0001/restore')).err).toContain(
      'is not stuck, it is done',
    );
    expect((await shardlift(queue, 'skip', 'gets-stuck', 'batch-0002/restore', '--yes')).err).toContain(
      'skip needs a reason',
    );
    const skipped = await shardlift(
      queue,
      'skip',
      'gets-stuck',
      'batch-0002/restore',
      '--yes',
      '--reason',
      'not needed',
    );
    expect(skipped.code).toBe(0);
    expect((await shardlift(queue, 'watch', 'gets-stuck')).code).toBe(7);
    expect((await shardlift(queue, 'status', 'gets-stuck')).out).toContain('skipped by alice: not needed');
  });
});

test('progress and failed attempts of activities under way are in the status', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let tries = 0;
  const { activities } = recordedActivities(planOf(1), {
    takeSnapshot: async (): Promise<SnapshotResult> => {
      heartbeat({ done: 25, total: 100, unit: 'bytes', rate: 5, etaSeconds: 15 });
      await released;
      return { changed: true, summary: '', changes: [], state: 'SUCCESS', failures: [], bytes: 100, files: 1 };
    },
    restoreIndices: async () => {
      tries += 1;
      if (tries < 3) throw ApplicationFailure.create({ type: 'ClusterUnavailable', message: 'the target answers 503' });
      return { changed: true, summary: '', changes: [], bytes: 1 };
    },
  });
  await environment.withWorker(activities, async (queue) => {
    await shardlift(queue, 'start', runbookFile('live', 'gates: []\n'));
    const step = async () => (await statusOf(queue, 'live')).batches[0]?.steps.find(({ state }) => state === 'running');
    const snapshot = await waitUntil(step, (each) => each?.progress !== undefined);
    expect(snapshot).toMatchObject({ id: 'batch-0001/snapshot', progress: { done: 25, total: 100, etaSeconds: 15 } });
    release();
    const restore = await waitUntil(step, (each) => each !== undefined && 'retrying' in each);
    expect(restore).toMatchObject({ retrying: { lastFailure: 'the target answers 503' } });
    expect((await shardlift(queue, 'watch', 'live')).code).toBe(0);
  });
});

test('without a worker the command line says so, and waits for nobody', async () => {
  const file = runbookFile('alone');
  expect((await shardlift('nobody', 'plan', file)).err).toContain('no worker polls the task queue "nobody"');
  const started = await shardlift('nobody', 'start', file);
  expect(started).toMatchObject({ code: 0, err: expect.stringContaining('the run begins when one does') as string });
  const { code, out } = await shardlift('nobody', 'status', 'alone');
  expect(code).toBe(1);
  expect(out).toContain('no worker polls the task queue "nobody": the run waits unharmed');
  expect(await shardlift('nobody', 'status', 'nonesuch')).toMatchObject({
    code: 3,
    err: expect.stringContaining('no such run: nonesuch') as string,
  });
  expect(await shardlift('nobody', 'watch', 'alone', '--timeout', '1s')).toMatchObject({ code: 6 });
  await environment.client.workflow.getHandle('alone').terminate('test');
  expect(await shardlift('nobody', 'status', 'alone', '--exit-code')).toMatchObject({ code: 1 });
});
