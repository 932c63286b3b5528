/**
 * What may differ between an index and its restored copy, each with the reason. Whatever is not here is a difference:
 * better one asked about too many than one lost.
 */
export interface SettingRule {
  setting: RegExp;
  reason: string;
  /** Only then; else always. */
  when?: (change: SettingChange, context: CompareContext) => boolean;
  /** Not worth telling: true of every index. */
  isSilent?: boolean;
}

export interface SettingChange {
  key: string;
  source?: string | string[];
  target?: string | string[];
}

export interface CompareContext {
  /** The run set write blocks on the source. */
  isFrozenByRun: boolean;
  sourceSettings: Record<string, string | string[]>;
  targetSettings: Record<string, string | string[]>;
}

/** What an index has that names none. */
const mappingLimits: Record<string, number> = {
  'index.mapping.depth.limit': 20,
  'index.mapping.nested_fields.limit': 50,
  'index.mapping.nested_objects.limit': 10_000,
  'index.mapping.total_fields.limit': 1000,
};

export const allowedSettings: SettingRule[] = [
  { setting: /^index\.uuid$/, reason: 'every index has its own', isSilent: true },
  { setting: /^index\.history\.uuid$/, reason: 'a restored index begins a history of its own', isSilent: true },
  { setting: /^index\.provided_name$/, reason: 'the name given when it was created or restored', isSilent: true },
  {
    setting: /^index\.version\.(upgraded|upgraded_string|compatibility|compatibility_string)$/,
    reason: 'the server notes which version opened it',
    isSilent: true,
  },
  { setting: /^index\.version\.created_string$/, reason: 'each version spells it in its own way', isSilent: true },
  { setting: /^index\.creation_date_string$/, reason: 'each version spells it in its own way', isSilent: true },
  {
    setting: /^index\.(resize|shrink|split)\.source\..+$/,
    reason: 'names the index it was shrunk, split or cloned from, which is not there',
    isSilent: true,
  },
  {
    setting: /^index\.verified_(before_close|read_only)$/,
    reason: 'noted by the server when it was closed, or got a write block',
    isSilent: true,
  },
  {
    setting: /^index\.routing\.allocation\..*_tier_preference$/,
    reason: 'each cluster places indices on its own data tiers',
    isSilent: true,
  },
  {
    setting: /^index\.routing\.allocation\.exclude\._name$/,
    reason: 'carries the mark of the run until its finish',
    isSilent: true,
    when: ({ source, target }) => source === undefined && String(target).startsWith('restored-by-shardlift-'),
  },
  {
    setting: /^index\.routing\.allocation\.(include|exclude|require|initial_recovery)\..+$/,
    reason: "allocation rules name the source's nodes and are left behind",
  },
  {
    setting: /^index\.blocks\.write$/,
    reason: 'the run blocks writes on the source, and never on the target',
    isSilent: true,
    when: ({ source, target }, { isFrozenByRun }) => isFrozenByRun && source === 'true' && target !== 'true',
  },
  {
    setting: /^index\.blocks\.write$/,
    reason: 'write blocks are left behind by the restore: set it on the target if it is wanted there',
    when: ({ source, target }) => source === 'true' && target !== 'true',
  },
  {
    setting: /^index\.(creation_date|version\.created|replication\.type)$/,
    reason: 'a copy is an index of its own, with what its server writes into each',
    isSilent: true,
    when: ({ source }) => source === undefined,
  },
  {
    setting: /^index\.gc_deletes$/,
    reason: 'deletes are forgotten at once while catch-up writes; put back at the finish',
    when: ({ target }) => target === '0s',
  },
  {
    setting: /^index\.number_of_replicas$/,
    reason: 'the cluster sets it itself by index.auto_expand_replicas and its number of nodes',
    when: (_, { sourceSettings }) => (sourceSettings['index.auto_expand_replicas'] ?? 'false') !== 'false',
  },
  {
    setting: /^index\.auto_expand_replicas$/,
    reason: 'switched off for the restore, as it is by default',
    isSilent: true,
    when: ({ source = 'false', target = 'false' }) => source === 'false' && target === 'false',
  },
  {
    setting: /^index\.(soft_deletes\.enabled|soft_deletes\.retention\..+)$/,
    reason: 'newer versions write out what was the default',
    when: ({ source }) => source === undefined,
  },
  {
    setting: /^index\.mapping\.single_type$/,
    reason: 'from 7.0 on an index has one mapping type always',
    when: ({ target }) => target === undefined,
  },
  {
    setting: /^index\.mapping\.\w+\.limit$/,
    reason: 'raised on the target, as one does for documents that it refused',
    when: ({ key, source, target }) => Number(target) > Number(source ?? mappingLimits[key] ?? Infinity),
  },
  {
    setting: /^index\.frozen$|^index\.search\.throttled$/,
    reason: 'frozen indices are gone in 8.0; it is an ordinary one there',
    when: ({ target }) => target === undefined,
  },
];

export interface MappingRule {
  /** Matched against the path, joined by dots. */
  path: RegExp;
  reason: string;
  when?: (change: { source: unknown; target: unknown }) => boolean;
}

export const allowedMappings: MappingRule[] = [
  {
    path: /(^|\.)boost$/,
    reason: 'boosts in mappings are gone in 8.0: give them in the query',
    // a number: a field that is named boost is an object
    when: ({ source, target }) => typeof source === 'number' && target === undefined,
  },
  {
    path: /^_all(\..+)?$/,
    reason: '_all is gone in 7.0',
    when: ({ target }) => target === undefined,
  },
  {
    path: /(^|\.)include_in_all$/,
    reason: '_all is gone in 7.0',
    when: ({ source, target }) => typeof source === 'boolean' && target === undefined,
  },
  {
    path: /^_field_names(\..+)?$/,
    reason: '_field_names cannot be switched off from 8.0 on, and costs nothing any more',
    when: ({ target }) => target === undefined,
  },
];
