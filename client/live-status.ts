import type { FailureInfo } from '../contracts/failures';
import type { BatchStatus, Change, Progress, RefusalCause, RunStatus, StepStatus } from '../contracts/status';

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
  const documents = new Map<string, Progress[]>();
  for (const activity of pending) {
    const known = byStep.get(activity.step);
    // A step may run several activities at once: what fails is what an operator wants to see.
    if (known === undefined || known.retrying === undefined) byStep.set(activity.step, { ...known, ...activity });
    if (activity.progress?.unit === 'documents')
      documents.set(activity.step, [...(documents.get(activity.step) ?? []), activity.progress]);
  }
  const live = (step: StepStatus): LiveStep => {
    const found = step.state === 'running' ? byStep.get(step.id) : undefined;
    if (found === undefined) return step;
    return {
      ...step,
      ...(found.progress ? { progress: summed(step.progress, documents.get(step.id)) ?? found.progress } : {}),
      ...(found.retrying ? { retrying: found.retrying } : {}),
    };
  };
  return {
    ...status,
    steps: status.steps.map(live),
    batches: status.batches.map((batch) => ({ ...batch, steps: batch.steps.map(live) })),
    ...(status.catchUp ? { catchUp: { ...status.catchUp, steps: status.catchUp.steps.map(live) } } : {}),
    warnings: [...warnings],
  };
}

/** A step that is cut into parts: what it has done itself, and what the parts under way have done on top. */
function summed(whole: Progress | undefined, parts: readonly Progress[] = []): Progress | undefined {
  if (!whole || parts.length === 0) return undefined;
  const done = Math.min(whole.total, whole.done + parts.reduce((sum, part) => sum + part.done, 0));
  const rate = parts.reduce((sum, part) => sum + (part.rate ?? 0), 0);
  const details = [...new Set(parts.flatMap(({ detail }) => detail ?? []))];
  return {
    ...whole,
    done,
    ...(rate > 0 ? { rate, etaSeconds: Math.ceil((whole.total - done) / rate) } : {}),
    ...(details.length > 0 ? { detail: details.slice(0, 3).join('; ') } : {}),
  };
}

/** Whether documents are moved one by one, which has other figures than files. */
export function movesDocuments({ batches }: Pick<LiveStatus, 'batches'>): boolean {
  return batches.some(({ moved, steps }) => moved !== undefined || steps.some(({ id }) => id.endsWith('/create')));
}

export function refusedIn(causes: readonly RefusalCause[]): number {
  return causes.reduce((sum, { count }) => sum + count, 0);
}

/** Steps of the run, of its batches and of its catch-up, in their order. */
export function allSteps(status: Pick<LiveStatus, 'steps' | 'batches' | 'catchUp'>): LiveStep[] {
  return [...status.steps, ...status.batches.flatMap((batch) => batch.steps), ...(status.catchUp?.steps ?? [])];
}

/** What the run and its batches have changed, in the order in which it was done. */
export function allChanges(status: Pick<LiveStatus, 'changes' | 'batches'>): Change[] {
  return [...status.changes, ...status.batches.flatMap((batch) => batch.changes)].sort((a, b) =>
    a.at.localeCompare(b.at),
  );
}
