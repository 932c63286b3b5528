import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { attended } from '../../activities/context';
import { openByteClient } from '../../activities/elasticsearch/byte-client';
import { createClusters } from '../../activities/elasticsearch/cluster';
import { HoldLost, watchHold, type Hold } from '../../activities/hold';
import { runbookOf } from '../support/fixtures';

/** Time that only the test moves. `asked` is Temporal: what it does with each request of the worker. */
function watched(askTemporal?: () => Promise<unknown>) {
  const told: string[] = [];
  const hold = watchHold({
    ...(askTemporal ? { askTemporal } : {}),
    onLost: (why) => told.push(why),
    onAnsweredAgain: () => told.push('answers again'),
  });
  open.push(hold);
  return { hold, told };
}

const open: Hold[] = [];
beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  for (const hold of open.splice(0)) hold.end();
  jest.useRealTimers();
});

const never = () => new Promise<never>(() => undefined);
const standStill = (milliseconds: number) => jest.setSystemTime(Date.now() + milliseconds);

describe('a process that stands still', () => {
  test('ticks that come in time are no standstill, however many', () => {
    const { hold, told } = watched();
    const held = hold.begin();
    jest.advanceTimersByTime(600_000);
    expect(held.lost).toBeUndefined();
    standStill(9_000);
    expect(held.lost).toBeUndefined();
    expect(told).toEqual([]);
  });

  test('what was begun before is lost for good, also to who asks before the tick; what begins later is not', () => {
    const { hold, told } = watched();
    const held = hold.begin();
    standStill(22_000);
    const later = hold.begin();
    expect(held.lost?.message).toContain('the worker stood still for 22 s');
    jest.advanceTimersByTime(60_000);
    expect(held.lost).toBeInstanceOf(HoldLost);
    expect(later.lost).toBeUndefined();
    expect(told).toEqual(['the worker stood still for 22 s']);
  });

  test('it is lost to attempts that Temporal answers at once when the process goes on', async () => {
    const { hold } = watched(() => Promise.resolve());
    await jest.advanceTimersByTimeAsync(4_000);
    const held = hold.begin();
    standStill(60_000);
    await jest.advanceTimersByTimeAsync(4_000);
    expect(held.signal.aborted).toBe(true);
  });
});

describe('a worker that Temporal does not answer', () => {
  test('for a while only, as in a restart of the server: nothing is lost', async () => {
    let answer: () => Promise<unknown> = () => Promise.resolve();
    const { hold, told } = watched(() => answer());
    const held = hold.begin();
    await jest.advanceTimersByTimeAsync(60_000);
    answer = () => Promise.reject(Object.assign(new Error('unavailable'), { code: 14 }));
    await jest.advanceTimersByTimeAsync(7_000);
    answer = () => Promise.resolve();
    await jest.advanceTimersByTimeAsync(60_000);
    expect([held.lost, told]).toEqual([undefined, []]);
  });

  test.each([
    ['silence', never],
    ['nobody listens', () => Promise.reject(Object.assign(new Error('unavailable'), { code: 14 }))],
    ['its own time limit', () => Promise.reject(Object.assign(new Error('deadline exceeded'), { code: 4 }))],
    ['credentials that heartbeats have, too', () => Promise.reject(Object.assign(new Error('no'), { code: 16 }))],
  ])('%s: before it is given up after 15 s, of which heartbeats may take 5', async (_what, away) => {
    let answer: () => Promise<unknown> = () => Promise.resolve();
    const { hold, told } = watched(() => answer());
    await jest.advanceTimersByTimeAsync(20_000);
    const held = hold.begin();
    answer = away;
    await jest.advanceTimersByTimeAsync(7_000);
    expect(held.signal.aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(4_000);
    expect(held.signal.aborted).toBe(true);
    expect(held.lost?.message).toMatch(/^Temporal has not answered the worker for 1\d s: what it held is not sent/);
    // one that begins while it is away is lost as well
    const meanwhile = hold.begin();
    expect(meanwhile.lost).toBeInstanceOf(HoldLost);
    answer = () => Promise.resolve();
    await jest.advanceTimersByTimeAsync(3_000);
    const after = hold.begin();
    await jest.advanceTimersByTimeAsync(60_000);
    expect([after.lost, held.lost instanceof HoldLost]).toEqual([undefined, true]);
    expect(told).toEqual([expect.stringMatching(/^Temporal has not answered/), 'answers again']);
  });

  test('an answer counts from when it was asked for', async () => {
    const { hold } = watched(() => new Promise((resolve) => setTimeout(resolve, 30_000)));
    const held = hold.begin();
    await jest.advanceTimersByTimeAsync(12_000);
    expect(held.signal.aborted).toBe(true);
    await jest.advanceTimersByTimeAsync(60_000);
    // it answers, and always of half a minute ago
    expect(hold.begin().lost).toBeInstanceOf(HoldLost);
  });

  test('a server that refuses this request is there', async () => {
    const { hold } = watched(() => Promise.reject(Object.assign(new Error('unknown method'), { code: 12 })));
    const held = hold.begin();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(held.lost).toBeUndefined();
  });

  test('an attempt that has ended is not lost', async () => {
    const { hold } = watched(never);
    const held = hold.begin();
    held.end();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(held.signal.aborted).toBe(false);
  });
});

test('an attempt that is lost may look at clusters, and changes nothing more', async () => {
  jest.useRealTimers();
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.setHeader('content-type', 'application/json');
    response.setHeader('x-elastic-product', 'Elasticsearch');
    const opaque = request.headers['x-opaque-id'];
    if (opaque !== undefined) response.setHeader('x-opaque-id', opaque);
    response.end(JSON.stringify({ cluster_uuid: 'u', version: { number: '8.19.0' }, cluster_name: 'c', name: 'n' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clusters = createClusters();
  const runbook = runbookOf('lost', { target: { urls: [url] } });
  let isLost = false;
  const hold: Hold = {
    begin: () => ({
      get lost() {
        return isLost ? new HoldLost('it is lost') : undefined;
      },
      signal: new AbortController().signal,
      end: () => undefined,
    }),
    end: () => undefined,
  };
  const attempt = async () => {
    const target = await clusters.connect(runbook, 'target');
    await target.request({ method: 'PUT', path: '/before' });
    const bytes = await clusters.openBytes(runbook, 'target', { connections: 1 });
    isLost = true;
    await target.request({ method: 'GET', path: '/looked-at' });
    await expect(target.request({ method: 'PUT', path: '/after' })).rejects.toThrow(HoldLost);
    await expect(bytes.send({ method: 'POST', path: '/_bulk', timeoutMs: 5_000 })).rejects.toThrow(HoldLost);
    bytes.close();
  };
  await new MockActivityEnvironment().run(() => attended(hold, attempt));
  expect(asked.filter((each) => each !== 'GET /')).toEqual(['PUT /before', 'GET /looked-at']);
  await clusters.close();
  server.closeAllConnections();
  server.close();
});

test('what is under way does not go on once it is lost, and nothing is sent any more', async () => {
  jest.useRealTimers();
  let asked = 0;
  const server = http.createServer(() => void (asked += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { hold } = watched();
  const held = hold.begin();
  const client = openByteClient({ where: 'target cluster', urls: [url], connections: 2, held });
  const underWay = client.send({ method: 'POST', path: '/_bulk', timeoutMs: 60_000 });
  const later = Date.now() + 60_000;
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => later);
  await expect(underWay).rejects.toThrow(HoldLost);
  const before = asked;
  await expect(client.send({ method: 'POST', path: '/_bulk', timeoutMs: 60_000 })).rejects.toThrow(
    /stood still for 6\d s/,
  );
  expect(asked).toBe(before);
  clock.mockRestore();
  client.close();
  server.closeAllConnections();
  server.close();
});
