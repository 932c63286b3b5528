import type { CatchUpRoundInput } from '../../contracts/catch-up';
import { pausing, criticalOf, strainOf, type Reading } from '../../activities/copy/pressure';
import { rateOf, slowness, type Rate } from '../../activities/copy/rate';
import { joinRates } from '../../activities/catch-up/round-rates';
import { rateGate } from '../../activities/copy/rate-gate';
import { documentsOfScroll, firstDocuments, pageSize, readingOf } from '../../activities/copy/part-reader';
import { workerRates } from '../../activities/copy/worker-rates';
import type { Clusters } from '../../activities/elasticsearch/cluster';
import { parseVersion } from '../../activities/elasticsearch/version';
import { runbookOf } from '../support/fixtures';
import { waitUntil } from '../support/wait-until';

function quick(rate: Rate, times: number): void {
  for (let n = 0; n < times; n++) rate.accepted(rate.begin());
}

test('rises at once to begin with, is halved once for a storm, rises slowly after it, and never ends', () => {
  const rate = rateOf({ first: 2, most: 8 });
  quick(rate, 6);
  expect([rate.limit, rate.share, rate.held]).toEqual([8, 1, undefined]);
  const marks = Array.from({ length: 8 }, () => rate.begin());
  for (const mark of marks) rate.refused(mark, 'full');
  expect([rate.limit, rate.held]).toEqual([4, 'full']);
  quick(rate, 4);
  expect(rate.limit).toBe(4);
  quick(rate, 1);
  expect([rate.limit, rate.held]).toEqual([5, 'full']);
  quick(rate, 30);
  expect([rate.limit, rate.held]).toEqual([8, undefined]);
  for (let n = 0; n < 5; n++) rate.refused(rate.begin(), 'full');
  expect(rate.limit).toBe(1);
});

test('requests become smaller when there is but one, and large again before there are more', () => {
  const rate = rateOf({ first: 1, most: 4 });
  quick(rate, 8);
  for (let n = 0; n < 6; n++) rate.strained('heap');
  expect([rate.limit, rate.share]).toEqual([1, 1 / 16]);
  quick(rate, 10);
  expect(rate.limit).toBe(1);
  expect(rate.share).toBeLessThan(0.2);
  quick(rate, 40);
  expect([rate.limit, rate.share, rate.held]).toEqual([4, 1, undefined]);
});

test('grows while answers are quick, stays when they are slower, falls to two at the least when they are much slower', () => {
  const rate = rateOf({ first: 2, most: 16 });
  quick(rate, 6);
  rate.accepted(rate.begin(), 2);
  quick(rate, 7);
  const held = rate.limit;
  expect(held).toBe(8);
  for (let n = 0; n < 50; n++) rate.accepted(rate.begin(), 2);
  expect([rate.limit, rate.held]).toEqual([8, 'answers take 2.0 times as long as at their best']);
  for (let n = 0; n < 50; n++) rate.accepted(rate.begin(), 4);
  expect([rate.limit, rate.share]).toEqual([2, 1]);
  quick(rate, 1);
  expect(rate.held).toBeUndefined();
});

test('what may be under way falls and rises with the parts', () => {
  const rate = rateOf({ first: Infinity, most: 0 });
  rate.most = 1;
  quick(rate, 3);
  rate.most = 4;
  expect(rate.limit).toBe(4);
  rate.strained('heap');
  expect(rate.limit).toBe(2);
  rate.most = 1;
  expect(rate.limit).toBe(1);
});

test('slow is what takes longer for its bytes than of late; quick answers and small requests say nothing', () => {
  const latency = slowness();
  const full = 1 << 20;
  for (let n = 0; n < 10; n++) expect(latency.came(200, full)).toBe(1);
  let seen = 1;
  for (let n = 0; n < 10; n++) seen = latency.came(1000, full);
  expect(seen).toBeGreaterThan(3);
  expect(latency.came(90, full)).toBe(1);
  expect(latency.came(5000, 1000)).toBe(1);
  // what lasts becomes what is usual
  for (let n = 0; n < 200; n++) seen = latency.came(1000, full);
  expect(seen).toBeLessThan(1.2);
});

test('turns are shared in the order in which they were asked for; what stops a cluster stops all of them', async () => {
  const gate = rateGate({ first: 1, most: 1 });
  const order: string[] = [];
  const ask = (who: string) => gate.enter().then(() => order.push(who));
  await ask('a');
  const [b, c] = [ask('b'), ask('c')];
  gate.leave();
  await b;
  expect(order).toEqual(['a', 'b']);
  gate.stop('the disk is full');
  gate.leave();
  const again = gate.open().then(() => order.push('again'));
  await new Promise(setImmediate);
  expect(order).toEqual(['a', 'b']);
  gate.resume();
  await Promise.all([c, again]);
  expect(order.sort()).toEqual(['a', 'again', 'b', 'c']);
  const stop = new AbortController();
  const never = gate.enter(stop.signal);
  stop.abort(new Error('told to stop'));
  await expect(never).rejects.toThrow('told to stop');
  gate.leave();
  // whoever has gone is not waited for
  await gate.enter();
});

const reading = (over: Partial<Reading['nodes'][0]> = {}, rest: Partial<Reading> = {}): Reading => ({
  health: 'green',
  nodes: [
    {
      name: 'n1',
      holdsData: true,
      heapPercent: 40,
      pools: { write: { threads: 4, queue: 0, rejected: 7 } },
      tripped: { parent: 3 },
      disk: { totalBytes: 1000, freeBytes: 500 },
      ...over,
    },
  ],
  ...rest,
});

test.each([
  [reading(), undefined],
  [reading({ heapPercent: 91 }), 'heap of n1 91 %'],
  [reading({ tripped: { parent: 4 } }), 'circuit breaker parent of n1 tripped'],
  [reading({ pools: { write: { threads: 4, queue: 0, rejected: 9 } } }), 'write pool of n1 rejected 2'],
  [reading({ pools: { search: { threads: 4, queue: 17, rejected: 0 } } }), '17 wait in the search queue of n1'],
])('strain %#', (now, expected) => {
  expect(strainOf(reading(), now)).toBe(expected);
});

test('what happened before the first reading is none of ours', () => {
  expect(strainOf(undefined, reading({ tripped: { parent: 400 } }))).toBeUndefined();
});

const above = { heapPercent: 95, diskWatermark: 'high', red: true } as const;
const target = { side: 'target', wasRed: false } as const;
const disk = (freeBytes: number) =>
  reading(
    { disk: { totalBytes: 1000, freeBytes } },
    { settings: { 'cluster.routing.allocation.disk.watermark.high': '90%' } },
  );

test('critical: a heap, a disk of the target above its watermark, a cluster that turned red', () => {
  expect(criticalOf(reading(), above, target)).toBeUndefined();
  expect(criticalOf(reading({ heapPercent: 95 }), above, target)?.kind).toBe('heap');
  expect(criticalOf(disk(99), above, target)?.why).toBe('disk of n1 is above its high watermark (90%): 90 % used');
  expect(criticalOf(disk(101), above, target)).toBeUndefined();
  expect(criticalOf(disk(99), { ...above, diskWatermark: 'none' }, target)).toBeUndefined();
  expect(criticalOf(disk(99), above, { ...target, side: 'source' })).toBeUndefined();
  expect(criticalOf(reading({}, { health: 'red' }), above, target)?.kind).toBe('red');
  expect(criticalOf(reading({}, { health: 'red' }), above, { ...target, wasRed: true })).toBeUndefined();
});

test('pauses for a full disk at once and for a heap after a while, goes on when it has been over for a while', () => {
  const judge = pausing();
  const [full, heap] = [{ kind: 'disk', why: 'disk' } as const, { kind: 'heap', why: 'heap' } as const];
  expect([full, undefined, undefined, full, undefined, undefined, undefined].map(judge)).toEqual([
    ...['disk', 'disk', 'disk', 'disk', 'disk', 'disk'],
    undefined,
  ]);
  expect([heap, heap, undefined, heap, heap, heap].map(judge)).toEqual([
    ...[undefined, undefined, undefined, undefined, undefined],
    'heap',
  ]);
  // nobody collects a heap on which nothing works
  const readings = Array.from({ length: 30 }, () => judge(heap));
  expect(readings.indexOf(undefined)).toBe(23);
});

test('who comes last and pauses for nothing waits for nothing that others have paused for', async () => {
  const request = async ({ path }: { path: string }) => ({
    body: path.startsWith('/_nodes')
      ? { nodes: { n: { name: 'n1', fs: { total: { total_in_bytes: 1000, available_in_bytes: 1 } } } } }
      : path === '/_cluster/settings'
        ? { defaults: { 'cluster.routing.allocation.disk.watermark.high': '90%' } }
        : { status: 'green' },
  });
  const clusters = { connect: async (_: unknown, side: string) => ({ side, request }) } as unknown as Clusters;
  const rates = workerRates(clusters);
  const runbook = runbookOf('r', { method: 'copy', snapshot: undefined });
  const part = rates.join(runbook, { bulksInFlight: 1, pauseAbove: above, onChange: () => undefined });
  await waitUntil(
    async () => part.target.stopped,
    (why) => why !== undefined,
    { what: 'the pause' },
  );
  // a round: it has words for what it is told of, once it has joined
  const drain = joinRates(rates, { runbook, limits: { bulkBytes: 1, bulksInFlight: 1 } } as CatchUpRoundInput);
  expect([drain.target, drain.target.stopped]).toEqual([part.target, undefined]);
  await drain.target.enter();
  for (const each of [part, drain]) each.leave();
});

test.each([
  // of a megabyte: what a document takes on disk, the first page, each page of a scroll
  [undefined, 10, 1_000],
  [0, 10, 1_000],
  [500, 200, 1_000],
  [4 << 10, 64, 256],
  [2 << 20, 1, 10],
])('of documents of %s bytes a first page has %i, and a scroll %i', (documentBytes, first, scroll) => {
  expect([firstDocuments(documentBytes, 1 << 20), documentsOfScroll(documentBytes, 1 << 20)]).toEqual([first, scroll]);
});

test('asks for as many documents as fit, and for fewer when an answer was too large', () => {
  const size = pageSize(() => 1 << 20, 200);
  size.came(200, 200 * 100);
  expect(size.documents).toBe(800);
  for (let n = 0; n < 5; n++) size.came(size.documents, size.documents * 1024);
  expect(size.documents).toBe(1024);
  expect(size.wasTooLarge()).toBe(true);
  expect(size.documents).toBe(256);
  size.came(1, 50 << 20);
  expect(size.documents).toBe(1);
  expect(size.wasTooLarge()).toBe(false);
});

test.each([
  ['5.6.16', 'elasticsearch', 'scroll'],
  ['6.8.23', 'elasticsearch', 'sequence'],
  ['7.10.2', 'elasticsearch', 'sequence'],
  ['7.17.29', 'elasticsearch', 'sequence with pit'],
  ['9.5.3', 'elasticsearch', 'sequence with pit'],
  ['1.3.14', 'opensearch', 'sequence'],
  ['3.6.0', 'opensearch', 'sequence with OpenSearch pit'],
] as const)('%s of %s is read by %s', (text, distribution, reading) => {
  expect(readingOf({ text, ...parseVersion(text), distribution })).toBe(reading);
});
