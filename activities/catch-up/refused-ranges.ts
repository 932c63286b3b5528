import type { CatchUpPositions, RefusedRange } from '../../contracts/catch-up';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';

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
  return mergeCauses(positions.flatMap(({ refused = [] }) => refused.flatMap(({ causes }) => causes)));
}

/** Counts of documents then say nothing of deletes. */
export function lacksDocuments({ isPartial, refused = [] }: CatchUpPositions): boolean {
  return isPartial === true || refused.length > 0;
}
