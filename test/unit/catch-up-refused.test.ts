import { lacksDocuments, refusalBounds, refusedNow } from '../../activities/catch-up/refused-ranges';
import type { CatchUpPositions } from '../../contracts/catch-up';
import type { RefusalCause } from '../../contracts/status';

const cause = (index: string, count: number): RefusalCause => ({
  index,
  type: 'strict_dynamic_mapping_exception',
  reason: 'mapping set to strict',
  count,
  example: '1',
  remedy: 'mend it',
});
const bySequence: CatchUpPositions = {
  index: 'a',
  uuid: 'u',
  seqNos: [9],
  refused: [{ shard: 0, afterSeqNo: -1, toSeqNo: 9, causes: [cause('a', 3)] }],
};
const byField: CatchUpPositions = {
  index: 'b',
  uuid: 'u',
  seqNos: [],
  field: { name: 'at', type: 'date', refused: [cause('b', 2)] },
};
const limits = { bulkBytes: 1, bulksInFlight: 1, mostRefused: 4 };
const document = { action: Buffer.of(), source: Buffer.of(), status: 400, type: 'x', reason: 'y' };

test('what is refused is told of both kinds, and counts say nothing then', () => {
  expect(refusedNow([bySequence, byField]).map(({ index, count }) => [index, count])).toEqual([
    ['a', 3],
    ['b', 2],
  ]);
  expect([bySequence, byField].map(lacksDocuments)).toEqual([true, true]);
  expect(lacksDocuments({ ...byField, field: { name: 'at', type: 'date' } })).toBe(false);
});

test('by sequence number those of earlier rounds count, but for those that are driven again; by a field those of a round', () => {
  const allowed = (positions: CatchUpPositions[], kind: 'sequence' | 'field' | 'comparison', retryRefused = false) => {
    const bound = refusalBounds({ positions, limits, retryRefused })[kind];
    for (let count = 0; ; count++) {
      try {
        bound(document, 'a');
      } catch (error) {
        expect(error).toMatchObject({ type: 'DocumentsRefused' });
        return count;
      }
    }
  };
  expect(allowed([bySequence], 'sequence')).toBe(1);
  expect(allowed([bySequence], 'sequence', true)).toBe(4);
  expect(allowed([byField], 'field')).toBe(4);
  expect(allowed([byField], 'comparison')).toBe(4);
});
