import http from 'node:http';
import https from 'node:https';
import { classifyAnswer, classifyTransport, readErrorAnswer } from './classify-error';
import { FingerprintAgent } from './fingerprint-agent';
import type { Credentials } from './raw-client';
import { markHeader, requestMarks, strayAnswer } from './request-mark';
import { watchForStandstill } from './standstill';

/**
 * Requests whose bodies are bytes on both ways. The official clients' transports make strings of what they read, or copy
 * it several times; docs/copy-performance.md has the figures. Everything besides documents still goes through them.
 */
export interface ByteClient {
  send(request: ByteRequest): Promise<ByteAnswer>;
  close(): void;
}

export interface ByteRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Begins with a slash; with its query. */
  path: string;
  /** In this order they are the body. They must not change until the answer is there. */
  body?: readonly Buffer[];
  contentType?: 'application/json' | 'application/x-ndjson';
  timeoutMs: number;
  /** An answer above is not read to its end: it would not be held in memory. */
  mostBytes?: number;
  signal?: AbortSignal;
}

export interface ByteAnswer {
  status: number;
  body: Buffer;
}

/** The answer is larger than `mostBytes`. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

export interface ByteClientOptions {
  /** "source cluster" or "target cluster", for failures. */
  where: string;
  urls: readonly string[];
  credentials?: Credentials;
  /** Most connections; a request beyond waits for one. */
  connections: number;
}

export function openByteClient({ where, urls, credentials = {}, connections }: ByteClientOptions): ByteClient {
  const agentOptions = { keepAlive: true, maxSockets: connections, scheduling: 'lifo' as const };
  const nodes = urls.map((url) => {
    const isTls = url.startsWith('https:');
    const agent = isTls ? secureAgent(agentOptions, credentials) : new http.Agent(agentOptions);
    return { url: new URL(url), agent, request: isTls ? https.request : http.request };
  });
  const authorization = authorizationOf(credentials);
  const nextMark = requestMarks();
  let turn = 0;
  const destroyAll = () => nodes.forEach(({ agent }) => agent.destroy());
  const watch = watchForStandstill(destroyAll);

  return {
    async send(request) {
      if (watch.stoodStillMs !== undefined) throw new WorkerStoodStill(where, watch.stoodStillMs);
      const node = nodes[turn++ % nodes.length];
      if (node === undefined) throw new Error(`${where}: no url`);
      try {
        return await exchange(node, request, { ...authorization, [markHeader]: nextMark() });
      } catch (error) {
        if (error instanceof AnswerTooLarge || request.signal?.aborted === true) throw error;
        if (watch.stoodStillMs !== undefined) throw new WorkerStoodStill(where, watch.stoodStillMs);
        const place = `${where}, ${request.method} ${request.path.slice(0, 200)}`;
        throw error instanceof StrayAnswer ? brokenAnswer(place, error) : classifyTransport(place, error);
      }
    },
    close() {
      watch.end();
      destroyAll();
    },
  };
}

/**
 * Ends the attempt, and is none of the failures that are waited out within it: the next attempt begins from what is known
 * to be done.
 */
export class WorkerStoodStill extends Error {
  override readonly name = 'WorkerStoodStill';

  constructor(where: string, milliseconds: number) {
    super(
      `the worker stood still for ${Math.round(milliseconds / 1000)} s: what it held for the ${where} is not sent any more, since another worker may have taken it over`,
    );
  }
}

function secureAgent(options: https.AgentOptions, { ca, fingerprint }: Credentials): https.Agent {
  if (fingerprint !== undefined) return new FingerprintAgent(options, fingerprint);
  return new https.Agent({ ...options, ...(ca === undefined ? {} : { ca }) });
}

function authorizationOf({ basic, apiKey }: Credentials): Record<string, string> {
  if (basic !== undefined) {
    const pair = Buffer.from(`${basic.username}:${basic.password}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  }
  return apiKey === undefined ? {} : { authorization: `ApiKey ${apiKey}` };
}

interface Node {
  url: URL;
  agent: http.Agent | https.Agent;
  request: typeof http.request;
}

class StrayAnswer extends Error {}

function exchange(node: Node, request: ByteRequest, headers: Record<string, string>): Promise<ByteAnswer> {
  const { body = [], contentType = 'application/json', timeoutMs, mostBytes = Infinity, signal } = request;
  const length = body.reduce((sum, buffer) => sum + buffer.length, 0);
  // a prefix before the paths, as of a proxy, is kept
  const prefix = node.url.pathname.replace(/\/$/, '');
  return new Promise((resolve, reject) => {
    const sent = node.request(
      {
        hostname: node.url.hostname,
        port: node.url.port,
        path: prefix + request.path,
        method: request.method,
        agent: node.agent,
        headers: {
          ...headers,
          ...(length > 0 ? { 'content-type': contentType } : {}),
          'content-length': length,
        },
        ...(signal ? { signal } : {}),
      },
      (response) => {
        const stray = strayAnswer(headers[markHeader] ?? '', response.headers);
        if (stray) {
          // whatever else comes on this connection is not ours either
          sent.destroy();
          reject(new StrayAnswer(stray.message));
          return;
        }
        readBody(response, mostBytes).then(
          (bytes) => resolve({ status: response.statusCode ?? 0, body: bytes }),
          (error: Error) => {
            sent.destroy();
            reject(error);
          },
        );
      },
    );
    // of the whole exchange, not of the socket's silence: a server that drips bytes is no better than a silent one
    const timer = setTimeout(() => sent.destroy(timeoutError(timeoutMs)), timeoutMs);
    sent.on('close', () => clearTimeout(timer));
    sent.on('error', reject);
    sent.setNoDelay(true);
    if (body.length > 1) {
      sent.cork();
      for (const buffer of body) sent.write(buffer);
      sent.uncork();
      sent.end();
    } else sent.end(body[0]);
  });
}

function timeoutError(timeoutMs: number): Error {
  const error = new Error(`no whole answer within ${timeoutMs} ms`);
  error.name = 'TimeoutError';
  return error;
}

/** Into one buffer of the right size where the server says how long the answer is. */
function readBody(response: http.IncomingMessage, mostBytes: number): Promise<Buffer> {
  const announced = Number(response.headers['content-length'] ?? Number.NaN);
  const tooLarge = () => new AnswerTooLarge(`the answer has more than ${mostBytes} bytes`);
  if (announced > mostBytes) return Promise.reject(tooLarge());
  const whole = Number.isNaN(announced) ? undefined : Buffer.allocUnsafeSlow(announced);
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    response.on('data', (chunk: Buffer) => {
      if (whole === undefined) chunks.push(chunk);
      else chunk.copy(whole, size);
      size += chunk.length;
      if (size > mostBytes) reject(tooLarge());
    });
    response.on('error', reject);
    response.on('end', () => {
      if (whole !== undefined && size !== announced) reject(new Error(`${size} of ${announced} bytes came`));
      else resolve(whole ?? Buffer.concat(chunks));
    });
  });
}

/** @throws the classified failure unless the answer is one of success. */
export function successOf(where: string, answer: ByteAnswer): Buffer {
  if (answer.status < 300) return answer.body;
  throw classifyAnswer(where, readErrorAnswer(answer.status, looselyParsed(answer.body)));
}

export function looselyParsed(body: Buffer): unknown {
  const text = body.toString('utf8', 0, Math.min(body.length, 64 << 10));
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/**
 * What a cluster cannot have meant: half an answer that a proxy gave a length that fits, none at all, or that of another
 * request. It may be asked again.
 */
export function brokenAnswer(where: string, { message }: Error): Error {
  return classifyAnswer(where, { status: 502, type: 'broken_answer', reason: message });
}
