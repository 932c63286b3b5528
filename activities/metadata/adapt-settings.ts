import type { MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import { adaptAnalysis } from './adapt-analysis';
import { isElasticsearchFrom, isTypeless, serverName, understands, type Lifetime, type Server } from './lifetimes';

/** Flat, as `flat_settings` answers: "index.number_of_shards": "1". */
export type FlatSettings = Record<string, string | string[]>;
/** As a runbook gives them: null for the server's default. */
export type SettingOverrides = Record<string, string | number | boolean | null>;

interface LeftOut {
  setting: RegExp;
  why: string;
  /** True of every index, and so not worth telling. */
  isSilent?: boolean;
}

/** Settings that no new index can have, or that speak of the nodes of the source. */
const neverTaken: LeftOut[] = [
  {
    setting:
      /^index\.(uuid|history\.uuid|creation_date(_string)?|provided_name|version\..+|verified_(before_close|read_only)|mapping\.single_type)$/,
    why: 'the server gives each index its own',
    isSilent: true,
  },
  {
    setting: /^index\.((resize|shrink|split|clone|downsample|rollup)\.source\..+|downsample\..+)$/,
    why: 'names the index that it was made from',
    isSilent: true,
  },
  {
    setting: /^index\.routing\.allocation\.include\._tier_preference$/,
    why: 'each cluster places indices on its own data tiers',
    isSilent: true,
  },
  { setting: /^index\.routing\.allocation\..+$/, why: 'names nodes of the source, or how many shards each may hold' },
  { setting: /^index\.(data_path|shadow_replicas|shared_filesystem\..+)$/, why: 'a path on nodes of the source' },
  { setting: /^index\.blocks\.read_only_allow_delete$/, why: 'the server sets it when a disk is full' },
  {
    setting: /^index\.blocks\.(read|read_only|metadata)$/,
    why: 'it would keep the run from verifying and finishing the index; set it when the run has ended',
  },
  {
    setting: /^index\.blocks\.write$/,
    why: 'this run may have set it on the source; set it on the target if it is wanted there',
  },
  { setting: /^index\.(frozen|search\.throttled)$/, why: 'the copy is an ordinary index, not a frozen one' },
  { setting: /^index\.store\.snapshot\..+$/, why: 'the copy is an ordinary index, not a mounted snapshot' },
  { setting: /^index\.(xpack\.ccr\.following_index|xpack\.ccr\..+)$/, why: 'the copy follows no leader' },
  { setting: /^archived\..+$/, why: 'the source itself no longer knows it' },
  {
    setting: /^index\.(opendistro|plugins)\.index_state_management\..+$/,
    why: 'ISM policies are not taken along; attach one on the target after the cutover',
  },
];

interface Known extends Lifetime {
  setting: RegExp;
  /** Why it is missed by nobody; or what is missed. */
  why: string;
}

/** Settings that not every server knows. One that is not here and not known to the target is refused by it by name. */
const lifetimes: Known[] = [
  {
    setting: /^index\.mapper\.dynamic$/,
    until: '6.0.0',
    why: 'there is one mapping type, which is never made by itself',
  },
  { setting: /^index\.ttl\.disable_purge$/, until: '6.0.0', why: '_ttl is gone' },
  { setting: /^index\.optimize_auto_generated_id$/, until: '7.0.0', why: 'always so' },
  {
    setting: /^index\.merge\.policy\.reclaim_deletes_weight$/,
    until: '7.0.0',
    why: 'index.merge.policy.deletes_pct_allowed took its place',
  },
  {
    setting: /^index\.merge\.policy\.deletes_pct_allowed$/,
    since: '7.0.0',
    why: 'merges there weigh deletes by themselves',
  },
  {
    setting: /^index\.merge\.policy\.max_merge_at_once_explicit$/,
    openSearch: false,
    why: 'merges there need no such limit',
  },
  {
    setting: /^index\.(bloom_filter_for_id_field\.enabled|fast_refresh|merge\.policy\.type)$/,
    since: '8.0.0',
    openSearch: false,
    why: 'a matter of how newer servers keep their files',
  },
  {
    setting: /^index\.max_adjacency_matrix_filters$/,
    until: '8.0.0',
    why: 'indices.query.bool.max_clause_count limits them',
  },
  { setting: /^index\.force_memory_term_dictionary$/, until: '8.0.0', why: 'the term index is always off heap' },
  { setting: /^index\.(indexing|search)\.slowlog\.level$/, until: '8.0.0', why: 'thresholds have a level each' },
  { setting: /^index\.translog\.retention\..+$/, until: '8.0.0', why: 'soft deletes keep the history' },
  {
    setting: /^index\.soft_deletes\.enabled$/,
    since: '6.5.0',
    until: '8.0.0',
    why: 'from 8.0 on every index has soft deletes',
  },
  { setting: /^index\.soft_deletes\..+$/, since: '6.5.0', why: 'no soft deletes there' },
  { setting: /^index\.default_pipeline$/, since: '6.5.0', why: 'name the pipeline in each request' },
  { setting: /^index\.final_pipeline$/, since: '7.5.0', why: 'no final pipelines there' },
  { setting: /^index\.hidden$/, since: '7.7.0', why: 'no hidden indices there' },
  { setting: /^index\.mapping\.field_name_length\.limit$/, since: '7.0.0', why: 'no such limit there' },
  {
    setting: /^index\.mapping\.dimension_fields\.limit$/,
    since: '7.16.0',
    openSearch: false,
    why: 'no dimensions there',
  },
  {
    setting: /^index\.mapping\.total_fields\.ignore_dynamic_beyond_limit$/,
    since: '8.14.0',
    openSearch: false,
    why: 'documents beyond the limit are refused there',
  },
  {
    setting: /^index\.mapping\.ignore_above$/,
    since: '8.17.0',
    openSearch: false,
    why: 'give ignore_above to each field',
  },
  {
    setting:
      /^index\.(mapping\.source\.mode|mapping\.synthetic_source_keep|mapping\.synthetic_source\..+|recovery\.use_synthetic_source)$/,
    since: '8.16.0',
    openSearch: false,
    why: '_source is stored there',
  },
  {
    setting: /^index\.(look_ahead_time|look_back_time|mode|routing_path|time_series\..+|dimensions)$/,
    since: '8.1.0',
    openSearch: false,
    why: 'no index modes there',
  },
  { setting: /^index\.lifecycle\..+$/, since: '6.6.0', openSearch: false, why: 'no ILM there' },
  {
    setting:
      /^index\.(knn.*|replication\..+|remote_store\..+|search\.concurrent.*|composite_index.*|append_only.*|derived_source.*|ingestion_source.*)$/,
    since: '99',
    openSearch: true,
    why: 'of OpenSearch alone',
  },
];

export interface AdaptedSettings {
  /** What the index is to have in the end; lifecycle is among them only when it is to be set. */
  settings: FlatSettings;
  /** Those of them that may only come once all documents are there. */
  afterLoad: FlatSettings;
  notes: MetadataNote[];
  refusals: MetadataRefusal[];
}

/**
 * Settings of the source as the target's version takes them. `overrides` are the runbook's and count more than anything
 * here, which makes them the way round whatever this table does not know.
 */
export function adaptSettings(
  source: FlatSettings,
  {
    target,
    isOldIndex,
    overrides,
    lifecycle,
  }: { target: Server; isOldIndex: boolean; overrides: SettingOverrides; lifecycle: boolean },
): AdaptedSettings {
  const notes: MetadataNote[] = [];
  const refusals: MetadataRefusal[] = [];
  let settings: FlatSettings = {};
  const leaveOut = (path: string, why: string) => notes.push({ path, result: 'left out', why });

  for (const [key, value] of Object.entries(withLists(source))) {
    if (key in overrides) continue;
    const never = neverTaken.find(({ setting }) => setting.test(key));
    if (never) {
      if (never.isSilent !== true) leaveOut(key, never.why);
      continue;
    }
    const gone = lifetimes.find((known) => known.setting.test(key) && !understands(target, known));
    if (gone) {
      // What was written out is what the target does in any case.
      if (!(key === 'index.soft_deletes.enabled' && value === 'true'))
        leaveOut(key, `${serverName(target)} does not take it: ${gone.why}`);
      continue;
    }
    if (key.startsWith('index.lifecycle.') && !lifecycle) {
      leaveOut(key, 'ILM would roll over, shrink or delete the copy by its own age; set it when the move is over');
      continue;
    }
    settings[key] = value;
  }

  if (isTypeless(target)) settings = adaptAnalysis(settings, { target, isOldIndex, notes, refusals });
  settings = adaptValues(settings, target, notes);
  for (const [path, value] of Object.entries(overrides)) {
    const before = source[path];
    if (value === null) delete settings[path];
    else settings[path] = String(value);
    if (value === null ? before === undefined : String(value) === before) continue;
    notes.push({
      path,
      ...(value === null ? { result: 'left out' } : { result: 'changed', how: String(value) }),
      why: 'the runbook says so',
    });
  }
  keepDivisible(settings, overrides, notes);

  const afterLoad: FlatSettings = {};
  for (const [key, value] of Object.entries(settings)) {
    // A pipeline would change the documents a second time, ILM might act on half an index.
    if (!/^index\.(lifecycle\..+|default_pipeline|final_pipeline)$/.test(key)) continue;
    afterLoad[key] = value;
  }
  return { settings, afterLoad, notes, refusals };
}

/** 5.x answers lists as `key.0`, `key.1`. */
function withLists(flat: FlatSettings): FlatSettings {
  const grouped: FlatSettings = {};
  for (const [key, value] of Object.entries(flat)) {
    const [, base, at] = /^(.+)\.(\d+)$/.exec(key) ?? [];
    if (base === undefined || typeof value !== 'string' || !(`${base}.0` in flat)) grouped[key] = value;
    else {
      const list = (grouped[base] ??= []) as string[];
      list[Number(at)] = value;
    }
  }
  return grouped;
}

function adaptValues(settings: FlatSettings, target: Server, notes: MetadataNote[]): FlatSettings {
  const adapted = { ...settings };
  const change = (path: string, value: string | undefined, why: string) => {
    if (value === undefined) delete adapted[path];
    else adapted[path] = value;
    notes.push({ path, ...(value === undefined ? { result: 'left out' } : { result: 'changed', how: value }), why });
  };
  for (const [key, value] of Object.entries(settings)) {
    if (key === 'index.store.type' && value === 'snapshot')
      change(key, undefined, 'the copy is an ordinary index, not a mounted snapshot');
    if (key === 'index.store.type' && value === 'default') change(key, undefined, 'it is the default');
    if (key === 'index.store.type' && value === 'simplefs' && isElasticsearchFrom(target, '8.0.0'))
      change(key, 'niofs', 'simplefs is gone in 8.0; 7.15 and later take niofs in its place themselves');
    if (key === 'index.shard.check_on_startup' && value === 'fix' && isTypeless(target))
      change(key, 'false', 'fix is gone in 7.0: elasticsearch-shard does it by hand');
    if (key === 'index.codec' && typeof value === 'string' && nearestCodec(value, target) !== value)
      change(
        key,
        nearestCodec(value, target),
        `${value} is not a codec of ${serverName(target)}; this one is the nearest`,
      );
    if (key === 'index.query.default_field' && [value].flat().includes('_all') && isTypeless(target))
      change(key, undefined, '_all is gone in 7.0; all fields are asked in its place');
    if (/^index\.similarity\..+\.type$/.test(key) && (value === 'classic' || value === 'base') && isTypeless(target))
      change(key, 'BM25', 'the classic similarity is gone in 7.0; scores differ');
    if (/^index\.similarity\.(default|base)$/.test(key)) change(key, undefined, 'not a similarity of its own');
  }
  return adapted;
}

/** OpenSearch has codecs of its own, some of them from plugins. */
function nearestCodec(codec: string, target: Server): string {
  if (target.distribution === 'opensearch') return codec === 'legacy_best_compression' ? 'best_compression' : codec;
  if (codec === 'lz4' || codec === 'lucene_default') return 'default';
  return /^(zlib|.*zstd.*|qat_.*)$/.test(codec) ? 'best_compression' : codec;
}

/** The routing shards were chosen for the source's number of shards. */
function keepDivisible(settings: FlatSettings, overrides: SettingOverrides, notes: MetadataNote[]): void {
  const path = 'index.number_of_routing_shards';
  const [shards, routing] = [settings['index.number_of_shards'], settings[path]];
  if (routing === undefined || path in overrides || Number(routing) % Number(shards) === 0) return;
  delete settings[path];
  notes.push({
    path,
    result: 'left out',
    why: `not a multiple of the ${String(shards)} shards that the runbook asks for`,
  });
}

/** What a server notes of an index, and what speaks of its nodes: no part of what somebody wanted of it. */
export function isOfTheServer(key: string): boolean {
  return neverTaken.some(({ setting }) => setting.test(key));
}
