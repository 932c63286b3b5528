import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { openByteClient, WorkerStoodStill } from '../../activities/elasticsearch/byte-client';
import { watchForStandstill } from '../../activities/elasticsearch/standstill';

afterEach(() => jest.restoreAllMocks());

test('ticks that come in time are no standstill, however many', () => {
  jest.useFakeTimers();
  const told = jest.fn();
  const watch = watchForStandstill(told);
  jest.advanceTimersByTime(600_000);
  expect(watch.stoodStillMs).toBeUndefined();
  jest.setSystemTime(Date.now() + 11_000);
  expect(watch.stoodStillMs).toBeUndefined();
  expect(told).not.toHaveBeenCalled();
  watch.end();
  jest.useRealTimers();
});

test('a gap is told once, also to who asks before the tick, and for good', () => {
  jest.useFakeTimers();
  const told = jest.fn();
  const watch = watchForStandstill(told);
  jest.setSystemTime(Date.now() + 22_000);
  expect(watch.stoodStillMs).toBe(22_000);
  jest.advanceTimersByTime(60_000);
  expect(watch.stoodStillMs).toBe(22_000);
  expect(told).toHaveBeenCalledTimes(1);
  watch.end();
  jest.useRealTimers();
});

test('what was under way does not go on after a standstill, and nothing is sent any more', async () => {
  let asked = 0;
  const server = http.createServer(() => void (asked += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = openByteClient({ where: 'target cluster', urls: [url], connections: 2 });
  const underWay = client.send({ method: 'POST', path: '/_bulk', timeoutMs: 60_000 });
  const later = Date.now() + 60_000;
  jest.spyOn(Date, 'now').mockImplementation(() => later);
  await expect(underWay).rejects.toThrow(WorkerStoodStill);
  const before = asked;
  await expect(client.send({ method: 'POST', path: '/_bulk', timeoutMs: 60_000 })).rejects.toThrow(
    /stood still for 6\d s/,
  );
  expect(asked).toBe(before);
  client.close();
  server.closeAllConnections();
  server.close();
});
