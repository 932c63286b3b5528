import type { OwnedInput } from './cluster-activities';
import type { CopyPlan, IndexFacts, MigrationPlan } from './plan';
import type { MigrationRunbook } from './runbook';
import type { Change, Difference, RunStatus } from './status';

/** What migrationWorkflow is started with. */
export interface MigrationInput {
  runbook: MigrationRunbook;
  /** Set when a long run continues as new: only between two batches. */
  carried?: { status: RunStatus; plan: MigrationPlan; differences: Difference[] };
}

/** What planWorkflow is started with. */
export interface PlanInput {
  runbook: MigrationRunbook;
}

/** What a batch's workflow is started with. */
export interface MoveBatchInput extends OwnedInput {
  batch: { number: number; indices: IndexFacts[]; sizeBytes: number; documents: number };
  repositories: { source: string; target: string };
  copy?: CopyPlan;
  isPaused: boolean;
  /** What an earlier run of this batch left: its snapshots, write blocks and evidence. Empty the first time. */
  snapshots: string[];
  writeBlocked: string[];
  changes: Change[];
  /** The batch is moved once more, from a new snapshot; what was restored before is deleted once that is there. */
  again: boolean;
}
