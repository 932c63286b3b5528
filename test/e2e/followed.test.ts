import { differences, digestIndices } from '../../lab/digest';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';

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
