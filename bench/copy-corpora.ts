import { order, product, type CorpusDocument, type DocumentMaker } from '../lab/corpus/documents';
import type { Random } from '../lab/corpus/random';

/** What is copied, and what suits documents of such a size best: for the bound and for each of the tools. */
export interface CopyCorpus {
  title: string;
  documents: number;
  make: DocumentMaker;
  /** Of each search of the bare scan, and of each bulk of the bare load; one row of it each. */
  scanDocuments: number;
  loadDocuments: number[];
  reindexSizes: number[];
  elasticdump: { limit: number; concurrency: number };
  pythonChunk: number;
  /** Of the servers, where the lab's own is too small: bulks under way may take a tenth of it, and some clients send all at once. */
  heap?: string;
}

export const sizes = ['kb', 'mixed', 'large'] as const;
export type CopySize = (typeof sizes)[number];

const payload = { type: 'keyword', index: false, doc_values: false };
const text = { type: 'text' };

/** As an application would have them: dates, numbers, keywords, and text that is analyzed. */
export const mappings = {
  dynamic: false,
  properties: {
    order_id: { type: 'long' },
    placed_at: { type: 'date' },
    status: { type: 'keyword' },
    total: { type: 'double' },
    customer: { type: 'keyword' },
    note: text,
    title: text,
    description: text,
    price: { type: 'double' },
    variants: { properties: { sku: { type: 'keyword' }, colour: { type: 'keyword' }, stock: { type: 'integer' } } },
    tags: { type: 'keyword' },
    payload,
  },
};

/** Mostly small, a few large: 200 bytes to 100 KB, 4.4 KB on average. */
const mixed: DocumentMaker = (random, number) => {
  const kind = random.below(100);
  if (kind < 60) return small(random, number, 200 + random.below(800));
  if (kind < 90) return order(random, number, 1_000 + random.below(7_000));
  if (kind < 99) return product(random, number, 8_000 + random.below(32_000));
  return order(random, number, 40_000 + random.below(60_000));
};

function small(random: Random, number: number, bytes: number): CorpusDocument {
  const status = random.pick(['open', 'paid', 'shipped', 'returned']);
  return {
    id: `event-${number}`,
    source: `{"order_id":${number},"status":"${status}","note":"${random.words(Math.max(20, bytes - 80))}"}`,
  };
}

const megabyte = 1 << 20;
/** Above `http.max_content_length`'s default of 100mb no document can be; this is what the memory has to stand. */
const largestBytes = 20 * megabyte;
const oneLargestIn = 30;

/** 1 to 5 MB, as scanned papers have them; one in 30 has 20 MB. */
const large: DocumentMaker = (random, number) => {
  const bytes = number % oneLargestIn === oneLargestIn - 1 ? largestBytes : megabyte + random.below(4 * megabyte);
  const pieces: string[] = [];
  // the pool that pieces are cut from has 4 MB
  for (let left = bytes; left > 0; left -= megabyte) pieces.push(random.filler(Math.max(8, Math.min(left, megabyte))));
  return {
    id: `paper-${number}`,
    source: `{"order_id":${number},"title":"${random.words(60)}","description":"${random.words(20_000)}","payload":[${pieces.map((piece) => `"${piece}"`).join(',')}]}`,
  };
};

export const corpora: Record<CopySize, CopyCorpus> = {
  kb: {
    title: 'documents of 1.1 KB',
    documents: 300_000,
    make: (random, number) => order(random, number, 1_100),
    scanDocuments: 5_000,
    loadDocuments: [1_000, 4_000],
    reindexSizes: [1_000, 5_000],
    elasticdump: { limit: 5_000, concurrency: 4 },
    pythonChunk: 5_000,
  },
  mixed: {
    title: 'documents of 200 B to 100 KB',
    documents: 60_000,
    make: mixed,
    scanDocuments: 1_500,
    loadDocuments: [300, 1_200],
    reindexSizes: [1_000, 5_000],
    elasticdump: { limit: 1_500, concurrency: 4 },
    pythonChunk: 1_500,
  },
  large: {
    title: 'documents of 1 to 5 MB, one in 30 of 20 MB',
    documents: 150,
    make: large,
    heap: '2g',
    scanDocuments: 4,
    loadDocuments: [1, 3],
    // its buffer on the target has 100 MB: with the sizes of the others it fails
    reindexSizes: [4, 10],
    elasticdump: { limit: 4, concurrency: 2 },
    pythonChunk: 4,
  },
};
