import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { JoinedIndices } from '../contracts/catch-up';
import type { Decision, GateDecision, StepDecision, TuneDecision } from '../contracts/decisions';
import { queries, signals, updates } from '../contracts/messages';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { MigrationRunbook } from '../contracts/runbook';
import type { BatchStatus, CatchUpStatus, RunStatus } from '../contracts/status';

/** Updates answer with the status as it is once the decision stands. */
export const approveUpdate = defineUpdate<void, [GateDecision]>(updates.approve);
export const rejectUpdate = defineUpdate<void, [GateDecision]>(updates.reject);
export const pauseUpdate = defineUpdate<void, [Decision]>(updates.pause);
export const resumeUpdate = defineUpdate<void, [Decision]>(updates.resume);
export const retryUpdate = defineUpdate<void, [StepDecision]>(updates.retry);
export const skipUpdate = defineUpdate<void, [StepDecision]>(updates.skip);
export const retryFailedUpdate = defineUpdate<void, [Decision]>(updates.retryFailed);
export const tuneUpdate = defineUpdate<void, [TuneDecision]>(updates.tune);
export const abortUpdate = defineUpdate<void, [Decision]>(updates.abort);

export const statusQuery = defineQuery<RunStatus>(queries.status);
export const planQuery = defineQuery<MigrationPlan | undefined>(queries.plan);

export const batchChangedSignal = defineSignal<[BatchStatus]>(signals.batchChanged);

/** A decision that the run passes on to a batch. */
export interface BatchDecision {
  verb: 'retry' | 'skip' | 'pause' | 'resume' | 'tune';
  decision: Decision;
  /** With tune: the runbook as it counts from now on. */
  runbook?: MigrationRunbook;
  /** Among how many batches the run's limits are divided from now on, where it has any. */
  sharedBy?: number;
  step?: string;
}
export const catchUpQuery = defineQuery<CatchUpStatus>(queries.catchUp);
export const catchUpChangedSignal = defineSignal<[CatchUpStatus]>(signals.catchUpChanged);
export const indicesAppearedSignal = defineSignal<[BatchPlan[]]>(signals.indicesAppeared);
export const indicesJoinedSignal = defineSignal<[JoinedIndices]>(signals.indicesJoined);
export const handOverSignal = defineSignal<[]>(signals.handOver);
export const drainSignal = defineSignal<[]>(signals.drain);
export const retryFailedSignal = defineSignal<[]>(signals.retryFailed);
export const decideSignal = defineSignal<[BatchDecision]>(signals.decide);
