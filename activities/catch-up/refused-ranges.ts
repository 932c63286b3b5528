import type { CatchUpPositions, CatchUpRoundInput, RefusedRange } from '../../contracts/catch-up';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import { refusalBound, type RefusalBound } from '../copy/refusal-bound';

/** Positions go through the history with every round: where more is refused, larger ranges are read again. */
const mostRanges = 20;

/** Adds a range; too many become one for each shard, from the first of its numbers to the last. */
export function withRange(ranges: readonly RefusedRange[], range: RefusedRange): RefusedRange[] {
  const all = [...ranges, range];
  if (all.length <= mostRanges) return all;
  const whole = new Map<number, RefusedRange>();
  for (const each of all) {
    const known = whole.get(each.shard);
    whole.set(each.shard, {
      shard: each.shard,
      afterSeqNo: Math.min(each.afterSeqNo, known?.afterSeqNo ?? Infinity),
      toSeqNo: Math.max(each.toSeqNo, known?.toSeqNo ?? -1),
      causes: mergeCauses([...(known?.causes ?? []), ...each.causes]),
    });
  }
  return [...whole.values()];
}

/** What the target lacks of these indices because it refused it. */
export function refusedNow(positions: readonly CatchUpPositions[]): RefusalCause[] {
  return mergeCauses(positions.flatMap((position) => [...ofRanges(position), ...(position.field?.refused ?? [])]));
}

function ofRanges({ refused = [] }: CatchUpPositions): RefusalCause[] {
  return refused.flatMap(({ causes }) => causes);
}

/** Counts of documents then say nothing of deletes. */
export function lacksDocuments({ isPartial, refused = [], field }: CatchUpPositions): boolean {
  return isPartial === true || refused.length > 0 || (field?.refused ?? []).length > 0;
}

/**
 * How many refused documents a round may add. By sequence number those of all rounds count, as each is refused once. By a
 * field the same document is read again in each round, and once more where both sides are compared.
 */
export function refusalBounds({
  positions,
  limits: { mostRefused },
  retryRefused,
}: Pick<CatchUpRoundInput, 'positions' | 'limits' | 'retryRefused'>): Record<RefusedIn, RefusalBound> {
  // those that are driven again are counted as they come
  const known = retryRefused === true ? [] : positions.flatMap(ofRanges);
  const before = known.reduce((sum, { count }) => sum + count, 0);
  return {
    sequence: refusalBound(mostRefused, before),
    field: refusalBound(mostRefused, 0),
    comparison: refusalBound(mostRefused, 0),
  };
}

export type RefusedIn = 'sequence' | 'field' | 'comparison';
