import { pause } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { indexPath } from '../elasticsearch/index-names';
import { isWhole, type IndexState } from './index-state';
import { readStates, tellsOfClosed } from './read-state';

/** A node that restarts brings its primaries back in less; one that is gone for longer is a difference, which says so. */
const primariesBackMs = 3 * 60_000;
const betweenLooksMs = 2_000;
/** Of what no shard's absence explains: it may have come back between two of the requests. */
const mostLooks = 3;

/**
 * State of these indices, read again while primaries of theirs are on their way back: a comparison that meets the restart of
 * a node would take what is not there for the moment for missing. What a restore has failed to make is not waited for.
 */
export async function readWhole(
  cluster: Cluster,
  names: string[],
  query: Record<string, unknown> | undefined,
  tell: (why: string) => void,
): Promise<Map<string, IndexState>> {
  const deadline = Date.now() + primariesBackMs;
  for (let look = 1; ; look++) {
    const states = await readStates(cluster, names, query);
    const lacking = [...states].filter(([, state]) => lacks(state));
    if (lacking.length === 0) return states;
    // servers without shards of closed indices refuse to be asked for them
    const asked = lacking.filter(([, { status }]) => status === 'open' || tellsOfClosed(cluster));
    const onTheirWay = await primariesOnTheirWay(
      cluster,
      asked.map(([name]) => name),
    );
    const isOpen = lacking.some(([, { status }]) => status === 'open');
    if (onTheirWay.length === 0 && (look >= mostLooks || !isOpen)) return states;
    if (Date.now() > deadline) return states;
    if (onTheirWay.length > 0) tell(`waits for primaries of the ${cluster.side}: ${onTheirWay.slice(0, 3).join(', ')}`);
    await pause(betweenLooksMs);
  }
}

function lacks(state: IndexState): boolean {
  // what was red when it was listed was not refreshed: its count may be of a moment ago
  return !isWhole(state) || (state.status === 'open' && (state.documents === undefined || state.health === 'red'));
}

interface CatShard {
  index: string;
  shard: string;
  prirep: string;
  state: string;
  'unassigned.reason': string | null;
}

/** Why a primary is on no node, where the node itself, or another that has a copy, brings it back. */
const comesBack = new Set(['NODE_LEFT', 'NODE_RESTARTING', 'CLUSTER_RECOVERED', 'REINITIALIZED', 'PRIMARY_FAILED']);

async function primariesOnTheirWay(cluster: Cluster, names: string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const { status, body } = await cluster.request<CatShard[]>({
    method: 'GET',
    path: `/_cat/shards/${indexPath(names)}`,
    query: { format: 'json', h: 'index,shard,prirep,state,unassigned.reason' },
    // deleted since it was read
    allow: [404],
  });
  if (status === 404) return [];
  return body.flatMap(({ index, shard, prirep, state, 'unassigned.reason': reason }) => {
    const isAway = state === 'INITIALIZING' || (state === 'UNASSIGNED' && comesBack.has(reason ?? ''));
    return prirep === 'p' && isAway ? [`shard ${shard} of ${index} (${reason ?? state})`] : [];
  });
}
