import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createCatchUpActivities } from '../../activities/catch-up';
import { createCopyActivities } from '../../activities/copy';
import { createClusters, type ByteClients, type Clusters } from '../../activities/elasticsearch/cluster';
import { createVerificationActivities } from '../../activities/verification';
import { markOf, markSetting } from '../../activities/snapshots/restored-indices';
import type { CatchUpPositions, CatchUpRound, DeletesMode } from '../../contracts/catch-up';
import type { IndexFacts } from '../../contracts/plan';
import { ownerOf } from '../../contracts/ids';
import type { MigrationRunbook } from '../../contracts/runbook';
import { indexOf } from '../support/fixtures';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { documentDifferences, readDocuments } from '../support/read-documents';
import { http, pairRunbook, sharedPair } from '../support/shared-pair';
import { seeded, startWriter } from '../support/source-writer';
import { waitUntil } from '../support/wait-until';
import { startWriter as startApplication, type WriterOptions } from '../support/writer';

jest.setTimeout(300_000);

const pair = sharedPair();
const owner = (run: string) => ownerOf(run, '01900000-0000-7000-8000-00000123abcd');
const limits = { bulkBytes: 1 << 20, bulksInFlight: 2 };
let clusters: Clusters & ByteClients;
let activities: ReturnType<typeof createCatchUpActivities> & ReturnType<typeof createCopyActivities>;
let operator: PairOperator;
/** Writers: one that a failed test has left must not go on. */
const stopped: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  clusters = createClusters();
  const deps = { clusters, failedDocumentsDirectory: `${pair.directory}/failed` };
  activities = { ...createCatchUpActivities(deps), ...createCopyActivities(deps) };
  operator = await startPairOperator();
});
afterAll(async () => {
  await Promise.all(stopped.map((stop) => stop()));
  await operator?.stop();
  await clusters.close();
});

function copyRunbook(name: string, catchUp: object, copy: Record<string, unknown> = {}): MigrationRunbook {
  return pairRunbook(name, { method: 'copy', snapshot: undefined, copy, catchUp });
}

const types = {
  at: { type: 'date' },
  nanos: { type: 'date_nanos' },
  number: { type: 'long' },
  part: { type: 'float' },
};

async function make(url: string, index: string, settings: Record<string, unknown>): Promise<void> {
  await must(`${url}/${index}`, 'PUT', {
    settings: { number_of_replicas: 0, ...settings },
    mappings: { properties: types },
  });
}

/** On both sides; a source that refreshes by itself once in a while only. */
async function makeBoth(run: string, index: string, shards: number, onTarget = shards): Promise<void> {
  await make(pair.source, index, { number_of_shards: shards, refresh_interval: '60s', 'index.gc_deletes': '1s' });
  await make(pair.target, index, { number_of_shards: onTarget, [markSetting]: markOf(owner(run)) });
}

async function factsOf(index: string): Promise<IndexFacts> {
  const { body } = await http<Record<string, { settings: { index: { uuid: string; number_of_shards: string } } }>>(
    `${pair.source}/${index}/_settings`,
  );
  const found = body[index]?.settings.index;
  return indexOf(index, { uuid: found?.uuid ?? '', primaryShards: Number(found?.number_of_shards) });
}

/** The activities as a worker calls them, for one run; each asked for at a time, as by a server. */
function caller(runbook: MigrationRunbook) {
  const run = runbook.name;
  const base = { run, runbook, owner: owner(run), step: 'test' };
  return {
    async begin(names: string[]): Promise<CatchUpPositions[]> {
      const indices = await Promise.all(names.map(factsOf));
      const { positions } = await activities.readPositions({ ...base, indices });
      return (await activities.beginCatchUp({ ...base, indices, positions })).positions;
    },
    /** Cancelled after so many milliseconds, if any are given: as a killed worker, it answers nothing. */
    async round(
      positions: CatchUpPositions[],
      deletes: DeletesMode = 'defer',
      killAfterMs?: number,
    ): Promise<CatchUpRound | undefined> {
      const environment = new MockActivityEnvironment({ scheduledTimestampMs: Date.now() });
      const timer = killAfterMs === undefined ? undefined : setTimeout(() => environment.cancel(), killAfterMs);
      try {
        const input = { ...base, positions, limits, deletes };
        return await environment.run<[typeof input], CatchUpRound, typeof activities.catchUpRound>(
          activities.catchUpRound,
          input,
        );
      } catch (error) {
        if (killAfterMs !== undefined) return undefined;
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    async whole(positions: CatchUpPositions[], deletes?: DeletesMode): Promise<CatchUpRound> {
      return (await this.round(positions, deletes)) as CatchUpRound;
    },
    /** As the workflow drains: until the source has had nothing new twice in a row. */
    async drain(positions: CatchUpPositions[]): Promise<CatchUpRound> {
      let round = await this.whole(positions, 'compare');
      for (let [n, quiet] = [0, 0]; quiet < 2; n++) {
        if (n > 10) throw new Error(`it is not drained: ${JSON.stringify({ ...round, positions: [] })}`);
        round = await this.whole(round.positions, 'compare');
        quiet = round.lag === 0 && round.written + round.deleted === 0 && round.unread.length === 0 ? quiet + 1 : 0;
      }
      return round;
    },
  };
}

const put = (index: string, id: string, body: unknown, query = '') =>
  must(`${pair.source}/${index}/_doc/${id}${query}`, 'PUT', body);
const remove = (index: string, id: string) => must(`${pair.source}/${index}/_doc/${id}`, 'DELETE');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function differences(index: string): Promise<string[]> {
  return documentDifferences(await readDocuments(pair.source, index), await readDocuments(pair.target, index));
}

test('time-field: a writer goes on while rounds are killed at random; the field brings all but the deletes, the drain those', async () => {
  const seed = Number(process.env['SHARDLIFT_TEST_SEED'] ?? 20_261);
  const random = seeded(seed);
  const names = ['fld-time-same', 'fld-time-other'];
  await makeBoth('fld-time', 'fld-time-same', 3);
  await makeBoth('fld-time', 'fld-time-other', 2, 3);
  const calls = caller(copyRunbook('fld-time', { kind: 'time-field', field: 'at', window: '4s' }));
  // late by up to 2 s, and many of the same second
  const members = (chance: () => number) =>
    `"at":${chance() < 0.5 ? Math.floor(Date.now() / 1000) * 1000 - 1000 : Date.now() - Math.floor(chance() * 2000)}`;
  const writers = names.map((index, n) => startWriter(pair.source, index, { seed: seed + n, ids: 400, members }));
  stopped.push(...writers.map((writer) => () => writer.stop()));
  let positions = await calls.begin(names);
  const totals = { rounds: 0, killed: 0, written: 0, replaced: 0, deleted: 0, superseded: 0 };
  const wanted = Number(process.env['SHARDLIFT_TEST_ROUNDS'] ?? 4);
  const until = Date.now() + 120_000;
  let tookMs = 500;
  while (Date.now() < until && Math.min(totals.rounds, totals.killed) < wanted) {
    const killAfterMs = random() < 0.5 ? random() * tookMs : undefined;
    const begun = Date.now();
    const round = await calls.round(positions, random() < 0.2 ? 'search' : 'defer', killAfterMs);
    if (!round) totals.killed++;
    else {
      ({ positions } = round);
      tookMs = Date.now() - begun;
      expect(round).toMatchObject({ refused: 0, differences: [], unread: [] });
      for (const key of ['written', 'replaced', 'deleted', 'superseded'] as const) totals[key] += round[key];
      totals.rounds++;
    }
    // a clock in 2099 moves nothing
    if (totals.rounds === 2) await put(names[0] as string, `future-${totals.killed}`, { at: '2099-01-01T00:00:00Z' });
    await pause(random() * 100);
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  const last = await calls.whole(positions);
  for (const name of names) {
    const left = (await differences(name)).filter((line) => !line.endsWith('is on the target only'));
    expect(left).toEqual([]);
  }
  const through = Number(last.positions[0]?.field?.through);
  expect(Math.abs(through - Date.now())).toBeLessThan(60_000);
  const drained = await calls.drain(last.positions);
  console.log(`seed ${seed}: ${writers.map(({ operations }) => operations).join('+')} ops; ${JSON.stringify(totals)}`);
  expect(drained).toMatchObject({ lag: 0, differences: [], unread: [] });
  for (const name of names) expect(await differences(name)).toEqual([]);
  expect(totals.killed).toBeGreaterThan(0);
});

test('append-only: writers side by side, out of order, many with the same number, rounds killed', async () => {
  const random = seeded(5);
  const index = 'fld-log';
  await makeBoth('fld-log', index, 2);
  const calls = caller(copyRunbook('fld-log', { kind: 'append-only', field: 'number', window: '3s' }));
  // more digits than a number of ours holds
  let next = 9_007_199_254_740_993n;
  let isStopped = false;
  let written = 0;
  async function write(): Promise<void> {
    while (!isStopped) {
      const first = next;
      next += 3n;
      const lines = Array.from(
        { length: 60 },
        (_, n) => `{"index":{}}\n{"number":${first + BigInt(n % 3)},"by":${random()}}\n`,
      );
      await pause(random() * 1500);
      await http(`${pair.source}/${index}/_bulk`, 'POST', lines.join(''));
      written += lines.length;
    }
  }
  const writing = Promise.all([write(), write(), write(), write()]);
  const stop = async () => {
    isStopped = true;
    await writing;
  };
  stopped.push(stop);
  await waitUntil(
    async () => written,
    (count) => count > 300,
    { what: 'the first documents' },
  );
  await must(`${pair.source}/${index}/_refresh`, 'POST');
  const begun = await calls.begin([index]);
  expect(BigInt(begun[0]?.field?.from ?? 0)).toBeGreaterThan(9_007_199_254_740_992n);
  // what a copy would move: all that can be seen by then
  const { name, type } = the(begun[0]?.field);
  await calls.whole(begun.map((each) => ({ ...each, field: { name, type, seen: [] } })));
  let positions = begun;
  let [rounds, killed] = [0, 0];
  for (const until = Date.now() + 60_000; Date.now() < until && (rounds < 12 || killed < 4);) {
    const round = await calls.round(positions, 'defer', random() < 0.4 ? random() * 200 : undefined);
    if (round) positions = round.positions;
    if (round) rounds++;
    else killed++;
    await pause(random() * 500);
  }
  await stop();
  const { positions: reached } = await calls.whole(positions);
  // by the field alone: nothing was compared yet
  expect(await differences(index)).toEqual([]);
  expect((await readDocuments(pair.target, index)).size).toBe(written);
  expect(await calls.drain(reached)).toMatchObject({ lag: 0, deleted: 0, differences: [] });
  console.log(`append-only: ${written} documents, ${rounds} rounds, ${killed} killed`);
  expect(killed).toBeGreaterThan(0);
});

function the<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not there');
  return value;
}

test('an index that is asked for nothing is not read again, and one of the same times is', async () => {
  const index = 'fld-still';
  await makeBoth('fld-still', index, 1);
  const calls = caller(copyRunbook('fld-still', { kind: 'time-field', field: 'nanos', window: '10s' }));
  const nanos = '2024-02-03T04:05:06.123456789Z';
  await put(index, 'a', { nanos }, '?refresh=true');
  const first = await calls.begin([index]);
  expect(first[0]?.field?.through).toBe(String(Date.parse('2024-02-03T04:05:06.123Z')));
  const second = await calls.whole(first);
  expect(second).toMatchObject({ written: 1, lag: 0 });
  const third = await calls.whole(second.positions);
  expect(third).toMatchObject({ written: 0, superseded: 0, lag: 0 });
  await put(index, 'b', { nanos });
  await put(index, 'late', { nanos: '2024-02-03T04:05:00Z' });
  expect(await calls.whole(third.positions)).toMatchObject({ written: 3, lag: 0 });
  expect(await differences(index)).toEqual([]);
});

test('a comparison finds what the field does not show: deletes, updates, documents without it, another routing', async () => {
  const index = 'fld-compare';
  await makeBoth('fld-compare', index, 2, 3);
  const calls = caller(copyRunbook('fld-compare', { kind: 'time-field', field: 'at', window: '5s' }));
  const lines = Array.from({ length: 3_000 }, (_, n) => `{"index":{"_id":"${n}"}}\n{"at":${1_700_000_000_000 + n}}\n`);
  await http(`${pair.source}/${index}/_bulk?refresh=true`, 'POST', lines.join(''));
  const [begun] = await calls.begin([index]);
  const { through: _none, ...field } = the(the(begun).field);
  const first = await calls.whole([{ ...the(begun), field }]);
  expect(first).toMatchObject({ written: 3_000, lag: 0 });
  for (const id of ['1', '20', '300']) await remove(index, id);
  await put(index, '2', { at: 1_000, changed: true });
  await put(index, 'without', { other: 1 });
  await remove(index, '4');
  await put(index, '4', { at: 1_000 }, '?routing=elsewhere');
  await remove(index, '5');
  // its delete is forgotten by then, and it begins at version 1 again, as the target has it
  await pause(1_500);
  await put(index, '5', { at: Date.now(), life: 2 });
  const second = await calls.whole(first.positions);
  expect(second).toMatchObject({ deleted: 0, lag: 0 });
  expect(await differences(index)).not.toEqual([]);
  const third = await calls.whole(second.positions, 'search');
  expect(third).toMatchObject({ deleted: 4, written: 3, lag: 0, differences: [] });
  expect(await differences(index)).toEqual([]);
  // twice, as after a crash
  expect(await calls.whole(second.positions, 'search')).toMatchObject({ deleted: 0, lag: 0 });
  expect(await differences(index)).toEqual([]);
  // somebody else writes to the target
  await must(`${pair.target}/${index}/_doc/7?version=99&version_type=external`, 'PUT', { foreign: true });
  await must(`${pair.target}/${index}/_doc/foreign`, 'PUT', { foreign: true });
  const drained = await calls.drain(third.positions);
  expect(drained).toMatchObject({ lag: 0, differences: [] });
  expect(await differences(index)).toEqual([]);
  // equal sides that nobody asked anything of are not read again, and what comes to either is seen
  expect(drained.positions[0]?.field?.equal).toEqual(expect.any(String));
  await must(`${pair.target}/${index}/_doc/foreign`, 'PUT', { foreign: true });
  expect(await calls.whole(drained.positions, 'compare')).toMatchObject({ deleted: 1, written: 0 });
});

test('what lands after the drain is seen by its numbers, though it changes no count and no round would read it', async () => {
  const index = 'fld-landed';
  await makeBoth('fld-landed', index, 2);
  const runbook = copyRunbook('fld-landed', { kind: 'time-field', field: 'at', window: '1s' });
  const calls = caller(runbook);
  for (const id of ['1', '2', '3']) await put(index, id, { at: Date.now() });
  const { positions } = await calls.drain(await calls.begin([index]));
  const indices = [await factsOf(index)];
  const compared = async () => {
    const { verifyIndices } = createVerificationActivities({ clusters });
    return (await verifyIndices({ run: runbook.name, runbook, step: 'test', indices, positions })).differences;
  };
  // the pair's indices are made by hand, with settings of their own
  const late = async () => (await compared()).filter(({ what }) => what.includes('after it was drained'));
  expect(positions[0]?.seqNos.reduce((sum, at) => sum + at + 1, 0)).toBe(3);
  expect(await late()).toEqual([]);
  await put(index, '2', { without: 'the field' });
  expect(await late()).toEqual([
    { where: `index ${index}`, what: expect.stringContaining('after it was drained: 1 operations') as string },
  ]);
  const again = await calls.whole(positions, 'compare');
  expect(again).toMatchObject({ lag: 0, differences: [] });
  expect(await differences(index)).toEqual([]);
});

test('with a query only what it chooses is followed, and what leaves it is deleted', async () => {
  const index = 'fld-query';
  await makeBoth('fld-query', index, 1);
  const catchUp = { kind: 'append-only', field: 'part', window: '1s' };
  const calls = caller(copyRunbook('fld-query', catchUp, { query: { term: { 'kind.keyword': 'wanted' } } }));
  for (const n of [1, 2, 3]) await put(index, `${n}`, { part: n / 8, kind: n === 2 ? 'other' : 'wanted' });
  const first = await calls.whole(await calls.begin([index]));
  expect([...(await readDocuments(pair.target, index)).keys()].sort()).toEqual(['"1" ', '"3" ']);
  await put(index, '1', { part: 0.5, kind: 'other' });
  await put(index, '4', { part: 0.1, kind: 'wanted' });
  await remove(index, '3');
  const drained = await calls.drain(first.positions);
  expect(drained).toMatchObject({ lag: 0, differences: [] });
  expect([...(await readDocuments(pair.target, index)).keys()]).toEqual(['"4" ']);
});

test('an index that goes away, is made anew, closed, or foreign on the target is told, and the rest goes on', async () => {
  const names = ['gone', 'anew', 'closed', 'foreign', 'well'].map((name) => `fld-fate-${name}`);
  const [gone, anew, closed, foreign, well] = names as [string, string, string, string, string];
  for (const index of names) {
    await makeBoth('fld-fate', index, 1);
    await put(index, '1', { at: 1 });
  }
  const calls = caller(copyRunbook('fld-fate', { kind: 'time-field', field: 'at' }));
  const first = await calls.whole(await calls.begin(names));
  expect(first).toMatchObject({ written: 5, lag: 0, differences: [] });
  await must(`${pair.source}/${gone},${anew}`, 'DELETE');
  await make(pair.source, anew, { number_of_shards: 1 });
  await must(`${pair.source}/${closed}/_close`, 'POST');
  await must(`${pair.target}/${foreign}`, 'DELETE');
  await make(pair.target, foreign, { number_of_shards: 1 });
  for (const index of [anew, foreign, well]) await put(index, '2', { at: 2 });
  const second = await calls.whole(first.positions, 'compare');
  expect(Object.fromEntries(second.differences.map(({ where, what }) => [where, what]))).toEqual({
    [`index ${gone}`]: expect.stringContaining('deleted on the source') as string,
    [`index ${anew}`]: expect.stringContaining('created again') as string,
    [`index ${closed}`]: expect.stringContaining('closed on the source') as string,
    [`index ${foreign}`]: expect.stringContaining('not of this run') as string,
  });
  expect(await differences(well)).toEqual([]);
  expect((await readDocuments(pair.target, anew)).size).toBe(1);
  expect((await readDocuments(pair.target, foreign)).size).toBe(0);
});

/** An example of the repository, with only addresses, names and the pattern of indices put in their place. */
function fromExample(name: string, replaced: [string, string][]): string {
  let text = readFileSync(path.join(__dirname, '..', '..', 'examples', name), 'utf8')
    .replace('http://127.0.0.1:9200', pair.source)
    .replace('http://127.0.0.1:9201', pair.target);
  for (const [from, to] of replaced) text = text.replace(from, to);
  const file = path.join(operator.directory, name);
  writeFileSync(file, text);
  return file;
}

test.each<[string, string, string, string, Omit<WriterOptions, 'seed' | 'perSecond' | 'ids'>]>([
  [
    '09-follow-by-time-field.yaml',
    'legacy-shop',
    'legacy-*',
    'updated_at',
    { members: () => `"updated_at":${Date.now()},` },
  ],
  [
    '10-follow-append-only.yaml',
    'live-events',
    'events-*',
    'number',
    { members: (n) => `"number":${n},`, addsOnly: true },
  ],
])('%s as a whole run, while an application goes on writing', async (example, run, pattern, field, written) => {
  // other tests of this pair take the example as it is
  const indices = ['a', 'b'].map((name) => `fld-${pattern.replace('*', name)}`);
  const type = field === 'number' ? 'long' : 'date';
  for (const index of indices) {
    await must(`${pair.source}/${index}`, 'PUT', {
      settings: { number_of_shards: 2, number_of_replicas: 0 },
      // whole from the beginning: what a mapping gets after it was evaluated is told as a difference
      mappings: {
        properties: { [field]: { type }, n: { type: 'long' }, exact: { type: 'float' }, text: { type: 'text' } },
      },
    });
  }
  const application = startApplication(pair.source, indices, { seed: 3, perSecond: 200, ids: 2_000, ...written });
  stopped.push(() => application.stop());
  await operator.tell('start', fromExample(example, [[pattern, `fld-${pattern}`]]));
  const waiting = await operator.reach(run, 'the gate', ({ state }) => state === 'waiting' || state === 'stuck');
  expect([waiting.state, waiting.catchUp?.kind]).toEqual([
    'waiting',
    field === 'number' ? 'append-only' : 'time-field',
  ]);
  await operator.tell('approve', run, 'cutover', '--reason', 'test');
  const ended = await operator.ended(run);
  const totals = await application.stop();
  console.log(
    `${run}: ${JSON.stringify(totals)}; ${ended.catchUp?.written} written, ${ended.catchUp?.deleted} deleted`,
  );
  expect([ended.state, ended.differences]).toEqual(['completed', []]);
  for (const index of indices) {
    await must(`${pair.source}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
    expect(await differences(index)).toEqual([]);
  }
  expect(totals.adds).toBeGreaterThan(200);
});
