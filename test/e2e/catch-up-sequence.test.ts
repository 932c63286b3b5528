import { MockActivityEnvironment } from '@temporalio/testing';
import { createCatchUpActivities } from '../../activities/catch-up';
import { createCopyActivities } from '../../activities/copy';
import { createClusters, type ByteClients, type Clusters } from '../../activities/elasticsearch/cluster';
import { createRepositoryActivities } from '../../activities/snapshots/repositories';
import { createRestoreActivities } from '../../activities/snapshots/restore';
import { markOf, markSetting } from '../../activities/snapshots/restored-indices';
import { createSnapshotActivities } from '../../activities/snapshots/snapshot';
import {
  positionsOfParts,
  type CatchUpPositions,
  type CatchUpRound,
  type DeletesFound,
  type DeletesMode,
} from '../../contracts/catch-up';
import { ownerOf, snapshotName } from '../../contracts/ids';
import type { IndexFacts, RepositoryPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import { indexOf } from '../support/fixtures';
import { must } from '../support/pair-operator';
import { documentDifferences, readDocuments } from '../support/read-documents';
import { http, pairRunbook, sharedPair } from '../support/shared-pair';
import { seeded, startWriter } from '../support/source-writer';

jest.setTimeout(300_000);

const pair = sharedPair();
const owner = (run: string) => ownerOf(run, '01900000-0000-7000-8000-00000123abcd');
const limits = { bulkBytes: 1 << 20, bulksInFlight: 2 };
let clusters: Clusters & ByteClients;
let activities: ReturnType<typeof createCatchUpActivities> & ReturnType<typeof createCopyActivities>;

beforeAll(() => {
  clusters = createClusters();
  const deps = { clusters, failedDocumentsDirectory: `${pair.directory}/failed` };
  activities = { ...createCatchUpActivities(deps), ...createCopyActivities(deps) };
});
afterAll(async () => clusters.close());

function copyRunbook(name: string, copy: Record<string, unknown> = {}): MigrationRunbook {
  return pairRunbook(name, { method: 'copy', snapshot: undefined, copy });
}

async function make(url: string, index: string, settings: Record<string, unknown>, mappings = {}): Promise<void> {
  await must(`${url}/${index}`, 'PUT', { settings: { number_of_replicas: 0, ...settings }, mappings });
}

/** As the copy's createIndices would make it. */
async function makeTarget(run: string, index: string, settings: Record<string, unknown>, mappings = {}): Promise<void> {
  await make(pair.target, index, { ...settings, [markSetting]: markOf(owner(run)) }, mappings);
}

async function factsOf(index: string): Promise<IndexFacts> {
  const { body } = await http<Record<string, { settings: { index: { uuid: string; number_of_shards: string } } }>>(
    `${pair.source}/${index}/_settings`,
  );
  const found = body[index]?.settings.index;
  return indexOf(index, { uuid: found?.uuid ?? '', primaryShards: Number(found?.number_of_shards) });
}

async function killed<Answer>(
  afterMs: number | undefined,
  act: (environment: MockActivityEnvironment) => Promise<Answer>,
): Promise<Answer | undefined> {
  const environment = new MockActivityEnvironment();
  const timer = afterMs === undefined ? undefined : setTimeout(() => environment.cancel(), afterMs);
  try {
    return await act(environment);
  } catch (error) {
    if (afterMs !== undefined) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The activities as a worker calls them, for one run. */
function caller(run: string, runbook: MigrationRunbook) {
  const base = { run, runbook, owner: owner(run), step: 'test' };
  return {
    base,
    async begin(indices: IndexFacts[], given?: CatchUpPositions[]): Promise<CatchUpPositions[]> {
      const from = given ?? positionsOfParts([], indices);
      return (await activities.beginCatchUp({ ...base, indices, positions: from })).positions;
    },
    /** As `round`, of the search beside it. */
    async search(positions: CatchUpPositions[], killAfterMs?: number): Promise<DeletesFound | undefined> {
      const input = { ...base, positions: positions.filter(({ toSearch }) => toSearch), limits };
      return killed(killAfterMs, (environment) =>
        environment.run<[typeof input], DeletesFound, typeof activities.searchDeletes>(activities.searchDeletes, input),
      );
    },
    /** Cancelled after so many milliseconds, if any are given: as a killed worker, it answers nothing. */
    async round(
      positions: CatchUpPositions[],
      deletes: DeletesMode,
      killAfterMs?: number,
      over: { retryRefused?: boolean; isSearching?: boolean } = {},
    ): Promise<CatchUpRound | undefined> {
      const input = { ...base, positions, limits, deletes, ...over };
      return killed(killAfterMs, (environment) =>
        environment.run<[typeof input], CatchUpRound, typeof activities.catchUpRound>(activities.catchUpRound, input),
      );
    },
  };
}

async function whole(
  calls: ReturnType<typeof caller>,
  positions: CatchUpPositions[],
  deletes: DeletesMode,
  over: { retryRefused?: boolean; isSearching?: boolean } = {},
) {
  return (await calls.round(positions, deletes, undefined, over)) as CatchUpRound;
}

/** A round, the search that it owes, and one more, which counts: together what they did. */
async function searched(
  calls: ReturnType<typeof caller>,
  positions: CatchUpPositions[],
  over: { retryRefused?: boolean } = {},
): Promise<CatchUpRound> {
  const first = await whole(calls, positions, 'defer', over);
  if (!first.positions.some(({ toSearch }) => toSearch)) return first;
  const { deleted } = (await calls.search(first.positions)) as DeletesFound;
  const noted = first.positions.map((position) => {
    const { toSearch = [], seqNos } = position;
    return { ...position, searched: Object.fromEntries(toSearch.map((shard) => [shard, seqNos[shard] ?? -1])) };
  });
  const second = await whole(calls, noted, 'defer');
  return {
    ...second,
    written: first.written + second.written,
    replaced: first.replaced + second.replaced,
    refused: first.refused + second.refused,
    causes: [...first.causes, ...second.causes],
    deleted,
  };
}

const put = (index: string, id: string, body: unknown) => must(`${pair.source}/${index}/_doc/${id}`, 'PUT', body);
const remove = (index: string, id: string) => must(`${pair.source}/${index}/_doc/${id}`, 'DELETE');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function differences(source: string, target = source): Promise<string[]> {
  return documentDifferences(await readDocuments(pair.source, source), await readDocuments(pair.target, target));
}

test('the target forgets a delete at once with index.gc_deletes 0s, and not without', async () => {
  const accepted = async (url: string, index: string, gcDeletes: string | null) => {
    await make(url, index, { 'index.gc_deletes': gcDeletes, number_of_shards: 1 });
    await must(`${url}/${index}/_doc/a?version=57&version_type=external_gte`, 'PUT', { life: 1 });
    await must(`${url}/${index}/_doc/a`, 'DELETE');
    const begun = Date.now();
    for (;;) {
      const { status } = await http(`${url}/${index}/_doc/a?version=1&version_type=external_gte`, 'PUT', { life: 2 });
      if (status === 201) return Date.now() - begun;
      if (Date.now() - begun > 3_000) return undefined;
      await pause(20);
    }
  };
  for (const url of [pair.source, pair.target]) {
    const ms = await accepted(url, 'seq-gc-0', '0s');
    console.log(`version 1 over a deleted 58: accepted ${ms} ms after the delete`);
    expect(ms).toBeLessThan(2_000);
    expect(await accepted(url, 'seq-gc-60', null)).toBeUndefined();
    await must(`${url}/seq-gc-0,seq-gc-60`, 'DELETE');
  }
});

test('documents that were deleted and created again with a lower version, or the very same, are written anew', async () => {
  const index = 'seq-lives';
  await make(pair.source, index, { number_of_shards: 1, 'index.gc_deletes': '1ms' });
  await makeTarget('lives', index, { number_of_shards: 1 });
  const calls = caller('lives', copyRunbook('lives'));
  for (let n = 0; n < 57; n++) await put(index, 'lower', { life: 1, n });
  await put(index, 'same', { life: 1 });
  for (let n = 0; n < 3; n++) await put(index, 'soon', { life: 1, n });
  await put(index, 'gone', { life: 1 });
  const first = await searched(calls, await calls.begin([await factsOf(index)]));
  expect(first).toMatchObject({ written: 4, replaced: 0, deleted: 0, lag: 0 });
  for (const id of ['lower', 'same', 'soon', 'gone']) await remove(index, id);
  await pause(500);
  await put(index, 'lower', { life: 2 });
  await put(index, 'same', { life: 2 });
  const second = await searched(calls, first.positions);
  expect(second).toMatchObject({ written: 2, replaced: 1, deleted: 2, lag: 0, differences: [] });
  // right after the target was told to delete it
  await put(index, 'soon', { life: 2 });
  await put(index, 'lower', { life: 2, n: 2 });
  const third = await searched(calls, second.positions);
  expect(third).toMatchObject({ written: 2, deleted: 0, lag: 0 });
  expect(await differences(index)).toEqual([]);
  expect((await readDocuments(pair.target, index)).size).toBe(3);
  // the same positions once more, as after a crash
  expect(await searched(calls, first.positions)).toMatchObject({ deleted: 0, lag: 0 });
  expect(await differences(index)).toEqual([]);
});

test('a writer goes on while rounds are killed at random; both sides end equal, ids, versions, routing and bytes', async () => {
  const seed = Number(process.env['SHARDLIFT_TEST_SEED'] ?? 20_260);
  const random = seeded(seed);
  const names = ['seq-live-same', 'seq-live-other', 'seq-live-gc'];
  await make(pair.source, 'seq-live-same', { number_of_shards: 3 });
  await make(pair.source, 'seq-live-other', { number_of_shards: 2, 'index.gc_deletes': '1s' });
  await make(pair.source, 'seq-live-gc', { number_of_shards: 1, 'index.gc_deletes': '1ms' });
  await makeTarget('live', 'moved-live-same', { number_of_shards: 3 });
  await makeTarget('live', 'moved-live-other', { number_of_shards: 3 });
  await makeTarget('live', 'moved-live-gc', { number_of_shards: 1 });
  const calls = caller('live', copyRunbook('live', { rename: [{ from: 'seq-live-*', to: 'moved-live-*' }] }));
  const writers = names.map((index, n) => startWriter(pair.source, index, { seed: seed + n, ids: 400 }));
  let positions = await calls.begin(await Promise.all(names.map(factsOf)));
  const totals = { rounds: 0, searches: 0, killed: 0, written: 0, replaced: 0, deleted: 0, superseded: 0 };
  const searches: Promise<void>[] = [];
  const lags: number[] = [];
  const wanted = Number(process.env['SHARDLIFT_TEST_ROUNDS'] ?? 8);
  const until = Date.now() + 120_000;
  let tookMs = 500;
  while (Date.now() < until && Math.min(totals.rounds, totals.killed) < wanted) {
    const isSearch = random() < 0.4;
    const killAfterMs = random() < 0.5 ? random() * tookMs : undefined;
    const begun = Date.now();
    // beside a round, as the workflow has it; sometimes that of a worker that was cut off goes on into the next one
    if (isSearch) {
      searches.push(
        calls.search(positions, random() < 0.5 ? random() * tookMs : undefined).then((found) => {
          totals.deleted += found?.deleted ?? 0;
          totals[found ? 'searches' : 'killed']++;
        }),
      );
    }
    const round = await calls.round(positions, 'defer', killAfterMs);
    if (round) tookMs = Date.now() - begun;
    if (!round) totals.killed++;
    else {
      ({ positions } = round);
      expect(round).toMatchObject({ refused: 0, differences: [], unread: [] });
      totals.rounds++;
      totals.written += round.written;
      totals.replaced += round.replaced;
      totals.superseded += round.superseded;
      lags.push(round.lag);
    }
    await pause(random() * 100);
  }
  await Promise.all([...writers.map((writer) => writer.stop()), ...searches]);
  const operations = writers.reduce((sum, writer) => sum + writer.operations, 0);
  const drained = Date.now();
  let last = await whole(calls, positions, 'compare');
  for (let n = 0; last.lag > 0 && n < 10; n++) last = await whole(calls, last.positions, 'compare');
  console.log(
    `seed ${seed}: ${operations} operations; ${JSON.stringify(totals)}; lag by round: ${lags.join(' ')}; drained in ${Date.now() - drained} ms`,
  );
  expect(last).toMatchObject({ lag: 0, differences: [], unread: [] });
  for (const name of names) expect(await differences(name, name.replace('seq-', 'moved-'))).toEqual([]);
  expect(totals.killed).toBeGreaterThan(0);
  expect(totals.replaced).toBeGreaterThan(0);
});

test('a document that is written to all the time comes with each round', async () => {
  const index = 'seq-hot';
  // so that only rounds refresh, and none finds it at rest by chance
  await make(pair.source, index, { number_of_shards: 1, refresh_interval: '-1' });
  await makeTarget('hot', index, { number_of_shards: 1 });
  const calls = caller('hot', copyRunbook('hot'));
  await put(index, 'hot', { n: 0 });
  await put(index, 'cold', { n: 0 });
  let isStopped = false;
  const writers = [0, 1].map(async () => {
    for (let n = 1; !isStopped; n++) await put(index, 'hot', { n });
  });
  const versionOf = async (url: string) =>
    (await http<{ _version?: number }>(`${url}/${index}/_doc/hot`)).body._version ?? 0;
  try {
    let positions = await calls.begin([await factsOf(index)]);
    for (let n = 0; n < 5; n++) {
      const before = await versionOf(pair.source);
      ({ positions } = await whole(calls, positions, 'defer'));
      expect(await versionOf(pair.target)).toBeGreaterThanOrEqual(before);
    }
    isStopped = true;
    await Promise.all(writers);
    expect(await whole(calls, positions, 'compare')).toMatchObject({ lag: 0, deleted: 0, differences: [] });
    expect(await differences(index)).toEqual([]);
  } finally {
    isStopped = true;
    await Promise.all(writers);
  }
});

test('takes over from a snapshot that was taken while the source was written to', async () => {
  const index = 'seqsnap-a';
  const runbook = pairRunbook('seqsnap');
  const calls = caller('seqsnap', runbook);
  const deps = { clusters };
  const snapshots = {
    ...createSnapshotActivities(deps),
    ...createRestoreActivities(deps),
    ...createRepositoryActivities(deps),
  };
  await make(pair.source, index, { number_of_shards: 2, 'index.gc_deletes': '1s' });
  const writer = startWriter(pair.source, index, { seed: 7, ids: 300 });
  const repository = (side: 'source' | 'target'): RepositoryPlan => ({
    side,
    name: 'shardlift-seqsnap',
    register: true,
    location: `${pair.repositoryDir}/seqsnap`,
    readonly: side === 'target',
  });
  for (const side of ['source', 'target'] as const)
    await snapshots.registerRepository({ ...calls.base, repository: repository(side), before: null });
  await pause(2_000);
  const indices = [{ ...(await factsOf(index)), replicas: 0 }];
  const { positions: before } = await activities.readPositions({ ...calls.base, indices });
  const of = { ...calls.base, repository: 'shardlift-seqsnap', snapshot: snapshotName(owner('seqsnap'), 1, 1) };
  await snapshots.takeSnapshot({ ...of, indices: [index] });
  await snapshots.restoreIndices({ ...of, indices });
  const gcDeletes = async () =>
    (await http<Record<string, { settings: { index: { gc_deletes?: string } } }>>(`${pair.target}/${index}/_settings`))
      .body[index]?.settings.index.gc_deletes;
  let positions = await calls.begin(indices, before);
  expect(await gcDeletes()).toBe('0s');
  expect(positions[0]?.seqNos.every((seqNo) => seqNo > 0)).toBe(true);
  for (let n = 0; n < 5; n++) ({ positions } = await searched(calls, positions));
  await writer.stop();
  let last = await whole(calls, positions, 'compare');
  for (let n = 0; last.lag > 0 && n < 5; n++) last = await whole(calls, last.positions, 'compare');
  expect(last).toMatchObject({ lag: 0, differences: [] });
  expect(await differences(index)).toEqual([]);
  expect(await activities.endCatchUp({ ...calls.base, indices })).toMatchObject({ changed: true });
  expect(await gcDeletes()).toBe('1s');
});

test('a few deleted ones among many are found by digests, shard by shard and by index; others are left alone', async () => {
  const ids = Array.from({ length: 20_000 }, (_, n) => `document-${n}`);
  const gone = new Set(Array.from({ length: 25 }, (_, n) => `document-${n * 799}`));
  for (const [index, shards] of [
    ['seq-many-same', 2],
    ['seq-many-other', 3],
  ] as const) {
    await make(pair.source, index, { number_of_shards: 2 });
    await makeTarget('many', index, { number_of_shards: shards });
    const lines = (chosen: string[], line: (id: string) => string) =>
      http(`${pair.source}/${index}/_bulk`, 'POST', chosen.map(line).join(''));
    await lines(ids, (id) => `{"index":{"_id":"${id}"}}\n{"id":"${id}"}\n`);
    const calls = caller('many', copyRunbook('many'));
    const first = await searched(calls, await calls.begin([await factsOf(index)]));
    expect(first).toMatchObject({ written: 20_000, deleted: 0 });
    // updates alone make holes, too: the counts tell them from deletes
    await lines(ids.slice(0, 500), (id) => `{"index":{"_id":"${id}"}}\n{"id":"${id}","n":2}\n`);
    await lines(ids.slice(0, 500), (id) => `{"index":{"_id":"${id}"}}\n{"id":"${id}","n":3}\n`);
    const second = await searched(calls, first.positions);
    expect(second).toMatchObject({ written: 500, deleted: 0, lag: 0 });
    await lines([...gone], (id) => `{"delete":{"_id":"${id}"}}\n`);
    const deferred = await whole(calls, second.positions, 'defer');
    expect(deferred).toMatchObject({ deleted: 0, lag: 25 });
    const begun = Date.now();
    expect(await searched(calls, deferred.positions)).toMatchObject({ deleted: 25, lag: 0, differences: [] });
    console.log(`${index}: 25 of 20000 found and deleted in ${Date.now() - begun} ms`);
    expect(await differences(index)).toEqual([]);
  }
});

test('what is counted while a search is under way, and what the target does not delete, settles nothing', async () => {
  const index = 'seq-unsettled';
  await make(pair.source, index, { number_of_shards: 1 });
  await makeTarget('unsettled', index, { number_of_shards: 1 });
  const calls = caller('unsettled', copyRunbook('unsettled'));
  for (const id of ['a', 'b', 'c']) await put(index, id, { n: 1 });
  const first = await searched(calls, await calls.begin([await factsOf(index)]));
  // holes, and nothing deleted
  for (const n of [2, 3]) await put(index, 'a', { n });
  const beside = await whole(calls, first.positions, 'defer', { isSearching: true });
  expect(beside).toMatchObject({ written: 1, lag: 0, positions: [{ owed: [0] }] });
  const after = await whole(calls, beside.positions, 'defer');
  expect(after.positions[0]).not.toHaveProperty('owed');
  await remove(index, 'b');
  const deferred = await whole(calls, after.positions, 'defer');
  expect(deferred).toMatchObject({ lag: 1, positions: [{ owed: [0], toSearch: [0] }] });
  await must(`${pair.target}/${index}/_settings`, 'PUT', { 'index.blocks.write': true });
  await expect(calls.search(deferred.positions)).rejects.toThrow();
  await must(`${pair.target}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
  expect(await calls.search(deferred.positions)).toEqual({ deleted: 1, searched: [index] });
  expect(await differences(index)).toEqual([]);
});

test('refused documents are told, do not stop the rest, and do not hide deleted ones', async () => {
  const index = 'seq-refused';
  const mappings = { dynamic: 'strict', properties: { n: { type: 'integer' } } };
  await make(pair.source, index, { number_of_shards: 1 });
  await makeTarget('refused', index, { number_of_shards: 1 }, mappings);
  const calls = caller('refused', copyRunbook('refused'));
  for (const id of ['a', 'b', 'c']) await put(index, id, { n: 1 });
  const first = await searched(calls, await calls.begin([await factsOf(index)]));
  await put(index, 'bad', { n: 1, other: true });
  await remove(index, 'b');
  const second = await searched(calls, first.positions);
  expect(second).toMatchObject({ refused: 1, deleted: 1, lag: 0, causes: [{ index, count: 1, example: 'bad' }] });
  expect([...(await readDocuments(pair.target, index)).keys()].sort()).toEqual(['"a" ', '"c" ']);
  // what is not mended is refused again, and told once
  const third = await searched(calls, second.positions, { retryRefused: true });
  expect(third).toMatchObject({ refused: 1, refusedNow: [{ index, count: 1, example: 'bad' }] });
  await must(`${pair.target}/${index}/_mapping`, 'PUT', { properties: { other: { type: 'boolean' } } });
  expect(await searched(calls, third.positions)).toMatchObject({ refused: 0, refusedNow: [{ example: 'bad' }] });
  const mended = await searched(calls, third.positions, { retryRefused: true });
  expect(mended).toMatchObject({ refused: 0, refusedNow: [], lag: 0 });
  expect(await differences(index)).toEqual([]);
  await remove(index, 'bad');
  expect(await searched(calls, mended.positions)).toMatchObject({ refused: 0, deleted: 1, lag: 0 });
});

test('an index that is deleted, made anew, closed, rolled over, or foreign on the target is told, and the rest goes on', async () => {
  const names = ['gone', 'anew', 'closed', 'rolled', 'foreign', 'well'].map((name) => `seq-fate-${name}`);
  const [gone, anew, closed, rolled, foreign, well] = names as [string, string, string, string, string, string];
  for (const index of names) {
    await make(pair.source, index, { number_of_shards: 1 });
    await makeTarget('fate', index, { number_of_shards: 1 });
    await put(index, '1', { n: 1 });
  }
  const calls = caller('fate', copyRunbook('fate'));
  const first = await searched(calls, await calls.begin(await Promise.all(names.map(factsOf))));
  expect(first).toMatchObject({ written: 6, lag: 0, differences: [] });
  await must(`${pair.source}/${gone},${anew}`, 'DELETE');
  await make(pair.source, anew, { number_of_shards: 1 });
  await put(anew, '2', { n: 2 });
  await must(`${pair.source}/${closed}/_close`, 'POST');
  await must(`${pair.source}/_aliases`, 'POST', {
    actions: [{ add: { index: rolled, alias: 'seq-fate', is_write_index: true } }],
  });
  await must(`${pair.source}/seq-fate/_rollover/seq-fate-next`, 'POST');
  await must(`${pair.target}/${foreign}`, 'DELETE');
  await make(pair.target, foreign, { number_of_shards: 1 });
  for (const index of [rolled, foreign, well]) await put(index, '2', { n: 2 });
  const second = await searched(calls, first.positions);
  const told = Object.fromEntries(second.differences.map(({ where, what }) => [where, what]));
  expect(told).toEqual({
    [`index ${gone}`]: expect.stringContaining('deleted on the source') as string,
    [`index ${anew}`]: expect.stringContaining('created again') as string,
    [`index ${closed}`]: expect.stringContaining('closed on the source') as string,
    [`index ${foreign}`]: expect.stringContaining('not of this run') as string,
    'alias seq-fate': expect.stringContaining('rolled over: writes through the alias go to seq-fate-next') as string,
  });
  expect(second).toMatchObject({ written: 2, unread: [] });
  for (const index of [well, rolled]) expect(await differences(index)).toEqual([]);
  expect((await readDocuments(pair.target, anew)).size).toBe(1);
  expect((await readDocuments(pair.target, foreign)).size).toBe(0);
  await must(`${pair.source}/${closed}/_open?wait_for_active_shards=1`, 'POST');
  await put(closed, '2', { n: 2 });
  expect(await searched(calls, second.positions)).toMatchObject({ written: 1 });
  expect(await differences(closed)).toEqual([]);
});

test('writes that the source has lost stay a difference, though later ones hide that it was behind', async () => {
  const index = 'seq-lost';
  await make(pair.source, index, { number_of_shards: 1 });
  await makeTarget('lost', index, { number_of_shards: 1 });
  const calls = caller('lost', copyRunbook('lost'));
  for (let n = 0; n < 3; n++) await put(index, `${n}`, { n });
  const [begun] = await calls.begin([await factsOf(index)]);
  // had been read up to there from a primary that is no more
  const first = await searched(calls, [{ ...begun!, seqNos: [5] }]);
  const told = [
    { where: `index ${index}`, what: expect.stringMatching(/given 2 .* up to 5: the source lost writes/) as string },
  ];
  expect(first.differences).toEqual(told);
  for (let n = 3; n < 9; n++) await put(index, `${n}`, { n });
  const second = await searched(calls, first.positions);
  // the numbers 3 to 5 were given again, and only what lies above is read
  expect(second).toMatchObject({ written: 3, differences: told });
  await must(`${pair.source}/${index}`, 'DELETE');
  expect((await searched(calls, second.positions)).differences).toEqual(expect.arrayContaining(told));
});
