import type { MigrationPlan } from '../contracts/plan';
import { batchName, repositoryName } from '../contracts/ids';
import type { RunbookHost } from '../contracts/runbook';
import type { BatchStatus, Undo } from '../contracts/status';
import type { StepOutcome } from '../contracts/host-activities';
import { allowAllocation, restartNode, type RestartMemory } from './rolling-restart';
import type { RunBoard } from './run-board';
import type { StepContext } from './step-runner';

/**
 * Takes back everything that this run changed, in reverse, each as a step of its own that may become stuck itself. Write
 * blocks first: the source must take writes again, whatever else cannot be undone.
 */
export async function undoRun(board: RunBoard, plan: MigrationPlan | undefined): Promise<void> {
  if (board.isCutOver) return undoAfterCutover(board);
  const begun = [...board.batches].reverse().filter((batch) => batch.state !== 'waiting');
  for (const batch of begun) await takeOffWriteBlocks(board, batch);
  if (plan) {
    for (const batch of begun) await undoBatch(board, plan, batch);
    await removeCopies(board, plan, 'undo');
  }
  await undoChanges(board, 'undo', () => true);
  if (plan) await undoRecords(board, plan, 'undo');
}

/**
 * Only by Temporal's own tools, as an abort is refused by then: what applications may use is left, and limits put back.
 */
async function undoAfterCutover(board: RunBoard): Promise<void> {
  board.runner.differences.push({
    where: 'run',
    what: 'cancelled after its cutover: indices, aliases, snapshots and hosts were left as they were',
  });
  await undoChanges(board, 'undo', ({ kind }) => kind === 'settings' || kind === 'repositorySettings');
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
    await board.runner.run({ id: uniqueId(board, id), phase: board.phase, title: undo.summary }, async (step) => {
      const outcome = await apply(board, step, undo, memory);
      delete change.undo;
      return outcome;
    });
    if (undo.kind === 'pathRepo') await allowAgain(board, undo.side, `${id}/allocation`, memory);
  }
}

/** After a restart that was skipped. */
async function allowAgain(board: RunBoard, role: RunbookHost['role'], id: string, memory: RestartMemory) {
  const { runner, run, runbook, phase } = board;
  if (role === 'source' || role === 'target')
    await allowAllocation({ runner, run, runbook, side: role, phase }, id, memory);
}

/**
 * What hosts' own records still know of this run: an activity that failed half-way, or whose worker died, has answered
 * nothing, and so no change of it is known here.
 */
export async function undoRecords(board: RunBoard, plan: MigrationPlan, phase: 'undo' | 'finish'): Promise<void> {
  const isTouched = board.runner.steps.some((step) => step.id.startsWith('prepare/'));
  if (!isTouched) return;
  const { run, runbook } = board;
  const isWorkedOn = ({ role }: RunbookHost) =>
    plan.shares.length > 0 ? role !== 'jump' : plan.remoteAllowlist !== undefined && role === 'target';
  for (const { name, role } of runbook.hosts.filter(isWorkedOn).reverse()) {
    const memory: RestartMemory = {};
    await board.runner.run(
      { id: `${phase}/records/${name}`, phase: board.phase, title: `what ${name} still has of this run` },
      async (step) => {
        const input = { run, runbook, step: step.id, host: name };
        const summaries: string[] = [];
        const side = role === 'source' || role === 'target' ? role : undefined;
        for (const { id, kind } of await step.activities.listHostRecords(input)) {
          const outcome =
            kind === 'pathRepo' && side
              ? await apply(board, step, { kind, side, host: name, id, summary: '' }, memory)
              : await step.activities.undoHostChange({ ...input, id });
          summaries.push(outcome.summary);
        }
        return { changed: summaries.length > 0, summary: summaries.join('; ') || 'nothing', changes: [] };
      },
    );
    await allowAgain(board, role, `${phase}/records/${name}/allocation`, memory);
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
    case 'repositorySettings': {
      const { side, repository, registered } = undo;
      return activities.putRepositoryBack({ ...input, side, repository, registered });
    }
    case 'settings':
      return activities.putClusterSettings({ ...input, side: undo.side, before: {}, values: undo.before });
    default:
      return activities.undoMetadata({ ...input, undo });
  }
}

async function takeOffWriteBlocks(board: RunBoard, batch: BatchStatus): Promise<void> {
  if (batch.writeBlocked.length === 0) return;
  const { run, runbook } = board;
  const name = batchName(batch.number);
  await board.runner.run(
    { id: `undo/${name}/write-block`, phase: board.phase, title: `write block of ${name} off the source` },
    (step) => step.activities.removeWriteBlock({ run, runbook, step: step.id, indices: batch.writeBlocked }),
  );
}

/** What a batch's status says that it did. Three steps, so that a target or a share that is gone holds up only its own. */
async function undoBatch(board: RunBoard, plan: MigrationPlan, batch: BatchStatus): Promise<void> {
  const { run, runbook, owner, runner, phase } = board;
  const name = batchName(batch.number);
  const snapshots = [...batch.snapshots].reverse();
  const indices = plan.batches.find((each) => each.number === batch.number)?.indices.map((index) => index.name) ?? [];
  const { copy } = plan;
  await runner.run({ id: `undo/${name}/indices`, phase, title: `delete the restored indices of ${name}` }, (step) =>
    step.activities.deleteRestoredIndices({ run, runbook, owner, step: step.id, indices }),
  );
  if (copy && snapshots.length > 0) {
    await runner.run({ id: `undo/${name}/copy`, phase, title: `remove the copied files of ${name}` }, async (step) => {
      const input = { run, runbook, step: step.id, host: copy.host, location: copy.to };
      return together(snapshots, (snapshot) => step.activities.removeCopiedSnapshot({ ...input, snapshot }));
    });
  }
  if (snapshots.length > 0) {
    await runner.run({ id: `undo/${name}/snapshots`, phase, title: `delete the snapshots of ${name}` }, (step) => {
      const input = { run, runbook, owner, step: step.id, repository: repositoryName(runbook, 'source') };
      return together(snapshots, (snapshot) => step.activities.deleteSnapshot({ ...input, snapshot }));
    });
  }
}

/** One after the other, as one outcome. */
async function together(names: string[], act: (name: string) => Promise<StepOutcome>): Promise<StepOutcome> {
  const outcomes: StepOutcome[] = [];
  for (const name of names) outcomes.push(await act(name));
  return {
    changed: outcomes.some((outcome) => outcome.changed),
    summary: outcomes.map((outcome) => outcome.summary).join('; '),
    changes: [],
  };
}
