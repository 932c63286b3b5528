import type { CopyPart } from '../../contracts/document-activities';
import type { IndexFacts } from '../../contracts/plan';
import { heartbeat } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { permanent, transient } from '../failure';
import { readingOf } from './part-reader';

/** A batch's parts are activities of one workflow, three events of its history each: above, they are made larger. */
const mostParts = 2_000;

interface ShardStats {
  routing?: { primary?: boolean; state?: string };
  docs?: { count?: number };
  store?: { size_in_bytes?: number };
  seq_no?: { max_seq_no?: number; global_checkpoint?: number };
}

interface StatsAnswer {
  indices?: Record<string, { uuid?: string; shards?: Record<string, ShardStats[]> }>;
}

/** A shard's primary as the source tells of it. */
interface Shard {
  index: string;
  uuid: string;
  shard: number;
  documents: number;
  documentBytes: number;
  /** Everything at or below is on every copy of the shard, and will never be rolled back. Left out before 6.0. */
  checkpoint?: number;
}

/**
 * Cuts what these indices hold at this moment into parts. First the global checkpoints are read, then the indices are
 * refreshed: so every operation at or below a checkpoint can be seen by the searches that follow. What is written later
 * lies above, and is the catch-up's.
 */
export async function planParts(
  source: Cluster,
  indices: readonly IndexFacts[],
  mostDocuments: number,
): Promise<CopyPart[]> {
  const shards: Shard[] = [];
  const hasNumbers = readingOf(source.version) !== 'scroll';
  for (const chunk of chunkNames(indices.map(({ name }) => name))) {
    const found = await readShards(source, chunk, hasNumbers);
    refuseMissing(
      found,
      indices.filter(({ name }) => chunk.includes(name)),
    );
    shards.push(...found);
    const { body } = await source.request<{ _shards?: { failed?: number } }>({
      method: 'POST',
      path: `/${indexPath(chunk)}/_refresh`,
      timeoutMs: refreshTimeoutMs,
    });
    // a copy that was not refreshed would answer searches without its latest documents
    if ((body._shards?.failed ?? 0) > 0) throw notThere(chunk.join(', '));
    heartbeat({ done: new Set(shards.map(({ index }) => index)).size, total: indices.length, unit: 'indices' });
  }
  const documents = shards.reduce((sum, shard) => sum + shard.documents, 0);
  const size = Math.max(mostDocuments, Math.ceil(documents / mostParts));
  if (hasNumbers) return shards.flatMap((shard) => bySequence(shard, size));
  const byIndex = new Map<string, Shard[]>();
  for (const shard of shards) byIndex.set(shard.index, [...(byIndex.get(shard.index) ?? []), shard]);
  return [...byIndex.values()].flatMap((ofOne) => bySlice(ofOne, size));
}

/** Statistics leave out a shard that has no copy anywhere at the moment: its documents would be passed over. */
function refuseMissing(found: readonly Shard[], indices: readonly IndexFacts[]): void {
  for (const { name, primaryShards } of indices) {
    const there = new Set(found.filter(({ index }) => index === name).map(({ shard }) => shard));
    for (let shard = 0; shard < primaryShards; shard++)
      if (!there.has(shard)) throw notThere(`${name}, shard ${shard}`);
  }
}

function notThere(where: string): Error {
  return transient({
    type: 'ClusterUnavailable',
    message: 'a primary shard of the source is not there at the moment',
    where: `source cluster: ${where}`,
    remedy: 'GET /_cluster/allocation/explain on the source says why; bring its node back',
  });
}

/** A refresh writes what was indexed since the last one: of a large index, a while. */
const refreshTimeoutMs = 120_000;

/** Ranges of equal width: updates and deletes thin some of them out, so a part has the wanted size at most. */
function bySequence(
  { index, uuid, shard, documents, documentBytes, checkpoint = -1 }: Shard,
  size: number,
): CopyPart[] {
  // an empty shard has no operations, and nothing to read
  if (checkpoint < 0) return [];
  const operations = checkpoint + 1;
  const count = Math.max(1, Math.ceil(documents / size));
  const width = Math.ceil(operations / count);
  const parts: CopyPart[] = [];
  for (let after = -1; after < checkpoint; after += width) {
    const toSeqNo = Math.min(checkpoint, after + width);
    const share = Math.round((documents * (toSeqNo - after)) / operations);
    parts.push({ index, uuid, shard, afterSeqNo: after, toSeqNo, documents: share, documentBytes });
  }
  return parts;
}

/**
 * A source before 6.0 has no sequence numbers. Its slices go by shard first: with a multiple of the shards' number each
 * slice reads one shard only. One slice is no slice to it, and is refused.
 */
function bySlice(shards: Shard[], size: number): CopyPart[] {
  const [first] = shards;
  if (!first) return [];
  const documents = shards.reduce((sum, shard) => sum + shard.documents, 0);
  if (documents === 0) return [];
  const largest = Math.max(...shards.map((shard) => shard.documents));
  const documentBytes = Math.max(...shards.map((shard) => shard.documentBytes));
  const max = shards.length * Math.max(1, Math.ceil(largest / size));
  const whole = { index: first.index, uuid: first.uuid, shard: 0, afterSeqNo: -1, toSeqNo: 0, documentBytes };
  if (max === 1) return [{ ...whole, documents }];
  return Array.from({ length: max }, (_, id) => ({
    ...whole,
    shard: id % shards.length,
    slice: { id, max },
    documents: Math.round(documents / max),
  }));
}

async function readShards(source: Cluster, names: string[], hasNumbers: boolean): Promise<Shard[]> {
  const { body } = await source.request<StatsAnswer>({
    method: 'GET',
    path: `/${indexPath(names)}/_stats/docs,store`,
    query: {
      level: 'shards',
      filter_path:
        'indices.*.uuid,indices.*.shards.*.routing.primary,indices.*.shards.*.routing.state,indices.*.shards.*.docs.count,indices.*.shards.*.store.size_in_bytes,indices.*.shards.*.seq_no',
    },
  });
  const shards: Shard[] = [];
  for (const name of names) {
    const of = body.indices?.[name];
    if (!of?.shards) throw await whyMissing(source, name);
    for (const [number, copies] of Object.entries(of.shards)) {
      // a primary on its way to another node answers twice: the one that does not take writes yet is not started
      const primary = copies.find(({ routing }) => routing?.primary === true && isStarted(routing.state));
      const checkpoint = primary?.seq_no?.global_checkpoint;
      if (!primary || (hasNumbers && checkpoint === undefined)) {
        throw notThere(`${name}, shard ${number}`);
      }
      const documents = primary.docs?.count ?? 0;
      shards.push({
        index: name,
        uuid: of.uuid ?? '',
        shard: Number(number),
        documents,
        documentBytes: Math.round((primary.store?.size_in_bytes ?? 0) / Math.max(1, documents)),
        ...(checkpoint === undefined ? {} : { checkpoint }),
      });
    }
  }
  return shards;
}

/** Statistics leave out an index as a whole, too, while none of its shards is on any node, as after a restart. */
async function whyMissing(source: Cluster, name: string): Promise<Error> {
  const { body } = await source.request<{ metadata?: { indices?: Record<string, { state?: string }> } }>({
    method: 'GET',
    path: `/_cluster/state/metadata/${indexPath([name])}`,
    query: { expand_wildcards: 'all', ignore_unavailable: true, filter_path: 'metadata.indices.*.state' },
    allow: [404],
  });
  if (body.metadata?.indices?.[name]?.state === 'open') return notThere(name);
  return permanent({
    type: 'IndexMissing',
    message: 'an index that is to be copied is gone from the source, or closed there',
    where: `source cluster: ${name}`,
    remedy: 'bring it back or open it, then retry; or skip, which leaves the batch as it is and says so in the report',
  });
}

function isStarted(state: string | undefined): boolean {
  return state === 'STARTED' || state === 'RELOCATING';
}
