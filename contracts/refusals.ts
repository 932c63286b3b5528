import type { SequenceRange } from './document-activities';
import type { RefusalCause } from './status';

/** Causes kept of a batch: what an operator can look at; the files of failed documents have them all. */
const mostCauses = 20;

/** Groups by index, type and reason; numbers and quoted words in a reason differ from document to document. */
export function mergeCauses(causes: readonly RefusalCause[]): RefusalCause[] {
  const merged = new Map<string, RefusalCause>();
  for (const cause of causes) {
    const key = JSON.stringify([cause.index, cause.type, kindOf(cause.reason)]);
    const known = merged.get(key);
    if (known) known.count += cause.count;
    else merged.set(key, { ...cause });
  }
  const sorted = [...merged.values()].sort((a, b) => b.count - a.count);
  const [kept, rest] = [sorted.slice(0, mostCauses), sorted.slice(mostCauses)];
  // What has no room is still counted: verification goes by these counts.
  for (const cause of rest) {
    const other = kept.find(({ index }) => index === cause.index);
    if (other) other.count += cause.count;
    else kept.push(cause);
  }
  return kept;
}

/** Of a part. They are in its heartbeats and its answer, and each is a part of its own when its documents are moved again. */
const mostRanges = 16;

/** Adds a range in which documents were refused; it begins above those that are known, or within the last of them. */
export function withRefused(ranges: readonly SequenceRange[], range: SequenceRange): SequenceRange[] {
  const last = ranges.at(-1);
  // two that overlap would have what is refused in both counted twice
  if (last && range.afterSeqNo <= last.toSeqNo) {
    const afterSeqNo = Math.min(last.afterSeqNo, range.afterSeqNo);
    return [...ranges.slice(0, -1), { afterSeqNo, toSeqNo: Math.max(last.toSeqNo, range.toSeqNo) }];
  }
  return closestJoined([...ranges, range], mostRanges, spanOf);
}

/**
 * Joins those that lie closest together until there are no more than so many: what lies between them is read once more, and
 * found to be there. More of them stay only where none can be joined. They must be in their order, without an overlap.
 * @param join of two neighbours; nothing where they are of different shards.
 */
export function closestJoined<Each extends SequenceRange>(
  ranges: readonly Each[],
  most: number,
  join: (lower: Each, upper: Each) => Each | undefined,
): Each[] {
  const left = [...ranges];
  while (left.length > most) {
    let best: { at: number; gap: number; joined: Each } | undefined;
    for (let at = 1; at < left.length; at++) {
      const [lower, upper] = [left[at - 1] as Each, left[at] as Each];
      const gap = upper.afterSeqNo - lower.toSeqNo;
      const joined = best && best.gap <= gap ? undefined : join(lower, upper);
      if (joined) best = { at, gap, joined };
    }
    if (!best) break;
    left.splice(best.at - 1, 2, best.joined);
  }
  return left;
}

function spanOf({ afterSeqNo }: SequenceRange, { toSeqNo }: SequenceRange): SequenceRange {
  return { afterSeqNo, toSeqNo };
}

function kindOf(reason: string): string {
  return reason.replace(/'[^']*'|"[^"]*"|\[[^\]]*\]/g, '…').replace(/\d+/g, '0');
}
