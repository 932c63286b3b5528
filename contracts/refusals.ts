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

function kindOf(reason: string): string {
  return reason.replace(/'[^']*'|"[^"]*"|\[[^\]]*\]/g, '…').replace(/\d+/g, '0');
}
