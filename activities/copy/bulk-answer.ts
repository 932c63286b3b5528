import { BrokenJson } from './json-bytes';

/** An item of a `_bulk` answer that did not go through. */
export interface FailedItem {
  /** Of the item in the body that was sent, from 0. */
  position: number;
  status: number;
  type: string;
  reason: string;
}

/** `"errors":false` comes before the items, in any version: after `took`, or at the very beginning. */
const headBytes = 256;
/**
 * Stands once in every item. It cannot be a piece of a string, where quotes have a backslash before them: so items can be
 * counted without being parsed.
 */
const itemMark = Buffer.from('"status":');

/**
 * The items of a `_bulk` answer that failed; most often none, and then nothing is parsed.
 * @throws BrokenJson when the answer is not whole, or does not speak of as many items as were sent: nobody knows then what
 * was written.
 */
export function readBulkAnswer(text: Buffer, sent: number): FailedItem[] {
  const head = text.toString('latin1', 0, Math.min(headBytes, text.length));
  const items = head.indexOf('"items"');
  const verdict = /"errors"\s*:\s*(true|false)/.exec(items < 0 ? head : head.slice(0, items))?.[1];
  if (verdict === 'false' && isWhole(text) && countOf(text, itemMark) === sent) return [];
  return parseItems(text, sent);
}

function isWhole(text: Buffer): boolean {
  let end = text.length;
  while (end > 0 && (text[end - 1] as number) <= 0x20) end--;
  return text[end - 1] === 0x7d;
}

function countOf(text: Buffer, mark: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + mark.length)) count++;
  return count;
}

interface Item {
  status?: number;
  error?: string | { type?: string; reason?: string; caused_by?: { reason?: string } };
}

function parseItems(text: Buffer, sent: number): FailedItem[] {
  let items: Record<string, Item>[] | undefined;
  try {
    ({ items } = JSON.parse(text.toString()) as { items?: Record<string, Item>[] });
  } catch (error) {
    throw new BrokenJson(`the answer to _bulk is no whole JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(items)) throw new BrokenJson(`the answer to _bulk has no items: ${text.toString('utf8', 0, 300)}`);
  if (items.length !== sent)
    throw new BrokenJson(`the answer to _bulk has ${items.length} items, and ${sent} were sent`);
  return items.flatMap((item, position) => failureOf(Object.values(item)[0], position));
}

function failureOf(item: Item | undefined, position: number): FailedItem[] {
  const status = item?.status;
  if (status === undefined) throw new BrokenJson(`item ${position} of the answer to _bulk has no status`);
  const error = item?.error;
  if (error === undefined && status < 300) return [];
  if (typeof error === 'string') return [{ position, status, type: '', reason: error }];
  const cause = error?.caused_by?.reason;
  const reason = `${error?.reason ?? ''}${cause === undefined ? '' : `: ${cause}`}`;
  return [{ position, status, type: error?.type ?? '', reason }];
}
