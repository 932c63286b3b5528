import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerText, hitText, type RawHit } from './copy-fixtures';

/**
 * One index of one shard behind real HTTP. Only faults are why it is a fake: a cluster cannot be made to break off its
 * answer at the third bulk. That copies are right on real clusters is for the benchmark's digest.
 */
export interface FakeCluster {
  url: string;
  /** What is in the index: raw `_id` to what was written last. */
  documents: Map<string, { version: number; source: string; action: string }>;
  requests: { path: string; lines: number }[];
  close(): Promise<void>;
}

export type Answer = { status: number; body: string; cutAt?: number };
/** May answer in the cluster's place; is given the request's number among those of its kind, from 1. */
export type Fault = (kind: 'pit' | 'search' | 'bulk', nth: number, whole: () => Answer) => Answer | undefined;

interface Search {
  size: number;
  sort?: object[];
  search_after?: [number];
  query?: { range: { _seq_no: { gt: number; lte: number } } };
}

export async function fakeCluster(hits: readonly RawHit[] = [], fault: Fault = () => undefined): Promise<FakeCluster> {
  const documents: FakeCluster['documents'] = new Map();
  const requests: FakeCluster['requests'] = [];
  const counts = { pit: 0, search: 0, bulk: 0 };

  /** As two threads have written them: segments in which neighbours are, of which no one has all numbers. */
  const shardDocs = hits
    .map((hit, at) => ({ hit, segment: Math.floor(at / 700) * 2 + (Math.floor(at / 25) % 2) }))
    .sort((a, b) => a.segment - b.segment || a.hit.seqNo - b.hit.seqNo)
    .map(({ hit }) => hit);

  function search(body: string): string {
    const { size, query, sort, search_after: [after = -1] = [] } = JSON.parse(body) as Search;
    const { gt, lte } = query?.range._seq_no ?? { gt: 0, lte: 0 };
    const isWanted = ({ seqNo }: RawHit) => seqNo > gt && seqNo <= lte;
    const inDocOrder = JSON.stringify(sort ?? '').includes('_shard_doc');
    const found = inDocOrder
      ? shardDocs.flatMap((hit, doc) => (isWanted(hit) && doc > after ? [hitText(hit, 0, doc)] : []))
      : hits.filter(isWanted).map((hit) => hitText(hit));
    return answerText(found.slice(0, size), '"pit_id":"p",');
  }

  function write(action: string, source: string): object {
    const { _id: id, version } = (JSON.parse(action) as { index: { _id: string; version: number } }).index;
    const there = documents.get(id);
    if (there !== undefined && there.version >= version)
      return { index: { status: 409, error: { type: 'version_conflict_engine_exception', reason: 'there' } } };
    if (source.includes('"refuse me"'))
      return { index: { status: 400, error: { type: 'mapper_parsing_exception', reason: 'no' } } };
    JSON.parse(source);
    documents.set(id, { version, source, action });
    return { index: { status: 201 } };
  }

  function bulk(body: string): string {
    const lines = body.split('\n');
    const items: object[] = [];
    for (let at = 0; at + 1 < lines.length; at += 2) items.push(write(lines[at] ?? '', lines[at + 1] ?? ''));
    return JSON.stringify({ took: 1, errors: JSON.stringify(items).includes('"error"'), items });
  }

  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      const body = Buffer.concat(chunks).toString();
      requests.push({ path, lines: body.split('\n').length - 1 });
      const kind = path.includes('_bulk') ? 'bulk' : path.includes('_search') ? 'search' : 'pit';
      const whole = (): Answer => ({
        status: 200,
        body: kind === 'bulk' ? bulk(body) : kind === 'search' ? search(body) : '{"id":"p"}',
      });
      const { status, body: text, cutAt } = fault(kind, ++counts[kind], whole) ?? whole();
      response.writeHead(status, { 'content-length': Buffer.byteLength(text) });
      if (cutAt === undefined) response.end(text);
      else response.write(text.slice(0, cutAt), () => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    documents,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
