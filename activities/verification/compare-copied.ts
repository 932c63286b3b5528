import { isWhole, type DocumentFindings, type IndexState } from './index-state';

/** What is known of a copy that was made document by document. */
export interface CopiedContext {
  /** Documents that the target refused: told by themselves, and counted here. */
  refused: number;
  /** A query, a pipeline or other shards: then only the counts of whole indices can be compared. */
  isReshaped: boolean;
}

/**
 * Documents of an index and of its copy, by count and, where both have the same shards, by shard: there nested documents
 * count too. Sequence numbers say nothing here, as the copy has its own.
 */
export function compareCopied(
  source: IndexState,
  target: IndexState,
  { refused, isReshaped }: CopiedContext,
): DocumentFindings {
  const differences: string[] = [];
  const isCounted = source.documents !== undefined && target.documents !== undefined;
  const found = `${source.documents ?? 'an unknown number of'} documents on the source and ${target.documents ?? 'an unknown number of'} on the target`;
  const known = refused > 0 ? `, besides ${refused} that the target refused` : '';
  const missing = (source.documents ?? 0) - refused - (target.documents ?? 0);
  if (!isCounted) differences.push(`documents cannot be counted: ${found}`);
  else if (missing > 0) {
    differences.push(
      `${found}${known}: written on the source after they were copied, or lost. Stop its writers, or set freeze to beforeMove, then retry, which copies what is missing`,
    );
  } else if (missing < 0) {
    differences.push(
      `${found}${known}: deleted on the source after they were copied, or written on the target by somebody else. Nothing but this run should write there before the cutover`,
    );
  } else if (refused === 0 && !isReshaped) differences.push(...compareShards(source, target));
  return { differences, adapted: [], isBehind: isCounted && missing > 0 && isWhole(source) };
}

function compareShards(source: IndexState, target: IndexState): string[] {
  const count = (state: IndexState) => state.settings['index.number_of_shards'];
  if (count(source) !== count(target)) return [];
  return Object.entries(source.shards).flatMap(([shard, { documents }]) => {
    const copied = target.shards[Number(shard)]?.documents;
    if (copied === documents) return [];
    return [
      `shard ${shard} holds ${documents} documents on the source and ${copied ?? 'an unknown number of'} on the target (nested ones counted), though as many documents are there in all: look whether routing or nested fields are mapped otherwise`,
    ];
  });
}
