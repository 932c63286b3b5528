import type { Cluster } from '../elasticsearch/cluster';
import type { NodeFacts } from '../../contracts/plan';
import type {
  AliasesAnswer,
  ClusterSettingsAnswer,
  HealthAnswer,
  IlmPoliciesAnswer,
  MasterAnswer,
  NodesAnswer,
  NodesFsAnswer,
  RepositoriesAnswer,
  ResolveAnswer,
  SlmPoliciesAnswer,
  SnapshotCustomsAnswer,
} from './answers';
import type { ClusterView, LifecycleView, NamesView, NodeView, SnapshotWork } from './view';

/** What a server without the feature answers, and one that does not let us see it: older versions know no such path. */
const withoutFeature = [400, 403, 404, 405, 410];

/** Everything that the checks want to know of a cluster as a whole. Reads only. */
export async function readCluster(cluster: Cluster): Promise<ClusterView> {
  // Alone and first: a client makes sure what it talks to on its first answer, once for each request that waits for it.
  const health = await get<HealthAnswer>(cluster, '/_cluster/health');
  const [nodes, settings, repositories, work, names, lifecycle, slm] = await Promise.all([
    readNodes(cluster),
    readSettings(cluster),
    get<RepositoriesAnswer>(cluster, '/_snapshot'),
    readSnapshotWork(cluster),
    readNames(cluster),
    readLifecycle(cluster),
    readSlm(cluster),
  ]);
  return {
    facts: {
      side: cluster.side,
      name: health.cluster_name,
      uuid: cluster.uuid,
      version: cluster.version.text,
      distribution: cluster.version.distribution,
      nodes: nodes.facts,
    },
    ...(cluster.version.minimumIndexCompatibility
      ? { minimumIndexVersion: cluster.version.minimumIndexCompatibility }
      : {}),
    health: {
      status: health.status,
      shards: health.active_shards + health.initializing_shards + health.unassigned_shards,
      unassignedShards: health.unassigned_shards,
      longestPendingTaskMs: health.task_max_waiting_in_queue_millis ?? 0,
    },
    settings,
    nodes: nodes.views,
    repositories: Object.fromEntries(
      Object.entries(repositories).map(([name, { type, settings: of = {} }]) => [name, { type, settings: of }]),
    ),
    names,
    snapshotWork: work,
    ...(lifecycle ? { lifecycle } : {}),
    ...(slm ? { slm } : {}),
  };
}

/** Cluster settings in effect, flat. */
export async function readSettings(cluster: Cluster): Promise<Record<string, string>> {
  const answer = await get<ClusterSettingsAnswer>(cluster, '/_cluster/settings', {
    include_defaults: true,
    flat_settings: true,
    // only what the checks read: all defaults are hundreds of keys
    filter_path: 'persistent,transient,defaults.cluster*,defaults.indices*',
  });
  return { ...answer.defaults, ...answer.persistent, ...answer.transient };
}

async function get<T>(cluster: Cluster, path: string, query: Record<string, string | boolean> = {}): Promise<T> {
  return (await cluster.request<T>({ method: 'GET', path, query })).body;
}

async function getIfThere<T>(
  cluster: Cluster,
  path: string,
  query: Record<string, string | boolean> = {},
): Promise<T | undefined> {
  const { status, body } = await cluster.request<T>({ method: 'GET', path, query, allow: withoutFeature });
  return status < 300 ? body : undefined;
}

async function readNodes(cluster: Cluster): Promise<{ facts: NodeFacts[]; views: NodeView[] }> {
  const [info, stats, master] = await Promise.all([
    get<NodesAnswer>(cluster, '/_nodes/settings,plugins,jvm,http', {
      flat_settings: true,
      filter_path: [
        ...['name', 'version', 'host', 'ip', 'transport_address', 'roles', 'attributes', 'settings.path*'],
        ...['jvm.start_time_in_millis', 'http.publish_address', 'plugins.name', 'modules.name'],
      ]
        .map((field) => `nodes.*.${field}`)
        .join(','),
    }),
    get<NodesFsAnswer>(cluster, '/_nodes/stats/fs', { filter_path: 'nodes.*.fs.total' }),
    getIfThere<MasterAnswer>(cluster, '/_cluster/state/master_node', {
      filter_path: 'master_node,cluster_manager_node',
    }),
  ]);
  const facts: NodeFacts[] = [];
  const views: NodeView[] = [];
  const masterId = master?.master_node ?? master?.cluster_manager_node;
  for (const [id, node] of Object.entries(info.nodes ?? {})) {
    const disk = stats.nodes?.[id]?.fs?.total;
    const size = { diskFreeBytes: disk?.available_in_bytes ?? 0, diskTotalBytes: disk?.total_in_bytes ?? 0 };
    facts.push({
      id,
      name: node.name,
      version: node.version,
      addresses: addressesOf([node.ip, node.host, node.transport_address, node.http?.publish_address]),
      roles: node.roles ?? [],
      isElectedMaster: id === masterId,
      pathRepo: settingList(node.settings ?? {}, 'path.repo'),
      startedAtMs: node.jvm?.start_time_in_millis ?? 0,
      ...size,
    });
    views.push({
      name: node.name,
      roles: node.roles ?? [],
      ip: node.ip ?? '',
      host: node.host ?? '',
      attributes: node.attributes ?? {},
      plugins: (node.plugins ?? []).map(({ name }) => name),
      modules: (node.modules ?? []).map(({ name }) => name),
      ...size,
    });
  }
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  return { facts: facts.sort(byName), views: views.sort(byName) };
}

/** "10.0.0.1:9300", "[::1]:9300", "es1/10.0.0.1:9300" and bare ones become addresses without ports, each once. */
export function addressesOf(published: (string | undefined)[]): string[] {
  const found = new Set<string>();
  for (const text of published) {
    for (const part of text?.split('/') ?? []) {
      const bare = /^\[(.+)\]:\d+$/.exec(part)?.[1] ?? /^([^:]+):\d+$/.exec(part)?.[1] ?? part;
      if (bare) found.add(bare);
    }
  }
  return [...found];
}

/** A list in flat settings: an array, one string (perhaps with commas), or before 6.0 a key for each entry. */
function settingList(settings: Record<string, string | string[]>, key: string): string[] {
  const value = settings[key];
  if (Array.isArray(value)) return value;
  if (value !== undefined) return value.split(',').map((part) => part.trim());
  return Object.entries(settings)
    .filter(([name]) => name.startsWith(`${key}.`))
    .flatMap(([, entry]) => entry);
}

export async function readNames(cluster: Cluster): Promise<NamesView> {
  const [carriers, resolved] = await Promise.all([
    get<AliasesAnswer>(cluster, '/_alias', { expand_wildcards: 'all' }),
    getIfThere<ResolveAnswer>(cluster, '/_resolve/index/*', { expand_wildcards: 'all' }),
  ]);
  const names: NamesView = { indices: {}, aliases: {}, dataStreams: {} };
  for (const [index, { aliases = {} }] of Object.entries(carriers)) {
    names.indices[index] = { isSystem: false };
    for (const [alias, options] of Object.entries(aliases)) {
      (names.aliases[alias] ??= {})[index] = options;
    }
  }
  for (const { name, attributes, data_stream: dataStream } of resolved?.indices ?? []) {
    names.indices[name] = {
      isSystem: attributes?.includes('system') ?? false,
      ...(dataStream === undefined ? {} : { dataStream }),
    };
  }
  for (const { name, backing_indices: backing = [] } of resolved?.data_streams ?? []) {
    names.dataStreams[name] = [backing].flat();
    for (const index of [backing].flat()) names.indices[index] = { isSystem: false, dataStream: name };
  }
  return names;
}

/** Snapshots, deletions, restores and cleanups that the cluster has under way or in its queue. */
export async function readSnapshotWork(cluster: Cluster): Promise<SnapshotWork[]> {
  const customs = await get<SnapshotCustomsAnswer>(cluster, '/_cluster/state/customs', {
    filter_path: 'snapshots,snapshot_deletions,restore,repository_cleanup',
  });
  const work: SnapshotWork[] = [];
  for (const { repository, snapshot } of customs.snapshots?.snapshots ?? []) {
    work.push({ kind: 'snapshot', repository, snapshot });
  }
  for (const { repository, snapshot, snapshots } of customs.snapshot_deletions?.snapshot_deletions ?? []) {
    const names = (snapshots ?? []).map((each) =>
      typeof each === 'string' ? each : ((each as { name?: string }).name ?? ''),
    );
    work.push({ kind: 'deletion', repository, snapshot: snapshot ?? names.join(', ') });
  }
  for (const { repository, snapshot, state } of customs.restore?.snapshots ?? []) {
    if (!['SUCCESS', 'FAILURE'].includes(state)) work.push({ kind: 'restore', repository, snapshot });
  }
  for (const { repository } of customs.repository_cleanup?.repository_cleanup ?? []) {
    work.push({ kind: 'cleanup', repository, snapshot: '' });
  }
  return work;
}

async function readLifecycle(cluster: Cluster): Promise<LifecycleView | undefined> {
  const [policies, status] = await Promise.all([
    getIfThere<IlmPoliciesAnswer>(cluster, '/_ilm/policy'),
    getIfThere<{ operation_mode?: string }>(cluster, '/_ilm/status'),
  ]);
  if (!policies) return undefined;
  const deleteAfter = (of: IlmPoliciesAnswer[string]) => of.policy?.phases?.delete;
  return {
    isRunning: status?.operation_mode !== 'STOPPED',
    policies: Object.fromEntries(
      Object.entries(policies).map(([name, policy]) => {
        const phase = deleteAfter(policy);
        // min_age may be left out of a delete phase: it then counts as 0
        return [name, phase ? { deleteAfter: phase.min_age ?? '0ms' } : {}];
      }),
    ),
  };
}

async function readSlm(cluster: Cluster): Promise<ClusterView['slm']> {
  const [policies, status] = await Promise.all([
    getIfThere<SlmPoliciesAnswer>(cluster, '/_slm/policy'),
    getIfThere<{ operation_mode?: string }>(cluster, '/_slm/status'),
  ]);
  if (!policies) return undefined;
  return {
    isRunning: status?.operation_mode !== 'STOPPED',
    policies: Object.entries(policies).map(([name, { policy, next_execution_millis: nextAtMs, in_progress }]) => ({
      name,
      repository: policy?.repository ?? '',
      ...(nextAtMs === undefined ? {} : { nextAtMs }),
      isInProgress: in_progress !== undefined,
    })),
  };
}
