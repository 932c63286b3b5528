import { customer, note, order, place, precise, product, threadOrPost, type DocumentMaker } from './documents';

export interface IndexSpec {
  name: string;
  /** Part of the corpus's bytes; what has none has as many documents as `documents` says. */
  share: number;
  documentBytes: number;
  documents?: number;
  make: DocumentMaker;
  shards: number;
  replicas: number;
  settings?: Record<string, unknown>;
  mappings: Record<string, unknown>;
  closed?: boolean;
  hidden?: boolean;
  /** Overwrites every seventh document and deletes every eleventh afterwards: holes in the sequence numbers. */
  changed?: boolean;
  /** Needs the parent-join module, on the target too. */
  join?: boolean;
  withoutSource?: boolean;
}

const payload = { type: 'keyword', index: false, doc_values: false };
const date = { type: 'date' };
const keyword = { type: 'keyword' };

const orderMappings = {
  properties: {
    order_id: { type: 'long' },
    placed_at: date,
    status: keyword,
    total: { type: 'double' },
    customer: keyword,
    note: { type: 'text' },
    payload,
  },
};

const productSettings = {
  analysis: {
    filter: { shop_stop: { type: 'stop', stopwords: ['the', 'and', 'of'] } },
    analyzer: { shop_text: { type: 'custom', tokenizer: 'standard', filter: ['lowercase', 'shop_stop'] } },
  },
};

const productMappings = {
  properties: {
    title: { type: 'text', analyzer: 'shop_text', fields: { raw: keyword } },
    description: { type: 'text', analyzer: 'shop_text' },
    price: { type: 'double' },
    variants: { type: 'nested', properties: { sku: keyword, colour: keyword, stock: { type: 'integer' } } },
    tags: keyword,
    payload,
  },
};

const noteMappings = { properties: { text: { type: 'text' }, n: { type: 'long' }, at: date, payload } };

function tiny(name: string, documents: number, differences: Partial<IndexSpec> = {}): IndexSpec {
  return {
    name,
    share: 0,
    documents,
    documentBytes: 500,
    make: note,
    shards: 1,
    replicas: 1,
    mappings: noteMappings,
    ...differences,
  };
}

/** Indices worth moving: very different sizes, and everything about an index that a move can get wrong. */
export function corpusIndices(): IndexSpec[] {
  const dated = (month: string, share: number, shards: number): IndexSpec => ({
    name: `orders-2024.${month}`,
    share,
    documentBytes: 4_000,
    make: order,
    shards,
    replicas: 1,
    mappings: orderMappings,
  });
  return [
    dated('01', 0.3, 3),
    dated('02', 0.16, 2),
    dated('03', 0.08, 1),
    dated('04', 0.04, 1),
    {
      name: 'catalog-products',
      share: 0.2,
      documentBytes: 6_000,
      make: product,
      shards: 2,
      replicas: 1,
      settings: productSettings,
      mappings: productMappings,
    },
    {
      name: 'customers',
      share: 0.1,
      documentBytes: 2_000,
      make: customer,
      shards: 4,
      replicas: 1,
      mappings: { _routing: { required: true }, properties: { name: keyword, country: keyword, since: date, payload } },
    },
    {
      name: 'reviews',
      share: 0.06,
      documentBytes: 1_500,
      make: note,
      shards: 2,
      replicas: 0,
      mappings: noteMappings,
      changed: true,
    },
    {
      name: 'places',
      share: 0.03,
      documentBytes: 1_000,
      make: place,
      shards: 1,
      replicas: 0,
      mappings: { properties: { name: { type: 'text' }, location: { type: 'geo_point' }, opened: date, payload } },
    },
    {
      name: 'without-source',
      share: 0.02,
      documentBytes: 1_500,
      make: note,
      shards: 1,
      replicas: 1,
      mappings: { _source: { enabled: false }, ...noteMappings },
      withoutSource: true,
    },
    {
      name: 'forum',
      share: 0.01,
      documentBytes: 1_000,
      make: threadOrPost,
      shards: 2,
      replicas: 1,
      mappings: {
        properties: { relation: { type: 'join', relations: { thread: 'post' } }, text: { type: 'text' }, payload },
      },
      join: true,
    },
    tiny('numbers', 50, {
      make: precise,
      mappings: {
        properties: {
          big: { type: 'long' },
          big2: { type: 'long' },
          one: { type: 'double' },
          nested: { type: 'object', enabled: false },
          payload,
        },
      },
    }),
    tiny('odd+name.with-dots_und-ümläut', 40),
    tiny('日本語', 30),
    tiny("o'brien;$(touch-pwned)&`id`", 20),
    tiny('empty', 0, { shards: 2 }),
    tiny('archive-2019', 60, { closed: true }),
    tiny('audit-hidden', 25, { hidden: true }),
    tiny('one-document', 1, { replicas: 0 }),
    tiny('settings-prod', 12),
    tiny('logs-legacy-000001', 35, { shards: 2 }),
    tiny('wide', 10, {
      mappings: {
        properties: Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`field_${index}`, keyword])),
      },
    }),
  ];
}

/** Registered before the indices are made. `composable` needs 7.8. */
export const TEMPLATES = {
  component: { name: 'shop-settings', body: { template: { settings: { 'index.refresh_interval': '5s' } } } },
  composable: {
    name: 'shop-orders',
    body: {
      index_patterns: ['orders-*'],
      priority: 50,
      composed_of: ['shop-settings'],
      template: { mappings: orderMappings },
    },
  },
  legacy: {
    name: 'shop-legacy',
    body: { index_patterns: ['logs-legacy-*'], order: 1, settings: { 'index.refresh_interval': '10s' } },
  },
};

/** In one request, after the loading. */
export const ALIAS_ACTIONS = [
  { add: { index: 'orders-2024.*', alias: 'orders-all' } },
  { add: { index: 'orders-2024.04', alias: 'orders-write', is_write_index: true } },
  { add: { index: 'orders-2024.03', alias: 'orders-write', is_write_index: false } },
  { add: { index: 'orders-2024.01', alias: 'orders-open', filter: { term: { status: 'open' } } } },
  { add: { index: 'customers', alias: 'customers-jp', routing: 'jp', filter: { term: { country: 'jp' } } } },
  { add: { index: 'customers', alias: 'customers-search', search_routing: 'de,us' } },
  { add: { index: '日本語', alias: '別名' } },
];
