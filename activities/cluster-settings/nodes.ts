import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { StepOutcome } from '../../contracts/host-activities';
import type { NodeFacts } from '../../contracts/plan';
import { timedOut } from '../elasticsearch/classify-error';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { follow } from '../follow';
import { unchanged } from '../outcome';

interface NodesAnswer {
  nodes: Record<
    string,
    {
      name: string;
      version: string;
      host: string;
      ip: string;
      transport_address: string;
      roles?: string[];
      jvm?: { start_time_in_millis: number };
      http?: { publish_address?: string };
      settings?: { path?: { repo?: string | string[] }; node?: { name?: string } };
    }
  >;
}

interface NodeStatsAnswer {
  nodes: Record<string, { fs?: { total?: { available_in_bytes?: number; total_in_bytes?: number } } }>;
}

/** A JVM with a large heap and many shards may take minutes to come back; past this a person has to look. */
const nodeReturnsMs = 10 * 60_000;
const healthStallMs = 20 * 60_000;
/** Below the minute that the activity has. */
const flushMs = 45_000;

export function createNodeActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'readNodes' | 'flushIndices' | 'waitForNode' | 'waitForHealth'> {
  return {
    /** Twice: reads only. */
    async readNodes({ runbook, side }) {
      return readNodes(await clusters.connect(runbook, side));
    },

    /** Twice: a flush after a flush is empty. It shortens the recovery of the shards of the node that restarts next. */
    async flushIndices({ runbook, side }) {
      const cluster = await clusters.connect(runbook, side);
      // Shards that are busy are passed over with a conflict: the flush only saves time, so that is no failure, nor is it
      // one that takes longer, which goes on without us.
      try {
        await cluster.request({ method: 'POST', path: '/_flush', allow: [409], timeoutMs: flushMs });
      } catch (error) {
        if (!timedOut(error)) throw error;
        return unchanged('a flush has begun; it was not waited for');
      }
      return unchanged('flushed');
    },

    /** Twice: reads only. */
    async waitForNode({ runbook, side, node, paths, notStartedAtMs }) {
      const cluster = await clusters.connect(runbook, side);
      await follow<true>({
        stallMs: nodeReturnsMs,
        stalled: () =>
          permanent({
            type: 'NodeDidNotReturn',
            message: `the node ${node} has not come back into the cluster within ${nodeReturnsMs / 60_000} min of its restart`,
            where: `${side} cluster, node ${node}`,
            remedy:
              "read the service's journal and the node's log on that host, start it by hand, then retry; abort puts the old elasticsearch.yml back",
          }),
        look: async () => {
          const found = (await readNodesQuietly(cluster)).find((each) => each.name === node);
          const hasRestarted = found && found.startedAtMs !== notStartedAtMs;
          if (hasRestarted && paths.every((path) => found.pathRepo.includes(path))) return { result: true };
          return {
            progress: {
              done: 0,
              total: 1,
              unit: 'nodes',
              detail: found ? `${node} has not restarted yet` : `${node} is not back yet`,
            },
          };
        },
      });
      return unchanged(`${node} is in the cluster${paths.length > 0 ? `, with path.repo ${paths.join(', ')}` : ''}`);
    },

    /** Twice: reads only. */
    async waitForHealth({ runbook, side, nodes, status }) {
      const cluster = await clusters.connect(runbook, side);
      return follow<StepOutcome & { status: 'green' | 'yellow' }>({
        stallMs: healthStallMs,
        stalled: (last) =>
          permanent({
            type: 'AllocationFailed',
            message: `the ${side} cluster does not become ${status}`,
            where: `${side} cluster`,
            why: last.detail ?? '',
            remedy: 'ask _cluster/allocation/explain why shards stay unassigned, mend it, then retry',
          }),
        look: async () => {
          const { body } = await cluster.request<{
            status?: string;
            number_of_nodes: number;
            active_shards: number;
            unassigned_shards: number;
            initializing_shards: number;
          }>({ method: 'GET', path: '/_cluster/health', allow: [408, 503] });
          const good = body.status === 'green' || (status === 'yellow' && body.status === 'yellow');
          if (good && body.number_of_nodes >= nodes) {
            const reached = body.status === 'green' ? 'green' : 'yellow';
            return { result: { ...unchanged(`${reached} with ${body.number_of_nodes} nodes`), status: reached } };
          }
          return {
            progress: {
              done: body.active_shards ?? 0,
              total: (body.active_shards ?? 0) + (body.unassigned_shards ?? 0) + (body.initializing_shards ?? 0),
              unit: 'shards',
              detail: `${body.status ?? 'no master'}, ${body.number_of_nodes ?? 0} of ${nodes} nodes`,
            },
          };
        },
      });
    },
  };
}

/** Facts of every node, one request each for its settings and its disks. */
export async function readNodes(cluster: Cluster): Promise<NodeFacts[]> {
  const info = await cluster.request<NodesAnswer>({ method: 'GET', path: '/_nodes/settings,jvm,http' });
  const stats = await cluster.request<NodeStatsAnswer>({
    method: 'GET',
    path: '/_nodes/stats/fs',
    query: { filter_path: 'nodes.*.fs.total' },
  });
  const master = await cluster.request<{ node: string }[]>({
    method: 'GET',
    path: '/_cat/master',
    query: { format: 'json' },
    allow: [503],
  });
  const masterName = master.status === 200 ? master.body[0]?.node : undefined;
  return Object.entries(info.body.nodes).map(([id, node]) => ({
    id,
    name: node.name,
    version: node.version,
    addresses: addressesOf(node),
    roles: node.roles ?? [],
    isElectedMaster: node.name === masterName,
    pathRepo: listOf(node.settings?.path?.repo),
    startedAtMs: node.jvm?.start_time_in_millis ?? 0,
    diskFreeBytes: stats.body.nodes?.[id]?.fs?.total?.available_in_bytes ?? 0,
    diskTotalBytes: stats.body.nodes?.[id]?.fs?.total?.total_in_bytes ?? 0,
  }));
}

/** While a node restarts, a node that has no master may answer 503: that is an answer to "is it back", not a failure. */
async function readNodesQuietly(
  cluster: Cluster,
): Promise<{ name: string; pathRepo: string[]; startedAtMs: number }[]> {
  const answer = await cluster.request<Partial<NodesAnswer>>({
    method: 'GET',
    path: '/_nodes/settings,jvm',
    allow: [503, 502, 504, 429],
  });
  return Object.values(answer.body.nodes ?? {}).map((node) => ({
    name: node.name,
    pathRepo: listOf(node.settings?.path?.repo),
    startedAtMs: node.jvm?.start_time_in_millis ?? 0,
  }));
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? value.split(',').map((each) => each.trim()) : value;
}

function addressesOf(node: NodesAnswer['nodes'][string]): string[] {
  const bare = (address: string | undefined) => address?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return [...new Set([node.host, node.ip, bare(node.transport_address), bare(node.http?.publish_address)])].filter(
    (address): address is string => address !== undefined && address !== '',
  );
}
