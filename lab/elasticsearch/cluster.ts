import path from 'node:path';
import { json } from '../http';
import { freePort } from '../ports';
import { waitFor } from '../wait';
import { serverHome } from './home';
import { makeNode, type ElasticsearchNode } from './node';
import { madeReachable, serverUser } from './user';
import { serverVersion } from './versions';

export interface ClusterOptions {
  version: string;
  /** The cluster's name, and the beginning of its nodes' names. */
  name: string;
  labDirectory: string;
  nodes: number;
  heap?: string;
  repositoryPaths?: readonly string[];
  settings?: Record<string, unknown>;
  jvmOptions?: readonly string[];
}

export interface ElasticsearchCluster {
  name: string;
  version: string;
  /** Of the first node. */
  url: string;
  urls: string[];
  nodes: ElasticsearchNode[];
  waitGreen(timeoutMs?: number): Promise<void>;
}

/** Absolute watermarks: the machine's disk may be fuller than the percentages that Elasticsearch's defaults allow. */
function watermarks({ major, product }: { major: number; product: string }): Record<string, string> {
  return {
    'cluster.routing.allocation.disk.watermark.low': '1gb',
    'cluster.routing.allocation.disk.watermark.high': '500mb',
    // 5.x does not know it and would not start
    ...(major === 5 && product === 'elasticsearch'
      ? {}
      : { 'cluster.routing.allocation.disk.watermark.flood_stage': '250mb' }),
  };
}

function discovery(version: string, names: string[], transportPorts: number[]): Record<string, unknown> {
  const { major, product } = serverVersion(version);
  if (names.length === 1) return { 'discovery.type': 'single-node' };
  const seeds = transportPorts.map((port) => `127.0.0.1:${port}`);
  if (major < 7 && product === 'elasticsearch') {
    return {
      'discovery.zen.ping.unicast.hosts': seeds,
      'discovery.zen.minimum_master_nodes': Math.floor(names.length / 2) + 1,
    };
  }
  const manager = product === 'opensearch' && major >= 2 ? 'cluster_manager' : 'master';
  return { 'discovery.seed_hosts': seeds, [`cluster.initial_${manager}_nodes`]: names };
}

/** A cluster on loopback, green when this returns. */
export async function startCluster(options: ClusterOptions): Promise<ElasticsearchCluster> {
  const { version, name, labDirectory } = options;
  const known = serverVersion(version);
  const user = await serverUser();
  const home = madeReachable(await serverHome(version), path.join(labDirectory, 'homes', version), user);
  const names = Array.from({ length: options.nodes }, (_, index) => `${name}-${index + 1}`);
  const [httpPorts, transportPorts] = [await ports(names.length), await ports(names.length)];
  const transportSetting =
    known.major < 7 && known.product === 'elasticsearch' ? 'transport.tcp.port' : 'transport.port';
  const nodes = await Promise.all(
    names.map((nodeName, index) =>
      makeNode({
        version,
        name: nodeName,
        home,
        user,
        labDirectory,
        httpPort: httpPorts[index] as number,
        heap: options.heap ?? '512m',
        jvmOptions: options.jvmOptions ?? [],
        settings: {
          'cluster.name': name,
          'node.name': nodeName,
          'network.host': '127.0.0.1',
          'http.port': httpPorts[index],
          [transportSetting]: transportPorts[index],
          ...discovery(version, names, transportPorts),
          ...(known.security ? { 'xpack.security.enabled': false } : {}),
          ...(options.repositoryPaths === undefined ? {} : { 'path.repo': options.repositoryPaths }),
          ...watermarks(known),
          ...options.settings,
        },
      }),
    ),
  );
  await Promise.all(nodes.map((node) => node.start()));
  const urls = nodes.map(({ url }) => url);
  const waitGreen = (timeoutMs = 120_000): Promise<void> => waitUntilGreen(urls, nodes.length, { timeoutMs });
  await waitGreen();
  return { name, version, url: urls[0] as string, urls, nodes, waitGreen };
}

async function ports(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) found.push(await freePort());
  return found;
}

/** Waits until a node answers that the cluster has so many nodes and is green. */
export async function waitUntilGreen(
  urls: readonly string[],
  nodes: number,
  options: { timeoutMs: number; via?: string },
): Promise<void> {
  const answers: string[] = [];
  await waitFor(
    async () => {
      for (const [index, url] of urls.entries()) {
        try {
          const health = await json<{ status: string; number_of_nodes: number; relocating_shards: number }>({
            url: `${url}/_cluster/health`,
            via: options.via,
            timeoutMs: 5_000,
          });
          answers[index] = `${health.status} with ${health.number_of_nodes} nodes`;
          if (health.status === 'green' && health.number_of_nodes === nodes) return true;
        } catch (error) {
          answers[index] = error instanceof Error ? error.message : String(error);
        }
      }
      throw new Error(answers.join('; '));
    },
    { what: `${urls.join(', ')} to be green with ${nodes} nodes`, timeoutMs: options.timeoutMs, everyMs: 200 },
  );
}
