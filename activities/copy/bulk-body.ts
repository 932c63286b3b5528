import { buffers } from '../elasticsearch/reused-buffers';
import { bytesOf, lineBreak, part, stride, type Page } from './cut-hits';
import { onOneLine } from './json-bytes';

/**
 * Bodies of `_bulk`, made of the bytes that a search answered. The body is cut at line feeds by the server, so a `_source`
 * that has some outside of strings (it was sent pretty-printed) gets spaces in their place: values keep every byte. Inside
 * strings JSON knows no line feeds but escaped ones.
 */
export interface BulkBody {
  /** In this order they are the body. */
  buffers: Buffer[];
  bytes: number;
  count: number;
  /** Where the action line and the document of each item begin in the body; and, at the end, where the body ends. */
  places: Float64Array;
  /** Whether a buffer is a view of the page: then the page's memory is needed until the body was sent. */
  borrows: boolean;
  /** What is its own; goes back to `buffers` when the body is written and nobody has a view of it. */
  memory?: Buffer;
}

export interface BulkOptions {
  /**
   * Written into each action line. Better left out where the body has documents of one index: it costs bytes and parsing
   * for each document, while in the request's path it costs nothing.
   */
  index?: string;
  /** The mapping type, which a target up to 6.x wants; left out, the lines are as 7.0 and later want them. */
  type?: string;
  /**
   * With either, a document that comes twice stands there once, with its version at the source; a newer one is never
   * overwritten. `external_gte` writes a document of the same version again, `external` answers 409 and leaves it.
   */
  versionType: 'external' | 'external_gte';
}

/**
 * A write of a list to a socket costs for each of its buffers about as much as copying so many bytes: documents below
 * are copied together, larger ones go as views of the answer that they came in.
 */
const copiedBytes = 64 << 10;
const NEWLINE = 0x0a;
// what is imported would be looked up for each document, several times
const [perHit, breakPlace] = [stride, lineBreak];
const { id: idPlace, routing: routingPlace, version: versionPlace, source: sourcePlace } = part;

/** Makes a function that makes bodies, as the constant pieces of action lines are worked out once. */
export function bulkBodies(options: BulkOptions): (page: Page, from?: number, to?: number) => BulkBody {
  const index = options.index === undefined ? '' : `"_index":${JSON.stringify(options.index)},`;
  const type = options.type === undefined ? '' : `"_type":${JSON.stringify(options.type)},`;
  const head = Buffer.from(`{"index":{${index}${type}"_id":`);
  const routing = Buffer.from(',"routing":');
  const version = Buffer.from(',"version":');
  const tail = Buffer.from(`,"version_type":"${options.versionType}"}}\n`);
  const fixed = head.length + version.length + tail.length;

  function actionLength(places: Int32Array, base: number): number {
    return (
      fixed +
      length(places, base + idPlace) +
      length(places, base + versionPlace) +
      (has(places, base + routingPlace) ? routing.length + length(places, base + routingPlace) : 0)
    );
  }

  return (page, from = 0, to = page.count) => {
    const { text, places } = page;
    let copied = 0;
    let bytes = 0;
    for (let hit = from; hit < to; hit++) {
      const base = hit * perHit;
      if (!has(places, base + sourcePlace) || !has(places, base + versionPlace)) throw missing(page, hit);
      const source = length(places, base + sourcePlace);
      const around = actionLength(places, base) + 1;
      bytes += around + source;
      copied += around + (source < copiedBytes ? source : 0);
    }
    const memory = buffers.take(copied);
    const body: BulkBody = {
      buffers: [],
      bytes,
      count: to - from,
      places: new Float64Array((to - from) * 2 + 1),
      borrows: false,
      memory,
    };
    let at = 0;
    let flushed = 0;
    let sent = 0;
    for (let hit = from; hit < to; hit++) {
      const base = hit * perHit;
      body.places[(hit - from) * 2] = sent + at - flushed;
      at = put(head, 0, head.length, memory, at);
      at = putPart(text, places, base + idPlace, memory, at);
      if (has(places, base + routingPlace)) {
        at = put(routing, 0, routing.length, memory, at);
        at = putPart(text, places, base + routingPlace, memory, at);
      }
      at = put(version, 0, version.length, memory, at);
      at = putPart(text, places, base + versionPlace, memory, at);
      at = put(tail, 0, tail.length, memory, at);
      body.places[(hit - from) * 2 + 1] = sent + at - flushed;
      const start = places[base + sourcePlace] as number;
      const end = places[base + sourcePlace + 1] as number;
      const breaks = places[base + breakPlace] !== 0;
      if (end - start < copiedBytes) {
        at += breaks ? onOneLine(text.subarray(start, end)).copy(memory, at) : text.copy(memory, at, start, end);
      } else {
        const source = text.subarray(start, end);
        body.buffers.push(memory.subarray(flushed, at), breaks ? onOneLine(source) : source);
        body.borrows ||= !breaks;
        sent += at - flushed + source.length;
        flushed = at;
      }
      memory[at++] = NEWLINE;
    }
    if (at > flushed) body.buffers.push(memory.subarray(flushed, at));
    body.places[body.count * 2] = sent + at - flushed;
    return body;
  };
}

function has(places: Int32Array, place: number): boolean {
  return (places[place] as number) >= 0;
}

function length(places: Int32Array, place: number): number {
  return (places[place + 1] as number) - (places[place] as number);
}

/** For a few dozen bytes a loop is quicker than a native copy. */
function put(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  for (let index = start; index < end; index++) to[at++] = from[index] as number;
  return at;
}

function putPart(text: Buffer, places: Int32Array, place: number, to: Buffer, at: number): number {
  return put(text, places[place] as number, places[place + 1] as number, to, at);
}

function missing(page: Page, hit: number): Error {
  const id = bytesOf(page, hit, 'id')?.toString() ?? '';
  const what = bytesOf(page, hit, 'source') === undefined ? '_source' : '_version';
  return new Error(`the document ${id} came without its ${what}: it cannot be copied`);
}

/** Some items of a body, as a body: those that are to be sent again. */
export function subsetOf(body: BulkBody, positions: readonly number[]): BulkBody {
  const subset: BulkBody = {
    buffers: [],
    bytes: 0,
    count: positions.length,
    places: new Float64Array(positions.length * 2 + 1),
    borrows: body.borrows,
  };
  for (const [index, position] of positions.entries()) {
    const start = body.places[position * 2] as number;
    const end = body.places[position * 2 + 2] as number;
    subset.places[index * 2] = subset.bytes;
    subset.places[index * 2 + 1] = subset.bytes + (body.places[position * 2 + 1] as number) - start;
    subset.buffers.push(...slices(body.buffers, start, end));
    subset.bytes += end - start;
  }
  subset.places[positions.length * 2] = subset.bytes;
  return subset;
}

/** The action line and the document of one item, as they were sent, without their line feeds; copied, as the body's memory is used again. */
export function itemOf(body: BulkBody, position: number): { action: Buffer; source: Buffer } {
  const [start, middle, end] = body.places.subarray(position * 2, position * 2 + 3) as unknown as [
    number,
    number,
    number,
  ];
  return {
    action: Buffer.concat(slices(body.buffers, start, middle - 1)),
    source: Buffer.concat(slices(body.buffers, middle, end - 1)),
  };
}

function slices(buffers: readonly Buffer[], start: number, end: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  for (const buffer of buffers) {
    if (at >= end) break;
    if (at + buffer.length > start)
      found.push(buffer.subarray(Math.max(0, start - at), Math.min(buffer.length, end - at)));
    at += buffer.length;
  }
  return found;
}
