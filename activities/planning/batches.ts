import type { BatchPlan, IndexFacts } from '../../contracts/plan';

export interface BatchLimits {
  maxSizeBytes: number;
  maxIndices: number;
}

/**
 * Packs indices into batches, first-fit decreasing: the largest first, each into the first batch that has room. An index
 * larger than the limit goes alone. The smallest batch becomes number 1: a pilot, so that whatever is wrong with the way
 * shows after minutes and not after the largest index; then by size, as the long ones must not be left for the end.
 * The same indices and limits always make the same batches, in whatever order they come.
 */
export function planBatches(indices: readonly IndexFacts[], limits: BatchLimits): BatchPlan[] {
  const packed: { indices: IndexFacts[]; sizeBytes: number; isFull: boolean }[] = [];
  // batches before it are full: spares looking through thousands of them for each index
  let firstOpen = 0;
  for (const index of [...indices].sort(bySizeThenName)) {
    while (packed[firstOpen]?.isFull) firstOpen += 1;
    let batch = packed
      .slice(firstOpen)
      .find(({ isFull, sizeBytes }) => !isFull && sizeBytes + index.sizeBytes <= limits.maxSizeBytes);
    if (!batch) packed.push((batch = { indices: [], sizeBytes: 0, isFull: false }));
    batch.indices.push(index);
    batch.sizeBytes += index.sizeBytes;
    // an oversize index stays alone: not even an empty index may join it
    batch.isFull = batch.indices.length >= limits.maxIndices || batch.sizeBytes > limits.maxSizeBytes;
  }
  const [pilot, ...rest] = packed.sort((a, b) => a.sizeBytes - b.sizeBytes || byFirstName(a, b));
  if (!pilot) return [];
  const ordered = [pilot, ...rest.sort((a, b) => b.sizeBytes - a.sizeBytes || byFirstName(a, b))];
  return ordered.map((batch, position) => ({
    number: position + 1,
    indices: batch.indices,
    sizeBytes: batch.sizeBytes,
    documents: batch.indices.reduce((sum, { documents }) => sum + documents, 0),
  }));
}

function bySizeThenName(a: IndexFacts, b: IndexFacts): number {
  return b.sizeBytes - a.sizeBytes || (a.name < b.name ? -1 : 1);
}

function byFirstName(a: { indices: IndexFacts[] }, b: { indices: IndexFacts[] }): number {
  return (a.indices[0]?.name ?? '') < (b.indices[0]?.name ?? '') ? -1 : 1;
}
