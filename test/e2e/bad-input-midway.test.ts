import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { LiveStatus } from '../../client/live-status';
import type { MigrationPlan } from '../../contracts/plan';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { startCluster } from '../../lab/elasticsearch/cluster';
import { DEFAULT_SOURCE } from '../../lab/elasticsearch/versions';
import { dismantle, guard } from '../../lab/guard';
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

/** Waits until that batch's first snapshot is being taken, and answers with its name. */
async function snapshotting(source: string, run: string, batch = 1): Promise<string> {
  const begun = (seen: LiveStatus) => seen.batches[batch - 1]?.snapshots[0];
  const snapshot = begun(await operator.reach(run, 'a snapshot', (seen) => begun(seen) !== undefined)) as string;
  await waitUntil(
    () => http<{ snapshots?: { state: string }[] }>(`${source}/_snapshot/shardlift-${run}/${snapshot}`),
    ({ body }) => body.snapshots?.[0]?.state === 'IN_PROGRESS',
    { timeoutMs: 120_000, what: `${snapshot} being taken` },
  );
  return snapshot;
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
    const first = await snapshotting(two.url, 'partial');
    await victim.kill9();

    const failure = await operator.triedAgainAt('partial', 'batch-0001/snapshot', 'SnapshotFailed');
    expect(failure.why).toContain('partial-b');
    expect(failure.remedy).toContain('bring');
    const { batches } = await operator.reach('partial', 'an answer', () => true);
    expect(batches[0]?.snapshots).toEqual([first, expect.not.stringContaining(first)]);
    const kept = await http(`${two.url}/_snapshot/shardlift-partial/${first}`);
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
  await snapshotting(pair.source, 'deleted');
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
  await operator.skip('deleted', 'batch-0003/snapshot', 'deleted on purpose');
  const end = await operator.ended('deleted');
  expect(end).toMatchObject({ state: 'completed with differences', totals: { indices: 3 } });
  expect(end.differences).toEqual([
    { where: 'batch-0003/snapshot', what: expect.stringMatching(/skipped by alice: deleted on purpose/) as string },
  ]);
  const moved = plan.batches.slice(0, 2).flatMap(({ indices }) => indices.map(({ name }) => name));
  expect(await lostOrChanged(pair.source, pair.target, moved)).toEqual([]);
  expect(Object.keys((await http(`${pair.target}/_alias/deleted-all`)).body).sort()).toEqual(moved.sort());
});

test.each([
  ['flipped-docs', 'documents', /(^|\/)__[^/]*$/, /^target cluster: flipped-docs-[ab]$/],
  [
    'flipped-meta',
    'settings and mappings',
    /^indices\/.*\/meta-[^/]*\.dat$/,
    /^target cluster, POST \S+\/flipped-meta\S+$/,
  ],
  ['flipped-list', 'the list of indices', /^snap-[^/]*\.dat$/, /^target cluster, POST \S+\/flipped-list\S+$/],
])('%s: a file of the snapshot with %s is damaged: a retry takes a new one', async (run, _what, file, where) => {
  const indices = [`${run}-a`, `${run}-b`];
  for (const name of indices) await makeIndex(pair.source, name, 3000);
  await operator.start(pairRunbook(run, slowly(run, '150kb')));
  const first = await snapshotting(pair.source, run);
  await operator.tell('pause', run, '--reason', 'between snapshot and restore');
  await operator.reachStep(run, 'batch-0001/snapshot', ({ state }) => state === 'done');
  await flip(path.join(pair.repositoryDir, run), file);
  await operator.tell('resume', run, '--reason', 'damaged');

  const failure = await operator.stuckAt(run, 'batch-0001/restore');
  expect(failure).toMatchObject({
    type: 'BlobCorrupted',
    where: expect.stringMatching(where) as string,
    remedy: expect.stringContaining('takes a new snapshot of the batch') as string,
  });
  await operator.retry(run);
  const end = await operator.ended(run);
  expect(end).toMatchObject({ state: 'completed', differences: [] });
  expect(end.batches[0]?.snapshots).toEqual([first, expect.not.stringContaining(first)]);
  expect(await lostOrChanged(pair.source, pair.target, indices)).toEqual([]);
});

/** Turns some bits in the middle of the largest such file over: its length stays, as with a failing disk. */
async function flip(repository: string, which: RegExp): Promise<void> {
  const files = (await readdir(repository, { recursive: true })).filter((file) => which.test(file));
  const sizes = await Promise.all(
    files.map(async (file) => ({ file, size: (await stat(path.join(repository, file))).size })),
  );
  const largest = sizes.sort((a, b) => b.size - a.size)[0];
  if (!largest) throw new Error(`no such file in ${repository}: ${String(which)}`);
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
