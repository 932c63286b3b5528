import type { MigrationPlan } from '../contracts/plan';
import { batchName } from '../contracts/ids';
import { repositoryName } from '../contracts/ids';
import type { BatchStatus, Phase, Undo } from '../contracts/status';
import type { StepOutcome } from '../contracts/host-activities';
import { restartNode, type RestartMemory } from './rolling-restart';
import type { RunBoard } from './run-board';
import type { StepContext } from './step-runner';

/** Takes back everything that this run changed, in reverse, each as a step of its own that may become stuck itself. */
export async function undoRun(board: RunBoard, plan: MigrationPlan | undefined): Promise<void> {
  if (plan) {
    for (const batch of [...board.batches].reverse())
      if (batch.state !== 'waiting') await undoBatch(board, plan, batch);
  }
  await undoChanges(board, 'undo', () => true);
}

/** The directory that the run filled for the target, once no batch needs it. A directory without our marker stays. */
export async function removeCopies(board: RunBoard, plan: MigrationPlan, phase: 'undo' | 'finish'): Promise<void> {
  const { copy } = plan;
  if (!copy || board.batches.every((batch) => batch.snapshots.length === 0)) return;
  await board.runner.run(
    { id: `${phase}/copy-directory`, phase: board.phase, title: `remove the copies in ${copy.to}` },
    (step) =>
      step.activities.removeCopyDirectory({
        run: board.run,
        runbook: board.runbook,
        step: step.id,
        host: copy.host,
        location: copy.to,
      }),
  );
}

/** Undoes the recorded changes that are wanted, newest first. One that is undone is not undone again. */
export async function undoChanges(
  board: RunBoard,
  phase: 'undo' | 'finish',
  isWanted: (undo: Undo) => boolean,
): Promise<void> {
  const changes = board.runner.changes.filter((change) => change.undo && isWanted(change.undo)).reverse();
  for (const change of changes) {
    const { undo } = change;
    if (!undo) continue;
    const id = `${phase}/${change.step}${change.step.includes(undo.kind) ? '' : `/${undo.kind}`}`;
    const memory: RestartMemory = {};
    await board.runner.run({ id: uniqueId(board, id), phase: phaseOf(board), title: undo.summary }, async (step) => {
      const outcome = await apply(board, step, undo, memory);
      delete change.undo;
      return outcome;
    });
  }
}

/** A step may make several changes of one kind. */
function uniqueId(board: RunBoard, id: string): string {
  const taken = new Set(board.runner.steps.map((step) => step.id));
  if (!taken.has(id)) return id;
  let number = 2;
  while (taken.has(`${id}-${number}`)) number += 1;
  return `${id}-${number}`;
}

function phaseOf(board: RunBoard): Phase {
  return board.phase;
}

async function apply(board: RunBoard, step: StepContext, undo: Undo, memory: RestartMemory): Promise<StepOutcome> {
  const { run, runbook } = board;
  const input = { run, runbook, step: step.id };
  const { activities } = step;
  switch (undo.kind) {
    case 'host':
      return activities.undoHostChange({ ...input, host: undo.host, id: undo.id });
    case 'pathRepo': {
      const outcome = await activities.undoPathRepo({ ...input, host: undo.host, id: undo.id });
      const host = runbook.hosts.find((each) => each.name === undo.host);
      if (host) await restartNode(step, { run, runbook, side: undo.side, paths: [] }, host, memory);
      return outcome;
    }
    case 'repository':
      return activities.unregisterRepository({ ...input, side: undo.side, repository: undo.repository });
    case 'settings':
      return activities.putClusterSettings({ ...input, side: undo.side, before: {}, values: undo.before });
    case 'aliases':
      return activities.removeAliases({ ...input, actions: undo.actions });
  }
}

/** Restored indices, copied files, snapshots and write blocks of one batch: what its status says that it did. */
async function undoBatch(board: RunBoard, plan: MigrationPlan, batch: BatchStatus): Promise<void> {
  const { run, runbook, runner } = board;
  const indices = plan.batches.find((each) => each.number === batch.number)?.indices.map((index) => index.name) ?? [];
  await runner.run(
    {
      id: `undo/${batchName(batch.number)}`,
      phase: board.phase,
      title: `undo ${batchName(batch.number)}: restored indices, files, snapshots`,
    },
    async (step) => {
      const input = { run, runbook, step: step.id };
      const { activities } = step;
      const outcomes = [await activities.deleteRestoredIndices({ ...input, indices })];
      for (const snapshot of [...batch.snapshots].reverse()) {
        if (plan.copy) {
          outcomes.push(
            await activities.removeCopiedSnapshot({ ...input, host: plan.copy.host, location: plan.copy.to, snapshot }),
          );
        }
        outcomes.push(
          await activities.deleteSnapshot({ ...input, repository: repositoryName(runbook, 'source'), snapshot }),
        );
      }
      if (batch.writeBlocked.length > 0)
        outcomes.push(await activities.removeWriteBlock({ ...input, indices: batch.writeBlocked }));
      return {
        changed: outcomes.some((outcome) => outcome.changed),
        summary: outcomes.map((outcome) => outcome.summary).join('; '),
        changes: [],
      };
    },
  );
}
