import type { Undo } from '../contracts/status';
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
