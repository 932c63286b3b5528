import { askedPrimary } from '../catch-up/read-shards';
import { pause } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { indexPath } from '../elasticsearch/index-names';
import { silentShards, type ShardsHeader } from '../elasticsearch/shards-header';
import { isAtLeast } from '../elasticsearch/version';
import type { IndexState, ShardState } from './index-state';

/** Counting a large index for the first time after a restore reads from disk. */
const countTimeoutMs = 120_000;
/** Side by side, so that a thousand small indices take seconds; few enough not to fill a search queue. */
const countsAtOnce = 8;

interface SettingsAnswer {
  [index: string]: { settings?: Record<string, string | string[]> };
}

interface StatsAnswer {
  indices?: Record<
    string,
    {
      shards?: Record<
        string,
        {
          routing?: { primary?: boolean; state?: string; node?: string };
          docs?: { count?: number };
          indexing?: { index_total?: number; delete_total?: number };
          seq_no?: { max_seq_no?: number };
        }[]
      >;
    }
  >;
}

interface CatIndex {
  index: string;
  status: 'open' | 'close';
  health: string | null;
}

/**
 * State of these indices, all in one request line. Refreshes first: `_count` and the statistics see only what a refresh
 * has shown, and a refresh changes no document. Indices that are not there are left out of the answer.
 */
export async function readStates(
  cluster: Cluster,
  names: string[],
  /** Only documents that it finds are counted. */
  query?: Record<string, unknown>,
): Promise<Map<string, IndexState>> {
  const path = indexPath(names);
  const { body: settings } = await cluster.request<SettingsAnswer>({
    method: 'GET',
    path: `/${path}/_settings`,
    query: { ...lenient, flat_settings: true },
  });
  const wanted = new Set(names);
  // an alias of that name answers with the index behind it, which has another name
  const present = Object.keys(settings).filter((name) => wanted.has(name));
  const states = new Map<string, IndexState>();
  if (present.length === 0) return states;
  const there = indexPath(present);
  const { body: listed } = await cluster.request<CatIndex[]>({
    method: 'GET',
    path: `/_cat/indices/${there}`,
    query: { format: 'json', h: 'index,status,health' },
  });
  await refresh(
    cluster,
    listed.filter(({ health }) => health !== 'red').map(({ index }) => index),
  );
  const [stats, mappings] = await Promise.all([
    readShards(cluster, there),
    cluster.request<Record<string, { mappings?: unknown }>>({
      method: 'GET',
      path: `/${there}/_mapping`,
      query: { ...lenient, ...typeless(cluster) },
    }),
  ]);
  const listing = new Map(listed.map((each) => [each.index, each]));
  const open = present.filter((name) => listing.get(name)?.status === 'open');
  const counts = await countAll(cluster, open, query);
  for (const name of present) {
    const { status, health } = listing.get(name) ?? {};
    // deleted between two of the requests: as good as not there
    if (status === undefined) continue;
    const documents = counts.get(name);
    states.set(name, {
      status,
      health: health === 'green' || health === 'yellow' || health === 'red' ? health : '',
      ...(documents === undefined ? {} : { documents }),
      shards: stats.get(name) ?? {},
      mapping: mappings.body[name]?.mappings ?? {},
      settings: settings[name]?.settings ?? {},
    });
  }
  return states;
}

/** Not of red ones: the server would wait a minute for a primary that is on no node. */
async function refresh(cluster: Cluster, names: string[]): Promise<void> {
  if (names.length === 0) return;
  await cluster.request({
    method: 'POST',
    path: `/${indexPath(names)}/_refresh`,
    query: { ignore_unavailable: true },
    timeoutMs: countTimeoutMs,
  });
}

const lenient = { ignore_unavailable: true, expand_wildcards: 'all' };

/** 6.7 and later can leave the mapping type's level out, as 7.0 does always. */
function typeless({ version }: Cluster): Record<string, boolean> {
  return version.major === 6 && version.minor >= 7 ? { include_type_name: false } : {};
}

async function readShards(cluster: Cluster, path: string): Promise<Map<string, Record<number, ShardState>>> {
  const { body } = await cluster.request<StatsAnswer>({
    method: 'GET',
    path: `/${path}/_stats/docs,indexing`,
    query: {
      level: 'shards',
      ignore_unavailable: true,
      filter_path: ofShards.map((name) => `indices.*.shards.*.${name}`).join(','),
      ...(tellsOfClosed(cluster) ? { forbid_closed_indices: false, expand_wildcards: 'all' } : {}),
    },
  });
  const found = new Map<string, Record<number, ShardState>>();
  for (const [index, { shards = {} }] of Object.entries(body.indices ?? {})) {
    const states: Record<number, ShardState> = {};
    for (const [number, copies] of Object.entries(shards)) {
      // While it moves to another node, or recovers, a primary that is not started answers too, with what it has so far.
      const primary = copies.find(({ routing }) => routing?.primary === true && isStarted(routing.state));
      if (!primary) continue;
      const maxSeqNo = primary.seq_no?.max_seq_no;
      const written = maxSeqNo === undefined ? { asked: askedPrimary(primary) } : { maxSeqNo };
      states[Number(number)] = { documents: primary.docs?.count ?? 0, ...written };
    }
    found.set(index, states);
  }
  return found;
}

const ofShards = [
  'routing.primary',
  'routing.state',
  'routing.node',
  'docs',
  'indexing.index_total',
  'indexing.delete_total',
  'seq_no.max_seq_no',
];

/** Before 7.2 a closed index has no shards that anything could be said of. */
export function tellsOfClosed({ version }: Cluster): boolean {
  return version.distribution === 'opensearch' || isAtLeast(version, '7.2.0');
}

function isStarted(state: string | undefined): boolean {
  return state === 'STARTED' || state === 'RELOCATING';
}

/** One request for each index: `_count` over several would answer their sum. */
async function countAll(
  cluster: Cluster,
  names: string[],
  query?: Record<string, unknown>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const queue = [...names];
  const work = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const count = await countOne(cluster, name, query);
      if (count !== undefined) counts.set(name, count);
    }
  };
  await Promise.all(Array.from({ length: Math.min(countsAtOnce, names.length) }, work));
  return counts;
}

interface CountAnswer {
  count: number;
  _shards?: ShardsHeader & { failures?: { reason?: { type?: string } }[] };
}

const mostCounts = 6;
const firstWaitMs = 250;

/** A shard that is on no node stays away; one whose queue was full, or that had no memory for it, is asked again. */
async function countOne(cluster: Cluster, name: string, query?: Record<string, unknown>): Promise<number | undefined> {
  for (let attempt = 1; ; attempt++) {
    const { status, body } = await cluster.request<CountAnswer>({
      method: 'GET',
      path: `/${indexPath([name])}/_count`,
      ...(query === undefined ? {} : { body: { query } }),
      allow: [400, 404, 503],
      timeoutMs: countTimeoutMs,
    });
    const { failures = [] } = body._shards ?? {};
    if (status < 300 && silentShards(body._shards) === 0) return body.count;
    const isBusy = failures.some(({ reason }) => /^(es_)?rejected_execution|circuit_breaking/.test(reason?.type ?? ''));
    // a count over part of the shards is no count: the index then has none, which is a difference
    if (!isBusy || attempt >= mostCounts) return undefined;
    await pause(firstWaitMs * 2 ** (attempt - 1));
  }
}
