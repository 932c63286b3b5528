import type { ClusterFacts, HostChange, IndexFacts, MigrationPlan, NodeFacts, RepositoryPlan } from './plan';
import type { ShardPositions } from './document-activities';
import type { MigrationRunbook, Side } from './runbook';
import type { AliasAction, Check, Difference, RefusalCause } from './status';
import type { HostFacts, StepOutcome } from './host-activities';

/** Inputs and results of the activities that talk to the two clusters. */
export interface RunInput {
  run: string;
  runbook: MigrationRunbook;
}

/** What begins or ends what belongs to one execution of a run. */
export interface OwnedInput extends RunInput {
  /** `ownerOf` in ids.ts: marks the snapshots and restored indices of this execution. Those of an earlier one are not its own. */
  owner: string;
}

export interface SideInput extends RunInput {
  step: string;
  side: Side;
}

/** Everything that the checks and the planner need to know of both clusters; read-only to gather. */
export interface ClustersInspection {
  checks: Check[];
  source?: ClusterFacts;
  target?: ClusterFacts;
  /** Selected indices only. */
  indices: IndexFacts[];
  /** Aliases of the selected indices on the source, as actions for the target. */
  aliases: AliasAction[];
}

export interface PlanResult {
  checks: Check[];
  plan?: MigrationPlan;
  hostChanges: HostChange[];
}

export interface NodeInput extends SideInput {
  /** Elasticsearch node name. */
  node: string;
}

export interface SnapshotInput extends OwnedInput {
  step: string;
  repository: string;
  snapshot: string;
  indices: string[];
}

export interface SnapshotResult extends StepOutcome {
  state: 'SUCCESS' | 'PARTIAL' | 'FAILED' | 'MISSING';
  /** Why shards failed, at most a few. */
  failures: string[];
  bytes: number;
  files: number;
}

export interface RestoreInput extends OwnedInput {
  step: string;
  repository: string;
  snapshot: string;
  indices: IndexFacts[];
}

export interface RestoreResult extends StepOutcome {
  bytes: number;
}

/** A repository as a cluster has it registered. */
export interface RegisteredRepository {
  type: string;
  settings: Record<string, string>;
}

export interface KnownIndex {
  name: string;
  uuid: string;
}

/** What the source holds of a run's selection now, which a run of days may find changed. */
export interface SelectionNow {
  /** Selected indices that the plan does not have. */
  unplanned: string[];
  /** Planned ones that are there under another uuid: they were deleted, and created again. */
  createdAgain: KnownIndex[];
  /** Aliases of the planned indices, as actions for the target. */
  aliases: AliasAction[];
}

export interface FinalizeInput extends RunInput {
  step: string;
  indices: IndexFacts[];
}

export interface VerifyInput extends RunInput {
  step: string;
  indices: IndexFacts[];
  /** Documents that the target refused: known to be missing, and told by themselves. */
  refused?: RefusalCause[];
  /** Up to where the source was copied, or followed: what it has beyond was written since. */
  positions?: ShardPositions[];
}

/** Verification, first level: documents exact by count and by shard, mappings, settings, health. */
export interface VerifyResult extends StepOutcome {
  differences: Difference[];
  /**
   * Of the indices that differ in documents, those that a new snapshot would make equal and lose nothing by: the source
   * has them, all primaries started, and the target is ahead of it in no shard.
   */
  behind: string[];
  /** What a newer version had to change in settings and mappings: no difference, but said. */
  adapted: string[];
  indices: number;
  documents: number;
}

/** What the cluster activities make; each names in its comment why it may run twice. */
export interface ClusterActivities {
  /** Checks and facts of both clusters; read-only. Without an owner, as `doctor` asks, every execution's marks count as ours. */
  inspectClusters(input: RunInput & { owner?: string }): Promise<ClustersInspection>;
  /** The selection read anew; read-only. */
  readSelection(input: RunInput & { step: string; planned: KnownIndex[] }): Promise<SelectionNow>;
  /** Checks that need both sides' facts, and the plan. Read-only. */
  planMigration(input: RunInput & { clusters: ClustersInspection; hosts: HostFacts[] }): Promise<PlanResult>;

  readNodes(input: RunInput & { side: Side }): Promise<NodeFacts[]>;
  readClusterSettings(input: SideInput & { keys: string[] }): Promise<Record<string, string | null>>;
  putClusterSettings(
    input: SideInput & { before: Record<string, string | null>; values: Record<string, string | null> },
  ): Promise<StepOutcome>;
  flushIndices(input: SideInput): Promise<StepOutcome>;
  /** Waits until the node is in the cluster and, if paths are given, runs with them in path.repo. */
  waitForNode(input: NodeInput & { paths: string[]; notStartedAtMs?: number }): Promise<StepOutcome>;
  /** Waits for that status or a better one; answers with the one it is. */
  waitForHealth(
    input: SideInput & { nodes: number; status: 'green' | 'yellow' },
  ): Promise<StepOutcome & { status: 'green' | 'yellow' }>;

  /** Asked before registering, so that the history knows what was there; null where nothing was. */
  readRepository(input: SideInput & { repository: string }): Promise<RegisteredRepository | null>;
  /** One that was there before keeps its settings but for the limits that the runbook asks for; its undo puts those back. */
  registerRepository(
    input: RunInput & { step: string; repository: RepositoryPlan; before: RegisteredRepository | null },
  ): Promise<StepOutcome>;
  /** Puts back the settings that a repository had before this run. */
  putRepositoryBack(input: SideInput & { repository: string; registered: RegisteredRepository }): Promise<StepOutcome>;
  verifyRepository(input: RunInput & { step: string; repository: RepositoryPlan }): Promise<StepOutcome>;
  unregisterRepository(input: SideInput & { repository: string }): Promise<StepOutcome>;

  listUnblocked(input: RunInput & { step: string; indices: string[] }): Promise<string[]>;
  setWriteBlock(input: RunInput & { step: string; indices: string[] }): Promise<StepOutcome>;
  removeWriteBlock(input: RunInput & { step: string; indices: string[] }): Promise<StepOutcome>;

  takeSnapshot(input: SnapshotInput): Promise<SnapshotResult>;
  deleteSnapshot(input: OwnedInput & { step: string; repository: string; snapshot: string }): Promise<StepOutcome>;
  restoreIndices(input: RestoreInput): Promise<RestoreResult>;
  /** Replicas, closed state and blocks as on the source; waits for allocation. */
  finalizeIndices(input: FinalizeInput): Promise<StepOutcome>;
  /** Takes this run's mark off the restored indices, at the finish. */
  unmarkIndices(input: RunInput & { step: string; indices: string[] }): Promise<StepOutcome>;
  /** Deletes indices on the target that this run restored, and no others. */
  deleteRestoredIndices(input: OwnedInput & { step: string; indices: string[] }): Promise<StepOutcome>;

  verifyIndices(input: VerifyInput): Promise<VerifyResult>;
  /** In one request. Nothing takes them off again: from then on applications may use them. */
  applyAliases(input: RunInput & { step: string; actions: AliasAction[] }): Promise<StepOutcome>;
}
