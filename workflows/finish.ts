import { CancelledFailure } from '@temporalio/workflow';
import type { MigrationPlan } from '../contracts/plan';
import type { Difference } from '../contracts/status';
import { repositoryName } from '../contracts/ids';
import { workflowFailure } from './failure-info';
import { moveBatch } from './move';
import type { RunBoard } from './run-board';
import type { StepContext } from './step-runner';
import { removeCopies, undoChanges } from './undo';

/** Indices verified by one activity: its answer and its requests stay small. */
const indicesAtOnce = 200;

/**
 * Compares every index once more, all batches together. A retry compares again; batches that still differ are moved
 * again, from a new snapshot.
 */
export async function verifyAll(
  board: RunBoard,
  plan: MigrationPlan,
  id: string,
  phase: 'verify' | 'cutover',
): Promise<void> {
  await board.runner.run({ id, phase, title: 'compare source and target' }, async (step) => {
    let found = await compare(board, plan, step);
    if (found.differences.length > 0 && step.attempt > 1) {
      for (const batch of plan.batches.filter(({ number }) => found.batches.has(number)))
        await moveBatch(board, plan, batch, true);
      found = await compare(board, plan, step);
    }
    const { differences, adapted } = found;
    const documents = plan.batches.reduce((sum, batch) => sum + batch.documents, 0);
    if (differences.length === 0) {
      const also = adapted.length > 0 ? `; a newer version had to change ${adapted.length} settings or mappings` : '';
      return {
        changed: false,
        summary: `all indices are equal, ${documents} documents at the time of the plan${also}`,
        changes: [],
      };
    }
    throw workflowFailure({
      type: 'VerificationFailed',
      message: `source and target differ in ${differences.length} ${differences.length === 1 ? 'place' : 'places'}`,
      where: [...new Set(differences.map((each) => each.where))].slice(0, 5).join(', '),
      why: differences
        .slice(0, 20)
        .map((each) => `${each.where}: ${each.what}`)
        .join('\n'),
      remedy:
        'if the source was written to after its snapshots: stop the writers, then retry, which moves the batches that differ once more; skip accepts the differences, and they stand in the report',
    });
  });
}

async function compare(board: RunBoard, plan: MigrationPlan, step: StepContext) {
  const differences: Difference[] = [];
  const adapted: string[] = [];
  const batches = new Set<number>();
  const accepted = new Set(board.batches.filter((batch) => batch.differences.length > 0).map((batch) => batch.number));
  for (const batch of plan.batches) {
    // What an operator has accepted already, with a reason, is not asked about again.
    if (accepted.has(batch.number)) continue;
    for (let from = 0; from < batch.indices.length; from += indicesAtOnce) {
      const result = await step.activities.verifyIndices({
        run: board.run,
        runbook: board.runbook,
        step: step.id,
        indices: batch.indices.slice(from, from + indicesAtOnce),
      });
      if (result.differences.length > 0) batches.add(batch.number);
      differences.push(...result.differences);
      adapted.push(...result.adapted);
    }
  }
  return { differences, adapted, batches };
}

/** The aliases in one request; then the run says what the applications must point at. */
export async function cutOver(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const actions = plan.aliases.filter(({ add }) => add && !unmoved(board, plan).has(add.index));
  if (board.runbook.cutover.aliases && actions.length > 0) {
    await board.runner.run({ id: 'cutover/aliases', phase: 'cutover', title: 'aliases on the target' }, async (step) =>
      step.record(
        await step.activities.applyAliases({
          run: board.run,
          runbook: board.runbook,
          step: step.id,
          actions,
        }),
      ),
    );
  }
  const { clients } = board.runbook.cutover;
  board.cutover = `point the applications at ${board.runbook.target.urls.join(', ')} (cluster ${plan.target.name})${clients ? `: ${clients}` : ''}`;
}

/** Indices of batches whose move an operator skipped: one alias on a missing index would have the whole request refused. */
function unmoved(board: RunBoard, plan: MigrationPlan): Set<string> {
  const skipped = board.batches.filter((batch) =>
    batch.steps.some((step) => step.state === 'skipped' && /\/(snapshot|copy|restore)$/.test(step.id)),
  );
  const numbers = new Set(skipped.map((batch) => batch.number));
  return new Set(
    plan.batches.filter(({ number }) => numbers.has(number)).flatMap(({ indices }) => indices.map(({ name }) => name)),
  );
}

/** What the runbook wants gone goes; what it wants kept stays, without limits and marks of this run. */
export async function finish(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { runner, run, runbook } = board;
  const repository = repositoryName(runbook, 'source');
  const indices = plan.batches.flatMap((batch) => batch.indices.map((index) => index.name));
  await runner.run({ id: 'finish/marks', phase: 'finish', title: "the run's marks off the indices" }, (step) =>
    step.activities.unmarkIndices({ run, runbook, step: step.id, indices }),
  );
  if (runbook.cleanup.snapshots === 'atFinish') {
    await runner.run({ id: 'finish/snapshots', phase: 'finish', title: 'delete the snapshots' }, async (step) => {
      const snapshots = board.batches.flatMap((batch) => batch.snapshots);
      for (const snapshot of snapshots) {
        if (plan.copy) {
          await step.activities.removeCopiedSnapshot({
            run,
            runbook,
            step: step.id,
            host: plan.copy.host,
            location: plan.copy.to,
            snapshot,
          });
        }
        await step.activities.deleteSnapshot({ run, runbook, step: step.id, repository, snapshot });
      }
      return { changed: true, summary: `deleted ${snapshots.length} snapshots`, changes: [] };
    });
  }
  if (runbook.cleanup.hosts === 'restore') {
    if (runbook.cleanup.snapshots !== 'keep') await removeCopies(board, plan, 'finish');
    await undoChanges(
      board,
      'finish',
      (undo) => undo.kind === 'host' || undo.kind === 'pathRepo' || undo.kind === 'repository',
    );
  } else {
    await resetRepositoryLimits(board, plan);
  }
  if (board.abort) throw new CancelledFailure('aborted');
}

/** A repository that stays is left without the limits that this run had set. */
async function resetRepositoryLimits(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { runner, run, runbook } = board;
  const { maxRestoreBytesPerSec, maxSnapshotBytesPerSec, ...others } = runbook.snapshot;
  const ours = plan.repositories.filter((repository) => repository.register);
  if ((!maxRestoreBytesPerSec && !maxSnapshotBytesPerSec) || ours.length === 0) return;
  await runner.run(
    { id: 'finish/limits', phase: 'finish', title: 'limits of the repositories as they were' },
    async (step) => {
      const unlimited = { ...runbook, snapshot: others };
      for (const each of ours) {
        await step.activities.registerRepository({
          run,
          runbook: unlimited,
          step: step.id,
          repository: each,
          wasRegistered: true,
        });
      }
      return { changed: true, summary: 'set back to the default limits', changes: [] };
    },
  );
}
