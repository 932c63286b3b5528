import type { Cluster, RequestParams } from '../../activities/elasticsearch/cluster';
import { readWhole } from '../../activities/verification/read-whole';

interface Primary {
  state: string;
  reason?: string;
}

/** An index `a` of one shard with 3 documents, whose primary is as said at each look; as the last says from then on. */
function clusterOf(looks: Primary[], { status = 'open', version = '7.17.29', counted = {} } = {}) {
  let look = -1;
  const primary = () => looks[Math.min(look, looks.length - 1)]!;
  const isStarted = () => primary().state === 'STARTED';
  const asked: string[] = [];
  const answers: [RegExp, () => unknown][] = [
    [/_settings$/, () => ((look += 1), { a: { settings: { 'index.number_of_shards': '1' } } })],
    [/^\/_cat\/indices/, () => [{ index: 'a', status, health: isStarted() ? 'green' : 'red' }]],
    [
      /_stats/,
      () => ({
        indices: isStarted()
          ? { a: { shards: { 0: [{ routing: { primary: true, state: 'STARTED' }, docs: { count: 3 } }] } } }
          : {},
      }),
    ],
    [
      /_count$/,
      () =>
        isStarted()
          ? { count: 3, _shards: { failed: 0, ...counted } }
          : {
              count: 0,
              _shards: { failed: 1, failures: [{ reason: { type: 'no_shard_available_action_exception' } }] },
            },
    ],
    [
      /^\/_cat\/shards/,
      () => [
        {
          index: 'a',
          shard: '0',
          prirep: 'p',
          state: primary().state,
          'unassigned.reason': primary().reason ?? null,
        },
      ],
    ],
  ];
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const cluster: Cluster = {
    side: 'target',
    uuid: 'u',
    version: { text: version, major, minor, patch, distribution: 'elasticsearch' },
    request: async <T>({ path }: RequestParams) => {
      asked.push(path);
      const body = answers.find(([pattern]) => pattern.test(path))?.[1]() ?? {};
      return { status: 200, body: body as T };
    },
  };
  return { cluster, asked, looks: () => look + 1 };
}

const started = { state: 'STARTED' };

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

async function read({ cluster }: { cluster: Cluster }) {
  const told: string[] = [];
  const startedAt = Date.now();
  let isOver = false;
  const reading = readWhole(cluster, ['a'], undefined, (why) => told.push(why)).finally(() => (isOver = true));
  while (!isOver) await jest.advanceTimersByTimeAsync(500);
  return { state: (await reading).get('a'), told, seconds: Math.round((Date.now() - startedAt) / 1000) };
}

test('what is whole is read once', async () => {
  const whole = clusterOf([started]);
  expect((await read(whole)).state).toMatchObject({ documents: 3 });
  expect([whole.looks(), whole.asked.some((path) => path.startsWith('/_cat/shards'))]).toEqual([1, false]);
});

test.each([
  ['whose node has left', { state: 'UNASSIGNED', reason: 'NODE_LEFT' }],
  ['that a restarted node has not opened yet', { state: 'UNASSIGNED', reason: 'CLUSTER_RECOVERED' }],
  ['that is being recovered', { state: 'INITIALIZING' }],
])('a primary %s is waited for, with the reason, and then there is no difference', async (_what, away) => {
  const cluster = clusterOf([away, away, away, away, away, started]);
  const { state, told } = await read(cluster);
  expect(state).toMatchObject({ documents: 3, health: 'green', shards: { 0: { documents: 3 } } });
  expect(told).toHaveLength(5);
  expect(told[0]).toBe(
    `waits for primaries of the target: shard 0 of a (${'reason' in away ? away.reason : away.state})`,
  );
});

test('one whose node stays away is told after some minutes', async () => {
  const { state, seconds } = await read(clusterOf([{ state: 'UNASSIGNED', reason: 'NODE_LEFT' }]));
  expect(state).toMatchObject({ health: 'red', shards: {} });
  expect(state?.documents).toBeUndefined();
  expect(seconds).toBeGreaterThanOrEqual(180);
  expect(seconds).toBeLessThan(200);
});

test.each(['ALLOCATION_FAILED', 'NEW_INDEX_RESTORED', 'INDEX_CREATED'])(
  'one that is on no node for another reason (%s) is told within seconds',
  async (reason) => {
    const cluster = clusterOf([{ state: 'UNASSIGNED', reason }]);
    const { state, seconds, told } = await read(cluster);
    expect([state?.documents, told]).toEqual([undefined, []]);
    expect(seconds).toBeLessThan(10);
    // a server waits a minute with it
    expect(cluster.asked.filter((path) => path.endsWith('/_refresh'))).toEqual([]);
  },
);

test('one that came back between two requests is read once more', async () => {
  const cluster = clusterOf([{ state: 'UNASSIGNED', reason: 'ALLOCATION_FAILED' }, started]);
  expect((await read(cluster)).state).toMatchObject({ documents: 3 });
});

test('shards of closed indices are not asked for where there are none', async () => {
  const old = clusterOf([{ state: 'UNASSIGNED', reason: 'NODE_LEFT' }], { status: 'close', version: '6.8.23' });
  expect((await read(old)).state).toMatchObject({ status: 'close', shards: {} });
  expect([old.looks(), old.asked.some((path) => path.startsWith('/_cat/shards'))]).toEqual([1, false]);
});

test('a count without one of its shards is none, though older servers do not call that shard failed', async () => {
  const partly = clusterOf([started], { counted: { total: 2, successful: 1 } });
  expect((await read(partly)).state?.documents).toBeUndefined();
});
