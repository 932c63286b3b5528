import { allSteps, type LiveStatus } from '../../client/live-status';
import { differences, digestIndices } from '../../lab/digest';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';

/**
 * Rounds of a whole run where there is more to them than usual: a target that refuses documents or has no room, and, with
 * SHARDLIFT_BACKLOG=600000, more than one round by a field takes.
 */

jest.setTimeout(300_000);

const pair = sharedPair();
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => operator?.stop());

const followed = (name: string, catchUp: object, copy: object) =>
  pairRunbook(name, {
    method: 'copy',
    snapshot: undefined,
    copy,
    catchUp: { interval: '1s', ...catchUp },
    gates: ['cutover'],
  });
const bySequence = { kind: 'sequence' };
const byField = { kind: 'time-field', field: 'at', window: '1s' };

async function unlike(index: string): Promise<string[]> {
  const [from, to] = await Promise.all(
    [pair.source, pair.target].map((url) => digestIndices({ url, indices: [index] })),
  );
  return differences(from ?? {}, to ?? {}, { versions: true });
}

async function bulk(index: string, count: number, lineOf: (n: number) => string): Promise<void> {
  const lines = Array.from({ length: count }, (_, n) => lineOf(n));
  const { body } = await http<{ errors: boolean }>(`${pair.source}/${index}/_bulk`, 'POST', lines.join(''));
  if (body.errors) throw new Error(JSON.stringify(body).slice(0, 1000));
}

const atGate = ({ state, catchUp }: LiveStatus) => state === 'waiting' && catchUp?.lag === 0;
const roundOf = (seen: LiveStatus) => allSteps(seen).find(({ id }) => id === 'catch-up/round');

test.each([
  ['sequence', bySequence],
  ['field', byField],
])(
  '%s: more refused documents than are allowed hold a round up, and what is mended is driven again before the drain',
  async (kind, catchUp) => {
    const run = `rounds-refused-${kind}`;
    const index = `${run}-a`;
    await must(`${pair.source}/${index}`, 'PUT', {
      settings: { number_of_replicas: 0 },
      mappings: { properties: { at: { type: 'date' }, toys: { type: 'nested', properties: { n: { type: 'long' } } } } },
    });
    const nested = { 'index.mapping.nested_objects.limit': 2 };
    await operator.start(followed(run, catchUp, { settings: nested, failedDocuments: { most: 50 } }));
    await operator.reach(run, 'the gate', atGate);
    const toys = (n: number, body: string) => `{"index":{"_id":"${n}"}}\n{"at":${Date.now()},"toys":${body}}\n`;
    await bulk(index, 60, (n) => toys(n, '[{"n":1},{"n":2},{"n":3}]'));
    await bulk(index, 20, (n) => toys(n + 60, '[]'));
    const failure = await operator.stuckAt(run, 'catch-up/round');
    expect(failure.type).toBe('DocumentsRefused');
    expect(failure.why).toMatch(/nested/);
    await operator.tell('tune', run, '--failed-documents', 'none', '--reason', 'seen');
    await operator.retry(run);
    await operator.reach(run, 'what is refused', (seen) => (seen.catchUp?.refused[0]?.count ?? 0) >= 60);
    await must(`${pair.target}/${index}/_settings`, 'PUT', { 'index.mapping.nested_objects.limit': 100 });
    await operator.tell('retry', run, '--failed', '--reason', 'mended');
    // long before the drain
    const mended = await operator.reach(run, 'nothing refused', (seen) => seen.catchUp?.refused.length === 0);
    expect(mended.state).toBe('waiting');
    expect(await unlike(index)).toEqual([]);
    await operator.tell('approve', run, 'cutover', '--reason', 'test');
    expect((await operator.ended(run)).state).toBe('completed');
  },
);

test('a round stands still above a watermark of the target, says so, and goes on by itself when there is room', async () => {
  const run = 'rounds-full';
  const index = `${run}-a`;
  await makeIndex(pair.source, index, 10);
  await operator.start(followed(run, bySequence, { limits: { bulkBytes: '20kb', bulksInFlight: 1 } }));
  await operator.reach(run, 'the gate', atGate);
  const watermark = 'cluster.routing.allocation.disk.watermark';
  const put = (values: Record<string, string | null>) =>
    must(`${pair.target}/_cluster/settings`, 'PUT', {
      persistent: Object.fromEntries(Object.entries(values).map(([name, value]) => [`${watermark}.${name}`, value])),
    });
  // flood_stage is not passed, since that would block the indices
  await put({ low: '900tb', high: '800tb', flood_stage: '1b' });
  try {
    await bulk(index, 20_000, (n) => `{"index":{"_id":"${n}"}}\n{"n":${n},"text":"${'x'.repeat(200)}"}\n`);
    const paused = await operator.reach(run, 'its pause', (seen) =>
      /paused by itself, target: disk of/.test(roundOf(seen)?.progress?.detail ?? ''),
    );
    expect(paused.catchUp?.state).toBe('running');
    expect(await unlike(index)).not.toEqual([]);
  } finally {
    await put({ low: null, high: null, flood_stage: null });
  }
  await operator.reach(run, 'going on', atGate);
  await operator.tell('approve', run, 'cutover', '--reason', 'test');
  expect((await operator.ended(run)).state).toBe('completed');
  expect(await unlike(index)).toEqual([]);
});

const backlog = Number(process.env['SHARDLIFT_BACKLOG'] ?? 0);

(backlog > 0 ? test : test.skip)(
  'by a field: a backlog of more documents than one round takes',
  async () => {
    const run = 'rounds-backlog';
    const index = `${run}-a`;
    await must(`${pair.source}/${index}`, 'PUT', {
      settings: { number_of_shards: 2, number_of_replicas: 0 },
      mappings: { properties: { at: { type: 'date' }, n: { type: 'long' }, text: { type: 'text' } } },
    });
    const line = (n: number) =>
      `{"index":{"_id":"${n}"}}\n{"at":${Date.now()},"n":${n},"text":"document ${n} of a backlog"}\n`;
    await bulk(index, 1_000, line);
    await operator.start(followed(run, { ...byField, window: '10s' }, {}));
    await operator.reach(run, 'the gate', atGate);
    await operator.tell('pause', run, '--reason', 'a backlog');
    await operator.reach(run, 'its pause', ({ catchUp }) => catchUp?.state === 'paused');
    const { rounds = 0, written = 0 } = (await operator.status(run)).catchUp ?? {};
    for (let from = 1_000; from < backlog; from += 5_000)
      await bulk(index, Math.min(5_000, backlog - from), (n) => line(from + n));
    const begun = Date.now();
    await operator.tell('resume', run, '--reason', 'go on');
    const lags: number[] = [];
    const near = await operator.reach(run, 'nothing left', (seen) => {
      const lag = seen.catchUp?.lag ?? 0;
      if (seen.catchUp && seen.catchUp.rounds > rounds && lag !== lags.at(-1)) lags.push(lag);
      return lags.at(-1) === 0;
    });
    const caughtUp = (Date.now() - begun) / 1000;
    await operator.tell('approve', run, 'cutover', '--reason', 'test');
    const ended = await operator.ended(run);
    console.log(
      `backlog of ${backlog - 1_000}: ${(near.catchUp?.written ?? 0) - written} written in ${(near.catchUp?.rounds ?? 0) - rounds} rounds and ${caughtUp.toFixed(1)} s, left after them: ${lags.join(', ')}; ended after ${((Date.now() - begun) / 1000).toFixed(1)} s`,
    );
    expect([ended.state, ended.differences]).toEqual(['completed', []]);
    // more than one round was needed, and none took more than it may
    expect(lags.length).toBeGreaterThan(Math.floor(backlog / 300_000));
    expect(await unlike(index)).toEqual([]);
  },
  1_200_000,
);
