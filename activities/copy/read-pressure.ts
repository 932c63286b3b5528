import type { Cluster } from '../elasticsearch/cluster';
import type { NodeReading, PoolReading, Reading } from './pressure';

interface StatsAnswer {
  nodes?: Record<
    string,
    {
      name?: string;
      roles?: string[];
      jvm?: {
        mem?: {
          heap_used_percent?: number;
          pools?: { old?: { used_in_bytes?: number; max_in_bytes?: number } };
        };
      };
      thread_pool?: Record<string, Partial<PoolReading>>;
      breakers?: Record<string, { tripped?: number }>;
      fs?: { total?: { total_in_bytes?: number; available_in_bytes?: number } };
    }
  >;
}

/** `write` was called `bulk` up to 6.2. */
const pools = ['write', 'bulk', 'search'];
const wanted = [
  'name',
  'roles',
  'jvm.mem.heap_used_percent',
  'jvm.mem.pools.old.used_in_bytes',
  'jvm.mem.pools.old.max_in_bytes',
  ...pools.map((pool) => `thread_pool.${pool}`),
  'breakers.*.tripped',
  'fs.total',
];
const timeoutMs = 10_000;

/** Needs the cluster privilege `monitor`. */
export async function readPressure(cluster: Cluster): Promise<Reading> {
  const isTarget = cluster.side === 'target';
  const get = async <T>(path: string, query: Record<string, string | boolean>) =>
    (await cluster.request<T>({ method: 'GET', path, query, timeoutMs })).body;
  const [stats, health, settings] = await Promise.all([
    get<StatsAnswer>('/_nodes/stats/jvm,thread_pool,breaker,fs', {
      filter_path: wanted.map((each) => `nodes.*.${each}`).join(','),
    }),
    get<{ status?: string }>('/_cluster/health', { filter_path: 'status' }),
    isTarget
      ? get<Record<'defaults' | 'persistent' | 'transient', Record<string, string> | undefined>>('/_cluster/settings', {
          include_defaults: true,
          flat_settings: true,
          // flat names have dots, which a filter would take for levels: no more of them can be named
          filter_path: '*.cluster*',
        })
      : undefined,
  ]);
  return {
    nodes: Object.values(stats.nodes ?? {}).map(nodeOf),
    health: health.status ?? '',
    ...(settings ? { settings: { ...settings.defaults, ...settings.persistent, ...settings.transient } } : {}),
  };
}

function nodeOf(node: NonNullable<StatsAnswer['nodes']>[string]): NodeReading {
  const { name = '', roles, jvm, thread_pool: threads = {}, breakers = {}, fs } = node;
  const { used_in_bytes: used = 0, max_in_bytes: most = 0 } = jvm?.mem?.pools?.old ?? {};
  const { total_in_bytes: totalBytes = 0, available_in_bytes: freeBytes = 0 } = fs?.total ?? {};
  return {
    name,
    // a server that tells no roles is an old one, whose nodes are of all sorts
    holdsData: roles === undefined || roles.some((role) => /^data(?!_frozen)/.test(role)),
    heapPercent: most > 0 ? Math.round((used / most) * 100) : (jvm?.mem?.heap_used_percent ?? 0),
    pools: Object.fromEntries(
      Object.entries(threads).map(([pool, { threads: count = 0, queue = 0, rejected = 0 }]) => [
        pool,
        { threads: count, queue, rejected },
      ]),
    ),
    tripped: Object.fromEntries(Object.entries(breakers).map(([breaker, { tripped = 0 }]) => [breaker, tripped])),
    ...(totalBytes > 0 ? { disk: { totalBytes, freeBytes } } : {}),
  };
}
