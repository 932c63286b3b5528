import { CancellationScope, CancelledFailure } from '@temporalio/workflow';
import { createdAgain, reachedPositions } from '../contracts/catch-up';
import type { KnownIndex, VerifyResult } from '../contracts/cluster-activities';
import { repositoryName, targetName } from '../contracts/ids';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { BatchStatus, Difference } from '../contracts/status';
import { allEnded } from './all-settled';
import { moveBatch } from './move';
import type { RunBoard } from './run-board';
import type { StepContext } from './step-runner';
import { removeCopies, undoChanges, undoRecords } from './undo';
import { isRetakeSafe, verificationFailed } from './verification';

/** Indices verified by one activity: its answer and its requests stay small. */
const indicesAtOnce = 200;
/** Comparing is mostly waiting for both clusters, and light work for them. */
const batchesAtOnce = 4;

/**
 * Compares every index once more, all batches together, and looks for what the source has come to hold since the plan. A
 * retry compares again; batches that still differ are moved again, from a new snapshot, where that can lose nothing.
 */
export async function verifyAll(
  board: RunBoard,
  plan: MigrationPlan,
  id: string,
  phase: 'verify' | 'cutover',
): Promise<void> {
  let seen: Difference[] = [];
  const outcome = await board.runner.run({ id, phase, title: 'compare source and target' }, async (step) => {
    if (phase === 'cutover') await board.follower?.takeLate(step);
    // before that nothing was compared
    if (phase === 'cutover' && step.attempt > 1) await board.follower?.drainAgain(step);
    let found = await compare(board, plan, step);
    if (step.previousFailure?.type === 'VerificationFailed' && found.toRetake.length > 0) {
      for (const batch of found.toRetake) await moveBatch(board, plan, batch, true);
      found = await compare(board, plan, step);
    }
    seen = found.differences;
    if (seen.length > 0) throw verificationFailed({ differences: seen, isRetakeSafe: found.toRetake.length > 0 });
    const { adapted } = found;
    const also = adapted.length > 0 ? `; a newer version had to change ${adapted.length} settings or mappings` : '';
    const accepted = [...board.accepted, ...board.batches.flatMap((batch) => batch.accepted)].length;
    const but = accepted > 0 ? `, but for ${accepted} differences that were accepted` : '';
    return {
      changed: false,
      summary: `all indices are equal${but}, ${found.documents} documents on the target${also}`,
      changes: [],
    };
  });
  if (!outcome) board.accepted.push(...seen);
}

/** What an operator has accepted already, with a reason, is not asked about again: exactly that, and nothing else. */
async function compare(board: RunBoard, plan: MigrationPlan, step: StepContext) {
  const input = { run: board.run, runbook: board.runbook, step: step.id };
  // Nothing is left to compare them with: that is told as what it is, by the catch-up.
  const deleted = new Set(board.catchUp?.series?.deleted.map(({ index }) => index));
  const verify = async ({ number, indices: all }: BatchPlan) => {
    const indices = all.filter(({ name }) => !deleted.has(name));
    const { refused = [], positions = [] } = board.batches[number - 1] ?? {};
    // Of a source that is followed, what was refused may have been written since: then nothing is taken to be missing.
    const known = board.runbook.catchUp
      ? { positions: reachedPositions(positions, board.catchUp?.positions ?? []) }
      : { refused, positions };
    const results: VerifyResult[] = [];
    for (let from = 0; from < indices.length; from += indicesAtOnce)
      results.push(
        await step.activities.verifyIndices({ ...input, indices: indices.slice(from, from + indicesAtOnce), ...known }),
      );
    return results;
  };
  const differences: Difference[] = [];
  const adapted: string[] = [];
  const toRetake: BatchPlan[] = [];
  let documents = 0;
  // Of a batch whose snapshot, or whose creation, was skipped nothing is on the target: that stands in the report as a difference.
  const moved = plan.batches.filter(
    ({ number }) => !isSkippedBefore(board.batches[number - 1], /\/(snapshot|create)$/),
  );
  for (let from = 0; from < moved.length; from += batchesAtOnce) {
    const compared = await allEnded(
      moved.slice(from, from + batchesAtOnce).map(async (batch) => ({ batch, results: await verify(batch) })),
    );
    for (const { batch, results } of compared) {
      const accepted = [...board.accepted, ...(board.batches[batch.number - 1]?.accepted ?? [])];
      const fresh = results.flatMap((result) => result.differences).filter((each) => !accepted.some(isSameAs(each)));
      differences.push(...fresh);
      adapted.push(...results.flatMap((result) => result.adapted));
      documents += results.reduce((sum, result) => sum + result.documents, 0);
      if (fresh.length > 0 && results.every(isRetakeSafe)) toRetake.push(batch);
    }
  }
  const { aliases, ...selection } = await step.activities.readSelection({ ...input, planned: plannedIndices(plan) });
  board.aliases = aliases;
  board.selection = selection;
  const late = selection.unplanned.map((name) => ({
    where: `index ${name}`,
    what: 'came to the source after the plan and has not been moved: move it by a run of its own, with select.include',
  }));
  // Not compared above. What the catch-up has seen of it stands in the status already.
  const again = selection.createdAgain.filter(({ name }) => deleted.has(name)).map(({ name }) => createdAgain(name));
  const known = [...board.accepted, ...(board.catchUp?.differences ?? [])];
  differences.push(...[...late, ...again].filter((each) => !known.some(isSameAs(each))));
  return { differences, adapted, documents, toRetake };
}

/**
 * Between the comparison and the finish lie an approval, and days perhaps: what the source has come to hold in them is told,
 * and nothing else would.
 */
async function tellLate(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { runner, run, runbook, selection } = board;
  const differences = await runner.run(
    { id: 'finish/selection', phase: 'finish', title: 'what has come to the source since the comparison' },
    async (step) => {
      const then = new Map(selection?.createdAgain.map(({ name, uuid }) => [name, uuid]));
      const planned = plannedIndices(plan).map(({ name, uuid }) => ({ name, uuid: then.get(name) ?? uuid }));
      const now = await step.activities.readSelection({ run, runbook, step: step.id, planned });
      const fresh = now.unplanned.filter((name) => selection?.unplanned.includes(name) !== true);
      const found = [
        ...fresh.map((name) => ({
          where: `index ${name}`,
          what: 'it came to the source after both sides were compared, and is not on the target: move it by a run of its own, with select.include, or delete it if it is not wanted; and see who still writes to the source',
        })),
        ...now.createdAgain.map(({ name }) => createdAgain(name)),
      ];
      const summary = found.length === 0 ? 'nothing' : found.map(({ where }) => where).join(', ');
      return { changed: false, summary, found };
    },
  );
  runner.differences.push(...(differences?.found ?? []));
}

function plannedIndices({ batches }: MigrationPlan): KnownIndex[] {
  return batches.flatMap(({ indices }) => indices.map(({ name, uuid }) => ({ name, uuid })));
}

function isSameAs(a: Difference): (b: Difference) => boolean {
  return (b) => a.where === b.where && a.what === b.what;
}

/** Skipped, and not made up for by a later attempt that was verified. */
function isSkippedBefore(batch: BatchStatus | undefined, stages: RegExp): boolean {
  const steps = batch?.steps ?? [];
  const isVerified = steps.some((step) => step.id.endsWith('/verify') && step.state === 'done');
  return !isVerified && steps.some((step) => step.state === 'skipped' && stages.test(step.id));
}

/** The aliases in one request; then the run says what the applications must point at. */
export async function cutOver(board: RunBoard, plan: MigrationPlan): Promise<void> {
  // An abort that came in this very moment was accepted as one before the cutover.
  if (board.abort || CancellationScope.current().consideredCancelled) throw new CancelledFailure('aborted');
  board.isCutOver = true;
  const moved = movedIndices(board, plan);
  const aliases = board.aliases ?? plan.aliases;
  const actions = aliases.filter(({ add }) => add && moved.has(add.index));
  for (const { add } of aliases) {
    if (add && !moved.has(add.index))
      board.runner.differences.push({
        where: `alias ${add.alias}`,
        what: `not put on ${add.index}, which was not moved`,
      });
  }
  if (board.runbook.cutover.aliases && actions.length > 0) {
    await board.runner.run({ id: 'cutover/aliases', phase: 'cutover', title: 'aliases on the target' }, (step) =>
      step.activities.applyAliases({ run: board.run, runbook: board.runbook, step: step.id, actions }),
    );
  }
  const { clients } = board.runbook.cutover;
  board.cutover = `point the applications at ${board.runbook.target.urls.join(', ')} (cluster ${plan.target.name})${clients ? `: ${clients}` : ''}`;
}

/** Without those whose move an operator skipped: one alias on a missing index would have the whole request refused. */
function movedIndices(board: RunBoard, plan: MigrationPlan): Set<string> {
  const moved = plan.batches.filter(
    ({ number }) => !isSkippedBefore(board.batches[number - 1], /\/(snapshot|copy|restore|create)$/),
  );
  return new Set(moved.flatMap(({ indices }) => indices.map(({ name }) => targetName(board.runbook, name))));
}

/** What the runbook wants gone goes; what it wants kept stays, without limits and marks of this run. */
export async function finish(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { runner, run, runbook, owner } = board;
  await tellLate(board, plan);
  const repository = repositoryName(runbook, 'source');
  const indices = plan.batches.flatMap((batch) => batch.indices.map((index) => index.name));
  await runner.run({ id: 'finish/marks', phase: 'finish', title: "the run's marks off the indices" }, (step) =>
    step.activities.unmarkIndices({ run, runbook, step: step.id, indices }),
  );
  if (runbook.method === 'snapshot' && runbook.cleanup.snapshots === 'atFinish') {
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
        await step.activities.deleteSnapshot({ run, runbook, owner, step: step.id, repository, snapshot });
      }
      return { changed: true, summary: `deleted ${snapshots.length} snapshots`, changes: [] };
    });
  }
  await undoChanges(board, 'finish', (undo) => undo.kind === 'repositorySettings');
  if (runbook.cleanup.hosts === 'restore') {
    if (runbook.cleanup.snapshots !== 'keep') await removeCopies(board, plan, 'finish');
    await undoChanges(
      board,
      'finish',
      (undo) => undo.kind === 'host' || undo.kind === 'pathRepo' || undo.kind === 'repository',
    );
    await undoRecords(board, plan, 'finish');
  } else {
    await resetRepositoryLimits(board, plan);
  }
}

/** A repository that stays is left without the limits that this run had set. */
async function resetRepositoryLimits(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { runner, run, runbook } = board;
  if (!runbook.snapshot) return;
  const { maxRestoreBytesPerSec, maxSnapshotBytesPerSec, ...others } = runbook.snapshot;
  const registered = runner.changes.flatMap(({ undo }) => (undo?.kind === 'repository' ? [undo] : []));
  const ours = plan.repositories.filter(({ side, name }) =>
    registered.some((undo) => undo.side === side && undo.repository === name),
  );
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
          before: null,
        });
      }
      return { changed: true, summary: 'set back to the default limits', changes: [] };
    },
  );
}
