import type { CopyPart } from '../contracts/document-activities';
import type { IndexFacts } from '../contracts/plan';

/**
 * An activity is three events of the history, and a few hundredths of a second of the server and a worker, whatever it has to do.
 * A group is small enough to be copied within seconds, as a part of the batch's last minute, and to fit into a heartbeat.
 */
const mostParts = 100;
const mostDocuments = 10_000;
const mostBytes = 32 << 20;

/**
 * Puts small parts together in their order, which is that of the plan, so that one activity takes several; a part above half
 * of a group stays alone. The same parts always make the same groups. There are at least so many groups, if there are parts.
 */
export function groupsOf<Each extends { part: CopyPart }>(
  works: readonly Each[],
  indices: readonly IndexFacts[],
  leastGroups: number,
): Each[][] {
  const facts = new Map(indices.map((index) => [index.name, index]));
  const sizes = works.map(({ part }) => ({ documents: part.documents, bytes: bytesOf(part, facts.get(part.index)) }));
  const isSmall = sizes.map(({ documents, bytes }) => documents <= mostDocuments / 2 && bytes <= mostBytes / 2);
  const most = Math.min(mostParts, Math.ceil(isSmall.filter(Boolean).length / leastGroups));
  const groups: Each[][] = [];
  let open: { group: Each[]; documents: number; bytes: number } | undefined;
  for (const [at, work] of works.entries()) {
    const { documents, bytes } = sizes[at]!;
    if (!isSmall[at]) {
      groups.push([work]);
      continue;
    }
    const isFull =
      open &&
      (open.group.length >= most || open.documents + documents > mostDocuments || open.bytes + bytes > mostBytes);
    if (!open || isFull) groups.push((open = { group: [], documents: 0, bytes: 0 }).group);
    open.group.push(work);
    open.documents += documents;
    open.bytes += bytes;
  }
  return groups;
}

/** Its share of the index. Where the plan saw no documents yet, all of it. */
function bytesOf({ documents }: CopyPart, index: IndexFacts | undefined): number {
  if (!index) return 0;
  return index.sizeBytes * Math.min(1, documents / Math.max(1, index.documents));
}
