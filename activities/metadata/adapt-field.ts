import type { MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import { isElasticsearchFrom, isTypeless, serverName, understands, type Lifetime, type Server } from './lifetimes';
import { adaptString } from './adapt-string';

export type Json = Record<string, unknown>;

export interface MappingContext {
  from: Server;
  target: Server;
  /** Made before 7.0, and so with Joda-Time's formats and the defaults of that time. */
  isOldIndex: boolean;
  notes: MetadataNote[];
  refusals: MetadataRefusal[];
}

/** Field types that not every server has. */
const types: Record<string, Lifetime> = {
  attachment: { until: '6.0.0', openSearch: false },
  alias: { since: '6.4.0' },
  join: { since: '6.0.0' },
  rank_feature: { since: '7.0.0' },
  rank_features: { since: '7.0.0' },
  date_nanos: { since: '7.0.0' },
  search_as_you_type: { since: '7.2.0' },
  flattened: { since: '7.3.0', openSearch: false },
  shape: { since: '7.4.0', openSearch: false },
  histogram: { since: '7.6.0', openSearch: false },
  constant_keyword: { since: '7.7.0', openSearch: '2.15.0' },
  wildcard: { since: '7.9.0', openSearch: '2.15.0' },
  version: { since: '7.10.0', openSearch: '3.6.0' },
  unsigned_long: { since: '7.10.0', openSearch: '2.8.0' },
  point: { since: '7.8.0', openSearch: false },
  aggregate_metric_double: { since: '7.11.0', openSearch: false },
  match_only_text: { since: '7.14.0', openSearch: '2.12.0' },
  dense_vector: { since: '7.0.0', openSearch: false },
  counted_keyword: { since: '8.13.0', openSearch: false },
  semantic_text: { since: '8.15.0', openSearch: false },
  passthrough: { since: '8.16.0', openSearch: false },
  rank_vectors: { since: '8.18.0', openSearch: false },
  pattern_text: { since: '9.2.0', openSearch: false },
  flat_object: { since: '99', openSearch: '2.7.0' },
  knn_vector: { since: '99', openSearch: '1.0.0' },
  star_tree: { since: '99', openSearch: '2.18.0' },
};

interface Parameter extends Lifetime {
  why: string;
  /** Only of these types; of all unless given. */
  of?: RegExp;
}

const numeric = /^(byte|short|integer|long|float|half_float|double|scaled_float|unsigned_long)$/;
const prefixTrees = 'shapes are indexed as points of a tree of bounding boxes from 6.6 on, exactly';

/** Parameters that not every server takes; left out where it does not. */
const parameters: Record<string, Parameter[]> = {
  include_in_all: [{ until: '6.0.0', why: '_all is gone' }],
  boost: [{ until: '8.0.0', openSearch: true, why: 'boosts in mappings are gone in 8.0: give them in the query' }],
  precision_step: [{ until: '6.0.0', why: 'numbers are indexed as points' }],
  numeric_resolution: [{ until: '6.0.0', why: 'epoch_second and epoch_millis are formats' }],
  lat_lon: [{ until: '6.0.0', why: 'points are indexed as such' }],
  geohash: [{ until: '6.0.0', of: /^geo_point$/, why: 'points are indexed as such' }],
  geohash_prefix: [{ until: '6.0.0', why: 'points are indexed as such' }],
  geohash_precision: [{ until: '6.0.0', why: 'points are indexed as such' }],
  validate: [{ until: '6.0.0', of: /^geo_point$/, why: 'ignore_malformed took its place' }],
  validate_lat: [{ until: '6.0.0', why: 'ignore_malformed took its place' }],
  validate_lon: [{ until: '6.0.0', why: 'ignore_malformed took its place' }],
  normalize: [{ until: '6.0.0', of: /^geo_point$/, why: 'points are always normalized' }],
  normalize_lat: [{ until: '6.0.0', why: 'points are always normalized' }],
  normalize_lon: [{ until: '6.0.0', why: 'points are always normalized' }],
  payloads: [{ until: '6.0.0', of: /^completion$/, why: 'suggestions answer with _source' }],
  index_options: [
    { until: '7.0.0', of: numeric, why: 'numbers have no postings' },
    { since: '8.0.0', of: /^dense_vector$/, why: 'vectors are not indexed before 8.0: no kNN search' },
  ],
  tree: [{ until: '8.0.0', openSearch: true, of: /^geo_shape$/, why: prefixTrees }],
  tree_levels: [{ until: '8.0.0', openSearch: true, of: /^geo_shape$/, why: prefixTrees }],
  precision: [{ until: '8.0.0', openSearch: true, of: /^geo_shape$/, why: prefixTrees }],
  strategy: [{ until: '8.0.0', openSearch: true, of: /^geo_shape$/, why: prefixTrees }],
  distance_error_pct: [{ until: '8.0.0', openSearch: true, of: /^geo_shape$/, why: prefixTrees }],
  points_only: [
    { until: '8.0.0', openSearch: true, of: /^geo_shape$/, why: 'other shapes than points are not refused any more' },
  ],
  meta: [{ since: '7.6.0', why: 'no notes on fields there' }],
  similarity: [{ since: '8.0.0', of: /^dense_vector$/, why: 'vectors are not indexed before 8.0: no kNN search' }],
  index: [{ since: '8.0.0', of: /^dense_vector$/, why: 'vectors are not indexed before 8.0: no kNN search' }],
  time_series_dimension: [{ since: '7.16.0', openSearch: false, why: 'no time series there' }],
  time_series_metric: [{ since: '7.16.0', openSearch: false, why: 'no time series there' }],
  synthetic_source_keep: [{ since: '8.16.0', openSearch: false, why: '_source is stored there' }],
  on_script_error: [{ since: '7.13.0', openSearch: false, why: 'no scripts in fields there' }],
};

/** One field without what is below it, as the target's version takes it. What nothing is said of stays as it is. */
export function adaptField(source: Json, path: string, context: MappingContext): Json {
  const { target, notes, refusals } = context;
  let field = { ...source };
  if (field['type'] === 'string') field = adaptString(field, path, context);
  const type = typeof field['type'] === 'string' ? field['type'] : undefined;
  if (type === 'flattened' && understands(target, { since: '99', openSearch: '2.7.0' })) {
    notes.push({
      path: `${path}.type`,
      result: 'changed',
      how: 'flat_object',
      why: 'what OpenSearch has in place of flattened',
    });
    return { type: 'flat_object' };
  }
  if (type === 'flat_object' && target.distribution === 'elasticsearch' && understands(target, { since: '7.3.0' })) {
    notes.push({
      path: `${path}.type`,
      result: 'changed',
      how: 'flattened',
      why: 'what Elasticsearch has in place of flat_object',
    });
    return { ...field, type: 'flattened' };
  }
  const refused = type === undefined ? undefined : whyRefused(type, field, context);
  if (refused !== undefined) {
    refusals.push({
      path: `${path}.type`,
      why: refused,
      remedy: 'leave the index out by select.exclude, or reindex it on the source without this field',
    });
    return field;
  }
  const change = (name: string, value: unknown, why: string) => {
    field[name] = value;
    notes.push({
      path: `${path}.${name}`,
      result: 'changed',
      how: typeof value === 'string' ? value : JSON.stringify(value),
      why,
    });
  };
  for (const name of Object.keys(source)) {
    const gone = (parameters[name] ?? []).find(
      (each) => (each.of?.test(type ?? 'object') ?? true) && !understands(target, each),
    );
    if (gone && name in field) {
      delete field[name];
      notes.push({ path: `${path}.${name}`, result: 'left out', why: gone.why });
    }
  }
  if (isObject(field['norms']))
    change('norms', field['norms']['enabled'] !== false, 'norms are true or false from 6.0 on');
  if (typeof field['index'] === 'string' && !/^(true|false)$/.test(field['index']))
    change('index', field['index'] !== 'no', 'index is true or false from 6.0 on');
  if ((field['similarity'] === 'classic' || field['similarity'] === 'default') && isTypeless(target))
    change('similarity', 'BM25', 'the classic similarity is gone in 7.0; scores differ');
  if (type === 'dense_vector') adaptVector(field, context, change);
  return field;
}

function whyRefused(type: string, field: Json, { from, target }: MappingContext): string | undefined {
  const lifetime = types[type];
  if (lifetime && !understands(target, lifetime)) return `${serverName(target)} has no fields of type ${type}`;
  if (type === 'sparse_vector' && !understands(target, { since: '8.11.0', openSearch: false }))
    return `${serverName(target)} has no fields of type sparse_vector as the source has them`;
  if (type === 'sparse_vector' && !understands(from, { since: '8.11.0' }))
    return 'sparse_vector of 7.x was removed; what 8.11 brought under that name holds words, not numbered dimensions';
  if (field['script'] !== undefined && !understands(target, { since: '7.13.0', openSearch: false }))
    return `${serverName(target)} cannot compute a field by a script: documents would lack it`;
  const element = field['element_type'];
  if (
    type === 'dense_vector' &&
    element !== undefined &&
    element !== 'float' &&
    !understands(target, { since: '8.6.0' })
  )
    return `${serverName(target)} has vectors of floats only, not of ${JSON.stringify(element)}`;
  if (type === 'dense_vector' && field['dims'] === undefined && !understands(target, { since: '8.11.0' }))
    return `${serverName(target)} must be told the number of dimensions, which the source has not seen yet`;
  return undefined;
}

/** Vectors were not indexed before 8.0, not by default before 8.11, and by default exactly before 8.14. */
function adaptVector(
  field: Json,
  { from, target }: MappingContext,
  change: (name: string, value: unknown, why: string) => void,
): void {
  if (!understands(target, { since: '8.6.0' })) delete field['element_type'];
  if (!isElasticsearchFrom(target, '8.0.0')) return;
  const wasIndexed = field['index'] ?? isElasticsearchFrom(from, '8.11.0');
  if (wasIndexed !== true) {
    if (field['index'] === undefined)
      change('index', false, 'not indexed by the source; from 8.11 on it would be, and vectors of length zero refused');
    return;
  }
  const wasExact = !isElasticsearchFrom(from, '8.14.0');
  if (wasExact && field['index_options'] === undefined && isElasticsearchFrom(target, '8.14.0'))
    change(
      'index_options',
      { type: 'hnsw', m: 16, ef_construction: 100 },
      'from 8.14 on vectors would be quantized by default',
    );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
