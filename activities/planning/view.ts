import type { ClusterFacts, IndexFacts } from '../../contracts/plan';
import type { MappedField } from './field-types';

/**
 * What was gathered of the two clusters, in our own words: the checks are pure functions of it. It stays inside the
 * activity; what crosses to the workflow are the checks and the facts made of it.
 */
export interface ClusterView {
  facts: ClusterFacts;
  /** Oldest version that may have created an index here; left out where the server does not say. */
  minimumIndexVersion?: string;
  health: {
    status: 'green' | 'yellow' | 'red';
    /** Active, initializing and unassigned: what counts against the shard limit. */
    shards: number;
    unassignedShards: number;
    longestPendingTaskMs: number;
  };
  /** Cluster settings in effect: transient over persistent over elasticsearch.yml and defaults. */
  settings: Record<string, string>;
  nodes: NodeView[];
  repositories: Record<string, { type: string; settings: Record<string, string> }>;
  names: NamesView;
  /** Snapshot work under way, also that of this run. */
  snapshotWork: SnapshotWork[];
  /** Left out where the server has no ILM, or does not let us see it. */
  lifecycle?: LifecycleView;
  slm?: { isRunning: boolean; policies: SlmPolicyView[] };
}

export interface NodeView {
  name: string;
  roles: string[];
  ip: string;
  host: string;
  attributes: Record<string, string>;
  plugins: string[];
  modules: string[];
  /** Bytes free and in all on the data paths. */
  diskFreeBytes: number;
  diskTotalBytes: number;
}

/** Every name that is taken in a cluster. */
export interface NamesView {
  indices: Record<string, { isSystem: boolean; dataStream?: string }>;
  /** Alias to the indices that carry it, with the alias's options on each. */
  aliases: Record<string, Record<string, AliasOptions>>;
  /** Data stream to its backing indices. */
  dataStreams: Record<string, string[]>;
}

interface AliasOptions {
  filter?: unknown;
  index_routing?: string;
  search_routing?: string;
  is_write_index?: boolean;
  is_hidden?: boolean;
}

export interface SnapshotWork {
  kind: 'snapshot' | 'deletion' | 'restore' | 'cleanup';
  repository: string;
  /** Snapshot's name; empty for a cleanup. */
  snapshot: string;
}

export interface LifecycleView {
  isRunning: boolean;
  /** Policy to the min_age of its delete phase; undefined where it has none. */
  policies: Record<string, { deleteAfter?: string }>;
}

interface SlmPolicyView {
  name: string;
  repository: string;
  /** Milliseconds since 1970; left out where it is not scheduled. */
  nextAtMs?: number;
  isInProgress: boolean;
}

export type IndexSettings = Record<string, string | string[]>;

/** An index of the source. */
export interface IndexView extends IndexFacts {
  /** Empty where the cluster does not say, as for closed indices before 7.2. */
  health: 'green' | 'yellow' | 'red' | '';
  isSystem: boolean;
  dataStream?: string;
  /** Flat: "index.number_of_shards". */
  settings: IndexSettings;
  creationDateMs: number;
  /** Writes to the primaries since their start. */
  operations: number;
}

/** What only selected indices are asked for. */
export interface SelectedIndex extends IndexView {
  /** Field types of its mapping, and metadata fields such as _size that are switched on. */
  fieldTypes: string[];
  /** Whether documents can be read back as they were sent: `_source` is on, and no field is left out of it. */
  hasSource: boolean;
  /** What `catchUp.field` is mapped as; left out where no field is asked for, or the index does not have it. */
  catchUpField?: MappedField;
  /** Writes between two looks a moment apart. */
  operationsInAMoment: number;
  /** Where its lifecycle is: when its age began to count. */
  lifecycleDateMs?: number;
}

/** An index of the target that has the name of a selected one. */
export interface TakenIndex {
  name: string;
  creationDateMs: number;
  /** It carries the mark of this run. */
  isOurs: boolean;
}
