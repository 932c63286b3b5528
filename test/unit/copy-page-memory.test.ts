import type { PartReader } from '../../activities/copy/part-reader';
import type { Page } from '../../activities/copy/cut-hits';
import { nextWithin, pageMemory } from '../../activities/copy/page-memory';

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let isSettled = false;
  promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return isSettled;
};

function readerOf(...bytes: number[]): PartReader {
  return {
    next: () => {
      const length = bytes.shift();
      const page = { text: Buffer.alloc(length ?? 0), count: 1 } as Page;
      return Promise.resolve(length === undefined ? undefined : { page, throughSeqNo: 1 });
    },
    close: () => Promise.resolve(),
  };
}

test('who wants more than is left waits, first come first served', async () => {
  const memory = pageMemory(100);
  const first = await memory.take(60);
  const second = memory.take(60);
  const small = memory.take(10);
  expect([await settled(second), await settled(small)]).toEqual([false, false]);
  first.becomes(30);
  expect([await settled(second), await settled(small)]).toEqual([true, true]);
});

test('one that is larger than all of it is let through alone, and so is what became larger', async () => {
  const memory = pageMemory(100);
  const large = await memory.take(500);
  large.becomes(900);
  const next = memory.take(1);
  expect(await settled(next)).toBe(false);
  large.release();
  large.release();
  (await next).release();
  expect(await settled(memory.take(100))).toBe(true);
});

test('one that is told to stop waits no longer, and those behind it go on', async () => {
  const memory = pageMemory(100);
  await memory.take(80);
  const stop = new AbortController();
  const stopped = memory.take(50, stop.signal);
  const behind = memory.take(20);
  expect(await settled(behind)).toBe(false);
  stop.abort();
  await expect(stopped).rejects.toThrow('aborted');
  expect(await settled(behind)).toBe(true);
  await expect(memory.take(1, stop.signal)).rejects.toThrow('aborted');
});

test('a page holds its memory until no body of it is under way and none comes any more', async () => {
  const memory = pageMemory(1 << 20);
  const signal = new AbortController().signal;
  // of a size that is not copied into bodies: in memory once
  const page = await nextWithin(memory, readerOf(1 << 20), { mostBytes: 10, signal: signal });
  const letGo = page?.holdForBody(false);
  const next = memory.take(1);
  page?.done();
  page?.done();
  expect(await settled(next)).toBe(false);
  letGo?.(true);
  expect(await settled(next)).toBe(true);
});

test('the end, and a failure, give back what was taken', async () => {
  const memory = pageMemory(100);
  const signal = new AbortController().signal;
  expect(await nextWithin(memory, readerOf(), { mostBytes: 100, signal: signal })).toBeUndefined();
  const broken = { ...readerOf(), next: () => Promise.reject(new Error('broken')) };
  await expect(nextWithin(memory, broken, { mostBytes: 100, signal: signal })).rejects.toThrow('broken');
  expect(await settled(memory.take(100))).toBe(true);
});

test('who stands still with all that there is does not stop another, who gets one page at a time', async () => {
  const memory = pageMemory(100);
  const [still, other] = [{}, {}];
  await memory.take(60, undefined, still);
  await memory.take(40, undefined, still);
  const more = memory.take(10, undefined, still);
  const first = await memory.take(50, undefined, other);
  const second = memory.take(50, undefined, other);
  expect([await settled(more), await settled(second)]).toEqual([false, false]);
  first.release();
  expect([await settled(more), await settled(second)]).toEqual([false, true]);
});

test('nobody holds memory while nothing may be read', async () => {
  const memory = pageMemory(100);
  let isStopped = false;
  let open: () => void = () => undefined;
  const turn = {
    open: () => (isStopped ? new Promise<void>((resolve) => (open = resolve)) : Promise.resolve()),
    isStopped: () => isStopped,
  };
  const held = await memory.take(100);
  const { signal } = new AbortController();
  const reading = nextWithin(memory, readerOf(10), { mostBytes: 90, signal, turn });
  await settled(reading);
  // it got its room in the moment in which everything was stopped
  isStopped = true;
  held.release();
  expect(await settled(reading)).toBe(false);
  expect(await settled(memory.take(100))).toBe(true);
  isStopped = false;
  open();
});
