import { json, request, segment } from '../lab/http';
import { at, elements, members } from '../lab/raw-json';
import { flushed } from './elasticsearch';

/** Reading and writing with nothing in between, by the lab's own client: no copy is quicker than these two together. */

const bulksInFlight = 4;
const timeoutMs = 300_000;

interface Count {
  documents: number;
  bytes: number;
}

export interface ScanJob {
  url: string;
  index: string;
  shards: number;
  /** Of each search. */
  documents: number;
}

/** Each shard by a scroll, all at once; answers are not looked into but for the end. */
export async function bareScan(
  { url, index, shards, documents }: ScanJob,
  use: (page: Buffer) => void = () => undefined,
): Promise<Count> {
  const total: Count = { documents: 0, bytes: 0 };
  const read = async (shard: number): Promise<void> => {
    let body: object = { size: documents, sort: ['_doc'], version: true };
    let path = `${segment(index)}/_search?scroll=2m&preference=_shards:${shard}`;
    for (;;) {
      const page = await request({ method: 'POST', url: `${url}/${path}`, body, timeoutMs });
      if (page.status !== 200) throw new Error(`${path}: ${page.status} ${page.body.toString('utf8', 0, 300)}`);
      const head = page.body.toString('latin1', 0, 4096);
      const found = Number(/"total":\{"value":(\d+)/.exec(head)?.[1] ?? 0);
      const scrollId = /"_scroll_id":"([^"]+)"/.exec(head)?.[1];
      if (head.includes('"hits":[]')) {
        total.documents += found;
        await request({ method: 'DELETE', url: `${url}/_search/scroll`, body: { scroll_id: scrollId } });
        return;
      }
      total.bytes += page.body.length;
      use(page.body);
      [path, body] = ['_search/scroll', { scroll: '2m', scroll_id: scrollId }];
    }
  };
  await Promise.all(Array.from({ length: shards }, (_, shard) => read(shard)));
  return total;
}

/**
 * Everything is read into memory first; what is answered sends it. The operations are those of a copy that keeps what can be
 * kept: ids, routing, and the source's versions as external ones.
 */
export async function bareLoad(scan: ScanJob, target: string): Promise<() => Promise<Count>> {
  const bodies: Buffer[] = [];
  const total: Count = { documents: 0, bytes: 0 };
  await bareScan(scan, (page) => {
    const hits = at(page, ['hits', 'hits']);
    const lines: Buffer[] = [];
    for (const hit of hits === undefined ? [] : elements(page, hits)) {
      const parts = members(page, hit);
      const part = (name: string) => {
        const span = parts.get(name);
        return span === undefined ? undefined : page.subarray(span.start, span.end);
      };
      const [id, version, routing, source] = [part('_id'), part('_version'), part('_routing'), part('_source')];
      if (id === undefined || version === undefined || source === undefined) throw new Error('a hit has no _source');
      lines.push(Buffer.from('{"index":{"_id":'), id);
      if (routing !== undefined) lines.push(Buffer.from(',"routing":'), routing);
      lines.push(Buffer.from(',"version":'), version, Buffer.from(',"version_type":"external"}}\n'));
      lines.push(source, Buffer.from('\n'));
      total.documents++;
    }
    bodies.push(Buffer.concat(lines));
    total.bytes += (bodies.at(-1) as Buffer).length;
  });
  return async () => {
    const queue = [...bodies];
    const send = async (): Promise<void> => {
      for (let body = queue.shift(); body !== undefined; body = queue.shift()) {
        const answer = await json<{ errors: boolean }>({
          method: 'POST',
          url: `${target}/${segment(scan.index)}/_bulk`,
          body,
          headers: { 'content-type': 'application/x-ndjson' },
          timeoutMs,
        });
        if (answer.errors) throw new Error('the target refused a document');
      }
    };
    await Promise.all(Array.from({ length: bulksInFlight }, send));
    await flushed(target, scan.index);
    return total;
  };
}
