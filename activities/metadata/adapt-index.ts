import type { MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { CopySettings } from '../../contracts/runbook-documents';
import { compareVersions } from '../elasticsearch/version';
import { createdVersion } from '../planning/versions';
import { adaptMappings } from './adapt-mappings';
import { adaptSettings, type FlatSettings } from './adapt-settings';
import type { Json } from './adapt-field';
import { understands, type Server } from './lifetimes';

/** What a runbook says of the indices that the target gets. */
export interface TargetShape extends Pick<CopySettings, 'settings' | 'load'> {
  /** Later writes follow: the index is being written to until they have. */
  isFollowed: boolean;
  /** Take `index.lifecycle.*` along, to be set once everything is there. */
  lifecycle: boolean;
}

export interface SourceIndex {
  /** As `_settings?flat_settings=true` answers. */
  settings: FlatSettings;
  /** As `_mapping` answers, with or without the types of a server before 7.0. */
  mappings: unknown;
}

export interface AdaptedIndex {
  /** Of `PUT /<index>`: with the settings for loading. */
  body: { settings: Record<string, string | string[]>; mappings: Json };
  /** What the loading settings give way to, replicas apart; null for the server's default. */
  endLoad: Record<string, string | string[] | null>;
  /** Everything that the index has in the end: what it is verified against. */
  settings: FlatSettings;
  /** Name of the mapping type, where a target before 7.0 wants one in each request. */
  type?: string;
  notes: MetadataNote[];
  refusals: MetadataRefusal[];
}

/** An index of the source as the target's version takes it. */
export function adaptIndex(
  index: SourceIndex,
  { from, target, shape }: { from: Server; target: Server; shape: TargetShape },
): AdaptedIndex {
  const created = createdVersion(index.settings);
  // A server of today may still hold an index with the rules of the one that made it. Restored from 6.x, OpenSearch does too.
  const isOldIndex = created === '0.0.0' ? isBefore7(from) : isBefore7({ ...from, version: created });
  const { settings, afterLoad, notes, refusals } = adaptSettings(index.settings, {
    target,
    isOldIndex,
    overrides: isBackingIndex(index) ? { 'index.hidden': null, ...shape.settings } : shape.settings,
    lifecycle: shape.lifecycle,
  });
  const mapped = adaptMappings(index.mappings, { from, target, isOldIndex });
  const during = loadingSettings(shape, target);
  const own = Object.fromEntries(Object.entries(settings).filter(([key]) => !(key in afterLoad)));
  return {
    body: { settings: { ...own, ...during }, mappings: mapped.mappings },
    endLoad: endOfLoad(settings, afterLoad, shape, during),
    settings,
    ...(mapped.type === undefined ? {} : { type: mapped.type }),
    notes: [...notes, ...mapped.notes],
    refusals: [...refusals, ...mapped.refusals],
  };
}

/** Of a data stream. Its copy is none, and not hidden behind one. */
function isBackingIndex({ mappings }: SourceIndex): boolean {
  return typeof mappings === 'object' && mappings !== null && '_data_stream_timestamp' in mappings;
}

function isBefore7({ distribution, version }: Server): boolean {
  // OpenSearch counts anew from 1.0, which stands on 7.10.2
  if (distribution === 'opensearch' && compareVersions(version, '5.0.0') < 0) return false;
  return compareVersions(version, '7.0.0') < 0;
}

const durability = 'index.translog.durability';

function loadingSettings({ load, isFollowed }: TargetShape, target: Server): Record<string, string> {
  return {
    // Not only the index's own: one that a template of the target gives would change the documents too.
    ...(understands(target, { since: '6.5.0' }) ? { 'index.default_pipeline': '_none' } : {}),
    ...(understands(target, { since: '7.5.0' }) ? { 'index.final_pipeline': '_none' } : {}),
    ...(load.refresh ? {} : { 'index.refresh_interval': '-1' }),
    ...(load.replicas ? {} : { 'index.number_of_replicas': '0', 'index.auto_expand_replicas': 'false' }),
    // Said in any case: the copy of an index that is async would be so from its first document on.
    [durability]: load.translog,
    // Catch-up deletes a document and then writes it anew, as the source did, by its own version: lower than that of the
    // delete, which the target must not remember.
    ...(isFollowed ? { 'index.gc_deletes': '0s' } : {}),
  };
}

/** Replicas are given back by `finalizeIndices`, which waits for them. */
function endOfLoad(
  settings: FlatSettings,
  afterLoad: FlatSettings,
  { isFollowed }: TargetShape,
  during: Record<string, string>,
): AdaptedIndex['endLoad'] {
  const end: AdaptedIndex['endLoad'] = {};
  for (const key of [...Object.keys(during), 'index.gc_deletes', 'index.refresh_interval', durability]) {
    if (key === 'index.number_of_replicas' || key === 'index.auto_expand_replicas') continue;
    end[key] = settings[key] ?? null;
  }
  Object.assign(end, afterLoad);
  if (!isFollowed) return end;
  // What catch-up still writes must pass as what was loaded did.
  for (const key of Object.keys(end)) {
    if (key in afterLoad || /_pipeline$/.test(key)) delete end[key];
  }
  // Positions of a catch-up go by what was acknowledged: that must not be lost with a node.
  return { ...end, 'index.gc_deletes': '0s', ...(settings[durability] === 'async' ? { [durability]: 'request' } : {}) };
}

/** What a runbook with a document method says; its catch-up keeps the target from what ends its being written to. */
export function shapeOf(runbook: MigrationRunbook): TargetShape {
  const { settings, load } = runbook.copy ?? runbook.reindex ?? { settings: {}, load: defaultLoad };
  return { settings, load, isFollowed: runbook.catchUp !== undefined, lifecycle: false };
}

const defaultLoad = { refresh: false, replicas: false, translog: 'request' } as const;
