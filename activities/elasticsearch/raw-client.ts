import {
  Client as Client9,
  ClusterConnectionPool as Pool9,
  Serializer,
  Transport,
  UndiciConnection,
} from '@elastic/elasticsearch';
import { Client as Client7 } from 'elasticsearch-7';
import { Client as Client8, ClusterConnectionPool as Pool8 } from 'elasticsearch-8';
import type { ClusterConnection } from '../../contracts/runbook';
import { requestMarks, strayAnswer } from './request-mark';

/**
 * The official client of each server major behind one small face. Bodies differ between majors and our verbs are few, so
 * requests go through the clients' transport: it gives pooling, failover between nodes and TLS, and no body changes shape.
 * Which client may speak to which server was found by trying; ARCHITECTURE.md has the table.
 */
export interface RawClient {
  send(params: {
    method: string;
    path: string;
    query?: Record<string, string | number | boolean>;
    body?: unknown;
    timeoutMs: number;
    signal?: AbortSignal;
  }): Promise<{ status: number; body: unknown }>;
  close(): Promise<void>;
}

/** No answer to go by: none came, it is not whole, or it is that of another request. */
export class DamagedAnswer extends Error {
  override readonly name = 'DamagedAnswer';
}

export interface Credentials {
  basic?: { username: string; password: string };
  apiKey?: string;
  ca?: string;
  fingerprint?: string;
}

/** Every status is an answer for us to classify. */
const anyStatus = Array.from({ length: 200 }, (_, index) => 400 + index);

/** Another node is tried after a lost connection: a read may be repeated; a write is looked into by its activity first. */
const readRetries = 2;

export function openClient(
  major: 'any' | 7 | 8 | 9,
  connection: ClusterConnection,
  credentials: Credentials,
): RawClient {
  const auth = credentials.basic ?? (credentials.apiKey ? { apiKey: credentials.apiKey } : undefined);
  // With a fingerprint the clients themselves compare the authority's certificate at every handshake, and drop the
  // connection before a byte is sent; Node's own check would refuse an authority that it was not given.
  const tls = credentials.fingerprint
    ? { rejectUnauthorized: false }
    : credentials.ca
      ? { ca: credentials.ca }
      : undefined;
  const common = {
    nodes: connection.urls,
    ...(auth ? { auth } : {}),
    ...(credentials.fingerprint ? { caFingerprint: credentials.fingerprint } : {}),
  };
  // resurrectStrategy: a node that was down is asked again soon, since nodes restart under our own hands.
  if (major === 7) {
    const client = new Client7({ ...common, resurrectStrategy: 'optimistic', ...(tls ? { ssl: tls } : {}) });
    const nextMark = requestMarks();
    return {
      async send({ method, path, query, body, timeoutMs, signal }) {
        const mark = nextMark();
        const pending = client.transport.request(
          {
            method,
            path,
            ...(query ? { querystring: query } : {}),
            ...(body === undefined ? {} : { body: body as object }),
          },
          { requestTimeout: timeoutMs, maxRetries: retries(method), ignore: anyStatus, opaqueId: mark },
        );
        // Nothing is returned: what `abort` returns has a `then`, and Node throws the rejection of what a listener returns where
        // nobody catches it, which ends the worker.
        const abort = () => void pending.abort();
        signal?.addEventListener('abort', abort, { once: true });
        try {
          return answerOf(method, mark, await pending);
        } catch (error) {
          throw damagedOr(error);
        } finally {
          signal?.removeEventListener('abort', abort);
        }
      },
      close: async () => client.close(),
    };
  }
  const options = { ...common, resurrectStrategy: 'optimistic' as const, ...(tls ? { tls } : {}) };
  if (major === 'any') return openPlain(connection, options);
  // Not the default pool, which weighs nodes by their failures: after some restarts of all nodes it finds none of them
  // heavy enough, and says that there are no living connections. The transport is the same package in both; only the types of the request builders differ.
  const client = (
    major === 8
      ? new Client8({ ...options, ConnectionPool: Pool8 })
      : new Client9({ ...options, ConnectionPool: Pool9 })
  ) as Client9;
  return overTransport(client.transport, async () => client.close());
}

/**
 * The clients' own transport without the clients: they refuse what is not Elasticsearch, and what is older than 6.0, by a
 * look at the product. OpenSearch and 5.x answer our few verbs as 7.x does.
 */
function openPlain(
  connection: ClusterConnection,
  options: { auth?: Auth; tls?: { rejectUnauthorized?: boolean; ca?: string }; caFingerprint?: string },
): RawClient {
  const pool = new Pool9({ ...options, Connection: UndiciConnection, resurrectStrategy: 'optimistic' });
  pool.addConnection(connection.urls);
  const transport = new Transport({ connectionPool: pool, serializer: new Serializer() });
  return overTransport(transport, async () => pool.empty());
}

type Auth = { username: string; password: string } | { apiKey: string };

function overTransport(transport: Pick<Transport, 'request'>, close: () => Promise<void>): RawClient {
  const nextMark = requestMarks();
  return {
    async send({ method, path, query, body, timeoutMs, signal }) {
      const mark = nextMark();
      try {
        const answer = await transport.request(
          {
            method,
            path,
            ...(query ? { querystring: query } : {}),
            ...(body === undefined ? {} : { body: body as object }),
          },
          {
            requestTimeout: timeoutMs,
            maxRetries: retries(method),
            ignore: anyStatus,
            meta: true,
            opaqueId: mark,
            ...(signal ? { signal } : {}),
          },
        );
        return answerOf(method, mark, answer);
      } catch (error) {
        throw damagedOr(error);
      }
    },
    close,
  };
}

interface Answered {
  statusCode?: number | null;
  headers?: Record<string, unknown> | null;
  body?: unknown;
}

/** The clients take a body of no bytes for an answer, in which nothing of what was asked for is there. */
function answerOf(method: string, mark: string, { statusCode, headers, body }: Answered) {
  const status = statusCode ?? 0;
  const stray = strayAnswer(mark, headers);
  if (stray) throw new DamagedAnswer(stray.message);
  if (method !== 'HEAD' && status < 300 && (body === '' || body === undefined || body === null))
    throw new DamagedAnswer('an answer of success has no body');
  return { status, body };
}

function damagedOr(error: unknown): unknown {
  const { name, message } = error as Error;
  return name === 'DeserializationError' ? new DamagedAnswer(`the answer is no whole JSON: ${message}`) : error;
}

function retries(method: string): number {
  return method === 'GET' || method === 'HEAD' ? readRetries : 0;
}
