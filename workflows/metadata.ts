import type { MetadataDigests } from '../contracts/metadata';
import type { MigrationPlan } from '../contracts/plan';
import type { Phase } from '../contracts/status';
import { metadataOf } from './preflight';
import type { RunBoard } from './run-board';

/** Templates, policies, pipelines and the like, where the runbook takes them along. */
export async function applyMetadata(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { run, runbook, runner } = board;
  const { metadata } = plan;
  if (!runbook.metadata || !metadata) return;
  const applied = await runner.run(
    { id: 'prepare/metadata', phase: 'prepare', title: 'templates, policies, pipelines and scripts' },
    async (step) => {
      const { planned } = metadata;
      const input = { run, runbook, step: step.id, indices: [], metadata: metadataOf(runbook), planned };
      const outcome = await step.activities.applyMetadata(input);
      for (const [at, change] of outcome.changes.entries()) {
        const undo = outcome.undo[at];
        if (undo) change.undo = undo;
      }
      return step.record(outcome);
    },
  );
  runner.differences.push(...(applied?.differences ?? []));
}

function withoutIndices(digests: MetadataDigests): MetadataDigests {
  return Object.fromEntries(Object.entries(digests).filter(([key]) => !/^(index-settings|mappings) /.test(key)));
}

/** What changed on the source since it was evaluated is told, and does not come along by itself. */
export async function tellDrift(board: RunBoard, plan: MigrationPlan, phase: Phase): Promise<void> {
  const { run, runbook, runner } = board;
  const { metadata } = plan;
  if (!metadata) return;
  // Indices of a time series come and go by their nature: those that are there are compared, settings and mappings too.
  const isSeries = runbook.catchUp?.kind === 'time-series';
  const indices = runbook.method === 'snapshot' || isSeries ? [] : plan.batches.flatMap((batch) => batch.indices);
  const seen = await runner.run(
    { id: `${phase}/metadata`, phase, title: "changes of the source's settings, mappings and templates" },
    async (step) => {
      const digests = isSeries ? withoutIndices(metadata.digests) : metadata.digests;
      const drift = await step.activities.readDrift({ run, runbook, indices, metadata: metadataOf(runbook), digests });
      // the next look begins here, so that nothing is told twice
      metadata.digests = drift.digests;
      const count = drift.differences.length;
      return {
        ...drift,
        changed: false,
        summary: count === 0 ? 'none since the plan' : `${count} since the plan, which the target does not have`,
      };
    },
  );
  runner.differences.push(...(seen?.differences ?? []));
}
