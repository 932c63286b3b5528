import { bytesOf, cutHits, numberIn, type Page } from '../copy/cut-hits';
import type { DocumentKey } from '../copy/documents';
import { allShards } from '../copy/part-reader';
import { ask, pathOf, type Place } from '../copy/requests';
import { scrollReader } from '../copy/scroll-reader';
import { refusal } from '../copy/sequence-reader';
import type { SeqNoRange } from './restored-ranges';

const mostIds = 5_000;

/**
 * The ids of a shard's documents in a range of sequence numbers, by windows of sequence numbers, as sequence-reader.ts has it.
 * Without a point in time: a document that is written meanwhile gets a number above, and is not among them; whoever takes
 * it for deleted has to ask before.
 */
export async function* readIds(
  place: Place,
  shard: number,
  { after: first, through }: SeqNoRange,
  { version = false, query }: { version?: boolean; query?: Record<string, unknown> } = {},
): AsyncGenerator<Page> {
  let after = first;
  let wider = 1;
  while (after < through) {
    const end = Math.min(through, after + Math.ceil(mostIds * wider));
    const range = { range: { _seq_no: { gt: after, lte: end } } };
    const body = {
      size: mostIds,
      _source: false,
      track_total_hits: false,
      ...(version ? { version } : {}),
      query: query === undefined ? range : { bool: { filter: [range, query] } },
      sort: [{ _seq_no: 'asc' }],
    };
    const page = await search(place, shard, body);
    const last = page.count === 0 ? undefined : numberIn(page, page.count - 1, 'sort');
    const before = after;
    after = page.count >= mostIds && last !== undefined ? last : end;
    wider = page.count === 0 ? wider * 8 : Math.max(1, (after - before) / page.count);
    if (page.count > 0) yield page;
  }
}

function search(place: Place, shard: number, body: object): Promise<Page> {
  const request = {
    path: pathOf(place, `_search?preference=_shards:${shard}`),
    body: [Buffer.from(JSON.stringify(body))],
  };
  return ask(place, request, (text) => wholePage(place, shard, text));
}

/** @throws what can be tried again, unless every shard answered. */
export function wholePage(place: Place, shard: number | undefined, text: Buffer): Page {
  const page = cutHits(text);
  if (page.error === undefined && page.failedShards === 0 && !page.timedOut) return page;
  const where = `${place.where}, ${place.index}${shard === undefined ? '' : `, shard ${shard}`}`;
  throw refusal(where, { status: 200, body: text }, page);
}

export function idOf(page: Page, hit: number): Buffer {
  return textOf(bytesOf(page, hit, 'id'));
}

/** A string of an answer as text in UTF-8: escapes need not be the same in two versions. */
export function textOf(raw: Buffer | undefined): Buffer {
  if (raw === undefined) return Buffer.alloc(0);
  if (raw.includes(0x5c)) return Buffer.from(JSON.parse(raw.toString()) as string);
  return raw.subarray(1, raw.length - 1);
}

export function keyOfHit(page: Page, hit: number): DocumentKey {
  const routing = bytesOf(page, hit, 'routing');
  return {
    id: idOf(page, hit).toString(),
    ...(routing === undefined ? {} : { routing: JSON.parse(routing.toString()) as string }),
  };
}

/** A document's name as one text. */
export function nameOf({ id, routing }: DocumentKey): string {
  return routing === undefined ? id : `${id}\0${routing}`;
}

/** Ids, routings and versions by scroll, for what has no sequence numbers; a scroll that is lost cannot be taken up. */
export async function* searchIds(place: Place, query?: Record<string, unknown>): AsyncGenerator<Page> {
  const reader = scrollReader(
    place.client,
    { index: place.index, shard: allShards, afterSeqNo: -1, toSeqNo: 0 },
    mostIds,
    {
      targetBytes: () => Infinity,
      timeoutMs: scrollTimeoutMs,
      choice: { withoutSource: true, ...(query === undefined ? {} : { query }) },
      ...(place.signal ? { signal: place.signal } : {}),
    },
    place.where,
  );
  try {
    for (let read = await reader.next(); read; read = await reader.next()) yield read.page;
  } finally {
    await reader.close();
  }
}

const scrollTimeoutMs = 120_000;
