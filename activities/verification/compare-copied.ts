import type { AskedPrimary, ShardPositions } from '../../contracts/document-activities';
import { isWhole, type DocumentFindings, type IndexState } from './index-state';

/** What is known of a copy that was made document by document. */
export interface CopiedContext {
  /** Documents that the target refused: told by themselves, and counted here. */
  refused: number;
  /** A query or a pipeline: then nested documents may be other ones. */
  isReshaped: boolean;
  /** Up to where the source was copied, or followed. */
  positions?: ShardPositions;
  /** Later writes were followed, until the cutover. */
  isFollowed: boolean;
}

/**
 * Documents of an index and of its copy, by count, with nested ones and without. Not by shard: an index that 6.x made
 * routes in another way. Sequence numbers say nothing here, as the copy has its own.
 */
export function compareCopied(
  source: IndexState,
  target: IndexState,
  { refused, isReshaped, positions, isFollowed }: CopiedContext,
): DocumentFindings {
  const differences: string[] = [];
  const words = isFollowed
    ? { after: 'it was drained', freeze: 'atCutover', retry: 'drains it once more' }
    : { after: 'it was copied', freeze: 'beforeMove', retry: 'moves it once more' };
  if (!isWhole(source)) differences.push('a primary of the source is missing, and with it what would be compared');
  const later = positions === undefined ? undefined : laterThan(source, positions, words);
  if (later !== undefined) differences.push(later);
  const isCounted = source.documents !== undefined && target.documents !== undefined;
  const found = `${source.documents ?? 'an unknown number of'} documents on the source and ${target.documents ?? 'an unknown number of'} on the target`;
  const known = refused > 0 ? `, besides ${refused} that the target refused` : '';
  const missing = (source.documents ?? 0) - refused - (target.documents ?? 0);
  if (!isCounted) differences.push(`documents cannot be counted: ${found}`);
  else if (missing > 0) {
    differences.push(
      `${found}${known}: written on the source after ${words.after}, or lost. Stop its writers, or set freeze to ${words.freeze}, then retry, which moves what is missing`,
    );
  } else if (missing < 0) {
    differences.push(
      `${found}${known}: deleted on the source after ${words.after}, or written on the target by somebody else. Nothing but this run should write there before the cutover`,
    );
  } else if (refused === 0 && !isReshaped) differences.push(...compareNested(source, target));
  // Copying again adds what is missing, and what was written later; it deletes nothing.
  const isBehind = isCounted && isWhole(source) && differences.length > 0 && missing >= 0;
  return { differences, adapted: [], isBehind };
}

/**
 * Counts cannot tell an update, or an add and a delete: the source's own numbering of operations can, and where it has none,
 * what its primaries count.
 */
function laterThan(
  { shards, settings }: IndexState,
  { uuid, seqNos, field }: ShardPositions,
  words: { after: string; freeze: string; retry: string },
): string | undefined {
  if (uuid !== '' && settings['index.uuid'] !== uuid)
    return `deleted on the source and made anew since ${words.after}: abort this run, and move it by a new one`;
  const { asked = [] } = field ?? {};
  const isAnew = asked.some(({ node, operations: at }, shard) => {
    const now = shards[shard]?.asked;
    return now !== undefined && (now.node !== node || now.operations < at);
  });
  if (isAnew)
    return `a primary of the source moved, or its node was started anew, after ${words.after}: what was written since cannot be told. Retry, which ${words.retry}`;
  const later = (at: number, shard: number) => (shards[shard]?.maxSeqNo ?? -1) - at;
  const counted = (at: AskedPrimary, shard: number) => (shards[shard]?.asked?.operations ?? 0) - at.operations;
  const operations = [...seqNos.map(later), ...asked.map(counted)].reduce((sum, more) => sum + Math.max(0, more), 0);
  if (operations === 0) return undefined;
  return `written on the source after ${words.after}: ${operations} operations. Stop its writers, or set freeze to ${words.freeze}, then retry, which ${words.retry}`;
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
