import { reusedBuffers } from '../../activities/elasticsearch/reused-buffers';

const [kb, mb] = [1 << 10, 1 << 20];

test('what was given back is taken again, for anything that it fits without much waste', () => {
  const buffers = reusedBuffers(4 * mb);
  const first = buffers.take(1_000 * kb);
  expect(first).toHaveLength(1_000 * kb);
  buffers.giveBack(first.subarray(10, 20));
  const again = buffers.take(1_010 * kb);
  expect(again.buffer).toBe(first.buffer);
  expect(again).toHaveLength(1_010 * kb);
  expect(buffers.take(1_010 * kb).buffer).not.toBe(first.buffer);
});

test('nobody has the same memory twice, though it was given back twice', () => {
  const buffers = reusedBuffers(4 * mb);
  const taken = buffers.take(mb);
  buffers.giveBack(taken);
  buffers.giveBack(taken);
  expect(buffers.take(mb).buffer).toBe(taken.buffer);
  expect(buffers.take(mb).buffer).not.toBe(taken.buffer);
});

test('memory of others is left alone', () => {
  const buffers = reusedBuffers(4 * mb);
  const own = Buffer.alloc(mb);
  buffers.giveBack(own);
  expect(buffers.take(mb).buffer).not.toBe(own.buffer);
});

test('sizes that are not asked for any more make room for those that are', () => {
  const buffers = reusedBuffers(4 * mb);
  const old = Array.from({ length: 4 }, () => buffers.take(mb));
  for (const each of old) buffers.giveBack(each);
  const [one, two] = [buffers.take(2 * mb), buffers.take(2 * mb)];
  for (const each of [one, two]) buffers.giveBack(each);
  expect([buffers.take(2 * mb).buffer, buffers.take(2 * mb).buffer]).toEqual(
    expect.arrayContaining([one.buffer, two.buffer]),
  );
  expect(old.map(({ buffer }) => buffer)).not.toContain(buffers.take(mb).buffer);
});

test('no more is kept than is allowed, and nothing for long', () => {
  jest.useFakeTimers();
  const buffers = reusedBuffers(2 * mb, 5_000);
  const [one, two, three] = [buffers.take(mb), buffers.take(mb), buffers.take(mb)];
  for (const each of [one, two, three]) buffers.giveBack(each);
  const kept = [buffers.take(mb).buffer, buffers.take(mb).buffer, buffers.take(mb).buffer];
  const known = [one.buffer, two.buffer, three.buffer];
  expect(kept.filter((each) => known.includes(each))).toHaveLength(2);
  const last = buffers.take(mb);
  buffers.giveBack(last);
  jest.advanceTimersByTime(11_000);
  expect(buffers.take(mb).buffer).not.toBe(last.buffer);
  jest.useRealTimers();
});
