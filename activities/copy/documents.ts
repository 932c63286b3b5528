import { heartbeat } from '../context';
import { classifyAnswer, readErrorAnswer } from '../elasticsearch/classify-error';
import { isAtLeast, type Version } from '../elasticsearch/version';
import { ask, atOnce, pathOf, type Place } from './requests';

/** A document's name: without its routing it may be looked for on the wrong shard. */
export interface DocumentKey {
  id: string;
  routing?: string;
}

/** What a real-time get tells of a document: it sees what no refresh has shown to searches yet. */
export type Stored =
  { isThere: false } | { isThere: true; version: bigint; routing?: string; seqNo?: number; primaryTerm?: number };

interface GetAnswer {
  docs: {
    found?: boolean;
    _version?: string;
    _routing?: string;
    _seq_no?: number;
    _primary_term?: number;
    error?: { type?: string };
  }[];
}

const getsAtOnce = 1_000;

/** Of lookups under way: the servers have more than one thread, and one request keeps one of them busy. */
const lookupsAtOnce = 2;

/** In the order of the keys. */
export async function getDocuments(place: Place, keys: readonly DocumentKey[]): Promise<Stored[]> {
  const starts = Array.from({ length: Math.ceil(keys.length / getsAtOnce) }, (_, chunk) => chunk * getsAtOnce);
  const found = new Map<number, Stored[]>();
  await atOnce(lookupsAtOnce, starts, async (from) => {
    const docs = keys.slice(from, from + getsAtOnce).map(({ id, routing }) => ({
      _id: id,
      ...(routing === undefined ? {} : { routing }),
    }));
    // without the stored field named, an answer without _source comes without _routing, too
    const request = {
      path: pathOf(place, '_mget?_source=false&stored_fields=_routing&realtime=true'),
      body: [Buffer.from(JSON.stringify({ docs }))],
    };
    found.set(from, await ask(place, request, (body) => readGets(place, body, docs.length)));
    heartbeat({
      done: Math.min(keys.length, found.size * getsAtOnce),
      total: keys.length,
      unit: 'documents',
      detail: `${place.index}: looking documents up`,
    });
  });
  return starts.flatMap((from) => found.get(from) ?? []);
}

function readGets(place: Place, body: Buffer, asked: number): Stored[] {
  const { docs } = JSON.parse(withVersionsAsText(body.toString())) as GetAnswer;
  if (docs.length !== asked) throw new SyntaxError(`${docs.length} of ${asked} documents came`);
  return docs.map((doc): Stored => {
    // no document can be there without a routing where the mapping wants one
    if (doc.error?.type === 'routing_missing_exception') return { isThere: false };
    if (doc.error !== undefined)
      throw classifyAnswer(`${place.where}, ${place.index}, _mget`, readErrorAnswer(503, { error: doc.error }));
    if (doc.found !== true || doc._version === undefined) return { isThere: false };
    return {
      isThere: true,
      version: BigInt(doc._version),
      ...(doc._routing === undefined ? {} : { routing: doc._routing }),
      ...(doc._seq_no === undefined ? {} : { seqNo: doc._seq_no }),
      ...(doc._primary_term === undefined ? {} : { primaryTerm: doc._primary_term }),
    };
  });
}

/**
 * External versions may have 19 digits, more than a number holds. What looks so inside a string has backslashes before its
 * quotes, and is left alone.
 */
export function withVersionsAsText(json: string): string {
  return json.replace(/"_version":\s*(\d+)/g, '"_version":"$1"');
}

export interface BulkItem {
  status: number;
  error?: { type?: string; reason?: string };
}

/** Lines of `_bulk`, an action each, with the document after it where it has one; through that pipeline of the target. */
export function sendBulk(
  place: Place,
  version: Version,
  items: readonly Buffer[][],
  pipeline?: string,
): Promise<BulkItem[]> {
  const through = pipeline === undefined ? '' : `?pipeline=${encodeURIComponent(pipeline)}`;
  const path = pathOf(place, `${wantsType(version) ? '_doc/_bulk' : '_bulk'}${through}`);
  const body = items.flat().flatMap((line) => [line, lineEnd]);
  return ask(place, { path, body, contentType: 'application/x-ndjson' }, (text) => {
    const answer = JSON.parse(text.toString()) as { items: Record<string, BulkItem>[] };
    if (answer.items.length !== items.length) throw new SyntaxError(`${answer.items.length} of ${items.length} items`);
    const answered = answer.items.map((item) => Object.values(item)[0] as BulkItem);
    const busy = answered.find(({ status }) => status === 429 || status >= 500);
    // sent again as a whole: what went through already is found so
    if (busy) throw classifyAnswer(`${place.where}, ${place.index}, _bulk`, readErrorAnswer(busy.status, busy));
    return answered;
  });
}

/** @throws for the first item that failed with another status than these, which the caller has an answer to. */
export function throwIfRefused(place: Place, answers: readonly BulkItem[], expected: readonly number[]): void {
  const refused = answers.find(({ status }) => status >= 300 && !expected.includes(status));
  if (refused) throw classifyAnswer(`${place.where}, ${place.index}, _bulk`, readErrorAnswer(refused.status, refused));
}

const lineEnd = Buffer.from('\n');

/** The action that deletes a document if it is still what was seen. */
export function deletion(key: DocumentKey, seen: Stored & { isThere: true }, version: Version): Buffer {
  const routing = key.routing === undefined ? '' : `,"routing":${JSON.stringify(key.routing)}`;
  const guard =
    hasSeqNoGuards(version) && seen.seqNo !== undefined && seen.primaryTerm !== undefined
      ? `,"if_seq_no":${seen.seqNo},"if_primary_term":${seen.primaryTerm}`
      : `,"version":${seen.version}`;
  return Buffer.from(`{"delete":{"_id":${JSON.stringify(key.id)}${routing}${guard}}}`);
}

export function wantsType(version: Version): boolean {
  return version.distribution === 'elasticsearch' && version.major < 7;
}

function hasSeqNoGuards(version: Version): boolean {
  return version.distribution === 'opensearch' || isAtLeast(version, '6.7.0');
}
