import { CancellationScope, condition, isCancellation, startChild, workflowInfo } from '@temporalio/workflow';
import { batchName, batchWorkflowId, repositoryName } from '../contracts/ids';
import { workflowTypes } from '../contracts/messages';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { BatchStatus } from '../contracts/status';
import type { MoveBatchInput } from '../contracts/workflow-inputs';
import { decideSignal } from './messages';
import { isBeforeCopy, isUnderWay, type RunBoard } from './run-board';

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
  const { inFlight } = board.runbook.batches;
  const isLong = () => workflowInfo().continueAsNewSuggested;
  const next = () => waiting[0];
  const canAdmit = () => {
    const batch = next();
    if (!batch || isLong() || board.runner.isPaused || failures.length > 0) return false;
    // A stuck batch makes room for another one; as many stuck ones as may be under way are no accident any more.
    const stuck = board.batches.filter(({ state }) => state === 'stuck').length;
    if (stuck >= inFlight || underWay - stuck >= inFlight) return false;
    const snapshotting = board.batches.filter(isBeforeCopy).length;
    const atOnce = plan.concurrentSnapshots && batch.sizeBytes < smallBatchBytes ? inFlight : 1;
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

/**
 * Documents that the target refused, once more, where an operator asks for it: of their batches the parts that they are in,
 * and what was written since, as they may have been corrected on the source. What is there already is found.
 */
export async function moveRefused(board: RunBoard, plan: MigrationPlan): Promise<void> {
  if (!board.wantsRetry) return;
  const refused = plan.batches.filter(({ number }) => {
    const batch = board.batches[number - 1];
    return batch !== undefined && batch.refused.length > 0 && !isUnderWay(batch);
  });
  const moveAgain = async () => {
    for (const batch of refused) {
      const { refusedParts } = board.batches[batch.number - 1] ?? {};
      await moveBatch(board, plan, batch, true, refusedParts);
    }
  };
  await (board.follower?.held(moveAgain) ?? moveAgain());
  board.wantsRetry = false;
}

/** A batch as a child workflow; its last status stands on the board when this returns. */
export async function moveBatch(
  board: RunBoard,
  plan: MigrationPlan,
  batch: BatchPlan,
  again = false,
  refusedParts?: MoveBatchInput['refusedParts'],
): Promise<void> {
  const known = board.batches[batch.number - 1] ?? waitingBatch(batch);
  known.state = 'running';
  // after the drain nobody leaves out any more what retention took: it would be missed
  const gone = new Set(
    board.catchUp?.state === 'drained' ? board.catchUp.series?.deleted.map(({ index }) => index) : [],
  );
  const input: MoveBatchInput = {
    run: board.run,
    runbook: board.runbookNow,
    owner: board.owner,
    batch: { ...batch, indices: batch.indices.filter(({ name }) => !gone.has(name)) },
    repositories: { source: repositoryName(board.runbook, 'source'), target: repositoryName(board.runbook, 'target') },
    ...(plan.copy ? { copy: plan.copy } : {}),
    isPaused: board.runner.isPaused,
    snapshots: known.snapshots,
    writeBlocked: known.writeBlocked,
    changes: known.changes,
    positions: known.positions,
    again,
    ...(refusedParts ? { refusedParts } : {}),
    ...(refusedParts && known.moved ? { moved: known.moved } : {}),
  };
  const name = batchName(batch.number);
  const carryOut = async () => {
    Object.assign(input, {
      runbook: board.runbookNow,
      isPaused: board.runner.isPaused,
      ...board.shareOf(known),
    });
    board.shareLimits(known);
    const begun = board.steering;
    const child = await startChild<(input: MoveBatchInput) => Promise<BatchStatus>>(workflowTypes.moveBatch, {
      workflowId: batchWorkflowId(board.run, batch.number),
      args: [input],
      staticSummary: `${name}: ${batch.indices.length} indices`,
    });
    await board.tellSince(
      begun,
      (message) => child.signal(decideSignal, message),
      () => ({ runbook: board.runbookNow, ...board.shareOf(known) }),
    );
    return child.result();
  };
  let failure: unknown;
  try {
    board.batches[batch.number - 1] = await carryOut();
    return;
  } catch (error) {
    if (isCancellation(error)) throw error;
    failure = error;
  }
  // A batch never fails by itself: somebody terminated it, or one of that name still runs. Stuck like any other step.
  (board.batches[batch.number - 1] ?? known).state = 'stuck';
  const moved = await board.runner.run(
    { id: `move/${name}`, phase: 'move', title: `move ${name} again, as its workflow was ended from outside` },
    async ({ attempt }) => {
      if (attempt === 1) throw failure;
      const last = board.batches[batch.number - 1] ?? known;
      Object.assign(input, {
        snapshots: last.snapshots,
        writeBlocked: last.writeBlocked,
        changes: last.changes,
        positions: last.positions,
      });
      return { changed: true, status: await carryOut() };
    },
  );
  if (moved) board.batches[batch.number - 1] = moved.status;
  else board.batches[batch.number - 1]!.state = 'done with differences';
}

export function waitingBatch(batch: BatchPlan): BatchStatus {
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
    accepted: [],
    refused: [],
    refusedParts: [],
    positions: [],
    changes: [],
  };
}
