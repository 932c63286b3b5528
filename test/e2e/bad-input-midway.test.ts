import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { startCluster } from '../../lab/elasticsearch/cluster';
import { DEFAULT_SOURCE } from '../../lab/elasticsearch/versions';
import { dismantle, guard } from '../../lab/guard';
import type { MigrationPlan } from '../../contracts/plan';
import { lostOrChanged, must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';

/** What goes wrong while documents are on their way: a node dies, an index is deleted, a file of the snapshot is damaged. */

jest.setTimeout(240_000);

const pair = sharedPair();
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
}, 120_000);
afterAll(async () => operator?.stop());

/** A repository so slow that there is time to do something while a snapshot is being taken. */
const slowly = (run: string, maxSnapshotBytesPerSec: string) => ({
  snapshot: { repository: { existing: { location: path.join(pair.repositoryDir, run) } }, maxSnapshotBytesPerSec },
});

async function snapshotting(source: string, run: string, snapshot: string): Promise<void> {
  const url = `${source}/_snapshot/shardlift-${run}/${snapshot}`;
  await waitUntil(
    () => http<{ snapshots?: { state: string }[] }>(url),
    ({ body }) => body.snapshots?.[0]?.state === 'IN_PROGRESS',
    { timeoutMs: 120_000, what: `${snapshot} being taken` },
  );
}

test('a node dies in the midst of a snapshot: nothing is restored until it is back, then the run goes on by itself', async () => {
  const directory = makeLabDirectory(`two-${newLabName()}`);
  guard(directory);
  try {
    const two = await startCluster({
      version: DEFAULT_SOURCE,
      name: 'two',
      labDirectory: directory,
      nodes: 2,
      heap: '400m',
      repositoryPaths: [pair.repositoryDir],
      // Only one of two may be the cluster's vote; so the other one can be lost.
      settings: { 'cluster.initial_master_nodes': ['two-1'] },
    });
    const victim = two.nodes[1];
    if (!victim) throw new Error('a cluster of two nodes has two');
    for (const [name, node] of [
      ['partial-a', 'two-1'],
      ['partial-b', 'two-2'],
    ] as const)
      await makeIndex(two.url, name, 3000, { 'index.routing.allocation.require._name': node });
    await operator.start(pairRunbook('partial', { source: { urls: two.urls }, ...slowly('partial', '20kb') }));
    await snapshotting(two.url, 'partial', 'partial-batch-0001-1');
    await victim.kill9();

    const failure = await operator.triedAgainAt('partial', 'batch-0001/snapshot');
    expect(failure).toMatchObject({
      type: 'SnapshotFailed',
      where: expect.stringContaining('source cluster') as string,
    });
    expect(failure.why).toContain('partial-b');
    expect(failure.remedy).toContain('bring');
    const { batches } = await operator.reach('partial', 'its second snapshot', () => true);
    expect(batches[0]?.snapshots).toEqual(['partial-batch-0001-1', 'partial-batch-0001-2']);
    const kept = await http(`${two.url}/_snapshot/shardlift-partial/partial-batch-0001-1`);
    expect(kept.status).toBe(404);
    expect(Object.keys((await http(`${pair.target}/partial-*`)).body)).toEqual([]);

    await victim.start();
    expect(await operator.ended('partial')).toMatchObject({ state: 'completed', differences: [] });
    expect(await lostOrChanged(two.url, pair.target, ['partial-a', 'partial-b'])).toEqual([]);
  } finally {
    await dismantle(directory);
  }
});

test('an index is deleted before its turn: its batch alone is stuck, and a skip ends with differences and the rest', async () => {
  for (const [name, documents] of Object.entries({ 'deleted-a': 3000, 'deleted-c': 3500, 'deleted-b': 4500 })) {
    await makeIndex(pair.source, name, documents);
    await must(`${pair.source}/${name}/_alias/deleted-all`, 'PUT');
  }
  await operator.start(
    pairRunbook('deleted', { batches: { maxIndices: 1, inFlight: 2 }, ...slowly('deleted', '40kb') }),
  );
  await snapshotting(pair.source, 'deleted', 'deleted-batch-0001-1');
  const plan = await operator.environment.client.workflow.getHandle('deleted').query<MigrationPlan>('plan');
  const [first, , last] = plan.batches.map(({ indices }) => indices[0]?.name ?? '');
  // The one that is being snapshotted cannot be deleted: Elasticsearch sees to that itself.
  expect(await http(`${pair.source}/${first}`, 'DELETE')).toMatchObject({ status: 400 });
  await must(`${pair.source}/${last}`, 'DELETE');

  const failure = await operator.stuckAt('deleted', 'batch-0003/snapshot');
  expect(failure).toMatchObject({ type: 'IndexMissing', message: 'an index is not there (any more)' });
  expect(failure.why).toContain(last);
  expect(failure.remedy).toContain('a skip would leave its whole batch unmoved');
  await operator.reach(
    'deleted',
    'the others',
    ({ batches }) => batches.filter(({ state }) => state === 'done').length === 2,
  );
  await operator.tell('skip', 'deleted', 'batch-0003/snapshot', '--yes', '--reason', 'deleted on purpose');
  const end = await operator.ended('deleted');
  expect(end).toMatchObject({ state: 'completed with differences', totals: { indices: 3 } });
  expect(end.differences).toEqual([
    { where: 'batch-0003/snapshot', what: expect.stringMatching(/skipped by alice: deleted on purpose/) as string },
  ]);
  const moved = plan.batches.slice(0, 2).flatMap(({ indices }) => indices.map(({ name }) => name));
  expect(await lostOrChanged(pair.source, pair.target, moved)).toEqual([]);
  expect(Object.keys((await http(`${pair.target}/_alias/deleted-all`)).body).sort()).toEqual(moved.sort());
});

test('a file of the snapshot is damaged before the restore: the index is named, and a retry takes a new snapshot', async () => {
  for (const name of ['flipped-a', 'flipped-b']) await makeIndex(pair.source, name, 3000);
  await operator.start(pairRunbook('flipped', slowly('flipped', '60kb')));
  await snapshotting(pair.source, 'flipped', 'flipped-batch-0001-1');
  await operator.tell('pause', 'flipped', '--reason', 'between snapshot and restore');
  await operator.reachStep('flipped', 'batch-0001/snapshot', ({ state }) => state === 'done');
  await flip(path.join(pair.repositoryDir, 'flipped'));
  await operator.tell('resume', 'flipped', '--reason', 'damaged');

  const failure = await operator.stuckAt('flipped', 'batch-0001/restore');
  expect(failure).toMatchObject({
    type: 'BlobCorrupted',
    where: expect.stringMatching(/^target cluster: flipped-[ab]$/) as string,
    remedy: expect.stringContaining('retry takes a new snapshot of the batch') as string,
  });
  await operator.retry('flipped');
  const end = await operator.ended('flipped');
  expect(end).toMatchObject({ state: 'completed', differences: [] });
  expect(end.batches[0]?.snapshots).toEqual(['flipped-batch-0001-1', 'flipped-batch-0001-2']);
  expect(await lostOrChanged(pair.source, pair.target, ['flipped-a', 'flipped-b'])).toEqual([]);
});

/** Turns some bits in the middle of the largest file of documents over: its length stays, as with a failing disk. */
async function flip(repository: string): Promise<void> {
  const files = (await readdir(repository, { recursive: true })).filter((file) => path.basename(file).startsWith('__'));
  const sizes = await Promise.all(
    files.map(async (file) => ({ file, size: (await stat(path.join(repository, file))).size })),
  );
  const largest = sizes.sort((a, b) => b.size - a.size)[0];
  if (!largest) throw new Error(`no files of documents in ${repository}`);
  const handle = await open(path.join(repository, largest.file), 'r+');
  try {
    const at = Math.floor(largest.size / 2);
    const bytes = Buffer.alloc(16);
    await handle.read(bytes, 0, bytes.length, at);
    await handle.write(
      bytes.map((byte) => byte ^ 0xff),
      0,
      bytes.length,
      at,
    );
  } finally {
    await handle.close();
  }
}
