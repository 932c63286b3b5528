import { createHash } from 'node:crypto';
import { json, request, segment } from '../lab/http';
import { at, elements, members, whole, type Span } from '../lab/raw-json';

/**
 * Reads an index whole and boils it down to numbers, sharing nothing with what is measured. Some tools parse documents and
 * print them anew: 12.50 becomes 12.5. So that they can be compared at all, values are looked at besides bytes.
 */
export interface Content {
  documents: number;
  /** Over id, routing and the bytes of `_source`. */
  bytes: string;
  /** Over id, routing and what a JSON parser makes of `_source`. */
  values: string;
  /** Over id and `_version`. */
  versions: string;
}

export async function contentOf(url: string, index: string, pageDocuments: number): Promise<Content> {
  await json({ method: 'POST', url: `${url}/${segment(index)}/_refresh` });
  const sums = { bytes: 0n, values: 0n, versions: 0n };
  let documents = 0;
  let path = `${segment(index)}/_search?scroll=2m&version=true`;
  let body: object = { size: pageDocuments, sort: ['_doc'] };
  for (;;) {
    const page = await request({ method: 'POST', url: `${url}/${path}`, body, timeoutMs: 120_000 });
    if (page.status !== 200) throw new Error(`${path}: ${page.status} ${page.body.toString('utf8', 0, 300)}`);
    const text = page.body;
    const failed = at(text, ['_shards', 'failed']);
    if (failed !== undefined && textOf(text, failed) !== '0') throw new Error(`not every shard of ${index} answered`);
    const hits = at(text, ['hits', 'hits']);
    const found = hits === undefined ? [] : elements(text, hits);
    for (const hit of found) {
      const parts = members(text, hit);
      const part = (name: string): Buffer => {
        const span = parts.get(name);
        return span === undefined ? Buffer.alloc(0) : text.subarray(span.start, span.end);
      };
      const [id, routing, source] = [part('_id'), part('_routing'), part('_source')];
      sums.bytes += hash(id, routing, source);
      sums.values += hash(id, routing, Buffer.from(JSON.stringify(JSON.parse(source.toString()))));
      sums.versions += hash(id, part('_version'));
    }
    documents += found.length;
    const scroll = at(text, ['_scroll_id'], whole(text));
    const scrollId = scroll === undefined ? '' : (JSON.parse(textOf(text, scroll)) as string);
    if (found.length === 0) {
      await request({ method: 'DELETE', url: `${url}/_search/scroll`, body: { scroll_id: scrollId } });
      return { documents, bytes: `${sums.bytes}`, values: `${sums.values}`, versions: `${sums.versions}` };
    }
    [path, body] = ['_search/scroll', { scroll: '2m', scroll_id: scrollId }];
  }
}

function textOf(text: Buffer, { start, end }: Span): string {
  return text.toString('utf8', start, end);
}

/** With lengths, so that no part can pass for a piece of its neighbour. Sums of them do not depend on the order. */
function hash(...parts: Buffer[]): bigint {
  const sum = createHash('md5');
  for (const part of parts) sum.update(`${part.length}:`).update(part);
  return sum.digest().readBigUInt64LE();
}

export type Sameness = 'bytes' | 'values';

/** @throws what differs, when more does than white space and the spelling of numbers. */
export function samenessOf(source: Content, target: Content): Sameness {
  if (source.documents !== target.documents)
    throw new Error(`${target.documents} of ${source.documents} documents are on the target`);
  if (source.bytes === target.bytes) return 'bytes';
  if (source.values === target.values) return 'values';
  throw new Error('documents on the target have other contents');
}
