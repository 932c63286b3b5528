/** Answers of Elasticsearch, as far as the planner reads them. Filtered by filter_path, so any part may be missing. */

export interface NodesAnswer {
  nodes?: Record<
    string,
    {
      name: string;
      version: string;
      host?: string;
      ip?: string;
      transport_address?: string;
      roles?: string[];
      attributes?: Record<string, string>;
      settings?: Record<string, string | string[]>;
      jvm?: { start_time_in_millis?: number };
      http?: { publish_address?: string };
      plugins?: { name: string }[];
      modules?: { name: string }[];
    }
  >;
}

export interface NodesFsAnswer {
  nodes?: Record<string, { fs?: { total?: { total_in_bytes?: number; available_in_bytes?: number } } }>;
}

export interface MasterAnswer {
  master_node?: string;
  cluster_manager_node?: string;
}

export interface HealthAnswer {
  cluster_name: string;
  status: 'green' | 'yellow' | 'red';
  active_shards: number;
  initializing_shards: number;
  unassigned_shards: number;
  task_max_waiting_in_queue_millis?: number;
}

export interface ClusterSettingsAnswer {
  persistent?: Record<string, string>;
  transient?: Record<string, string>;
  defaults?: Record<string, string>;
}

export type RepositoriesAnswer = Record<string, { type: string; settings?: Record<string, string> }>;

export interface SnapshotCustomsAnswer {
  snapshots?: { snapshots?: { repository: string; snapshot: string }[] };
  snapshot_deletions?: {
    snapshot_deletions?: { repository: string; snapshots?: unknown[]; snapshot?: string }[];
  };
  restore?: { snapshots?: { repository: string; snapshot: string; state: string }[] };
  repository_cleanup?: { repository_cleanup?: { repository: string }[] };
}

export type AliasesAnswer = Record<string, { aliases?: Record<string, Record<string, unknown>> }>;

/** `_resolve/index`, from 7.9 on. */
export interface ResolveAnswer {
  indices?: { name: string; attributes?: string[]; data_stream?: string }[];
  data_streams?: { name: string; backing_indices?: string | string[] }[];
}

export type IlmPoliciesAnswer = Record<string, { policy?: { phases?: { delete?: { min_age?: string } } } }>;

export type SlmPoliciesAnswer = Record<
  string,
  { policy?: { repository?: string }; next_execution_millis?: number; in_progress?: unknown }
>;

export interface CatIndex {
  index: string;
  uuid: string;
  status: 'open' | 'close';
  health: string | null;
}

export type SettingsAnswer = Record<string, { settings?: Record<string, string | string[]> }>;

export interface IndexStatsAnswer {
  indices?: Record<
    string,
    {
      primaries?: {
        docs?: { count?: number };
        store?: { size_in_bytes?: number };
        indexing?: { index_total?: number; delete_total?: number };
      };
    }
  >;
}

export type MappingsAnswer = Record<string, { mappings?: unknown }>;

export interface IlmExplainAnswer {
  indices?: Record<string, { lifecycle_date_millis?: number }>;
}
