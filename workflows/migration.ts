import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { ownerOf } from '../contracts/ids';
import type { HostFacts } from '../contracts/host-activities';
import type { MigrationPlan } from '../contracts/plan';
import type { RunStatus } from '../contracts/status';
import type { FollowingState, MigrationInput } from '../contracts/workflow-inputs';
import { cutOver, finish, verifyAll } from './finish';
import { applyMetadata, tellDrift } from './metadata';
import { moveBatches, moveRefused } from './move';
import { lookAtAll } from './preflight';
import { noPlan, prepare, putLimitsBack } from './prepare';
import { SourceFollower } from './follow-source';
import { RunBoard } from './run-board';
import { undoRun } from './undo';

/**
 * One migration: preflight, prepare, move, verify, cutover, finish. Ends `completed`, `completed with differences` or
 * `aborted`; whatever fails in between waits for a person. Answers with its last status.
 */
export async function migrationWorkflow({ runbook, carried }: MigrationInput): Promise<RunStatus> {
  const work = new CancellationScope();
  const owner = ownerOf(runbook.name, workflowInfo().firstExecutionRunId);
  const board = new RunBoard(runbook.name, owner, runbook, () => work.cancel(), carried);
  board.listen();
  try {
    const isWhole = await work.run(() => carryOut(board, carried?.following));
    if (!isWhole) return await carryOn(board);
    board.finish(board.differences.length > 0 ? 'completed with differences' : 'completed');
  } catch (error) {
    if (!isCancellation(error)) throw error;
    // An abort by Update, or a cancellation from Temporal's own tools: the same.
    await CancellationScope.nonCancellable(async () => {
      board.isUndoing = true;
      board.runner.isPaused = false;
      await board.follower?.ended();
      await undoRun(board, board.plan);
      board.finish('aborted');
    });
  }
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return board.status();
}

/** @returns false when something is left for the next run in the chain of continue-as-new. */
async function carryOut(board: RunBoard, following: FollowingState | undefined): Promise<boolean> {
  if (!board.plan) {
    const { plan, facts } = await preflight(board);
    board.plan = plan;
    await board.gate('move', `moving ${plan.batches.length} batches from ${plan.source.name} to ${plan.target.name}`);
    board.enter('prepare');
    await prepare(board, plan, facts);
    await applyMetadata(board, plan);
  }
  const { plan } = board;
  const follower = new SourceFollower(board, plan);
  board.follower = follower;
  const retryRefused = () => moveRefused(board, plan);
  if (!following) {
    board.enter('move');
    if (!(await moveBatches(board, plan))) return false;
    await retryRefused();
    await putLimitsBack(board);
  }
  const isFollowed = board.runbook.catchUp !== undefined;
  if (isFollowed) {
    board.enter('catch-up');
    if (!(await follower.begin(following))) return false;
  } else {
    board.enter('verify');
    await verifyAll(board, plan, 'verify/all', 'verify');
  }
  if (!following?.isNear) await tellDrift(board, plan, 'verify');
  const waiting = { meanwhile: retryRefused, isLong: () => follower.mayHandOver() };
  while ((await board.gate('cutover', cutoverAsks(board, plan), waiting)) === 'long') {
    if (await follower.handOver()) return false;
  }
  await retryRefused();
  board.enter('cutover');
  if (isFollowed) await follower.drain();
  // The source may have been written to while the gate was closed; and one that is followed was never compared.
  if (isFollowed || board.gates.some((gate) => gate.gate === 'cutover'))
    await verifyAll(board, plan, 'cutover/verify', 'cutover');
  await tellDrift(board, plan, 'cutover');
  await cutOver(board, plan);
  await board.gate('finish', finishAsks(board));
  board.enter('finish');
  await finish(board, plan);
  return true;
}

async function preflight(board: RunBoard): Promise<{ plan: MigrationPlan; facts: HostFacts[] }> {
  const { runbook } = board;
  const result = await board.runner.run(
    { id: 'preflight/checks', phase: 'preflight', title: 'checks and plan', isSkippable: false },
    async ({ activities }) => {
      const { checks, plan, facts } = await lookAtAll(activities, runbook, board.owner);
      board.checks = checks;
      const failed = board.checks.filter((check) => check.level === 'mandatory' && check.state === 'failed');
      if (failed.length > 0 || !plan) {
        throw noPlan(
          failed
            .map(
              (check) =>
                `${check.id} (${check.where}): seen ${check.seen}; wanted ${check.wanted}; ${check.remedy ?? ''}`,
            )
            .join('\n'),
        );
      }
      const warnings = board.checks.filter((check) => check.level === 'warning' && check.state === 'failed').length;
      return {
        plan,
        facts,
        changed: false,
        summary: `${board.checks.length} checks, ${warnings} warnings; ${plan.batches.length} batches`,
      };
    },
  );
  if (!result) throw noPlan('skipped');
  return result;
}

function cutoverAsks({ runbook }: RunBoard, { target }: MigrationPlan): string {
  const first = runbook.freeze === 'atCutover' ? 'the source blocked for writes, ' : '';
  return `${first}aliases on ${target.name}, and the applications switched to it`;
}

function finishAsks(board: RunBoard): string {
  const { method, cleanup } = board.runbook;
  const { snapshots, hosts } = cleanup;
  if (method !== 'snapshot') {
    const isTakenBack = board.plan?.remoteAllowlist !== undefined && hosts === 'restore';
    const allowList = isTakenBack ? '; the allow list of the target is taken back (its nodes restart)' : '';
    return `the run's marks come off the indices${allowList}`;
  }
  const asks = [
    snapshots === 'atFinish' ? 'the snapshots are deleted' : 'the snapshots stay',
    hosts === 'restore'
      ? 'repositories, path.repo, mounts and exports are taken back (nodes restart)'
      : 'the hosts stay as they are',
  ];
  return asks.join('; ');
}

async function carryOn(board: RunBoard): Promise<never> {
  await condition(allHandlersFinished);
  // One that came in this very moment must not be forgotten by the next execution.
  if (board.abort) throw new CancelledFailure('aborted');
  if (!board.plan) throw noPlan('no plan to carry on with');
  const { following } = board.follower ?? {};
  return continueAsNew<(input: MigrationInput) => Promise<RunStatus>>({
    runbook: board.runbook,
    carried: {
      status: board.status(),
      plan: board.plan,
      differences: board.runner.differences,
      wantsRetry: board.wantsRetry,
      ...(following ? { following } : {}),
    },
  });
}
