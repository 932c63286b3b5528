import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { secretReferencePattern } from '../../contracts/runbook';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import type { Io } from '../io';
import { lazy } from '../lazy';

export interface ClusterAccess {
  url: string;
  /** Path of a PEM file. */
  ca?: string;
  user?: string;
  /** A secret reference; it is resolved here for the questions, and written as it is. */
  password?: string;
}

export interface ClusterAnswers {
  name: string;
  version: string;
  nodes: { name: string; address: string; isDataNode: boolean }[];
  /** Bytes of primary shards, of all indices that are not hidden. */
  sizeBytes: number;
  indices: number;
  distribution: 'elasticsearch' | 'opensearch';
  /** Oldest version whose indices it takes; left out where the server does not say. */
  minimumIndexVersion?: string;
  /** Which version created each index: what counts for a snapshot. */
  created: { name: string; createdVersion: string }[];
}

const timeoutMs = 10_000;

/**
 * What `init` asks a cluster: its name and version, its nodes, its sizes. Reads only.
 * @public loaded through lazy.ts, which knip cannot follow
 */
export async function askCluster(io: Io, side: string, access: ClusterAccess): Promise<ClusterAnswers> {
  const root = (await get(io, side, access, '/')) as {
    cluster_name?: string;
    version?: { number?: string; distribution?: string; minimum_index_compatibility_version?: string };
  };
  if (typeof root.version?.number !== 'string') {
    throw new ClientError(exitCodes.failed, `${side}: ${access.url} answers, but not as Elasticsearch does`);
  }
  const nodes = (await get(io, side, access, '/_cat/nodes?format=json&h=name,ip,node.role')) as Record<
    string,
    string
  >[];
  const sizes = (await get(io, side, access, '/_cat/indices?format=json&bytes=b&h=index,pri.store.size')) as Record<
    string,
    string | null
  >[];
  const { distribution, minimum_index_compatibility_version: minimumIndexVersion } = root.version;
  // Asked of the method only: who may not see it gets the clusters' own versions to go by, and plan's checks later.
  const settings = (await get(
    io,
    side,
    access,
    '/_all/_settings/index.version.created*?flat_settings=true&expand_wildcards=all',
  ).catch(() => ({}))) as Record<string, { settings?: Record<string, string> }>;
  const { createdVersion } = lazy.chooseMethod();
  return {
    name: root.cluster_name ?? '',
    distribution: distribution === 'opensearch' ? 'opensearch' : 'elasticsearch',
    ...(minimumIndexVersion === undefined ? {} : { minimumIndexVersion }),
    // system indices never move
    created: Object.entries(settings)
      .filter(([name]) => !name.startsWith('.'))
      .map(([name, each]) => ({ name, createdVersion: createdVersion(each.settings ?? {}) })),
    version: root.version.number,
    nodes: nodes.map((node) => ({
      name: node['name'] ?? '',
      address: node['ip'] ?? '',
      isDataNode: /[dhstwcf]/.test(node['node.role'] ?? ''),
    })),
    sizeBytes: sizes.reduce((sum, each) => sum + Number(each['pri.store.size'] ?? 0), 0),
    indices: sizes.length,
  };
}

function get(io: Io, side: string, access: ClusterAccess, path: string): Promise<unknown> {
  const url = new URL(access.url.replace(/\/$/, '') + path);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (access.user !== undefined) {
    const password = access.password === undefined ? '' : resolveReference(io, access.password);
    headers['authorization'] = `Basic ${Buffer.from(`${access.user}:${password}`).toString('base64')}`;
  }
  const failed = (why: string, remedy?: string) =>
    new ClientError(exitCodes.failed, `${side}: ${url.origin} ${why}`, remedy);
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const ca = access.ca === undefined ? undefined : readFileSync(access.ca);
    const request = send(url, { headers, timeout: timeoutMs, ...(ca ? { ca } : {}) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => reject(failed(error.message)));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode === 401 || statusCode === 403) {
          reject(failed(`refuses: ${statusCode}`, `give --${side}-user and --${side}-password '\${env:NAME}'`));
        } else if (statusCode >= 300) {
          reject(failed(`answers ${statusCode} for ${path}`));
        } else {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString()));
          } catch {
            reject(failed('does not answer in JSON: is that Elasticsearch?'));
          }
        }
      });
    });
    request.on('timeout', () => request.destroy(new Error(`gives no answer within ${timeoutMs / 1000} s`)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(error.code ?? '');
      reject(failed(error.message, isCertificate ? `give the authority's PEM file with --${side}-ca` : undefined));
    });
    request.end();
  });
}

function resolveReference(io: Io, reference: string): string {
  const [, kind, name] = secretReferencePattern.exec(reference) ?? [];
  if (kind === undefined || name === undefined) {
    throw new ClientError(
      exitCodes.inputWrong,
      'a password is a reference: ${env:NAME} or ${file:/absolute/path}, never the password itself',
    );
  }
  if (kind === 'env') {
    const value = io.env[name];
    if (value === undefined) throw new ClientError(exitCodes.inputWrong, `the environment variable ${name} is not set`);
    return value;
  }
  try {
    return readFileSync(name, 'utf8').trim();
  } catch (error) {
    throw new ClientError(exitCodes.inputWrong, `${name} cannot be read: ${(error as Error).message}`);
  }
}
