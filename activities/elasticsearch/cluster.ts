import { readFile } from 'node:fs/promises';
import type { ClusterConnection, MigrationRunbook, Side } from '../../contracts/runbook';
import { cancellationSignal, ownHold, pause } from '../context';
import { permanent } from '../failure';
import { resolveSecret } from '../secrets';
import { classifyAnswer, classifyTransport, readErrorAnswer } from './classify-error';
import { brokenAnswer, openByteClient, type ByteClient } from './byte-client';
import { DamagedAnswer, openClient, type Credentials, type RawClient } from './raw-client';
import { parseVersion, type Version } from './version';

export interface RequestParams {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Begins with a slash; names in it by indexPath or encodeURIComponent. */
  path: string;
  query?: Record<string, string | number | boolean>;
  body?: unknown;
  /** Statuses besides 2xx that are answers, not failures. */
  allow?: number[];
  timeoutMs?: number;
}

/** One of the two clusters. Failures are classified: what a caller catches is an ApplicationFailure with a FailureInfo. */
export interface Cluster {
  readonly side: Side;
  readonly version: Version;
  readonly uuid: string;
  request<T>(params: RequestParams): Promise<{ status: number; body: T }>;
}

export interface Clusters {
  connect(runbook: MigrationRunbook, side: Side): Promise<Cluster>;
  close(): Promise<void>;
}

/** For documents, whose bodies stay bytes. The caller closes what it opened: it lives for one activity. */
export interface ByteClients {
  openBytes(runbook: MigrationRunbook, side: Side, limits: { connections: number }): Promise<ByteClient>;
}

/**
 * Long enough for a busy master, short enough that a follower of long work misses no two heartbeats when a node hangs on
 * a dead NFS server.
 */
const requestTimeoutMs = 20_000;

/**
 * Clients are kept for as long as the worker lives, by side and connection: a run makes thousands of small requests. A
 * secret is read again when a client is made, and after a refusal, so that a corrected password is taken up by a retry.
 */
export function createClusters(): Clusters & ByteClients {
  const open = new Map<string, Promise<Cluster>>();
  const clients: RawClient[] = [];

  async function connect(side: Side, connection: ClusterConnection): Promise<Cluster> {
    const credentials = await readCredentials(connection);
    const probe = openClient('any', connection, credentials);
    let client = probe;
    try {
      const root = await request<Partial<RootAnswer> | string>(probe, side, { method: 'GET', path: '/' });
      if (!isRoot(root.body)) throw noElasticsearch(side);
      const version = readVersion(root.body);
      // The 7.17 client speaks to 6.x and 7.x; newer servers want the media types of their own major.
      // It takes a build without X-Pack, and what is not Elasticsearch, for something else, and refuses it.
      const isKnown = version.distribution === 'elasticsearch' && root.body.version.build_flavor !== 'oss';
      if (isKnown && version.major >= 6) {
        client = openClient(version.major >= 9 ? 9 : version.major === 8 ? 8 : 7, connection, credentials);
        await probe.close();
        // The 7.17 client checks the product by its first request besides GET /, and warns when eleven come at once.
        if (version.major < 8)
          await request(client, side, { method: 'GET', path: '/_nodes/_local', query: { filter_path: '_nodes' } });
      }
      clients.push(client);
      const opened = client;
      return {
        side,
        version,
        uuid: root.body.cluster_uuid,
        request: (params) => request(opened, side, params),
      };
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  return {
    async connect(runbook, side) {
      const connection = runbook[side];
      const key = JSON.stringify([side, connection]);
      let cluster = open.get(key);
      if (!cluster) {
        cluster = connect(side, connection);
        open.set(key, cluster);
        cluster.catch(() => open.delete(key));
      }
      const found = await cluster;
      return {
        ...found,
        async request(params) {
          try {
            return await found.request(params);
          } catch (error) {
            if ((error as { type?: string }).type === 'ClusterAuthenticationFailed') open.delete(key);
            throw error;
          }
        },
      };
    },
    async openBytes(runbook, side, { connections }) {
      const connection = runbook[side];
      const credentials = await readCredentials(connection);
      const held = ownHold();
      const where = `${side} cluster`;
      return openByteClient({ where, urls: connection.urls, credentials, connections, ...(held ? { held } : {}) });
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** The clients ask again after a lost connection, and not after an answer that is none. Idle, a connection gets in step again. */
const mostReads = 3;
const beforeNextReadMs = 200;

async function request<T>(client: RawClient, side: Side, params: RequestParams): Promise<{ status: number; body: T }> {
  const where = `${side} cluster, ${params.method} ${params.path.slice(0, 200)}`;
  for (let attempt = 1; ; attempt++) {
    // what is under way is let through, so that its end is known
    const lost = isReading(params) ? undefined : ownHold()?.lost;
    if (lost) throw lost;
    let answer;
    try {
      // A cancelled activity need not wait for what it reads; what it writes is let through, so that its end is known.
      const signal = params.method === 'GET' ? cancellationSignal() : undefined;
      answer = await client.send({
        ...params,
        timeoutMs: params.timeoutMs ?? requestTimeoutMs,
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (!(error instanceof DamagedAnswer)) throw classifyTransport(where, error);
      if (params.method !== 'GET' || attempt >= mostReads) throw brokenAnswer(where, error);
      await pause(beforeNextReadMs);
      continue;
    }
    if (answer.status < 300 || params.allow?.includes(answer.status))
      return { status: answer.status, body: answer.body as T };
    throw classifyAnswer(where, readErrorAnswer(answer.status, answer.body));
  }
}

function isReading({ method }: RequestParams): boolean {
  return method === 'GET' || method === 'HEAD';
}

interface RootAnswer {
  cluster_uuid: string;
  version: {
    number: string;
    distribution?: string;
    build_flavor?: string;
    minimum_index_compatibility_version?: string;
  };
}

/** A page of another service, or of a proxy, is an answer of success as well. */
function isRoot(body: Partial<RootAnswer> | string): body is RootAnswer {
  return typeof body === 'object' && typeof body.version?.number === 'string';
}

function noElasticsearch(side: Side): Error {
  return permanent({
    type: 'ClusterRequestFailed',
    message: 'what answers there is neither Elasticsearch nor OpenSearch',
    where: `${side} cluster, GET /`,
    remedy: `correct ${side}.urls: address and port of the cluster's HTTP API`,
  });
}

function readVersion(root: RootAnswer): Version {
  return {
    text: root.version.number,
    ...parseVersion(root.version.number),
    distribution: root.version.distribution === 'opensearch' ? 'opensearch' : 'elasticsearch',
    ...(root.version.minimum_index_compatibility_version
      ? { minimumIndexCompatibility: root.version.minimum_index_compatibility_version }
      : {}),
  };
}

async function readCredentials({ auth, tls }: ClusterConnection): Promise<Credentials> {
  const credentials: Credentials = {};
  if (auth?.basic)
    credentials.basic = { username: auth.basic.username, password: await resolveSecret(auth.basic.password) };
  if (auth?.apiKey) credentials.apiKey = await resolveSecret(auth.apiKey);
  if (tls?.ca) {
    try {
      credentials.ca = await readFile(tls.ca, 'utf8');
    } catch (error) {
      throw permanent({
        type: 'SecretUnresolved',
        message: `the worker cannot read the certificate authority's file: ${(error as NodeJS.ErrnoException).code}`,
        where: tls.ca,
        remedy: 'put the PEM file there on every machine that runs a worker, then retry',
      });
    }
  }
  if (tls?.fingerprint) credentials.fingerprint = tls.fingerprint;
  return credentials;
}
