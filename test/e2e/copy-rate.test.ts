import { allSteps, type LiveStatus } from '../../client/live-status';
import { differences, digestIndices } from '../../lab/digest';
import { startPair, type Pair } from '../../lab/pair';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { http, makeIndex, pairRunbook } from '../support/shared-pair';

/**
 * A copy against clusters in need: a write queue for one, breakers that trip, a disk above its watermark, a node that dies
 * with documents that are not on its disk yet. The pair is this file's own.
 */

jest.setTimeout(300_000);

let pair: Pair;
let operator: PairOperator;

beforeAll(async () => {
  [pair, operator] = await Promise.all([
    startPair({
      heap: '384m',
      targetSettings: { 'thread_pool.write.queue_size': 1, 'thread_pool.write.size': 1 },
    }),
    startPairOperator(),
  ]);
});
afterAll(async () => {
  await operator?.stop();
  await pair?.stop();
});

function copyRunbook(name: string, copy: Record<string, unknown>) {
  return pairRunbook(name, {
    method: 'copy',
    snapshot: undefined,
    source: { urls: [pair.source.url] },
    target: { urls: [pair.target.url] },
    copy,
  });
}

async function unlike(index: string): Promise<string[]> {
  const [from, to] = await Promise.all(
    [pair.source, pair.target].map(({ url }) => digestIndices({ url, indices: [index] })),
  );
  return differences(from ?? {}, to ?? {}, { versions: true });
}

const detailOf = (seen: LiveStatus) =>
  allSteps(seen).find(({ id }) => id === 'batch-0001/documents')?.progress?.detail ?? '';

async function settings(url: string, persistent: Record<string, string | null>): Promise<void> {
  await must(`${url}/_cluster/settings`, 'PUT', { persistent });
}

async function rejectedBy(url: string): Promise<number> {
  const { body } = await http<{ nodes: Record<string, { thread_pool: { write: { rejected: number } } }> }>(
    `${url}/_nodes/stats/thread_pool`,
  );
  return Object.values(body.nodes).reduce((sum, node) => sum + node.thread_pool.write.rejected, 0);
}

test('a target that refuses most of what it is sent gets less, and all of it in the end', async () => {
  const run = 'storm';
  await makeIndex(pair.source.url, `${run}-one`, 10_000, { number_of_shards: 4 });
  const before = await rejectedBy(pair.target.url);
  const parts = { maxDocuments: 1000, inFlight: 8 };
  await operator.start(copyRunbook(run, { parts, limits: { bulkBytes: '20kb', bulksInFlight: 8 } }));
  const held = await operator.reach(run, 'what holds it back', (seen) => /held back/.test(detailOf(seen)));
  expect(detailOf(held)).toMatch(/bulks? at once of .*; held back, target: /);
  expect((await operator.ended(run)).state).toBe('completed');
  expect((await rejectedBy(pair.target.url)) - before).toBeGreaterThan(0);
  expect(await unlike(`${run}-one`)).toEqual([]);
});

test('a circuit breaker that trips costs speed, and no document', async () => {
  const run = 'breaker';
  await makeIndex(pair.source.url, `${run}-one`, 3_000, { number_of_shards: 2 });
  const limits = { bulkBytes: '50kb', docsPerSec: 300 };
  await operator.start(copyRunbook(run, { parts: { maxDocuments: 1000, inFlight: 2 }, limits }));
  await operator.reach(run, 'its midst', (seen) => /at once/.test(detailOf(seen)));
  await settings(pair.target.url, { 'network.breaker.inflight_requests.limit': '1kb' });
  try {
    await operator.reach(run, 'the breaker', (seen) => /held back, target: /.test(detailOf(seen)));
  } finally {
    await settings(pair.target.url, { 'network.breaker.inflight_requests.limit': null });
  }
  expect((await operator.ended(run)).state).toBe('completed');
  expect(await unlike(`${run}-one`)).toEqual([]);
});

test('a disk above its watermark pauses it by itself, says so, and it goes on when there is room', async () => {
  const run = 'full';
  await makeIndex(pair.source.url, `${run}-one`, 6_000);
  const limits = { bulkBytes: '20kb', docsPerSec: 300 };
  await operator.start(copyRunbook(run, { parts: { maxDocuments: 3000, inFlight: 2 }, limits }));
  await operator.reach(run, 'its midst', (seen) => /at once/.test(detailOf(seen)));
  const watermark = 'cluster.routing.allocation.disk.watermark';
  await settings(pair.target.url, {
    [`${watermark}.low`]: '900tb',
    [`${watermark}.high`]: '800tb',
    // bytes as well, as servers want it; and not passed, since that would block the indices
    [`${watermark}.flood_stage`]: '1b',
  });
  try {
    const paused = await operator.reach(run, 'its pause', (seen) => /paused by itself/.test(detailOf(seen)));
    expect(detailOf(paused)).toMatch(
      /paused by itself, target: disk of target-1 is above its high watermark \(800tb\)/,
    );
    expect(paused.state).toBe('running');
  } finally {
    const put = Object.fromEntries(['low', 'high', 'flood_stage'].map((name) => [`${watermark}.${name}`, null]));
    await settings(pair.target.url, put);
  }
  await operator.reach(run, 'going on', (seen) => !/paused by itself/.test(detailOf(seen)));
  await operator.tell('tune', run, '--docs-per-sec', 'none', '--reason', 'seen');
  expect((await operator.ended(run)).state).toBe('completed');
  expect(await unlike(`${run}-one`)).toEqual([]);
});

test('more refused documents than are allowed: stuck with the cause, and goes on once more are allowed', async () => {
  const run = 'wrong';
  const index = `${run}-one`;
  const toys = JSON.stringify({ toys: [{ n: 1 }, { n: 2 }, { n: 3 }] });
  await must(`${pair.source.url}/${index}`, 'PUT', {
    settings: { number_of_replicas: 0 },
    mappings: { properties: { toys: { type: 'nested' } } },
  });
  const lines = Array.from({ length: 300 }, (_, at) => `{"index":{"_id":"${at}"}}\n${toys}\n`);
  await http(`${pair.source.url}/${index}/_bulk?refresh=true`, 'POST', lines.join(''));
  const nested = { 'index.mapping.nested_objects.limit': 2 };
  await operator.start(copyRunbook(run, { settings: nested, failedDocuments: { most: 50 } }));
  const failure = await operator.stuckAt(run, 'batch-0001/documents');
  expect(failure.type).toBe('DocumentsRefused');
  expect(failure.why).toMatch(/nested/);
  await operator.tell('tune', run, '--failed-documents', 'none', '--reason', 'seen');
  await operator.retry(run);
  const status = await operator.ended(run);
  expect(status.state).toBe('completed with differences');
  expect(status.batches[0]?.refused).toMatchObject([{ index, count: 300 }]);
});

test('a target killed with an async translog loses nothing that a part has said to be done', async () => {
  const run = 'async';
  await makeIndex(pair.source.url, `${run}-one`, 4_000, { number_of_shards: 1 });
  const limits = { bulkBytes: '20kb', docsPerSec: 100 };
  const copy = { load: { translog: 'async' }, parts: { maxDocuments: 4000, inFlight: 1 }, limits };
  await operator.start(copyRunbook(run, copy));
  await operator.reach(run, 'its midst', (seen) => {
    const step = allSteps(seen).find(({ id }) => id === 'batch-0001/documents');
    // longer than index.translog.sync_interval, so that something of it outlives the node, and something does not
    return (step?.progress?.done ?? 0) > 900;
  });
  const [node] = pair.target.nodes;
  await node!.kill9();
  await node!.start();
  await operator.tell('tune', run, '--docs-per-sec', 'none', '--reason', 'seen');
  const status = await operator.ended(run);
  expect(status.state).toBe('completed');
  // the part was read once more
  expect(allSteps(status).find(({ id }) => id === 'batch-0001/documents')?.summary).toMatch(/\d+ were there already/);
  expect(await unlike(`${run}-one`)).toEqual([]);
});
