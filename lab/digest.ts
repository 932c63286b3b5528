import { createHash } from 'node:crypto';
import { json, request, segment } from './http';
import { at, elements, members, whole } from './raw-json';
import { waitFor } from './wait';

/** Reads all documents of indices by itself and boils them down to numbers that can be compared between clusters. */
export interface DigestOptions {
  url: string;
  /** See http.ts; a site's `via`. */
  via?: string;
  /** All indices, hidden and closed ones included, if not given. */
  indices?: readonly string[];
  /** Opens closed indices to read them and closes them again; without it they are left out. */
  openClosed?: boolean;
  /** Documents of one search; fewer where they are large. */
  page?: number;
}

export interface IndexDigest {
  count: number;
  /** Over id, routing and the bytes of `_source` of every document, in no order. */
  content: string;
  /** Over id, `_seq_no` and `_version`: the same after a restore, not after a copy. */
  sequence: string;
  /** Over id and `_version`: the same after a copy, too. */
  versions: string;
}

const PAGE = 500;

export async function digestIndices(options: DigestOptions): Promise<Record<string, IndexDigest>> {
  const { url, via, openClosed = false, page = PAGE } = options;
  const query = 'h=index,status&format=json&expand_wildcards=all';
  const all = await json<{ index: string; status: string }[]>({ url: `${url}/_cat/indices?${query}`, via });
  const wanted = options.indices ?? all.map(({ index }) => index);
  const digests: Record<string, IndexDigest> = {};
  for (const index of [...wanted].sort()) {
    const closed = all.find((known) => known.index === index)?.status === 'close';
    if (closed && !openClosed) continue;
    if (closed) await open(url, via, index);
    digests[index] = await digestIndex(url, via, index, page);
    if (closed) await json({ method: 'POST', url: `${url}/${segment(index)}/_close`, via });
  }
  return digests;
}

async function open(url: string, via: string | undefined, index: string): Promise<void> {
  await json({ method: 'POST', url: `${url}/${segment(index)}/_open`, via });
  const health = `${url}/_cluster/health/${segment(index)}?wait_for_status=yellow&timeout=30s`;
  await json({ url: health, via });
}

async function digestIndex(url: string, via: string | undefined, index: string, size: number): Promise<IndexDigest> {
  await json({ method: 'POST', url: `${url}/${segment(index)}/_refresh`, via });
  const sums = { content: 0n, sequence: 0n, versions: 0n };
  let count = 0;
  const search = `${url}/${segment(index)}/_search?scroll=2m&version=true&seq_no_primary_term=true`;
  let page = await raw(search, via, { size, sort: ['_doc'], query: { match_all: {} } });
  for (;;) {
    const answer = members(page, whole(page));
    const shards = at(page, ['failed'], answer.get('_shards'));
    if (shards !== undefined && page.toString('utf8', shards.start, shards.end) !== '0') {
      throw new Error(`not every shard of ${index} answered: ${page.toString('utf8', 0, 500)}`);
    }
    const hits = at(page, ['hits'], answer.get('hits'));
    const found = hits === undefined ? [] : elements(page, hits);
    for (const hit of found) {
      const parts = members(page, hit);
      const part = (key: string): Buffer => {
        const span = parts.get(key);
        return span === undefined ? Buffer.alloc(0) : page.subarray(span.start, span.end);
      };
      sums.content += hash([part('_id'), part('_routing'), part('_source')]);
      sums.sequence += hash([part('_id'), part('_seq_no'), part('_version')]);
      sums.versions += hash([part('_id'), part('_version')]);
    }
    count += found.length;
    const scroll = answer.get('_scroll_id');
    const scrollId =
      scroll === undefined ? '' : (JSON.parse(page.toString('utf8', scroll.start, scroll.end)) as string);
    if (found.length === 0) {
      await request({ method: 'DELETE', url: `${url}/_search/scroll`, via, body: { scroll_id: scrollId } });
      return { count, content: hex(sums.content), sequence: hex(sums.sequence), versions: hex(sums.versions) };
    }
    page = await raw(`${url}/_search/scroll`, via, { scroll: '2m', scroll_id: scrollId });
  }
}

/** A search that a node refuses in passing, as one that just came up does, is asked again. */
function raw(url: string, via: string | undefined, body: unknown): Promise<Buffer> {
  return waitFor(
    async () => {
      const answer = await request({ method: 'POST', url, via, body });
      if (answer.status >= 400) throw new Error(`${url}: ${answer.status} ${answer.body.toString().slice(0, 500)}`);
      return answer.body;
    },
    { what: url, timeoutMs: url.includes('/_search?') ? 30_000 : 0, everyMs: 500 },
  );
}

/** Parts are hashed with their lengths, so that none can pass for a piece of its neighbour. */
function hash(parts: readonly Buffer[]): bigint {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(`${part.length}:`).update(part);
  return BigInt(`0x${sum.digest('hex').slice(0, 32)}`);
}

/** Sums of hashes do not depend on the order, and a document that comes twice counts twice. */
function hex(sum: bigint): string {
  return (sum & ((1n << 128n) - 1n)).toString(16).padStart(32, '0');
}

/** What differs, in words, an index a line; empty when all is the same. */
export function differences(
  source: Record<string, IndexDigest>,
  target: Record<string, IndexDigest>,
  options: { sequence?: boolean; versions?: boolean } = {},
): string[] {
  const names = [...new Set([...Object.keys(source), ...Object.keys(target)])].sort();
  return names.flatMap((name) => {
    const [a, b] = [source[name], target[name]];
    if (a === undefined || b === undefined) return [`${name}: only on the ${a === undefined ? 'target' : 'source'}`];
    if (a.count !== b.count) return [`${name}: ${a.count} documents on the source, ${b.count} on the target`];
    if (a.content !== b.content) return [`${name}: the documents' contents differ`];
    if (options.versions === true && a.versions !== b.versions) return [`${name}: versions differ`];
    if (options.sequence === true && a.sequence !== b.sequence) return [`${name}: sequence numbers or versions differ`];
    return [];
  });
}
