import { isWhole, type DocumentFindings, type IndexState } from './index-state';

/**
 * Documents by count and by shard. A restored shard keeps its sequence numbers, so a source that is further on was written
 * after the snapshot, and by how many operations; where the numbers agree, other counts mean that something was lost,
 * whatever other shards say.
 */
export function compareDocuments(source: IndexState, target: IndexState): DocumentFindings {
  const differences: string[] = [];
  const { later, ahead, unlike } = compareShards(source, target);
  const isCounted = source.status === 'close' || (source.documents !== undefined && target.documents !== undefined);
  if (!isCounted && target.status === 'open') {
    differences.push(
      `documents cannot be counted: ${countText(source.documents)} on the source and ${countText(target.documents)} on the target`,
    );
  }
  const counts = `${countText(source.documents)} documents on the source and ${countText(target.documents)} on the target`;
  const isOtherCount = isCounted && source.status === 'open' && source.documents !== target.documents;
  if (later.length > 0) {
    const operations = later.reduce((sum, shard) => sum + shard.by, 0);
    differences.push(
      `written on the source after its snapshot: ${operations} operations later (shards ${later.map(({ shard, by }) => `${shard}: ${by}`).join(', ')}); ${counts}. Stop its writers, or set freeze to beforeMove, then retry, which moves it again`,
    );
  }
  if (ahead.length > 0) {
    differences.push(
      `written on the target after its restore: further on by ${ahead.map(({ shard, by }) => `${by} operations in shard ${shard}`).join(', ')}; ${counts}. Nothing but this run should write there before the cutover: find the writer`,
    );
  }
  if (later.length === 0 && ahead.length === 0 && isOtherCount)
    differences.push(`${counts}, though no shard was written later: do not cut over; restore this index again`);
  differences.push(...unlike);
  // A shard that is not there on the target holds nothing that anybody is to have written: a failed restore looks so.
  const isBehind = isWhole(source) && ahead.length === 0 && differences.length > 0;
  return { differences, adapted: [], isBehind };
}

interface Moved {
  shard: number;
  by: number;
}

function compareShards(source: IndexState, target: IndexState): { later: Moved[]; ahead: Moved[]; unlike: string[] } {
  const [later, ahead, unlike]: [Moved[], Moved[], string[]] = [[], [], []];
  const numbers = new Set([...Object.keys(source.shards), ...Object.keys(target.shards)].map(Number));
  for (const shard of [...numbers].sort((a, b) => a - b)) {
    const [from, to] = [source.shards[shard], target.shards[shard]];
    if (!from || !to) {
      unlike.push(`shard ${shard} has no started primary on the ${from ? 'target' : 'source'}`);
      continue;
    }
    const by = (from.maxSeqNo ?? 0) - (to.maxSeqNo ?? 0);
    const isNumbered = from.maxSeqNo !== undefined && to.maxSeqNo !== undefined;
    if (isNumbered && by > 0) later.push({ shard, by });
    else if (isNumbered && by < 0) ahead.push({ shard, by: -by });
    else if (from.documents !== to.documents) {
      unlike.push(
        `shard ${shard} holds ${from.documents} documents on the source and ${to.documents} on the target (nested ones counted), at the same sequence number ${from.maxSeqNo ?? 'unknown'}: do not cut over; restore this index again`,
      );
    }
  }
  return { later, ahead, unlike };
}

function countText(documents: number | undefined): string {
  return documents === undefined ? 'an unknown number of' : String(documents);
}
