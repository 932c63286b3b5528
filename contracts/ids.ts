import type { MigrationRunbook, Side } from './runbook';

/** Every id that is derived from a run's name, in one place: they are how a second attempt finds what the first one began. */

/** 3 becomes "batch-0003": also the step prefix, so it sorts by number. */
export function batchName(number: number): string {
  return `batch-${String(number).padStart(4, '0')}`;
}

export function batchWorkflowId(run: string, number: number): string {
  return `${run}/${batchName(number)}`;
}

/** `round` counts the snapshots taken of one batch: a partial one is retaken under the next name, never restored. */
export function snapshotName(run: string, number: number, round: number): string {
  return `${run}-${batchName(number)}-${round}`;
}

/** Name of a detached job on a host, and of its systemd unit (with .service). */
export function copyJobId(run: string, number: number, round: number): string {
  return `shardlift-${run}-copy-${batchName(number)}-${round}`;
}

/** Name under which the run registers its repository. */
export function repositoryName(runbook: MigrationRunbook, side: Side): string {
  const { existing, name } = runbook.snapshot.repository;
  return existing?.[side] ?? name ?? `shardlift-${runbook.name}`;
}
