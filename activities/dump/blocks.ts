import type { Readable } from 'node:stream';

/** Whole lines of a text, about so many bytes at a time. */
export interface Block {
  text: Buffer;
  /** Bytes of the text before it, and through its end: where a load goes on. */
  from: number;
  through: number;
}

/** What lies before `skip`, which is the end of a block, is read and let go. */
export async function* blocksOf(input: Readable, targetBytes: number, skip = 0): AsyncGenerator<Block> {
  let chunks: Buffer[] = [];
  let held = 0;
  let hasFeed = false;
  let at = 0;
  for await (const piece of input) {
    let chunk = piece as Buffer;
    if (at + held < skip) {
      const passed = Math.min(chunk.length, skip - at);
      at += passed;
      chunk = chunk.subarray(passed);
    }
    if (chunk.length === 0) continue;
    chunks.push(chunk);
    held += chunk.length;
    hasFeed ||= chunk.includes(0x0a);
    if (held < targetBytes || !hasFeed) continue;
    const text = Buffer.concat(chunks);
    const end = text.lastIndexOf(0x0a) + 1;
    yield { text: text.subarray(0, end), from: at, through: at + end };
    at += end;
    // a copy, as the view would hold the whole block in memory
    chunks = end < text.length ? [Buffer.from(text.subarray(end))] : [];
    held = text.length - end;
    hasFeed = false;
  }
  if (held > 0) yield { text: Buffer.concat(chunks), from: at, through: at + held };
}
