import { json, request, segment } from '../../lab/http';
import { at, elements, members, whole } from '../../lab/raw-json';

/**
 * Every document of an index by id and routing: its version and the bytes of its `_source`.
 * @param form what is compared of a `_source`, where that is not its bytes.
 */
export async function readDocuments(
  url: string,
  index: string,
  form = (source: string): string => source,
): Promise<Map<string, string>> {
  await json({ method: 'POST', url: `${url}/${segment(index)}/_refresh` });
  const documents = new Map<string, string>();
  const ask = async (path: string, body: unknown): Promise<Buffer> => {
    const answer = await request({ method: 'POST', url: `${url}${path}`, body });
    if (answer.status >= 300) throw new Error(answer.body.toString('utf8', 0, 500));
    return answer.body;
  };
  let page = await ask(`/${segment(index)}/_search?scroll=1m&version=true`, { size: 1000, sort: ['_doc'] });
  for (;;) {
    const text = (path: string[]): string => {
      const span = at(page, path, whole(page));
      return span === undefined ? '' : page.toString('utf8', span.start, span.end);
    };
    if (text(['_shards', 'failed']) !== '0') throw new Error(`not every shard of ${index} answered`);
    const hits = at(page, ['hits', 'hits']);
    const found = hits === undefined ? [] : elements(page, hits);
    for (const hit of found) {
      const parts = members(page, hit);
      const part = (name: string): string => {
        const span = parts.get(name);
        return span === undefined ? '' : page.toString('utf8', span.start, span.end);
      };
      const key = `${part('_id')} ${part('_routing')}`;
      if (documents.has(key)) throw new Error(`${index}: ${key} is there twice`);
      documents.set(key, `version ${part('_version')} ${form(part('_source'))}`);
    }
    const scroll = JSON.parse(text(['_scroll_id'])) as string;
    if (found.length === 0) {
      await request({ method: 'DELETE', url: `${url}/_search/scroll`, body: { scroll_id: scroll } });
      return documents;
    }
    page = await ask('/_search/scroll', { scroll: '1m', scroll_id: scroll });
  }
}

/**
 * A `_source` as the value that it is, in the order of its keys: without white space between its parts, strings and numbers
 * in one spelling each. Whole numbers count with all of their digits, others as far as a double goes: what `_reindex` from
 * remote keeps.
 */
export function asValue(source: string): string {
  return source.replace(
    /("(?:[^"\\]|\\.)*")|(-?\d+(?![\d.eE]))|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\s+/g,
    (_, text?: string, whole?: string, fraction?: string) => {
      if (text !== undefined) return JSON.stringify(JSON.parse(text));
      return whole ?? (fraction === undefined ? '' : `double ${Number(fraction)}`);
    },
  );
}

/** What differs, a document a line. */
export function documentDifferences(source: Map<string, string>, target: Map<string, string>): string[] {
  const found: string[] = [];
  for (const [key, document] of source) {
    const other = target.get(key);
    if (other === undefined) found.push(`${key} is missing on the target: ${document.slice(0, 60)}`);
    else if (other !== document) found.push(`${key}: ${document.slice(0, 60)} and ${other.slice(0, 60)}`);
  }
  for (const key of target.keys()) if (!source.has(key)) found.push(`${key} is on the target only`);
  return found;
}
