import { createHash } from 'node:crypto';
import type { AskedPrimary } from '../../contracts/document-activities';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { classifyAnswer } from '../elasticsearch/classify-error';

/** What a round asks the clusters about indices and shards. Indices that are not there are left out of the answers. */

export type FlatSettings = Record<string, string | undefined>;

export async function readSettings(
  cluster: Cluster,
  names: readonly string[],
  wanted: readonly string[],
): Promise<Map<string, FlatSettings>> {
  const found = new Map<string, FlatSettings>();
  // 5.x does not know flat_settings where names of settings are given
  const chosen = cluster.version.major === 5 ? '' : `/${wanted.join(',')}`;
  for (const chunk of chunkNames(names)) {
    const { status, body } = await cluster.request<Record<string, { settings?: FlatSettings }>>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_settings${chosen}`,
      query: { flat_settings: true, ignore_unavailable: true, allow_no_indices: true, expand_wildcards: 'all' },
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [name, { settings }] of Object.entries(body)) found.set(name, settings ?? {});
  }
  return found;
}

export interface ShardNow {
  /** Everything at or below is on every copy of the shard that counts, and will never be rolled back. */
  checkpoint: number;
  maxSeqNo: number;
}

interface StatsAnswer {
  indices?: Record<
    string,
    {
      shards?: Record<
        string,
        {
          routing?: { primary?: boolean; state?: string };
          seq_no?: { max_seq_no?: number; global_checkpoint?: number };
        }[]
      >;
    }
  >;
}

/** By index and shard; a shard without a started primary is left out, and so are closed indices. */
export async function readShards(
  cluster: Cluster,
  names: readonly string[],
): Promise<Map<string, Map<number, ShardNow>>> {
  const found = new Map<string, Map<number, ShardNow>>();
  for (const chunk of chunkNames(names)) {
    const { status, body } = await cluster.request<StatsAnswer>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_stats/docs`,
      query: {
        level: 'shards',
        ignore_unavailable: true,
        filter_path: 'indices.*.shards.*.routing.primary,indices.*.shards.*.routing.state,indices.*.shards.*.seq_no',
      },
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [name, { shards = {} }] of Object.entries(body.indices ?? {})) {
      const now = new Map<number, ShardNow>();
      for (const [number, copies] of Object.entries(shards)) {
        const primary = copies.find(({ routing }) => routing?.primary === true && isStarted(routing.state));
        const { global_checkpoint: checkpoint, max_seq_no: maxSeqNo } = primary?.seq_no ?? {};
        if (checkpoint !== undefined && maxSeqNo !== undefined) now.set(Number(number), { checkpoint, maxSeqNo });
      }
      found.set(name, now);
    }
  }
  return found;
}

interface OperationsAnswer {
  indices?: Record<
    string,
    {
      primaries?: { docs?: { count?: number }; store?: { size_in_bytes?: number } };
      shards?: Record<
        string,
        {
          routing?: { primary?: boolean; state?: string; node?: string };
          indexing?: { index_total?: number; delete_total?: number };
          seq_no?: { max_seq_no?: number; global_checkpoint?: number };
        }[]
      >;
    }
  >;
}

export interface Operations {
  /** Shards that have a started primary. */
  shards: number[];
  /** Of these; empty before 6.0. */
  numbered: ShardNow[];
  /** Of these, where they are not numbered. */
  asked: AskedPrimary[];
  /** What the primaries have been asked for since they are where they are; another text says that there may be more. */
  mark: string;
  /** Of a document on disk, about. */
  documentBytes: number;
}

/** What can be asked of every version: those before 6.0 give no numbers, but they count what they do. */
export async function readOperations(cluster: Cluster, names: readonly string[]): Promise<Map<string, Operations>> {
  const found = new Map<string, Operations>();
  const members = ['routing.primary', 'routing.state', 'routing.node', 'indexing.index_total', 'indexing.delete_total'];
  const ofShards = [...members, 'seq_no.max_seq_no', 'seq_no.global_checkpoint'].map(
    (name) => `indices.*.shards.*.${name}`,
  );
  const filter = ['indices.*.primaries.docs.count', 'indices.*.primaries.store.size_in_bytes', ...ofShards];
  for (const chunk of chunkNames(names)) {
    const { status, body } = await cluster.request<OperationsAnswer>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_stats/docs,store,indexing`,
      query: { level: 'shards', ignore_unavailable: true, filter_path: filter.join(',') },
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [name, { primaries, shards = {} }] of Object.entries(body.indices ?? {})) {
      const started = Object.entries(shards).flatMap(([number, copies]) => {
        const primary = copies.find(({ routing }) => routing?.primary === true && isStarted(routing.state));
        return primary ? [{ shard: Number(number), ...primary }] : [];
      });
      // of every copy: a search may be answered by a replica that has an operation later than its primary
      const marks = Object.entries(shards).flatMap(([shard, copies]) =>
        copies
          .filter(({ routing }) => isStarted(routing?.state))
          .map(
            ({ routing, indexing, seq_no }) =>
              `${shard} ${routing?.node} ${indexing?.index_total} ${indexing?.delete_total} ${seq_no?.max_seq_no}`,
          ),
      );
      const numbered = started.flatMap(({ seq_no: { max_seq_no: maxSeqNo, global_checkpoint: checkpoint } = {} }) =>
        maxSeqNo === undefined || checkpoint === undefined ? [] : [{ maxSeqNo, checkpoint: Math.max(-1, checkpoint) }],
      );
      found.set(name, {
        shards: started.map(({ shard }) => shard),
        numbered,
        asked: numbered.length > 0 ? [] : started.map(askedPrimary),
        mark: createHash('sha256').update(marks.sort().join('\n')).digest('hex').slice(0, 16),
        documentBytes: (primaries?.store?.size_in_bytes ?? 0) / Math.max(1, primaries?.docs?.count ?? 0),
      });
    }
  }
  return found;
}

/** As its statistics tell it. */
export function askedPrimary({
  routing,
  indexing,
}: {
  routing?: { node?: string };
  indexing?: { index_total?: number; delete_total?: number };
}): AskedPrimary {
  return { node: routing?.node ?? '', operations: (indexing?.index_total ?? 0) + (indexing?.delete_total ?? 0) };
}

interface StateAnswer {
  metadata?: {
    indices?: Record<
      string,
      {
        state?: string;
        primary_terms?: Record<string, number>;
        routing_num_shards?: number;
        settings?: { index?: { uuid?: string } };
      }
    >;
  };
}

export interface IndexState {
  uuid: string;
  isOpen: boolean;
  /** A term is of one primary: another one took over when it is another. */
  primaryTerms: Record<string, number>;
  routingShards?: number;
}

/** Dearer than the others, so asked only where something is in question. */
export async function readStates(cluster: Cluster, names: readonly string[]): Promise<Map<string, IndexState>> {
  const found = new Map<string, IndexState>();
  const members = ['state', 'primary_terms', 'routing_num_shards', 'settings.index.uuid'];
  for (const chunk of chunkNames(names)) {
    const { status, body } = await cluster.request<StateAnswer>({
      method: 'GET',
      path: `/_cluster/state/metadata/${indexPath(chunk)}`,
      query: {
        expand_wildcards: 'all',
        ignore_unavailable: true,
        filter_path: members.map((name) => `metadata.indices.*.${name}`).join(','),
      },
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [name, index] of Object.entries(body.metadata?.indices ?? {})) {
      const { state, primary_terms, routing_num_shards, settings } = index;
      found.set(name, {
        uuid: settings?.index?.uuid ?? '',
        isOpen: state !== 'close',
        primaryTerms: primary_terms ?? {},
        ...(routing_num_shards === undefined ? {} : { routingShards: routing_num_shards }),
      });
    }
  }
  return found;
}

const refreshTimeoutMs = 120_000;

/** Of every copy: searches may be answered by any of them. */
export async function refresh(cluster: Cluster, names: readonly string[]): Promise<void> {
  for (const chunk of chunkNames(names)) {
    const { body } = await cluster.request<{ _shards?: { failed?: number; failures?: unknown[] } }>({
      method: 'POST',
      path: `/${indexPath(chunk)}/_refresh`,
      query: { ignore_unavailable: true },
      timeoutMs: refreshTimeoutMs,
    });
    if ((body._shards?.failed ?? 0) === 0) continue;
    const reason = JSON.stringify(body._shards?.failures ?? []).slice(0, 1000);
    throw classifyAnswer(`${cluster.side} cluster, _refresh`, { status: 503, type: 'shard_failure', reason });
  }
}

/** A primary on its way to another node answers twice: the one that takes no writes yet is not started. */
function isStarted(state: string | undefined): boolean {
  return state === 'STARTED' || state === 'RELOCATING';
}
