import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { seeded } from './source-writer';

/** What can go wrong between us and a cluster. Those with "executed" reach it, and their answer is lost on the way back. */
export const faults = {
  /** The connection ends before the request is passed on. */
  dropped: 'connection dropped before the request arrived',
  /** The cluster carries it out; whoever asked does not know, and sends it again. */
  lost: 'executed, then the connection dropped without the answer',
  delayed: 'answer held back',
  /** `content-length` of the whole answer, half of it, and the end of the connection. */
  cutShort: 'answer cut, its length that of the whole',
  /** Half of the answer under a length that fits it. */
  cutToFit: 'answer cut, its length that of the half',
  cutChunked: 'answer cut within its chunks',
  cutChunkedToFit: 'answer cut, its chunks ended in good order',
  emptied: 'status 200 and no body',
  refused: '429, 502, 503 or 504 in HTML, not executed',
  refusedAfter: '502 or 504 in HTML, executed',
  /** Only requests that HTTP lets a proxy send again. */
  repeated: 'passed on twice, answered with the second answer',
  doubled: 'answered twice, one right after the other',
  /** 504 at once; the true answer comes on the same connection, before that of the next request. */
  late: '504, and the true answer where the next one is waited for',
} as const;

export type Fault = keyof typeof faults;
/** By fault, how probable it is for a request. */
export type Rates = Partial<Record<Fault, number>>;

export interface LossyProxy {
  url: string;
  /** From now on. */
  set(rates: Rates): void;
  /** What it did so far, and to how many requests it did nothing. */
  readonly done: Record<Fault | 'passed', number>;
  close(): Promise<void>;
}

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

const idempotent = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);
const longestDelayMs = 1_500;

/** An HTTP proxy on loopback in front of one node, whose faults are the same for the same seed and order of requests. */
export async function startLossyProxy(options: { to: string; seed: number; rates: Rates }): Promise<LossyProxy> {
  const { hostname, port } = new URL(options.to);
  const random = seeded(options.seed);
  const agent = new http.Agent({ keepAlive: true });
  const done = Object.fromEntries([...Object.keys(faults), 'passed'].map((name) => [name, 0])) as LossyProxy['done'];
  /** By connection: answers that are still owed to an earlier request on it. */
  const owed = new WeakMap<Socket, Promise<Answer | undefined>>();
  const sockets = new Set<Socket>();
  let rates = options.rates;

  function choose(method: string): Fault | undefined {
    let left = random();
    for (const [fault, rate] of Object.entries(rates) as [Fault, number][]) {
      if (left < rate) return fault === 'repeated' && !idempotent.has(method) ? undefined : fault;
      left -= rate;
    }
    return undefined;
  }

  function pass(request: http.IncomingMessage, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { method, url: path, headers } = request;
      const onward = http.request({ hostname, port, method, path, agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
      });
      onward.on('error', reject);
      onward.end(body);
    });
  }

  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { socket, method = 'GET' } = request;
    const body = await bodyOf(request);
    const before = owed.get(socket);
    if (before) {
      owed.delete(socket);
      const answer = await before;
      if (answer) socket.write(rawly(answer));
    }
    const fault = choose(method);
    done[fault ?? 'passed']++;
    if (fault === 'dropped') return void socket.destroy();
    if (fault === 'refused') return refuse(response, [429, 502, 503, 504][Math.floor(random() * 4)] as number);
    const passing = pass(request, body);
    if (fault === 'late') {
      owed.set(
        socket,
        passing.catch(() => undefined),
      );
      return refuse(response, 504);
    }
    let answer = await passing;
    if (fault === 'lost') return void socket.destroy();
    if (fault === 'refusedAfter') return refuse(response, random() < 0.5 ? 502 : 504);
    if (fault === 'repeated') answer = await pass(request, body);
    if (fault === 'delayed') await new Promise((resolve) => setTimeout(resolve, random() * longestDelayMs));
    answerWith(response, answer, fault);
    if (fault === 'doubled') socket.write(rawly(answer));
  }

  const server = http.createServer((request, response) => {
    // a node that is down, too, ends the connection
    serve(request, response).catch(() => request.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set: (changed) => (rates = changed),
    done,
    async close() {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Every fault as probable as the others, all together this probable. */
export function evenRates(together: number): Rates {
  const names = Object.keys(faults) as Fault[];
  return Object.fromEntries(names.map((name) => [name, together / names.length]));
}

async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function refuse(response: http.ServerResponse, status: number): void {
  const body = `<html><body><h1>${status} ${http.STATUS_CODES[status] ?? ''}</h1></body></html>`;
  response.writeHead(status, { 'content-type': 'text/html', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Without what is about the connection to the node, or about a body that is cut here. */
function headersOf({ headers }: Answer): http.OutgoingHttpHeaders {
  const { connection: _connection, 'transfer-encoding': _encoding, 'content-length': _length, ...rest } = headers;
  return rest;
}

function answerWith(response: http.ServerResponse, answer: Answer, fault: Fault | undefined): void {
  const { body, status } = answer;
  const headers = headersOf(answer);
  const half = body.subarray(0, Math.floor(body.length / 2));
  switch (fault) {
    case 'cutShort':
      response.writeHead(status, { ...headers, 'content-length': body.length });
      response.write(half, () => response.destroy());
      return;
    case 'cutToFit':
      response.writeHead(status, { ...headers, 'content-length': half.length });
      response.end(half);
      return;
    case 'cutChunked':
      response.writeHead(status, { ...headers, 'transfer-encoding': 'chunked' });
      response.write(half, () => response.destroy());
      return;
    case 'cutChunkedToFit':
      response.writeHead(status, { ...headers, 'transfer-encoding': 'chunked' });
      response.end(half);
      return;
    case 'emptied':
      response.writeHead(200, { ...headers, 'content-length': 0 });
      response.end();
      return;
    default:
      response.writeHead(status, { ...headers, 'content-length': body.length });
      response.end(body);
  }
}

function rawly({ status, headers, body }: Answer): Buffer {
  const lines = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}`];
  for (const [name, value] of Object.entries(headersOf({ status, headers, body })))
    lines.push(`${name}: ${String(value)}`);
  lines.push(`content-length: ${body.length}`, '', '');
  return Buffer.concat([Buffer.from(lines.join('\r\n')), body]);
}
