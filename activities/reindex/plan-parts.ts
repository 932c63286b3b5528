import type { CopyPart, ShardPositions } from '../../contracts/document-activities';
import type { IndexFacts } from '../../contracts/plan';
import type { ReindexPart, ReindexPlan } from '../../contracts/reindex';
import { readingOf } from '../copy/part-reader';
import { planParts } from '../copy/plan-parts';
import type { Cluster } from '../elasticsearch/cluster';

/** How far each shard of one index had come, and what it held. */
type Shard = Pick<CopyPart, 'shard' | 'toSeqNo' | 'documents'>;

/** Cuts as the copy does, by checkpoints read before a refresh; then lays the shards of an index together. */
export async function planReindexParts(
  source: Cluster,
  indices: readonly IndexFacts[],
  mostDocuments: number,
): Promise<ReindexPlan> {
  const whole = await planParts(source, indices, Infinity);
  const hasNumbers = readingOf(source.version) !== 'scroll';
  const plan: ReindexPlan = { parts: [], positions: [] };
  for (const { name, uuid, primaryShards } of indices) {
    const shards = whole.filter(({ index }) => index === name);
    const known = { index: name, uuid: shards[0]?.uuid ?? uuid };
    if (hasNumbers) plan.positions.push({ ...known, seqNos: seqNosOf(shards, primaryShards) });
    if (shards.length === 0) continue;
    const documents = shards.reduce((sum, shard) => sum + shard.documents, 0);
    plan.parts.push(...(hasNumbers ? cut(known, shards, mostDocuments) : [{ ...known, documents }]));
  }
  return plan;
}

/** A shard that never had an operation has no part. */
function seqNosOf(shards: readonly Shard[], count: number): ShardPositions['seqNos'] {
  return Array.from({ length: count }, (_, number) => shards.find(({ shard }) => shard === number)?.toSeqNo ?? -1);
}

/** Ranges of equal width over all shards at once; of shards of about the same size each has about the wanted documents. */
export function cut(
  known: Pick<ReindexPart, 'index' | 'uuid'>,
  shards: readonly Shard[],
  mostDocuments: number,
): ReindexPart[] {
  const last = Math.max(...shards.map(({ toSeqNo }) => toSeqNo));
  const documents = shards.reduce((sum, shard) => sum + shard.documents, 0);
  const width = Math.ceil((last + 1) / Math.max(1, Math.ceil(documents / mostDocuments)));
  const parts: ReindexPart[] = [];
  for (let after = -1; after < last; after += width) {
    const range = { afterSeqNo: after, toSeqNo: Math.min(last, after + width) };
    const share = shards.reduce((sum, shard) => sum + shareOf(shard, range), 0);
    parts.push({ ...known, range, documents: Math.round(share) });
  }
  return parts;
}

function shareOf({ toSeqNo, documents }: Shard, range: { afterSeqNo: number; toSeqNo: number }): number {
  const within = Math.max(0, Math.min(toSeqNo, range.toSeqNo) - range.afterSeqNo);
  return (documents * within) / (toSeqNo + 1);
}
