import { silentShards, type ShardsHeader } from '../elasticsearch/shards-header';
import { broken, endOfString, endOfValue, skipSpace, type Seen } from './json-bytes';

/**
 * A `_search` answer, cut into its hits and not parsed. A page has thousands of hits: where their parts lie is kept in one
 * array of numbers, and only who needs a part as bytes makes a view of it.
 */
export interface Page {
  text: Buffer;
  count: number;
  /** `stride` numbers for each hit: see `part`. */
  places: Int32Array;
  timedOut: boolean;
  /** Of which it has nothing. */
  failedShards: number;
  /** What the failed shards say; parsed, since there are few of them. */
  failures: unknown[];
  pitId?: string;
  scrollId?: string;
  /** The whole body, parsed, of an answer that is an error. */
  error?: unknown;
}

/** Begin and end of each part of a hit, in its `stride` numbers; begin is -1 where the hit has no such part. */
export const part = { id: 0, routing: 2, version: 4, seqNo: 6, sort: 8, source: 10 } as const;
export type Part = keyof typeof part;
/** Is not 0 where `_source` has line feeds or comments outside of strings. */
export const lineBreak = 12;
export const stride = 13;

/** The raw bytes of a part: a string with its quotes and escapes, a number with its digits. A view, not a copy. */
export function bytesOf(page: Page, hit: number, which: Part): Buffer | undefined {
  const start = page.places[hit * stride + part[which]] as number;
  if (start < 0) return undefined;
  return page.text.subarray(start, page.places[hit * stride + part[which] + 1]);
}

// Those that are exported, and those of json-bytes.ts, would be looked up each time they are used.
const [QUOTE, COLON, COMMA] = [0x22, 0x3a, 0x2c];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const [perHit, breakPlace, sourcePlace, idPlace] = [stride, lineBreak, part.source, part.id];

const name = (text: string) => Buffer.from(text, 'latin1');
/** By length, so that most keys are told apart without a look at them. `sort` needs its value, not its quotes. */
const hitKeys: { key: Buffer; place: number }[][] = [];
for (const [key, place] of [
  ['_id', part.id],
  ['_routing', part.routing],
  ['_version', part.version],
  ['_seq_no', part.seqNo],
  ['sort', part.sort],
  ['_source', part.source],
] as const)
  (hitKeys[key.length] ??= []).push({ key: name(key), place });

/** @throws BrokenJson when the text is not one whole answer: then none of its hits is to be used. */
export function cutHits(text: Buffer): Page {
  const page: Page = {
    text,
    count: 0,
    places: new Int32Array(0),
    timedOut: false,
    failedShards: 0,
    failures: [],
  };
  const found = new Set<string>();
  const end = eachMember(text, skipSpace(text, 0), (key, at) => {
    if (found.has(key)) throw broken(`the answer has "${key}" twice`, at);
    found.add(key);
    if (key === 'hits') return cutOuterHits(page, at);
    const ended = endOfValue(text, at, ignored);
    readMember(page, key, at, ended);
    return ended;
  });
  if (skipSpace(text, end) !== text.length) throw broken('something follows the answer', end);
  if (found.has('error')) page.error = parsed(text, 0, text.length);
  else if (!found.has('hits')) throw broken('the answer has no hits', end);
  return page;
}

const ignored: Seen = { lineBreak: false };

function readMember(page: Page, key: string, start: number, end: number): void {
  const value = (): unknown => parsed(page.text, start, end);
  if (key === 'timed_out') page.timedOut = value() === true;
  else if (key === '_scroll_id') page.scrollId = String(value());
  else if (key === 'pit_id') page.pitId = String(value());
  else if (key === '_shards') {
    const shards = value() as ShardsHeader & { failures?: unknown[] };
    page.failedShards = silentShards(shards);
    page.failures = shards.failures ?? [];
  }
}

function parsed(text: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(text.toString('utf8', start, end));
  } catch {
    throw broken('a value is no JSON', start);
  }
}

/** `visit` is given each key and where its value begins, and answers where it ends. Answers where the object ends. */
function eachMember(text: Buffer, from: number, visit: (key: string, at: number) => number): number {
  if (text[from] !== OPEN_OBJECT) throw broken('an object was expected', from);
  let at = skipSpace(text, from + 1);
  if (text[at] === CLOSE_OBJECT) return at + 1;
  for (;;) {
    const keyEnd = endOfKey(text, at);
    const key = text.toString('utf8', at + 1, keyEnd - 1);
    at = skipSpace(text, visit(key, afterColon(text, keyEnd)));
    if (text[at] === CLOSE_OBJECT) return at + 1;
    at = afterComma(text, at);
  }
}

function endOfKey(text: Buffer, at: number): number {
  if (text[at] !== QUOTE) throw broken('a key was expected', at);
  return endOfString(text, at);
}

function afterColon(text: Buffer, keyEnd: number): number {
  const colon = skipSpace(text, keyEnd);
  if (text[colon] !== COLON) throw broken('a colon was expected', colon);
  return skipSpace(text, colon + 1);
}

function afterComma(text: Buffer, at: number): number {
  if (text[at] !== COMMA)
    throw broken(at < text.length ? 'a comma was expected' : 'the text is cut short', Math.min(at, text.length));
  return skipSpace(text, at + 1);
}

/** `{"total":…,"max_score":…,"hits":[…]}` */
function cutOuterHits(page: Page, from: number): number {
  let hasHits = false;
  const end = eachMember(page.text, from, (key, at) => {
    if (key !== 'hits') return endOfValue(page.text, at, ignored);
    if (hasHits) throw broken('the answer has its hits twice', at);
    hasHits = true;
    return cutArray(page, at);
  });
  if (!hasHits) throw broken('the answer has no array of hits', from);
  return end;
}

function cutArray(page: Page, from: number): number {
  const { text } = page;
  if (text[from] !== OPEN_ARRAY) throw broken('an array of hits was expected', from);
  let at = skipSpace(text, from + 1);
  if (text[at] === CLOSE_ARRAY) return at + 1;
  for (;;) {
    if ((page.count + 1) * perHit > page.places.length) page.places = withRoom(page.places);
    at = skipSpace(text, cutHit(page, at));
    page.count++;
    if (text[at] === CLOSE_ARRAY) break;
    at = afterComma(text, at);
  }
  usualHits = Math.max(512, page.count + 1, usualHits >> 1);
  return at + 1;
}

/** Of the largest page of late: most pages have about as many hits as the one before. */
let usualHits = 512;

function withRoom(places: Int32Array): Int32Array {
  const more = new Int32Array(Math.max(usualHits * perHit, places.length * 2));
  more.set(places);
  return more;
}

/** The same walk as `eachMember`, without a call and a string for each key: it is done millions of times. */
function cutHit(page: Page, from: number): number {
  const { text, places } = page;
  const base = page.count * perHit;
  places.fill(-1, base, base + breakPlace);
  places[base + breakPlace] = 0;
  if (text[from] !== OPEN_OBJECT) throw broken('a hit was expected', from);
  let at = skipSpace(text, from + 1);
  while (text[at] !== CLOSE_OBJECT) {
    const keyEnd = endOfKey(text, at);
    const place = placeOf(text, at + 1, keyEnd - 1);
    const start = afterColon(text, keyEnd);
    seen.lineBreak = false;
    const end = endOfValue(text, start, seen);
    if (place >= 0) {
      if (places[base + place] !== -1) throw broken('a hit has one of its parts twice', at);
      check(text, place, start);
      places[base + place] = start;
      places[base + place + 1] = end;
      if (place === sourcePlace && seen.lineBreak) places[base + breakPlace] = 1;
    }
    at = skipSpace(text, end);
    if (text[at] !== CLOSE_OBJECT) at = afterComma(text, at);
  }
  if (places[base + idPlace] === -1) throw broken('a hit has no _id', from);
  return at + 1;
}

const seen: Seen = { lineBreak: false };

function placeOf(text: Buffer, start: number, end: number): number {
  const candidates = hitKeys[end - start];
  if (candidates === undefined) return -1;
  for (const { key, place } of candidates) {
    let same = 0;
    while (same < key.length && text[start + same] === key[same]) same++;
    if (same === key.length) return place;
  }
  return -1;
}

/** What goes into an action line must be what it is taken for: a string, a number, an object. */
function check(text: Buffer, place: number, start: number): void {
  const first = text[start] as number;
  const isRight =
    place === part.id || place === part.routing
      ? first === QUOTE
      : place === part.source
        ? first === OPEN_OBJECT
        : place === part.sort
          ? first === OPEN_ARRAY
          : first === 0x2d || (first >= 0x30 && first <= 0x39);
  if (!isRight) throw broken('a part of a hit is not what it should be', start);
}

/** The number in a part such as `seqNo`, and the first one in `sort`. */
export function numberIn(page: Page, hit: number, which: 'version' | 'seqNo' | 'sort'): number | undefined {
  const bytes = bytesOf(page, hit, which);
  if (bytes === undefined) return undefined;
  const value = Number(/^\[?\s*(-?\d+)/.exec(bytes.toString('latin1'))?.[1]);
  return Number.isSafeInteger(value) ? value : undefined;
}
