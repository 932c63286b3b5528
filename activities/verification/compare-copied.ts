import { isWhole, type DocumentFindings, type IndexState } from './index-state';

/** What is known of a copy that was made document by document. */
export interface CopiedContext {
  /** Documents that the target refused: told by themselves, and counted here. */
  refused: number;
  /** A query or a pipeline: then nested documents may be other ones. */
  isReshaped: boolean;
}

/**
 * Documents of an index and of its copy, by count, with nested ones and without. Not by shard: an index that 6.x made
 * routes in another way. Sequence numbers say nothing here, as the copy has its own.
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
  } else if (refused === 0 && !isReshaped) differences.push(...compareNested(source, target));
  return { differences, adapted: [], isBehind: isCounted && missing > 0 && isWhole(source) };
}

/** Lucene's documents of all primaries: nested ones are counted, so a mapping that lost them is seen. */
function compareNested(source: IndexState, target: IndexState): string[] {
  const [from, to] = [source, target].map(({ shards }) =>
    Object.values(shards).reduce((sum, { documents }) => sum + documents, 0),
  );
  if (from === to) return [];
  return [
    `${from} documents on the source and ${to} on the target with nested ones counted, though as many without them: look whether nested fields are mapped otherwise`,
  ];
}
