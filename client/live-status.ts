import type { FailureInfo } from '../contracts/failures';
import type { BatchStatus, Change, Progress, RunStatus, StepStatus } from '../contracts/status';

/** The run's own status, overlaid with what only Temporal's server knows of the activities under way. */
export interface LiveStatus extends Omit<RunStatus, 'steps' | 'batches'> {
  steps: LiveStep[];
  batches: LiveBatch[];
  /** Why something may be missing here, in words. */
  warnings: string[];
}

export interface LiveBatch extends Omit<BatchStatus, 'steps'> {
  steps: LiveStep[];
}

export interface LiveStep extends StepStatus {
  /** Failed for now, and Temporal will try again by itself. */
  retrying?: Retrying;
}

export interface Retrying {
  /** Of the activity, not of the step: the next one, or the one under way. */
  attempt: number;
  /** What the last attempt failed with. */
  lastFailure: string;
  failure?: FailureInfo;
  /** ISO 8601; left out while an attempt is under way. */
  nextAttemptAt?: string;
}

/** An activity under way, as the server describes it. */
export interface PendingActivity {
  /** Id of the step it belongs to. */
  step: string;
  progress?: Progress;
  retrying?: Retrying;
}

/** Puts what the server knows onto the steps; activities that belong to no step are none of the operator's business. */
export function overlay(
  status: RunStatus,
  pending: readonly PendingActivity[],
  warnings: readonly string[] = [],
): LiveStatus {
  const byStep = new Map<string, PendingActivity>();
  for (const activity of pending) {
    const known = byStep.get(activity.step);
    // A step may run several activities at once: what fails is what an operator wants to see.
    if (known === undefined || known.retrying === undefined) byStep.set(activity.step, { ...known, ...activity });
  }
  const live = (step: StepStatus): LiveStep => {
    const found = step.state === 'running' ? byStep.get(step.id) : undefined;
    if (found === undefined) return step;
    return {
      ...step,
      ...(found.progress ? { progress: found.progress } : {}),
      ...(found.retrying ? { retrying: found.retrying } : {}),
    };
  };
  return {
    ...status,
    steps: status.steps.map(live),
    batches: status.batches.map((batch) => ({ ...batch, steps: batch.steps.map(live) })),
    warnings: [...warnings],
  };
}

/** Steps of the run and of its batches, in their order. */
export function allSteps(status: Pick<LiveStatus, 'steps' | 'batches'>): LiveStep[] {
  return [...status.steps, ...status.batches.flatMap((batch) => batch.steps)];
}

/** What the run and its batches have changed, in the order in which it was done. */
export function allChanges(status: Pick<LiveStatus, 'changes' | 'batches'>): Change[] {
  return [...status.changes, ...status.batches.flatMap((batch) => batch.changes)].sort((a, b) =>
    a.at.localeCompare(b.at),
  );
}
