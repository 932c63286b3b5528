import type { PartRange } from '../activities/copy/part-reader';
import { json, request, segment } from '../lab/http';
import { at, elements, members } from '../lab/raw-json';

/** Reading and writing with nothing in between, by the lab's own client: no copy is quicker than these two together. */

const scanDocuments = 5_000;
/** Smaller, so that all that are in flight have work until the end. */
const bulkDocuments = 1_000;
const bulksInFlight = 4;

interface Count {
  documents: number;
  bytes: number;
}

/** Each shard by a scroll, all at once; answers are not looked into but for the end. */
export async function bareScan(
  url: string,
  parts: readonly PartRange[],
  use: (page: Buffer) => void = () => undefined,
  documents = scanDocuments,
): Promise<Count> {
  const total: Count = { documents: 0, bytes: 0 };
  const read = async ({ index, shard }: PartRange): Promise<void> => {
    let body: object = { size: documents, sort: ['_doc'] };
    let path = `${segment(index)}/_search?scroll=2m&preference=_shards:${shard}`;
    for (;;) {
      const page = await request({ method: 'POST', url: `${url}/${path}`, body });
      if (page.status !== 200) throw new Error(`${path}: ${page.status} ${page.body.toString('utf8', 0, 300)}`);
      const scrollId = /"_scroll_id":"([^"]+)"/.exec(page.body.toString('latin1', 0, 4096))?.[1];
      if (page.body.includes('"hits":[]')) return;
      total.bytes += page.body.length;
      use(page.body);
      [path, body] = ['_search/scroll', { scroll: '2m', scroll_id: scrollId }];
    }
  };
  await Promise.all(parts.map(read));
  total.documents = parts.reduce((sum, part) => sum + part.toSeqNo - part.afterSeqNo, 0);
  return total;
}

/** Everything is read into memory first; what is answered sends it. */
export async function bareLoad(
  from: string,
  target: { url: string; index: string },
  parts: readonly PartRange[],
): Promise<() => Promise<Count>> {
  const bodies: Buffer[] = [];
  const total: Count = { documents: 0, bytes: 0 };
  await bareScan(
    from,
    parts,
    (page) => {
      const hits = at(page, ['hits', 'hits']);
      const lines: Buffer[] = [];
      for (const hit of hits === undefined ? [] : elements(page, hits)) {
        const parts = members(page, hit);
        const [id, source] = [parts.get('_id'), parts.get('_source')];
        if (id === undefined || source === undefined) throw new Error('a hit without _id or _source');
        lines.push(Buffer.from('{"index":{"_id":'), page.subarray(id.start, id.end), Buffer.from('}}\n'));
        lines.push(page.subarray(source.start, source.end), Buffer.from('\n'));
        total.documents++;
      }
      bodies.push(Buffer.concat(lines));
      total.bytes += (bodies.at(-1) as Buffer).length;
    },
    bulkDocuments,
  );
  return async () => {
    const queue = [...bodies];
    const send = async (): Promise<void> => {
      for (let body = queue.shift(); body !== undefined; body = queue.shift()) {
        const answer = await json<{ errors: boolean }>({
          method: 'POST',
          url: `${target.url}/${segment(target.index)}/_bulk`,
          body,
          headers: { 'content-type': 'application/x-ndjson' },
        });
        if (answer.errors) throw new Error('the target refused a document');
      }
    };
    await Promise.all(Array.from({ length: bulksInFlight }, send));
    return total;
  };
}
