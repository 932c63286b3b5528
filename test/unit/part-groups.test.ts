import type { CopyPart } from '../../contracts/document-activities';
import { groupsOf } from '../../workflows/part-groups';
import { indexOf } from '../support/fixtures';

const works = (documents: number[]): { part: CopyPart }[] =>
  documents.map((count, at) => ({
    part: { index: `i-${at}`, uuid: `u-${at}`, shard: 0, afterSeqNo: -1, toSeqNo: count - 1, documents: count },
  }));
/** Of so many bytes a document. */
const factsOf = (all: { part: CopyPart }[], bytes = 1000) =>
  all.map(({ part }) => indexOf(part.index, { documents: part.documents, sizeBytes: part.documents * bytes }));
const sizes = (documents: number[], bytes = 1000, least = 1) => {
  const all = works(documents);
  const groups = groupsOf(all, factsOf(all, bytes), least);
  expect(groups.flat()).toHaveLength(all.length);
  return groups.map((group) => group.length);
};
const many = (count: number, documents: number) => Array.from({ length: count }, () => documents);

test('small parts go together, a hundred at most; large ones stay alone', () => {
  expect(sizes(many(250, 10))).toEqual([100, 100, 50]);
  expect(sizes([5001, ...many(3, 10), 200_000, ...many(3, 10)])).toEqual([1, 6, 1]);
});

test('documents bound a group, and so do bytes', () => {
  expect(sizes(many(10, 4000))).toEqual([2, 2, 2, 2, 2]);
  // 10 MB each
  expect(sizes(many(7, 100), 100 << 10)).toEqual([3, 3, 1]);
  // few documents, each of them large
  expect(sizes([20, 20], 1 << 20)).toEqual([1, 1]);
});

test('few parts stay apart: there is work for every worker', () => {
  expect(sizes(many(16, 1), 1000, 16)).toEqual(many(16, 1));
  expect(sizes(many(40, 1), 1000, 16)).toEqual([...many(13, 3), 1]);
});

test('a part has its share of its index, and all of one that was empty when it was planned', () => {
  const [work] = works([100]) as [{ part: CopyPart }];
  const beside = works([1, 1]);
  const groups = (facts: object) =>
    groupsOf([work, ...beside.slice(1)], [indexOf('i-0', facts), indexOf('i-1')], 1).length;
  expect(groups({ documents: 1_000_000, sizeBytes: 1 << 30 })).toBe(1);
  expect(groups({ documents: 0, sizeBytes: 1 << 30 })).toBe(2);
});

test('nothing to do', () => {
  expect(groupsOf([], [], 16)).toEqual([]);
});
