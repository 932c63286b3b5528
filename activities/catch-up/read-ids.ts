import { bytesOf, cutHits, numberIn, type Page } from '../copy/cut-hits';
import { refusal } from '../copy/sequence-reader';
import { ask, pathOf, type Place } from './requests';
import type { DocumentKey } from './documents';
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
): AsyncGenerator<Page> {
  let after = first;
  let wider = 1;
  while (after < through) {
    const end = Math.min(through, after + Math.ceil(mostIds * wider));
    const body = {
      size: mostIds,
      _source: false,
      track_total_hits: false,
      query: { range: { _seq_no: { gt: after, lte: end } } },
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
export function wholePage(place: Place, shard: number, text: Buffer): Page {
  const page = cutHits(text);
  if (page.error === undefined && page.failedShards === 0 && !page.timedOut) return page;
  throw refusal(`${place.where}, ${place.index}, shard ${shard}`, { status: 200, body: text }, page);
}

/** The id of a hit as text in UTF-8: escapes need not be the same in two versions. */
export function idOf(page: Page, hit: number): Buffer {
  const raw = bytesOf(page, hit, 'id') as Buffer;
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
