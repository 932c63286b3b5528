import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApplicationFailure } from '@temporalio/common';
import { openByteClient } from '../../activities/elasticsearch/byte-client';
import { createClusters } from '../../activities/elasticsearch/cluster';
import { openClient } from '../../activities/elasticsearch/raw-client';
import { runbookOf } from '../support/fixtures';
import { startLossyProxy, type Fault, type LossyProxy } from '../support/lossy-proxy';

/** A server that answers with what it was asked, as Elasticsearch does with the id that it was given. */
let server: http.Server;
let proxy: LossyProxy;
let isAsked = (): void => undefined;

beforeAll(async () => {
  server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url === '/never') return void isAsked();
      if (request.url === '/page/') return void response.end('<!DOCTYPE html>');
      const body = JSON.stringify({ asked: request.url, version: { number: '8.19.0' } });
      const opaque = request.headers['x-opaque-id'];
      const headers = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' };
      response.writeHead(200, { ...headers, ...(opaque === undefined ? {} : { 'x-opaque-id': opaque }) });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
beforeEach(async () => {
  const to = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  proxy = await startLossyProxy({ to, seed: 1, rates: {} });
});
afterEach(async () => proxy.close());
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

type Ask = (path: string) => Promise<{ status: number; body: unknown }>;

/** One connection, so that each answer is read after the one before it. */
function byteClient(): { ask: Ask; close(): Promise<void> } {
  const client = openByteClient({ where: 'target cluster', urls: [proxy.url], connections: 1 });
  return {
    async ask(path) {
      const { status, body } = await client.send({ method: 'POST', path, timeoutMs: 5_000 });
      return { status, body: status === 200 ? (JSON.parse(body.toString()) as unknown) : body };
    },
    close: async () => client.close(),
  };
}

const rawClient = (major: 7 | 8 | 9 | 'any') => (): { ask: Ask; close(): Promise<void> } => {
  const client = openClient(major, { urls: [proxy.url] }, {});
  return { ask: (path) => client.send({ method: 'POST', path, body: {}, timeoutMs: 5_000 }), close: client.close };
};

const clients: [string, () => { ask: Ask; close(): Promise<void> }][] = [
  ['bytes', byteClient],
  ['7.x', rawClient(7)],
  ['8.x', rawClient(8)],
  ['9.x', rawClient(9)],
  ['older', rawClient('any')],
];

test.each(clients)('%s: an answer that comes late is never taken for that of another request', async (_, open) => {
  const client = open();
  try {
    await client.ask('/first');
    proxy.set({ late: 1 });
    expect((await client.ask('/late')).status).toBe(504);
    proxy.set({});
    let strays = 0;
    for (let number = 0; number < 10; number++) {
      const path = `/next-${number}`;
      const answer = await client.ask(path).catch((error: unknown) => {
        strays += 1;
        const why = ((error as ApplicationFailure).details?.[0] as { why?: string } | undefined)?.why;
        expect(`${why ?? ''}${(error as Error).message}`).toMatch(/the answer of another request/);
        return undefined;
      });
      if (answer) expect(answer.body).toMatchObject({ asked: path });
    }
    expect(proxy.done.late).toBe(1);
    expect(strays).toBeGreaterThan(0);
  } finally {
    await client.close();
  }
});

test.each(
  clients.flatMap(([name, open]) =>
    (['emptied', 'cutToFit', 'cutShort'] as Fault[]).map((fault) => ({ name, open, fault })),
  ),
)('$name: an answer that is $fault is none', async ({ open, fault }) => {
  const client = open();
  try {
    await client.ask('/first');
    proxy.set({ [fault]: 1 });
    await expect(client.ask('/damaged')).rejects.toThrow();
    proxy.set({});
    expect((await client.ask('/next')).body).toMatchObject({ asked: '/next' });
  } finally {
    await client.close();
  }
});

test('a page in place of a cluster is told as what it is', async () => {
  const clusters = createClusters();
  const runbook = runbookOf('r', { source: { urls: [`${proxy.url}/page`] } });
  await expect(clusters.connect(runbook, 'source')).rejects.toMatchObject({
    message: 'what answers there is neither Elasticsearch nor OpenSearch',
    nonRetryable: true,
  });
  await clusters.close();
});

test.each([7, 8, 9, 'any'] as const)(
  'client %s: a read that is cancelled fails, and nothing is thrown beside it',
  async (major) => {
    const client = openClient(major, { urls: [proxy.url] }, {});
    const thrown: unknown[] = [];
    const note = (error: unknown): void => void thrown.push(error);
    process.on('uncaughtExceptionMonitor', note);
    try {
      // the 7.17 client looks at the product first
      await client.send({ method: 'GET', path: '/', timeoutMs: 5_000 });
      const asked = new Promise<void>((resolve) => (isAsked = resolve));
      const cancelled = new AbortController();
      const reading = client.send({ method: 'GET', path: '/never', timeoutMs: 60_000, signal: cancelled.signal });
      const failed = expect(reading).rejects.toThrow(/abort/i);
      await asked;
      cancelled.abort();
      await failed;
      await new Promise((turn) => setImmediate(turn));
      expect(thrown).toEqual([]);
    } finally {
      process.off('uncaughtExceptionMonitor', note);
      await client.close();
    }
  },
);
