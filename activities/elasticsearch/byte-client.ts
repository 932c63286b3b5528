import { permanent } from '../failure';
import type { Held } from '../hold';
import { classifyAnswer, classifyTransport, readErrorAnswer } from './classify-error';
import { httpConnections, type HttpConnections } from './http-connections';
import type { Credentials } from './raw-client';
import { markHeader, requestMarks, strayAnswer } from './request-mark';

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
  /** In this order they are the body. They must not change until `send` has settled. */
  body?: readonly Buffer[];
  contentType?: 'application/json' | 'application/x-ndjson';
  timeoutMs: number;
  /** An answer above is not read to its end: it would not be held in memory. */
  mostBytes?: number;
  signal?: AbortSignal;
}

export interface ByteAnswer {
  status: number;
  /** May be given back to `buffers` (reused-buffers.ts) by who is sure that nobody looks at it any more. */
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
  /** Of the attempt that it serves; nothing is sent once that is lost. */
  held?: Held;
}

export function openByteClient({ where, urls, credentials = {}, connections, held }: ByteClientOptions): ByteClient {
  const { ca, fingerprint } = credentials;
  const trust = { ...(ca === undefined ? {} : { ca }), ...(fingerprint === undefined ? {} : { fingerprint }) };
  const nodes = urls.map((text) => {
    const url = new URL(text);
    // a prefix before the paths, as of a proxy, is kept
    return { prefix: url.pathname.replace(/\/$/, ''), connections: httpConnections({ url, ...trust }, connections) };
  });
  const authorization = authorizationOf(where, credentials);
  const nextMark = requestMarks();
  let turn = 0;
  const destroyAll = () => nodes.forEach((node) => node.connections.destroy());
  held?.signal.addEventListener('abort', destroyAll, { once: true });

  return {
    async send(request) {
      if (held?.lost) throw held.lost;
      const node = nodes[turn++ % nodes.length];
      if (node === undefined) throw new Error(`${where}: no url`);
      try {
        return await exchange(node, request, { ...authorization, [markHeader]: nextMark() }, held);
      } catch (error) {
        if (error instanceof AnswerTooLarge || request.signal?.aborted === true) throw error;
        if (held?.lost) throw held.lost;
        const place = `${where}, ${request.method} ${request.path.slice(0, 200)}`;
        throw error instanceof StrayAnswer ? brokenAnswer(place, error) : classifyTransport(place, error);
      }
    },
    close() {
      held?.signal.removeEventListener('abort', destroyAll);
      destroyAll();
    },
  };
}

function authorizationOf(where: string, { basic, apiKey }: Credentials): Record<string, string> {
  if (basic !== undefined) {
    const pair = Buffer.from(`${basic.username}:${basic.password}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  }
  if (apiKey === undefined) return {};
  if (/^[\x21-\x7e]+$/.test(apiKey)) return { authorization: `ApiKey ${apiKey}` };
  throw permanent({
    type: 'ClusterAuthenticationFailed',
    where,
    message: 'the API key has characters that no API key has, such as a line feed',
    remedy: 'put the encoded key alone where apiKey says that it is, then retry',
  });
}

class StrayAnswer extends Error {}

async function exchange(
  { prefix, connections }: { prefix: string; connections: HttpConnections },
  { method, path, body = [], contentType = 'application/json', timeoutMs, mostBytes = Infinity, signal }: ByteRequest,
  headers: Record<string, string>,
  held: Held | undefined,
): Promise<ByteAnswer> {
  const length = body.reduce((sum, buffer) => sum + buffer.length, 0);
  return connections.exchange({
    method,
    path: prefix + path,
    headers: {
      ...headers,
      ...(length > 0 ? { 'content-type': contentType } : {}),
      'content-length': String(length),
    },
    body,
    timeoutMs,
    ...(signal ? { signal } : {}),
    begin() {
      // it may have waited for a connection
      if (held?.lost) throw held.lost;
    },
    accept(head) {
      const stray = strayAnswer(headers[markHeader] ?? '', head.headers);
      if (stray) throw new StrayAnswer(stray.message);
    },
    sized(bytes) {
      if (bytes > mostBytes) throw new AnswerTooLarge(`the answer has more than ${mostBytes} bytes`);
    },
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
