import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { differences, digestIndices } from '../../lab/digest';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { documentDifferences, readDocuments } from '../support/read-documents';
import { makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';
import { startWriter } from '../support/writer';

/** Whole runs that follow a live source: what is found when the source is not as quiet, or as whole, as it should be. */

jest.setTimeout(300_000);

const pair = sharedPair();
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => operator?.stop());

const followed = (name: string, over: Record<string, unknown> = {}) =>
  pairRunbook(name, { catchUp: { kind: 'sequence', interval: '1s' }, gates: ['cutover'], ...over });
const byCopy = { method: 'copy', snapshot: undefined };
/** Of a field that the late writes below do not set: only a comparison of both sides finds them. */
const byField = { ...byCopy, catchUp: { kind: 'time-field', field: 'seen', interval: '1s', window: '1s' } };

async function unlike(indices: string[]): Promise<string[]> {
  const [from, to] = await Promise.all([pair.source, pair.target].map((url) => digestIndices({ url, indices })));
  return differences(from ?? {}, to ?? {}, { versions: true });
}

test.each([
  ['copy', byCopy],
  ['snapshot', {}],
  ['field', byField],
])('%s: what is written after the drain is brought by a retry, deletes too', async (method, over) => {
  const run = `drained-${method}`;
  await makeIndex(pair.source, `${run}-a`, 300, { number_of_shards: 2 });
  const date = { properties: { seen: { type: 'date' } } };
  if (method === 'field') await must(`${pair.source}/${run}-a/_mapping`, 'PUT', date);
  await operator.start(followed(run, over));
  await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
  // an index that nobody planned holds the comparison up, after the drain
  await makeIndex(pair.source, `${run}-late`, 1);
  await operator.tell('approve', run, 'cutover', '--reason', 'test');
  const failure = await operator.stuckAt(run, 'cutover/verify');
  expect(failure.why).toContain('came to the source after the plan');
  await must(`${pair.source}/${run}-late`, 'DELETE');
  await must(`${pair.source}/${run}-a/_doc/7?refresh=true`, 'PUT', { n: 7, text: 'written too late' });
  await must(`${pair.source}/${run}-a/_doc/8?refresh=true`, 'DELETE');
  await operator.retry(run);
  const status = await operator.ended(run);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(status.catchUp).toMatchObject({ state: 'drained', deleted: 1 });
  expect(await unlike([`${run}-a`])).toEqual([]);
});

test('what the source gets after the comparison, and what is made anew there, is told at the finish', async () => {
  const run = 'late';
  for (const each of ['a', 'b']) await makeIndex(pair.source, `${run}-${each}`, 20);
  await operator.start(followed(run, { ...byCopy, gates: ['finish'], freeze: 'atCutover' }));
  await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
  await makeIndex(pair.source, `${run}-c`, 1);
  await must(`${pair.source}/${run}-b`, 'DELETE');
  await makeIndex(pair.source, `${run}-b`, 20);
  await operator.tell('approve', run, 'finish', '--yes', '--reason', 'test');
  const status = await operator.ended(run);
  expect([status.state, status.differences.map(({ where, what }) => `${where}: ${what.split(',')[0]}`)]).toEqual([
    'completed with differences',
    [
      `index ${run}-c: it came to the source after both sides were compared`,
      `index ${run}-b: it was deleted on the source`,
    ],
  ]);
});

/** The example with only addresses, names and the place of the repository put in their place. */
function fromExample(run: string, catchUp?: string): string {
  const text = readFileSync(path.join(__dirname, '..', '..', 'examples', '07-snapshot-and-follow.yaml'), 'utf8')
    .replace('http://127.0.0.1:9200', pair.source)
    .replace('http://127.0.0.1:9201', pair.target)
    .replace('name: big-and-live', `name: ${run}`)
    .replace("'big-*'", `'${run}-*'`)
    .replace('/mnt/nas/snapshots', `${pair.repositoryDir}/${run}`)
    .replace('kind: sequence', catchUp ?? 'kind: sequence');
  const file = path.join(operator.directory, `${run}.yaml`);
  writeFileSync(file, text);
  return file;
}

test.each([
  ['as it is', 'big', undefined],
  ['by a field that every write sets', 'big-dated', 'kind: time-field\n  field: at\n  window: 3s'],
])('snapshot, then follow: the example %s, while an application writes', async (_, run, catchUp) => {
  const indices = [`${run}-1`, `${run}-2`];
  for (const [at, index] of indices.entries()) {
    await makeIndex(pair.source, index, 3000, { number_of_shards: 2 - at, 'index.gc_deletes': '1s' });
    await must(`${pair.source}/${index}/_mapping`, 'PUT', { properties: { at: { type: 'date' } } });
  }
  const application = startWriter(pair.source, indices, {
    seed: 7,
    perSecond: 200,
    ids: 4000,
    members: () => `"at":${Date.now()},`,
  });
  try {
    await operator.tell('start', fromExample(run, catchUp));
    const waiting = await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
    expect(waiting.batches.flatMap(({ steps }) => steps.map(({ id, state }) => `${id} ${state}`))).toContain(
      'batch-0001/restore done',
    );
    const { written = 0, rounds = 0 } = waiting.catchUp ?? {};
    await operator.reach(
      run,
      'what is written since',
      (now) => (now.catchUp?.written ?? 0) > written + 100 && (now.catchUp?.rounds ?? 0) > rounds,
    );
    await operator.tell('approve', run, 'cutover', '--reason', 'test');
    // it goes on until the write block meets it, as applications do
    const status = await operator.ended(run);
    expect([status.state, status.differences]).toEqual(['completed', []]);
  } finally {
    const { adds, deletes, refused } = await application.stop();
    expect([adds > 100, deletes > 20, refused > 0]).toEqual([true, true, true]);
  }
  for (const index of indices) {
    await must(`${pair.source}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
    const [source, target] = [await readDocuments(pair.source, index), await readDocuments(pair.target, index)];
    expect(source.size).toBeGreaterThan(2000);
    expect(documentDifferences(source, target)).toEqual([]);
  }
});
