import { buffers } from '../elasticsearch/reused-buffers';
import type { PartReader, ReadPage } from './part-reader';

/**
 * Bytes of documents that all parts of a worker hold at once, read and not yet written: parts know nothing of each other,
 * and a dozen of them with pages of documents of 20 MB each would outgrow any worker. Who has a page needs no more to get rid
 * of it, so nobody waits for somebody who waits; and one page is always let through, however large it is.
 */
export interface PageMemory {
  /**
   * Waits, first come first served, until there is room. One page of each holder is let through all the same: what belongs
   * to a cluster that stands still, for hours perhaps, must not stop the others.
   */
  take(bytes: number, signal?: AbortSignal, holder?: object): Promise<Held>;
}

export interface Held {
  /** It turned out to be so much. */
  becomes(bytes: number): void;
  release(): void;
}

const anybody = {};

export function pageMemory(mostBytes: number): PageMemory {
  let held = 0;
  const heldBy = new Map<object, number>();
  const waiting: { bytes: number; holder: object; begin: () => void }[] = [];

  function admit(): void {
    for (let at = 0; at < waiting.length;) {
      const next = waiting[at]!;
      const hasNone = !heldBy.has(next.holder);
      if (hasNone || (at === 0 && held + next.bytes <= mostBytes)) {
        waiting.splice(at, 1);
        add(next.holder, next.bytes);
        next.begin();
      } else at++;
    }
  }

  function add(holder: object, bytes: number): void {
    held += bytes;
    const left = (heldBy.get(holder) ?? 0) + bytes;
    if (left > 0) heldBy.set(holder, left);
    else heldBy.delete(holder);
  }

  function holding(holder: object, first: number): Held {
    let own = first;
    const becomes = (bytes: number): void => {
      add(holder, bytes - own);
      own = bytes;
      admit();
    };
    return { becomes, release: () => becomes(0) };
  }

  return {
    take(wanted, signal, holder = anybody) {
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
          holder,
          begin: () => {
            signal?.removeEventListener('abort', aborted);
            resolve(holding(holder, bytes));
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
  /**
   * @param borrows whether the body has views of the page.
   * Answers what to call when the body is settled; with whether the page's bytes are looked at no more.
   */
  holdForBody(borrows: boolean): (isRead: boolean) => void;
  /** No more bodies are made of it. */
  done(): void;
}

/** Documents below this are copied into bodies (bulk-body.ts), so that they are in memory twice. */
const copiedBytes = 64 << 10;

/** No more is taken beforehand, however large an answer may be: a few readers would take it all. */
const mostTaken = 32 << 20;

export interface Reader {
  mostBytes: number;
  signal: AbortSignal;
  holder?: object;
  /** Comes back once something may be read, and tells whether that is still so: who waits for it takes no memory. */
  turn?: { open(signal: AbortSignal): Promise<void>; isStopped(): boolean };
}

async function takeFor({ mostBytes, signal, holder, turn }: Reader, memory: PageMemory): Promise<Held> {
  for (;;) {
    await turn?.open(signal);
    const held = await memory.take(Math.min(mostTaken, mostBytes), signal, holder);
    if (turn?.isStopped() !== true) return held;
    held.release();
  }
}

/** Reads within the memory: room for the largest answer is taken before it is asked for, and what it did not need goes back. */
export async function nextWithin(memory: PageMemory, reader: PartReader, who: Reader): Promise<HeldPage | undefined> {
  const held = await takeFor(who, memory);
  try {
    const read = await reader.next();
    if (read === undefined) {
      held.release();
      return undefined;
    }
    const { text, count } = read.page;
    held.becomes(text.length * (text.length / count < copiedBytes ? 2 : 1));
    return { ...read, ...sharedPage(text, () => held.release()) };
  } catch (error) {
    held.release();
    throw error;
  }
}

/** The page itself is of use again as soon as nobody looks at it: before its bodies, which most often are copies, are written. */
function sharedPage(text: Buffer, release: () => void): Pick<HeldPage, 'holdForBody' | 'done'> {
  let holders = 0;
  let readers = 0;
  let isReadByAll = true;
  function hold(reads: boolean): (isRead: boolean) => void {
    let isHeld = true;
    holders++;
    if (reads) readers++;
    return (isRead) => {
      if (!isHeld) return;
      isHeld = false;
      if (reads) {
        isReadByAll &&= isRead;
        readers--;
        if (readers === 0 && isReadByAll) buffers.giveBack(text);
      }
      holders--;
      if (holders === 0) release();
    };
  }
  const making = hold(true);
  return { holdForBody: hold, done: () => making(true) };
}
