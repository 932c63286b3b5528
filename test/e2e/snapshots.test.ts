import { execFile } from 'node:child_process';
import { chmod, readdir, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ApplicationFailure } from '@temporalio/common';
import { createClusters, type Clusters } from '../../activities/elasticsearch/cluster';
import { createFinalizeActivities } from '../../activities/snapshots/finalize';
import { createRepositoryActivities } from '../../activities/snapshots/repositories';
import { createRestoreActivities } from '../../activities/snapshots/restore';
import { createSnapshotActivities } from '../../activities/snapshots/snapshot';
import { createWriteBlockActivities } from '../../activities/snapshots/write-block';
import type { RepositoryPlan } from '../../contracts/plan';
import type { Side } from '../../contracts/runbook';
import { indexOf } from '../support/fixtures';
import { countOf, http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';

jest.setTimeout(180_000);

const pair = sharedPair();
let clusters: Clusters;
let activities: ReturnType<typeof make>;

function make(to: Clusters) {
  const deps = { clusters: to };
  return {
    ...createRepositoryActivities(deps),
    ...createSnapshotActivities(deps),
    ...createRestoreActivities(deps),
    ...createFinalizeActivities(deps),
    ...createWriteBlockActivities(deps),
  };
}

beforeAll(() => {
  clusters = createClusters();
  activities = make(clusters);
});
afterAll(async () => clusters.close());

async function failureOf(
  promise: Promise<unknown>,
): Promise<{ type?: string | null; nonRetryable?: boolean | null; why: string; remedy: string }> {
  const error = (await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  )) as ApplicationFailure;
  const info = error.details?.[0] as { why?: string; remedy?: string } | undefined;
  if (!info) throw error;
  return { type: error.type, nonRetryable: error.nonRetryable, why: info.why ?? '', remedy: info.remedy ?? '' };
}

/** A run of its own on the pair: indices named after it, its repository registered on both sides. */
async function prepared(run: string, names: string[], documents = 50) {
  const runbook = pairRunbook(run);
  for (const name of names) await makeIndex(pair.source, name, documents);
  const repository = (side: Side): RepositoryPlan => ({
    side,
    name: `shardlift-${run}`,
    register: true,
    location: `${pair.repositoryDir}/${run}`,
    readonly: side === 'target',
  });
  const base = { run, runbook, step: 'test' };
  await activities.registerRepository({ ...base, repository: repository('source'), wasRegistered: false });
  await activities.verifyRepository({ ...base, repository: repository('source') });
  await activities.registerRepository({ ...base, repository: repository('target'), wasRegistered: false });
  const snapshot = `${run}-batch-0001-1`;
  const indices = names.map((name) => indexOf(name, { documents, replicas: 0 }));
  return {
    base,
    snapshot,
    indices,
    take: (as = snapshot) =>
      activities.takeSnapshot({ ...base, repository: `shardlift-${run}`, snapshot: as, indices: names }),
    restore: (from = snapshot) =>
      activities.restoreIndices({ ...base, repository: `shardlift-${run}`, snapshot: from, indices }),
  };
}

test('snapshot and restore, each asked for twice: one snapshot, one restore, every document; odd names too', async () => {
  const names = ['twice-a', "twice-o'brien;$(id)&", 'twice-日本語-ü'];
  const { base, snapshot, indices, take, restore } = await prepared('twice', names);
  expect(await take()).toMatchObject({ state: 'SUCCESS', failures: [] });
  expect(await take()).toMatchObject({ state: 'SUCCESS' });
  const taken = await http<{ snapshots: unknown[] }>(`${pair.source}/_snapshot/shardlift-twice/_all`);
  expect(taken.body.snapshots).toHaveLength(1);
  const first = await restore();
  expect(first.bytes).toBeGreaterThan(0);
  const uuids = async () => (await http(`${pair.target}/twice-*/_settings/index.uuid?flat_settings=true`)).body;
  const before = await uuids();
  await restore();
  expect(await uuids()).toEqual(before);
  await activities.finalizeIndices({ ...base, indices });
  for (const name of names) expect(await countOf(pair.target, name)).toBe(50);
  await activities.unmarkIndices({ ...base, indices: names });
  const settings = await http(`${pair.target}/twice-a/_settings?flat_settings=true`);
  expect(JSON.stringify(settings.body)).not.toContain('shardlift');
  expect(await activities.deleteSnapshot({ ...base, repository: 'shardlift-twice', snapshot })).toMatchObject({
    changed: true,
  });
  expect(await activities.deleteSnapshot({ ...base, repository: 'shardlift-twice', snapshot })).toMatchObject({
    changed: false,
  });
});

test('an index on the target that this run did not restore is never overwritten', async () => {
  const { base, take, restore } = await prepared('taken', ['taken-a', 'taken-b']);
  await makeIndex(pair.target, 'taken-b', 3);
  await take();
  const failure = await failureOf(restore());
  expect(failure).toMatchObject({ type: 'IndexNameTaken', nonRetryable: true });
  expect(await countOf(pair.target, 'taken-b')).toBe(3);
  // Nor does the undo touch it.
  await activities.deleteRestoredIndices({ ...base, indices: ['taken-a', 'taken-b'] });
  expect(await countOf(pair.target, 'taken-b')).toBe(3);
});

test('an index that was deleted meanwhile ends with its cause', async () => {
  const { base, take } = await prepared('gone', ['gone-a']);
  await http(`${pair.source}/gone-a`, 'DELETE');
  expect(await failureOf(take())).toMatchObject({
    type: 'IndexMissing',
    nonRetryable: true,
    why: expect.stringContaining('gone-a') as string,
  });
  const found = await http(`${pair.source}/_snapshot/shardlift-gone/${base.run}-batch-0001-1`);
  expect(found.status).toBe(404);
});

test('a directory outside of path.repo, one that a node cannot write to, and a repository of somebody else are refused', async () => {
  const base = { run: 'repo', runbook: pairRunbook('repo'), step: 'test' };
  const at = (location: string): RepositoryPlan => ({
    side: 'source',
    name: 'shardlift-repo',
    register: true,
    location,
    readonly: false,
  });
  expect(
    await failureOf(
      activities.registerRepository({ ...base, repository: at('/nowhere/at/all'), wasRegistered: false }),
    ),
  ).toMatchObject({
    type: 'RepositoryMissingPath',
    nonRetryable: true,
  });
  const location = path.join(pair.repositoryDir, 'repo');
  await activities.registerRepository({ ...base, repository: at(location), wasRegistered: false });
  await activities.verifyRepository({ ...base, repository: at(location) });
  await chmod(location, 0o500);
  const refused = await failureOf(activities.verifyRepository({ ...base, repository: at(location) }));
  await chmod(location, 0o755);
  expect(refused.type).toBe('RepositoryNotWritable');
  expect(
    await failureOf(activities.registerRepository({ ...base, repository: at(`${location}-2`), wasRegistered: false })),
  ).toMatchObject({
    type: 'RepositoryConflict',
    why: expect.stringContaining(location) as string,
  });
});

test('a damaged file is found by the restore and named; nothing else on the target is touched', async () => {
  const { take, restore, base } = await prepared('damage', ['damage-a'], 2000);
  await take();
  const directory = path.join(pair.repositoryDir, 'damage', 'indices');
  const files = (await readdir(directory, { recursive: true })).filter((file) => path.basename(file).startsWith('__'));
  const sizes = await Promise.all(
    files.map(async (file) => ({ file, size: (await stat(path.join(directory, file))).size })),
  );
  const largest = sizes.sort((a, b) => b.size - a.size)[0];
  if (!largest) throw new Error('no blobs');
  await truncate(path.join(directory, largest.file), largest.size - 5);
  const failure = await failureOf(restore());
  expect(failure).toMatchObject({ type: 'BlobCorrupted', nonRetryable: true });
  expect(failure.why).not.toMatch(/^\s+at /m);
  // What a retry does: our broken index and the snapshot go, a new one is taken and restored.
  await activities.deleteRestoredIndices({ ...base, indices: ['damage-a'] });
  await activities.deleteSnapshot({ ...base, repository: 'shardlift-damage', snapshot: 'damage-batch-0001-1' });
  await take('damage-batch-0001-2');
  await restore('damage-batch-0001-2');
  expect(await countOf(pair.target, 'damage-a')).toBe(2000);
});

test('a share that is full: the cause in words, and the snapshot goes through once there is room', async () => {
  const { take, base } = await prepared('full', ['full-a'], 3000);
  const location = path.join(pair.repositoryDir, 'full');
  const owner = await stat(location);
  const run = promisify(execFile);
  await run('mount', ['-t', 'tmpfs', '-o', `size=64k,uid=${owner.uid},gid=${owner.gid},mode=755`, 'tmpfs', location]);
  try {
    const result = await take().then(
      ({ state, failures }) => ({ state, words: failures.join(' ') }),
      async (error: unknown) => ({
        state: (await failureOf(Promise.reject(error as Error))).type,
        words: (await failureOf(Promise.reject(error as Error))).why,
      }),
    );
    expect(['PARTIAL', 'FAILED', 'ShareFull']).toContain(result.state);
    expect(result.words).toMatch(/No space left|vanished/);
  } finally {
    await run('umount', [location]);
  }
  await activities.deleteSnapshot({ ...base, repository: 'shardlift-full', snapshot: 'full-batch-0001-1' });
  expect(await take('full-batch-0001-2')).toMatchObject({ state: 'SUCCESS' });
});

test('write block: set on what was open, taken off again, an older block left alone', async () => {
  const base = { run: 'block', runbook: pairRunbook('block'), step: 'test' };
  await makeIndex(pair.source, 'block-open', 1);
  await makeIndex(pair.source, 'block-older', 1);
  await http(`${pair.source}/block-older/_settings`, 'PUT', { 'index.blocks.write': true });
  const open = await activities.listUnblocked({ ...base, indices: ['block-open', 'block-older'] });
  expect(open).toEqual(['block-open']);
  await activities.setWriteBlock({ ...base, indices: open });
  const write = (index: string) => http(`${pair.source}/${index}/_doc/x`, 'PUT', { a: 1 });
  expect((await write('block-open')).status).toBe(403);
  await activities.removeWriteBlock({ ...base, indices: open });
  expect((await write('block-open')).status).toBe(201);
  expect((await write('block-older')).status).toBe(403);
});

test('a cluster that does not answer is a failure that may pass; a secret that is nowhere is not', async () => {
  const runbook = pairRunbook('away', { source: { urls: ['http://127.0.0.1:9'] } });
  expect(await failureOf(clusters.connect(runbook, 'source'))).toMatchObject({
    type: 'ClusterUnreachable',
    nonRetryable: false,
  });
  const auth = { basic: { username: 'elastic', password: '${env:SHARDLIFT_TEST_NO_SUCH}' } };
  const secret = pairRunbook('secret', { source: { urls: [pair.source], auth } });
  const failure = await failureOf(clusters.connect(secret, 'source'));
  expect(failure).toMatchObject({ type: 'SecretUnresolved', nonRetryable: true });
  expect(failure.remedy).toContain('SHARDLIFT_TEST_NO_SUCH');
});
