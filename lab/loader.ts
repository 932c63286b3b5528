import { ALIAS_ACTIONS, corpusIndices, TEMPLATES, type IndexSpec } from './corpus/indices';
import { filler, type DocumentMaker } from './corpus/documents';
import { seededRandom } from './corpus/random';
import { json, segment, type LabRequest } from './http';
import { progress } from './progress';
import { startedSeconds } from './stopwatch';
import { GiveUp, waitFor } from './wait';

export type CorpusScale = 'small' | 'demo' | 'large';

export interface LoadTarget {
  url: string;
  /** See http.ts; a site's `via`. */
  via?: string;
}

export interface CorpusOptions extends LoadTarget {
  seed?: number;
  scale?: CorpusScale;
  /** Instead of a scale: megabytes of documents. */
  sizeMb?: number;
  /** With an index of parents and children, for targets that have the parent-join module; the lab's 8.19 and 9.5 lack it. */
  join?: boolean;
}

export interface LoadedIndex {
  name: string;
  docs: number;
  closed: boolean;
  hidden: boolean;
  withoutSource: boolean;
  shards: number;
  replicas: number;
  /** Bytes of all documents that were sent. */
  bytes: number;
}

export interface Manifest {
  seed: number;
  indices: LoadedIndex[];
  aliases: string[];
  templates: string[];
}

const MEGABYTES: Record<CorpusScale, number> = { small: 50, demo: 150, large: 2_000 };
const BULK_BYTES = 4 << 20;
/** Indices that are loaded at the same time: enough to keep a small cluster busy. */
const IN_FLIGHT = 3;

type Call = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;

function caller(target: LoadTarget): Call {
  return (method, path, body) => {
    const request: LabRequest = { method, url: `${target.url}${path}`, body, via: target.via, timeoutMs: 120_000 };
    if (Buffer.isBuffer(body)) request.headers = { 'content-type': 'application/x-ndjson' };
    return json(request);
  };
}

async function majorOf(call: Call): Promise<number> {
  const { version } = (await call('GET', '/')) as { version: { number: string; distribution?: string } };
  return version.distribution === 'opensearch' ? 7 : Number(version.number.split('.')[0]);
}

/** Fills a cluster with documents worth moving, the same ones for the same seed and scale. */
export async function loadCorpus(options: CorpusOptions): Promise<Manifest> {
  const seconds = startedSeconds();
  const seed = options.seed ?? 1;
  const bytes = (options.sizeMb ?? MEGABYTES[options.scale ?? 'small']) * 1e6;
  const call = caller(options);
  const major = await majorOf(call);
  const specs = corpusIndices().filter((spec) => spec.join !== true || options.join === true);
  const templates = await putTemplates(call, major);
  const { number_of_data_nodes: nodes } = (await call('GET', '/_cluster/health')) as { number_of_data_nodes: number };
  // a replica that no node is left for would keep the cluster from being green
  const placeable = specs.map((spec) => ({ ...spec, replicas: Math.min(spec.replicas, nodes - 1) }));
  const loaded = await inParallel(placeable, IN_FLIGHT, (spec) => loadIndex(call, major, spec, seed, bytes));
  await call('POST', '/_refresh');
  const actions = major >= 6 ? ALIAS_ACTIONS : ALIAS_ACTIONS.map(withoutWriteIndex);
  await call('POST', '/_aliases', { actions });
  for (const { name, closed } of specs) if (closed === true) await call('POST', `/${segment(name)}/_close`);
  await call('GET', '/_cluster/health?wait_for_status=green&wait_for_no_initializing_shards=true&timeout=60s');
  const manifest = {
    seed,
    indices: loaded,
    aliases: [...new Set(ALIAS_ACTIONS.map(({ add }) => add.alias))],
    templates,
  };
  const megabytes = loaded.reduce((sum, index) => sum + index.bytes, 0) / 1e6;
  progress(`loaded ${loaded.length} indices with ${megabytes.toFixed(0)} MB of documents in ${seconds()} s`);
  return manifest;
}

export interface FillerOptions extends LoadTarget {
  indices: number;
  megabytesEach: number;
  prefix?: string;
  seed?: number;
  documentBytes?: number;
  /** How many in each, instead of as many as the megabytes are. */
  documents?: number;
  make?: DocumentMaker;
  settings?: Record<string, unknown>;
  mappings?: Record<string, unknown>;
  shards?: number;
  replicas?: number;
}

/** Indices of one size on disk, made of text that does not compress unless told otherwise: for measurements. */
export async function loadFiller(options: FillerOptions): Promise<Manifest> {
  const call = caller(options);
  const major = await majorOf(call);
  const width = String(options.indices).length;
  const specs = Array.from({ length: options.indices }, (_, number): IndexSpec => ({
    name: `${options.prefix ?? 'bench'}-${String(number + 1).padStart(width, '0')}`,
    share: 1,
    documentBytes: options.documentBytes ?? 16_384,
    ...(options.documents === undefined ? {} : { documents: options.documents }),
    make: options.make ?? filler,
    shards: options.shards ?? 1,
    replicas: options.replicas ?? 0,
    settings: options.settings ?? { refresh_interval: '-1' },
    mappings: options.mappings ?? {
      properties: { n: { type: 'long' }, payload: { type: 'keyword', index: false, doc_values: false } },
    },
  }));
  const seed = options.seed ?? 1;
  const indices = await inParallel(specs, IN_FLIGHT, (spec) =>
    loadIndex(call, major, spec, seed, options.megabytesEach * 1e6),
  );
  await call('POST', '/_refresh');
  await call('POST', '/_flush');
  return { seed, indices, aliases: [], templates: [] };
}

function withoutWriteIndex(action: (typeof ALIAS_ACTIONS)[number]): object {
  const { is_write_index: _, ...add } = action.add as Record<string, unknown>;
  return { add };
}

async function putTemplates(call: Call, major: number): Promise<string[]> {
  const { component, composable, legacy } = TEMPLATES;
  const old =
    major < 6 ? { ...legacy.body, template: legacy.body.index_patterns[0], index_patterns: undefined } : legacy.body;
  await call('PUT', `/_template/${legacy.name}`, old);
  if (major < 7) return [legacy.name];
  await call('PUT', `/_component_template/${component.name}`, component.body);
  await call('PUT', `/_index_template/${composable.name}`, composable.body);
  return [legacy.name, component.name, composable.name];
}

async function loadIndex(
  call: Call,
  major: number,
  spec: IndexSpec,
  seed: number,
  corpusBytes: number,
): Promise<LoadedIndex> {
  const { name, hidden = false, closed = false, withoutSource = false, shards, replicas } = spec;
  const settings = {
    number_of_shards: shards,
    number_of_replicas: replicas,
    ...(hidden && major >= 7 ? { hidden } : {}),
    ...spec.settings,
  };
  // up to 6 a mapping has the name of a type around it
  await call('PUT', `/${segment(name)}`, { settings, mappings: major < 7 ? { doc: spec.mappings } : spec.mappings });
  const count = spec.documents ?? Math.max(1, Math.round((corpusBytes * spec.share) / spec.documentBytes));
  let bytes = await index(call, major, spec.make, name, seed, spec.documentBytes, numbers(count));
  let docs = count;
  if (spec.changed === true) {
    // the same documents with other contents: another seed
    bytes += await index(call, major, spec.make, name, seed + 1_000, spec.documentBytes, numbers(count), 7);
    docs -= await removeEvery(call, major, name, 11);
  }
  return { name, docs, closed, hidden, withoutSource, shards, replicas, bytes };
}

function* numbers(count: number): Generator<number> {
  for (let number = 0; number < count; number++) yield number;
}

/** Documents whose number is a multiple of `every` go to the index, in requests of a few megabytes, one after another. */
async function index(
  call: Call,
  major: number,
  make: DocumentMaker,
  name: string,
  seed: number,
  bytes: number,
  all: Iterable<number>,
  every = 1,
): Promise<number> {
  const random = seededRandom(seed, name);
  const type = major < 7 ? ',"_type":"doc"' : '';
  let lines: string[] = [];
  let size = 0;
  let sent = 0;
  const flush = async (): Promise<void> => {
    if (lines.length > 0) await bulk(call, name, Buffer.from(lines.join('')));
    sent += size;
    [lines, size] = [[], 0];
  };
  for (const number of all) {
    if (number % every !== 0) continue;
    const { id, routing, source } = make(random, number, bytes);
    const routed = routing === undefined ? '' : `,"routing":${JSON.stringify(routing)}`;
    lines.push(`{"index":{"_id":${JSON.stringify(id)}${routed}${type}}}\n${source}\n`);
    size += source.length;
    if (size >= BULK_BYTES) await flush();
  }
  await flush();
  return sent;
}

interface BulkResult {
  status: number;
  error?: unknown;
}

/** A full queue (429) is no error: the same request goes out again. */
async function bulk(call: Call, name: string, body: Buffer): Promise<void> {
  await waitFor(
    async () => {
      const answer = (await call('POST', `/${segment(name)}/_bulk`, body)) as {
        errors: boolean;
        items: { [verb: string]: BulkResult }[];
      };
      if (!answer.errors) return true;
      const failed = answer.items.flatMap((item) => Object.values(item)).filter((item) => item.error !== undefined);
      const refused = failed.find(({ status }) => status !== 429);
      if (refused !== undefined)
        throw new GiveUp(`${name} refuses a document: ${JSON.stringify(refused).slice(0, 500)}`);
      throw new Error(JSON.stringify(failed[0]).slice(0, 500));
    },
    { what: `documents to get into ${name}`, timeoutMs: 60_000, everyMs: 500 },
  );
}

/** Deletes every so-manieth document by its id's order, and says how many. */
async function removeEvery(call: Call, major: number, name: string, every: number): Promise<number> {
  await call('POST', `/${segment(name)}/_refresh`);
  const found = (await call('POST', `/${segment(name)}/_search`, { size: 10_000, _source: false, sort: ['n'] })) as {
    hits: { hits: { _id: string }[] };
  };
  const gone = found.hits.hits.filter((_, position) => position % every === 0).map(({ _id }) => _id);
  const type = major < 7 ? ',"_type":"doc"' : '';
  if (gone.length > 0)
    await bulk(call, name, Buffer.from(gone.map((id) => `{"delete":{"_id":${JSON.stringify(id)}${type}}}\n`).join('')));
  return gone.length;
}

async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
