import { atOnce } from '../../activities/copy/requests';
import { cutRange } from '../../activities/catch-up/restored-ranges';
import { positionsOfParts } from '../../contracts/catch-up';
import type { CopyPart } from '../../contracts/document-activities';
import { indexOf } from '../support/fixtures';

const part = (index: string, shard: number, toSeqNo: number): CopyPart => ({
  index,
  uuid: `uuid-${index}`,
  shard,
  afterSeqNo: -1,
  toSeqNo,
  documents: 1,
});

test('catch-up begins where the last part of each shard ended; an empty shard has no part', () => {
  const indices = [indexOf('a', { primaryShards: 3 }), indexOf('empty', { primaryShards: 1 })];
  expect(
    positionsOfParts([part('a', 0, 10), part('a', 2, 5), part('a', 0, 20), part('other', 0, 99)], indices),
  ).toEqual([
    { index: 'a', uuid: 'uuid-a', seqNos: [20, -1, 5] },
    { index: 'empty', uuid: 'uuid-empty', seqNos: [-1] },
  ]);
});

test('no more calls at once than wanted, and a failure ends the rest', async () => {
  let [running, most] = [0, 0];
  const seen: number[] = [];
  await atOnce(3, [1, 2, 3, 4, 5, 6, 7], async (item) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    seen.push(item);
  });
  expect(most).toBe(3);
  expect(seen.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const begun: number[] = [];
  const failing = atOnce(2, [1, 2, 3, 4, 5, 6], async (item) => {
    begun.push(item);
    await new Promise((resolve) => setTimeout(resolve, item));
    if (item === 1) throw new Error('the first');
  });
  await expect(failing).rejects.toThrow('the first');
  expect(begun.length).toBeLessThan(6);
});

test('a range is cut into pieces without gaps, and into one when it is narrow', () => {
  expect(cutRange({ after: -1, through: 99 })).toEqual([{ after: -1, through: 99 }]);
  const cut = cutRange({ after: 999, through: 10_000_000 });
  expect(cut).toHaveLength(32);
  expect(cut[0]?.after).toBe(999);
  expect(cut.at(-1)?.through).toBe(10_000_000);
  expect(cut.slice(1).every(({ after }, index) => after === cut[index]?.through)).toBe(true);
});
