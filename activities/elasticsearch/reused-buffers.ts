/**
 * Memory of pages, bulk bodies and their answers, used again and again. Were each of them allocated, the runtime would
 * collect garbage of the whole worker every 30 MB of documents, which took more processor time than copying them
 * (docs/copy-performance.md).
 *
 * Who is sure that nobody looks at a buffer any more gives it back; who is not leaves it to the garbage collector.
 */
export interface ReusedBuffers {
  /** Of exactly so many bytes, with whatever stood there before. */
  take(bytes: number): Buffer;
  /** A buffer that is none of its own, or was given back already, is left alone. */
  giveBack(buffer: Buffer): void;
}

/** Larger ones are rare, and not worth their place. */
const largestBytes = 16 << 20;
const smallestBytes = 64 << 10;

/**
 * @param mostIdleBytes what is kept for later, at most.
 * @param idleMs after which nothing is kept: a worker at rest holds no memory.
 */
export function reusedBuffers(mostIdleBytes: number, idleMs = 5_000): ReusedBuffers {
  /** By size, those sizes last that were used last. */
  const idle = new Map<number, ArrayBuffer[]>();
  const lent = new WeakSet<ArrayBuffer>();
  let idleBytes = 0;
  let lastUsedMs = 0;
  let timer: NodeJS.Timeout | undefined;

  function rest(): void {
    if (performance.now() - lastUsedMs < idleMs) return;
    idle.clear();
    idleBytes = 0;
    clearInterval(timer);
    timer = undefined;
  }

  /** Pages and bulks may have another size from now on: what is not asked for any more makes room. */
  function makeRoom(bytes: number): void {
    for (const [size, same] of idle) {
      while (idleBytes + bytes > mostIdleBytes && same.pop() !== undefined) idleBytes -= size;
      if (idleBytes + bytes <= mostIdleBytes) return;
      idle.delete(size);
    }
  }

  function ofSize(size: number): ArrayBuffer[] {
    const same = idle.get(size) ?? [];
    idle.delete(size);
    idle.set(size, same);
    return same;
  }

  return {
    take(bytes) {
      if (bytes > largestBytes) return Buffer.allocUnsafeSlow(bytes);
      const size = sizeFor(bytes);
      const found = ofSize(size).pop();
      if (found !== undefined) idleBytes -= size;
      const memory = found ?? Buffer.allocUnsafeSlow(size).buffer;
      lent.add(memory);
      return Buffer.from(memory, 0, bytes);
    },
    giveBack({ buffer }) {
      if (!(buffer instanceof ArrayBuffer) || !lent.delete(buffer) || buffer.byteLength > mostIdleBytes) return;
      const size = buffer.byteLength;
      const same = ofSize(size);
      makeRoom(size);
      same.push(buffer);
      // its own list may have made room, too
      idle.set(size, same);
      idleBytes += size;
      lastUsedMs = performance.now();
      timer ??= setInterval(rest, idleMs).unref();
    },
  };
}

/** Four steps from one power of two to the next: a page that is a little larger than the one before finds its place all the same. */
function sizeFor(bytes: number): number {
  if (bytes <= smallestBytes) return smallestBytes;
  const step = 2 ** Math.floor(Math.log2(bytes - 1)) / 4;
  return Math.ceil(bytes / step) * step;
}

/** Of a worker process: about what a few parts have under way at once. */
export const buffers = reusedBuffers(64 << 20);
