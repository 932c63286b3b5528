import fc from 'fast-check';
import { planBatches } from '../../activities/planning/batches';
import type { IndexFacts } from '../../contracts/plan';
import { indexOf } from '../support/fixtures';

const sized = (name: string, sizeBytes: number) => indexOf(name, { sizeBytes });
const names = (indices: IndexFacts[]) => indices.map(({ name }) => name);

describe('planBatches', () => {
  it('packs the largest first, each into the first batch with room', () => {
    const batches = planBatches([sized('a', 60), sized('b', 50), sized('c', 40), sized('d', 30), sized('e', 10)], {
      maxSizeBytes: 100,
      maxIndices: 10,
    });
    expect(batches.map(({ indices }) => names(indices))).toEqual([
      ['b', 'd', 'e'],
      ['a', 'c'],
    ]);
    expect(batches.map(({ sizeBytes }) => sizeBytes)).toEqual([90, 100]);
  });

  it('begins with the smallest batch as a pilot, then the largest', () => {
    const batches = planBatches([sized('a', 100), sized('b', 90), sized('c', 80), sized('d', 70)], {
      maxSizeBytes: 100,
      maxIndices: 10,
    });
    expect(batches.map(({ number, sizeBytes }) => [number, sizeBytes])).toEqual([
      [1, 70],
      [2, 100],
      [3, 90],
      [4, 80],
    ]);
  });

  it('lets an index that is larger than the limit go alone, without even an empty one', () => {
    const batches = planBatches([sized('huge', 500), sized('empty', 0), sized('small', 1)], {
      maxSizeBytes: 100,
      maxIndices: 10,
    });
    expect(batches.map(({ indices }) => names(indices))).toEqual([['small', 'empty'], ['huge']]);
  });

  it('makes no batch of nothing', () => {
    expect(planBatches([], { maxSizeBytes: 1, maxIndices: 1 })).toEqual([]);
  });

  const input = fc
    .uniqueArray(
      fc.record({ name: fc.string({ minLength: 1, maxLength: 8 }), size: fc.integer({ min: 0, max: 300 }) }),
      {
        selector: ({ name }) => name,
        maxLength: 60,
      },
    )
    .map((all) => all.map(({ name, size }) => indexOf(name, { sizeBytes: size, documents: size })));
  const limits = fc.record({
    maxSizeBytes: fc.integer({ min: 1, max: 400 }),
    maxIndices: fc.integer({ min: 1, max: 20 }),
  });

  it('puts every index into exactly one batch, within the limits, whatever the input', () => {
    fc.assert(
      fc.property(input, limits, (indices, limit) => {
        const batches = planBatches(indices, limit);
        expect(names(batches.flatMap((batch) => batch.indices)).sort()).toEqual(names(indices).sort());
        expect(batches.map(({ number }) => number)).toEqual(batches.map((_, position) => position + 1));
        for (const batch of batches) {
          expect(batch.indices.length).toBeGreaterThan(0);
          expect(batch.indices.length).toBeLessThanOrEqual(limit.maxIndices);
          expect(batch.sizeBytes).toBe(batch.indices.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
          expect(batch.documents).toBe(batch.indices.reduce((sum, { documents }) => sum + documents, 0));
          if (batch.sizeBytes > limit.maxSizeBytes) expect(batch.indices).toHaveLength(1);
        }
        const sizes = batches.map(({ sizeBytes }) => sizeBytes);
        expect(sizes[0] ?? 0).toBe(Math.min(...sizes, sizes[0] ?? 0));
        expect(sizes.slice(1)).toEqual([...sizes.slice(1)].sort((a, b) => b - a));
      }),
    );
  });

  it('is the same whatever the order of the indices', () => {
    const shuffled = input.chain((indices) =>
      fc
        .shuffledSubarray(indices, { minLength: indices.length, maxLength: indices.length })
        .map((other) => ({ indices, other })),
    );
    fc.assert(
      fc.property(shuffled, limits, ({ indices, other }, limit) => {
        expect(planBatches(other, limit)).toEqual(planBatches(indices, limit));
      }),
    );
  });
});
