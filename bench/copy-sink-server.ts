import http from 'node:http';
import { order } from '../lab/corpus/documents';
import { seededRandom } from '../lab/corpus/random';

/**
 * A source that has its answers ready and a target that only counts: what is measured against it is the client alone. It
 * runs in a process of its own; its only argument is how many bytes a document has.
 */

/** Numbers of so many digits from here on: they are written over one another in place. */
const firstSeqNo = 1_000_000_000;
const pageDocuments = 10_000;

interface ReadyPage {
  text: Buffer;
  /** Where the hit's sequence number stands, and where it ends with the comma after it. */
  numbers: number[];
  ends: number[];
}

function readyPage(documentBytes: number): ReadyPage {
  const random = seededRandom(1, 'sink');
  const pieces: Buffer[] = [];
  const page: ReadyPage = { text: Buffer.alloc(0), numbers: [], ends: [] };
  let at = 0;
  for (let number = 0; number < pageDocuments; number++) {
    const { id, source } = order(random, number, documentBytes);
    const hit = `{"_index":"bench","_type":"_doc","_id":"${id}","_version":1,"_score":null,"_source":${source},"sort":[${firstSeqNo}]},`;
    const bytes = Buffer.from(hit);
    at += bytes.length;
    page.numbers.push(at - '1000000000]},'.length);
    page.ends.push(at);
    pieces.push(bytes);
  }
  page.text = Buffer.concat(pieces);
  return page;
}

function writeNumber(text: Buffer, at: number, value: number): void {
  for (let digit = at + 9, rest = value; digit >= at; digit--) {
    text[digit] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

interface Search {
  size: number;
  query: { range: { _seq_no: { gt: number; lte: number } } };
}

function main(documentBytes: number): void {
  const first = readyPage(documentBytes);
  /** A page that is still on its way out must not be written over. */
  const free: Buffer[] = [];
  const head = Buffer.from(
    '{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"max_score":null,"hits":[',
  );
  const tail = Buffer.from(']}}');
  const item = Buffer.from(
    '{"index":{"_index":"bench","_type":"_doc","_id":"order-1000","_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":1000,"_primary_term":1,"status":201}},',
  );
  const items = Buffer.concat(Array.from({ length: pageDocuments }, () => item));

  function search(response: http.ServerResponse, body: Buffer): void {
    const { size, query } = JSON.parse(body.toString()) as Search;
    const { gt, lte } = query.range._seq_no;
    const count = Math.min(size, pageDocuments, lte - gt);
    const page = free.pop() ?? Buffer.from(first.text);
    response.once('finish', () => free.push(page));
    for (let hit = 0; hit < count; hit++) writeNumber(page, first.numbers[hit] as number, gt + 1 + hit);
    // without the comma after the last one
    answer(response, [head, page.subarray(0, Math.max(0, (first.ends[count - 1] ?? 1) - 1)), tail]);
  }

  function answer(response: http.ServerResponse, pieces: Buffer[]): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
    for (const piece of pieces) response.write(piece);
    response.end();
  }

  const server = http.createServer((request, response) => {
    const path = request.url ?? '';
    let lines = 0;
    const chunks: Buffer[] = [];
    const isBulk = path.includes('/_bulk');
    request.on('data', (chunk: Buffer) => {
      if (!isBulk) chunks.push(chunk);
      else for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    });
    request.on('end', () => {
      if (isBulk) {
        const all = items.subarray(0, Math.max(0, (lines / 2) * item.length - 1));
        answer(response, [Buffer.from('{"took":1,"errors":false,"items":['), all, Buffer.from(']}')]);
      } else if (path.startsWith('/_search')) search(response, Buffer.concat(chunks));
      else answer(response, [Buffer.from('{"id":"pit"}')]);
    });
  });
  process.on('disconnect', () => process.exit(0));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0, firstSeqNo });
  });
}

main(Number(process.argv[2] ?? 1024));
