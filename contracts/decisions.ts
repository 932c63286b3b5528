/** Who decided, when and why: every approval, retry, skip, pause and abort carries it, and the report shows it. */
export interface Decision {
  by: string;
  reason: string;
}

export interface RecordedDecision extends Decision {
  verb: 'approve' | 'reject' | 'pause' | 'resume' | 'retry' | 'skip' | 'abort';
  /** Gate or step that it was about; the whole run where there is none. */
  subject?: string;
  /** ISO 8601. */
  at: string;
}

export interface GateDecision extends Decision {
  gate: string;
}

/** Without a step: every stuck step. */
export interface StepDecision extends Decision {
  step?: string;
}

/** Refusals of an Update's validator: the type of its ApplicationFailure. The command line exits with 4. */
export const decisionRefused = 'DecisionRefused';
