import type { PartReader, ReadPage } from './part-reader';

/**
 * Bytes of documents that all parts of a worker hold at once, read and not yet written: parts know nothing of each other,
 * and a dozen of them with pages of documents of 20 MB each would outgrow any worker. Who has a page needs no more to get rid
 * of it, so nobody waits for somebody who waits; and one page is always let through, however large it is.
 */
export interface PageMemory {
  /** Waits, first come first served, until there is room. */
  take(bytes: number, signal?: AbortSignal): Promise<Held>;
}

export interface Held {
  /** It turned out to be so much. */
  becomes(bytes: number): void;
  release(): void;
}

export function pageMemory(mostBytes: number): PageMemory {
  let held = 0;
  const waiting: { bytes: number; begin: () => void }[] = [];

  function admit(): void {
    for (let next = waiting[0]; next && (held === 0 || held + next.bytes <= mostBytes); next = waiting[0]) {
      waiting.shift();
      held += next.bytes;
      next.begin();
    }
  }

  function holding(first: number): Held {
    let own = first;
    const becomes = (bytes: number): void => {
      held += bytes - own;
      own = bytes;
      admit();
    };
    return { becomes, release: () => becomes(0) };
  }

  return {
    take(wanted, signal) {
      const bytes = Math.min(wanted, mostBytes);
      return new Promise((resolve, reject) => {
        const aborted = (): void => {
          const at = waiting.indexOf(entry);
          if (at < 0) return;
          waiting.splice(at, 1);
          reject(signal?.reason as Error);
          // whoever stood behind may be small enough
          admit();
        };
        const entry = {
          bytes,
          begin: () => {
            signal?.removeEventListener('abort', aborted);
            resolve(holding(bytes));
          },
        };
        if (signal?.aborted === true) return reject(signal.reason as Error);
        signal?.addEventListener('abort', aborted, { once: true });
        waiting.push(entry);
        admit();
      });
    },
  };
}

/** Of a worker process: with what Node, the workflows and Temporal's own core need it stays below 512 MB. */
export const workerMemory = pageMemory(128 << 20);

/** A page with its share of the memory, which goes back when the last of its bodies is settled and no more are made. */
export interface HeldPage extends ReadPage {
  /** Answers what to call when the body is settled. */
  holdForBody(): () => void;
  /** No more bodies are made of it. */
  done(): void;
}

/** Documents below this are copied into bodies (bulk-body.ts), so that they are in memory twice. */
const copiedBytes = 64 << 10;

/** Reads within the memory: room for the largest answer is taken before it is asked for, and what it did not need goes back. */
export async function nextWithin(
  memory: PageMemory,
  reader: PartReader,
  mostBytes: number,
  signal: AbortSignal,
): Promise<HeldPage | undefined> {
  const held = await memory.take(mostBytes, signal);
  try {
    const read = await reader.next();
    if (read === undefined) {
      held.release();
      return undefined;
    }
    const { text, count } = read.page;
    held.becomes(text.length * (text.length / count < copiedBytes ? 2 : 1));
    const holders = new Set<object>();
    const hold = (): (() => void) => {
      const holder = {};
      holders.add(holder);
      return () => {
        if (holders.delete(holder) && holders.size === 0) held.release();
      };
    };
    return { ...read, holdForBody: hold, done: hold() };
  } catch (error) {
    held.release();
    throw error;
  }
}
