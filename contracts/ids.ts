import type { MigrationRunbook, Side } from './runbook';

/** Every id that is derived from a run's name, in one place: they are how a second attempt finds what the first one began. */

/** 3 becomes "batch-0003": also the step prefix, so it sorts by number. */
export function batchName(number: number): string {
  return `batch-${String(number).padStart(4, '0')}`;
}

export function batchWorkflowId(run: string, number: number): string {
  return `${run}/${batchName(number)}`;
}

/**
 * What marks snapshots, restored indices and copy jobs of one execution: the run's name and the end of its first
 * execution's id, whose beginning is but the time. A run that is started again under its name does not take an earlier
 * one's things for its own.
 */
export function ownerOf(run: string, firstExecutionRunId: string): string {
  return `${run}-${firstExecutionRunId.slice(-8)}`;
}

/** Whether that owner is any execution of the run. */
export function isOwnerOf(owner: string, run: string): boolean {
  return owner.startsWith(`${run}-`) && /^[0-9a-f]{8}$/.test(owner.slice(run.length + 1));
}

/** `round` counts the snapshots taken of one batch: a partial one is retaken under the next name, never restored. */
export function snapshotName(owner: string, number: number, round: number): string {
  return `${owner}-${batchName(number)}-${round}`;
}

/** Name of a detached job on a host, and of its systemd unit (with .service). */
export function copyJobId(owner: string, number: number, round: number): string {
  return `shardlift-${owner}-copy-${batchName(number)}-${round}`;
}

/** Name under which the run registers its repository. */
export function repositoryName(runbook: MigrationRunbook, side: Side): string {
  const { existing, name } = runbook.snapshot?.repository ?? {};
  return existing?.[side] ?? name ?? `shardlift-${runbook.name}`;
}

/** What an index of the source is called on the target. A snapshot keeps the names. */
export function targetName(runbook: MigrationRunbook, name: string): string {
  for (const { from, to } of (runbook.copy ?? runbook.reindex)?.rename ?? []) {
    const [before = '', after] = from.split('*');
    if (after === undefined) {
      if (from === name) return to;
      continue;
    }
    const fits = name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
    if (fits) return to.replace('*', () => name.slice(before.length, name.length - after.length));
  }
  return name;
}

/** Of the child that keeps the target in step with a live source. */
export function catchUpWorkflowId(run: string): string {
  return `${run}/catch-up`;
}
