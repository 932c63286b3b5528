import { CancellationScope, condition, executeChild, workflowInfo } from '@temporalio/workflow';
import { batchName, batchWorkflowId } from '../contracts/ids';
import { workflowTypes } from '../contracts/messages';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { BatchStatus } from '../contracts/status';
import type { MoveBatchInput } from '../contracts/workflow-inputs';
import { repositoryName } from '../contracts/ids';
import { isUnderWay, type RunBoard } from './run-board';

/**
 * Below this a batch's fixed costs outweigh its bytes, and several snapshots at once hide them. Above it, one at a time:
 * snapshots share one rate limit, and taken together they would all be restored together, with nothing overlapping.
 */
const smallBatchBytes = 64 * 1024 ** 2;

/**
 * Moves all batches in a pipeline: while one restores, the next is copied and the one after is snapshotted.
 * Answers with false when the history has grown so long that the run must continue as new: no batch is under way then.
 */
export async function moveBatches(board: RunBoard, plan: MigrationPlan): Promise<boolean> {
  if (board.batches.length === 0) board.batches = plan.batches.map(waitingBatch);
  const waiting = plan.batches.filter((batch) => board.batches[batch.number - 1]?.state === 'waiting');
  const failures: Error[] = [];
  let underWay = 0;
  const isLong = () => workflowInfo().continueAsNewSuggested;
  const next = () => waiting[0];
  const canAdmit = () => {
    const batch = next();
    if (!batch || isLong() || board.runner.isPaused || failures.length > 0) return false;
    if (underWay >= board.runbook.batches.inFlight) return false;
    const snapshotting = board.batches.filter(isBeforeCopy).length;
    const atOnce = plan.concurrentSnapshots && batch.sizeBytes < smallBatchBytes ? board.runbook.batches.inFlight : 1;
    return snapshotting < atOnce;
  };
  const isOver = () => underWay === 0 && (waiting.length === 0 || isLong() || failures.length > 0);
  try {
    for (;;) {
      await condition(() => canAdmit() || isOver());
      if (!canAdmit()) break;
      const batch = waiting.shift();
      if (!batch) break;
      underWay += 1;
      void moveBatch(board, plan, batch)
        .catch((error: unknown) => failures.push(error instanceof Error ? error : new Error(String(error))))
        .finally(() => (underWay -= 1));
    }
  } finally {
    // Also after an abort: what is under way ends before anything is undone.
    await settle(() => underWay === 0);
  }
  if (failures[0]) throw failures[0];
  return waiting.length === 0;
}

/** Waits in spite of a cancellation: the children have been told, and end by themselves. */
async function settle(isDone: () => boolean): Promise<void> {
  await CancellationScope.nonCancellable(() => condition(isDone));
}

/** A batch as a child workflow; its last status stands on the board when this returns. */
export async function moveBatch(board: RunBoard, plan: MigrationPlan, batch: BatchPlan, again = false): Promise<void> {
  const known = board.batches[batch.number - 1] ?? waitingBatch(batch);
  known.state = 'running';
  const input: MoveBatchInput = {
    run: board.run,
    runbook: board.runbook,
    batch,
    repositories: { source: repositoryName(board.runbook, 'source'), target: repositoryName(board.runbook, 'target') },
    ...(plan.copy ? { copy: plan.copy } : {}),
    isPaused: board.runner.isPaused,
    snapshots: known.snapshots,
    writeBlocked: known.writeBlocked,
    changes: known.changes,
    again,
  };
  const status = await executeChild<(input: MoveBatchInput) => Promise<BatchStatus>>(workflowTypes.moveBatch, {
    workflowId: batchWorkflowId(board.run, batch.number),
    args: [input],
    staticSummary: `${batchName(batch.number)}: ${batch.indices.length} indices`,
  });
  board.batches[batch.number - 1] = status;
}

function waitingBatch(batch: BatchPlan): BatchStatus {
  return {
    number: batch.number,
    indices: batch.indices.length,
    sizeBytes: batch.sizeBytes,
    documents: batch.documents,
    state: 'waiting',
    steps: [],
    snapshots: [],
    writeBlocked: [],
    differences: [],
    changes: [],
  };
}

/** Its snapshot has not ended: the next large batch waits for that. A stuck one does not hold up the others. */
function isBeforeCopy(batch: BatchStatus): boolean {
  if (!isUnderWay(batch) || batch.state === 'stuck') return false;
  return !batch.steps.some(
    (step) => step.id.endsWith('/snapshot') && step.state !== 'running' && step.state !== 'pending',
  );
}
