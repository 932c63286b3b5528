import { execFile } from 'node:child_process';
import { chmod, readdir, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ApplicationFailure } from '@temporalio/common';
import { createClusters, type Clusters } from '../../activities/elasticsearch/cluster';
import { createFinalizeActivities } from '../../activities/snapshots/finalize';
import { createRepositoryActivities } from '../../activities/snapshots/repositories';
import { createRestoreActivities } from '../../activities/snapshots/restore';
import { createSnapshotDeletionActivities } from '../../activities/snapshots/delete-snapshot';
import { createSnapshotActivities } from '../../activities/snapshots/snapshot';
import { createWriteBlockActivities } from '../../activities/snapshots/write-block';
import { ownerOf, snapshotName } from '../../contracts/ids';
import type { RepositoryPlan } from '../../contracts/plan';
import type { Side } from '../../contracts/runbook';
import { indexOf } from '../support/fixtures';
import { countOf, http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(180_000);

const pair = sharedPair();
let clusters: Clusters;
let activities: ReturnType<typeof make>;

function make(to: Clusters) {
  const deps = { clusters: to };
  return {
    ...createRepositoryActivities(deps),
    ...createSnapshotActivities(deps),
    ...createSnapshotDeletionActivities(deps),
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
  const owner = ownerOf(run, '01900000-0000-7000-8000-00000123abcd');
  const base = { run, runbook, owner, step: 'test' };
  await activities.registerRepository({ ...base, repository: repository('source'), before: null });
  await activities.verifyRepository({ ...base, repository: repository('source') });
  await activities.registerRepository({ ...base, repository: repository('target'), before: null });
  const indices = names.map((name) => indexOf(name, { documents, replicas: 0 }));
  const name = (round: number) => snapshotName(owner, 1, round);
  const snapshot = name(1);
  return {
    base,
    name,
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

test("what an earlier execution of the run took, restored and kept is nobody's to take over or delete", async () => {
  const { base, snapshot, indices, take, restore } = await prepared('earlier', ['earlier-a']);
  await take();
  await restore();
  const later = { ...base, owner: ownerOf('earlier', '01900000-0000-7000-8000-0000ffffffff') };
  const at = { repository: 'shardlift-earlier', snapshot };
  expect(await failureOf(activities.takeSnapshot({ ...later, ...at, indices: ['earlier-a'] }))).toMatchObject({
    type: 'RepositoryConflict',
    nonRetryable: true,
  });
  expect(await activities.deleteSnapshot({ ...later, ...at })).toMatchObject({
    changed: false,
    summary: expect.stringContaining('left alone: not taken by this run') as string,
  });
  expect(await failureOf(activities.restoreIndices({ ...later, ...at, indices }))).toMatchObject({
    type: 'IndexNameTaken',
  });
  await activities.deleteRestoredIndices({ ...later, indices: ['earlier-a'] });
  expect(await countOf(pair.target, 'earlier-a')).toBe(50);
  const kept = await http<{ snapshots: { metadata: unknown }[] }>(
    `${pair.source}/_snapshot/shardlift-earlier/${snapshot}`,
  );
  expect(kept.body.snapshots[0]?.metadata).toEqual({
    shardlift: { owner: 'earlier-0123abcd', run: 'earlier', step: 'test' },
  });
});

test('a deletion waits for the snapshot that runs before it, and for its own end', async () => {
  const { base, snapshot, take } = await prepared('behind', ['behind-a'], 5000);
  await take();
  // so slow that the deletion has to wait for several looks
  const settings = { location: `${pair.repositoryDir}/behind`, max_snapshot_bytes_per_sec: '50kb' };
  await http(`${pair.source}/_snapshot/shardlift-behind`, 'PUT', { type: 'fs', settings });
  await makeIndex(pair.source, 'behind-b', 5000);
  const running = `${pair.source}/_snapshot/shardlift-behind/somebodys`;
  await http(running, 'PUT', { indices: 'behind-b' });
  const deleted = activities.deleteSnapshot({ ...base, repository: 'shardlift-behind', snapshot });
  const state = async () => (await http<{ snapshots: { state: string }[] }>(running)).body.snapshots[0]?.state;
  expect(await state()).toBe('IN_PROGRESS');
  expect(await deleted).toMatchObject({ changed: true });
  expect(await state()).toBe('SUCCESS');
  expect((await http(`${pair.source}/_snapshot/shardlift-behind/${snapshot}`)).status).toBe(404);
  await http(running, 'DELETE');
});

test('a snapshot of ours that still runs is ended by its deletion', async () => {
  const { base, snapshot } = await prepared('ended', ['ended-a'], 5000);
  const settings = { location: `${pair.repositoryDir}/ended`, max_snapshot_bytes_per_sec: '20kb' };
  await http(`${pair.source}/_snapshot/shardlift-ended`, 'PUT', { type: 'fs', settings });
  const at = { repository: 'shardlift-ended', snapshot };
  const taken = activities.takeSnapshot({ ...base, ...at, indices: ['ended-a'] });
  await waitUntil(
    async () => (await http(`${pair.source}/_snapshot/shardlift-ended/${snapshot}`)).status,
    (status) => status === 200,
  );
  expect(await activities.deleteSnapshot({ ...base, ...at })).toMatchObject({ changed: true });
  expect((await taken).state).toBe('FAILED');
});

test('a repository that was there keeps its settings, but for the limits, and gets them back', async () => {
  const runbook = pairRunbook('kept', {
    snapshot: {
      repository: { existing: { location: `${pair.repositoryDir}/kept` } },
      maxSnapshotBytesPerSec: '200mb',
    },
  });
  const base = { run: 'kept', runbook, step: 'test', side: 'source' as const };
  const [name, location] = ['shardlift-kept', `${pair.repositoryDir}/kept`];
  const theirs = { location, compress: 'false', chunk_size: '1gb', max_snapshot_bytes_per_sec: '5mb' };
  await http(`${pair.source}/_snapshot/${name}`, 'PUT', { type: 'fs', settings: theirs });
  const settings = async () =>
    (await http<Record<string, { settings: unknown }>>(`${pair.source}/_snapshot/${name}`)).body[name]?.settings;
  const before = await activities.readRepository({ ...base, repository: name });
  expect(before).toEqual({ type: 'fs', settings: theirs });
  const repository: RepositoryPlan = { side: 'source', name, register: true, location, readonly: false };
  // the second time is the one after a crash: the same before, from the history
  for (let times = 0; times < 2; times += 1) {
    const registered = await activities.registerRepository({ ...base, repository, before });
    expect(await settings()).toEqual({ ...theirs, max_snapshot_bytes_per_sec: '200mb' });
    expect(registered.changes[0]?.undo).toMatchObject({ kind: 'repositorySettings', registered: before });
  }
  if (!before) throw new Error('nothing was there');
  expect(await activities.putRepositoryBack({ ...base, repository: name, registered: before })).toMatchObject({
    changed: true,
  });
  expect(await settings()).toEqual(theirs);
  expect(await activities.putRepositoryBack({ ...base, repository: name, registered: before })).toMatchObject({
    changed: false,
  });
  expect(await activities.readRepository({ ...base, repository: 'shardlift-none' })).toBeNull();
});

test('an index that was deleted meanwhile ends with its cause', async () => {
  const { snapshot, take } = await prepared('gone', ['gone-a']);
  await http(`${pair.source}/gone-a`, 'DELETE');
  expect(await failureOf(take())).toMatchObject({
    type: 'IndexMissing',
    nonRetryable: true,
    why: expect.stringContaining('gone-a') as string,
  });
  const found = await http(`${pair.source}/_snapshot/shardlift-gone/${snapshot}`);
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
    await failureOf(activities.registerRepository({ ...base, repository: at('/nowhere/at/all'), before: null })),
  ).toMatchObject({
    type: 'RepositoryMissingPath',
    nonRetryable: true,
  });
  const location = path.join(pair.repositoryDir, 'repo');
  await activities.registerRepository({ ...base, repository: at(location), before: null });
  await activities.verifyRepository({ ...base, repository: at(location) });
  await chmod(location, 0o500);
  const refused = await failureOf(activities.verifyRepository({ ...base, repository: at(location) }));
  await chmod(location, 0o755);
  expect(refused.type).toBe('RepositoryNotWritable');
  expect(
    await failureOf(activities.registerRepository({ ...base, repository: at(`${location}-2`), before: null })),
  ).toMatchObject({
    type: 'RepositoryConflict',
    why: expect.stringContaining(location) as string,
  });
});

test('a damaged file is found by the restore and named; nothing else on the target is touched', async () => {
  const { take, restore, base, name } = await prepared('damage', ['damage-a'], 2000);
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
  await activities.deleteSnapshot({ ...base, repository: 'shardlift-damage', snapshot: name(1) });
  await take(name(2));
  await restore(name(2));
  expect(await countOf(pair.target, 'damage-a')).toBe(2000);
});

test('a share that is full: the cause in words, and the snapshot goes through once there is room', async () => {
  const { take, base, name } = await prepared('full', ['full-a'], 3000);
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
  await activities.deleteSnapshot({ ...base, repository: 'shardlift-full', snapshot: name(1) });
  expect(await take(name(2))).toMatchObject({ state: 'SUCCESS' });
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
