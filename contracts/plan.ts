import type { MetadataEvaluation } from './metadata';
import type { AliasAction, Check } from './status';
import type { Side } from './runbook';
import type { Method } from './runbook-documents';

/** What a cluster says of itself. */
export interface ClusterFacts {
  side: Side;
  name: string;
  uuid: string;
  /** "7.17.29". */
  version: string;
  distribution: 'elasticsearch' | 'opensearch';
  nodes: NodeFacts[];
}

export interface NodeFacts {
  /** Node id: stable over restarts. */
  id: string;
  name: string;
  version: string;
  /** Addresses that the node publishes, without ports. */
  addresses: string[];
  roles: string[];
  isElectedMaster: boolean;
  /** path.repo of the running node. */
  pathRepo: string[];
  /** Milliseconds since 1970: a restart is known by it. */
  startedAtMs: number;
  diskFreeBytes: number;
  diskTotalBytes: number;
}

/** An index to be moved, as the source describes it when the plan is made. */
export interface IndexFacts {
  name: string;
  uuid: string;
  /** open or close, as _cat/indices says. */
  status: 'open' | 'close';
  hidden: boolean;
  primaryShards: number;
  replicas: number;
  /** Bytes of the primary shards: what a snapshot stores. */
  sizeBytes: number;
  documents: number;
  /** Version that created it ("6.8.23"): what counts for whether it can be restored. */
  createdVersion: string;
}

export interface BatchPlan {
  number: number;
  indices: IndexFacts[];
  sizeBytes: number;
  documents: number;
  /** ISO 8601: it came while the source was followed, and was not in the plan at first. */
  appearedAt?: string;
}

/** A directory served by NFS that the prepare phase sets up. */
export interface SharePlan {
  /** "share", or "copy" for the one that only the target reads. */
  id: 'share' | 'copy';
  server: string;
  exportPath: string;
  mountPath: string;
  mountOptions: string[];
  /** Hosts that mount it, the server itself left out. */
  clients: { host: string; access: 'rw' | 'ro' }[];
}

/** How a batch's files get from the source's repository directory to the target's, where they do. */
export interface CopyPlan {
  host: string;
  /** Directory of the source's repository, as the copying host sees it. */
  from: string;
  to: string;
  maxBytesPerSec?: number;
  verify: 'checksum' | 'size';
}

/** A repository that the run registers, or finds registered. */
export interface RepositoryPlan {
  side: Side;
  name: string;
  /** false: it is there already, and the run leaves it as it is. */
  register: boolean;
  /** fs settings, when registered by the run. */
  location?: string;
  readonly: boolean;
}

/** A change that a host would see: what `plan` prints as a diff. */
export interface HostChange {
  host: string;
  what: string;
  before: string;
  after: string;
}

export interface MigrationPlan {
  method: Method;
  /** A sentence, where another method would be better, or no other one does. */
  advice?: string;
  source: ClusterFacts;
  target: ClusterFacts;
  batches: BatchPlan[];
  shares: SharePlan[];
  repositories: RepositoryPlan[];
  copy?: CopyPlan;
  /** Aliases to put on at the cutover. */
  aliases: AliasAction[];
  /** Whether the source takes several snapshots at once (7.9 and later). */
  concurrentSnapshots: boolean;
  /** What elasticsearch.yml of the target's nodes must have, for a remote reindex. */
  remoteAllowlist?: { setting: string; entries: string[] };
  /** What becomes of settings, mappings, templates and the like; left out where none of them is the run's work. */
  metadata?: MetadataEvaluation;
  predicted: { seconds: number; sourceShareBytes: number; targetDiskBytes: number; from: string };
}

/** What `shardlift plan` and `doctor` answer. */
export interface PlanAnswer {
  checks: Check[];
  /** Left out where the checks that failed leave nothing to plan with. */
  plan?: MigrationPlan;
  hostChanges: HostChange[];
}
