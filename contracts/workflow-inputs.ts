import type { CatchUpPositions } from './catch-up';
import type { OwnedInput } from './cluster-activities';
import type { ShardPositions } from './document-activities';
import type { CopyPlan, IndexFacts, MigrationPlan } from './plan';
import type { RefusedPart } from './reindex';
import type { MigrationRunbook } from './runbook';
import type { CatchUpSettings } from './runbook-documents';
import type { BatchStatus, CatchUpStatus, Change, Difference, RunStatus, SeriesStatus } from './status';

/** What migrationWorkflow is started with. */
export interface MigrationInput {
  runbook: MigrationRunbook;
  /** Set when a long run continues as new: between two batches, or while the source is followed. */
  carried?: {
    status: RunStatus;
    plan: MigrationPlan;
    differences: Difference[];
    /** An operator has asked for the refused documents to be driven again, and it is not done yet. */
    wantsRetry?: boolean;
    following?: FollowingState;
  };
}

/** How the next execution of a run goes on that follows its source. */
export interface FollowingState {
  next: CatchUpInput;
  /** So little was left that the cutover has been asked for. */
  isNear: boolean;
}

/** What the workflow that follows the source answers: its last status. */
export interface CatchUpAnswer extends CatchUpStatus {
  /** Where the run has asked it to stop: what the next one is started with. */
  next?: CatchUpInput;
}

/** What planWorkflow is started with. */
export interface PlanInput {
  runbook: MigrationRunbook;
}

/** What the workflow that follows the source is started with, and continues with. */
export interface CatchUpInput extends OwnedInput {
  catchUp: CatchUpSettings;
  positions: CatchUpPositions[];
  isPaused: boolean;
  isDraining: boolean;
  /** With time-series: what of the plan is not followed. */
  series?: SeriesState;
  /** The next round is to drive refused documents again. */
  wantsRetry?: boolean;
  /** Set when it continues as new. */
  carried?: CatchUpStatus;
  /** And when both sides were compared last, or a search for deletes ended, ISO 8601; and how long that search took. */
  comparedAt?: string;
  searchMs?: number;
}

export interface SeriesState {
  /** Left out by an operator, or not there to be followed. */
  unfollowed: string[];
  /** Being moved by the run, which tells when they can be followed. */
  joining: { index: string; documents: number }[];
  /** Of a catch-up before this one, that was ended from outside. */
  status?: SeriesStatus;
}

/** What a batch's workflow is started with. */
export interface MoveBatchInput extends OwnedInput {
  batch: { number: number; indices: IndexFacts[]; sizeBytes: number; documents: number };
  repositories: { source: string; target: string };
  copy?: CopyPlan;
  isPaused: boolean;
  /** Batches that move at once, among which the run's limits are divided. */
  sharedBy?: number;
  /** What an earlier run of this batch left: its snapshots, write blocks and evidence. Empty the first time. */
  snapshots: string[];
  writeBlocked: string[];
  changes: Change[];
  /** And up to where its documents had come. */
  positions: ShardPositions[];
  /** The batch is moved once more, from a new snapshot; what was restored before is deleted once that is there. */
  again: boolean;
  /** Of documents that are moved again, only these parts and what was written since: an operator has mended a cause. */
  refusedParts?: RefusedPart[];
  /** What they come on top of. */
  moved?: BatchStatus['moved'];
}
