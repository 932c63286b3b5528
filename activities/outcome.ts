import type { Change, Undo } from '../contracts/status';
import type { StepOutcome } from '../contracts/host-activities';

export function unchanged(summary: string): StepOutcome {
  return { changed: false, summary, changes: [] };
}

export function changedBy(
  step: string,
  summary: string,
  change: { where: string; what: string; before: string; after: string; undo?: Undo },
): StepOutcome {
  return { changed: true, summary, changes: [{ step, at: new Date().toISOString(), ...change }] };
}

/** Several outcomes of one step as one. */
export function joined(outcomes: StepOutcome[], summary: string): StepOutcome {
  const changes: Change[] = outcomes.flatMap((outcome) => outcome.changes);
  return { changed: outcomes.some((outcome) => outcome.changed), summary, changes };
}
