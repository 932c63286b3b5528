/** Here, and not beside the runbook's schema, since the command line that offers them must not load that. */
export const diskWatermarks = ['low', 'high', 'flood_stage', 'none'] as const;

/** Who decided, when and why: every approval, retry, skip, pause and abort carries it, and the report shows it. */
export interface Decision {
  by: string;
  reason: string;
}

export interface RecordedDecision extends Decision {
  verb: 'approve' | 'reject' | 'pause' | 'resume' | 'retry' | 'skip' | 'tune' | 'abort';
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

/** What `tune` may change while a run goes on; what is left out stays as it is, null takes a limit off. */
export interface TunedLimits {
  docsPerSec?: number | null;
  /** As Elasticsearch writes sizes: "20mb". */
  bytesPerSec?: string | null;
  bulkBytes?: string;
  bulksInFlight?: number;
  partsInFlight?: number;
  pauseAboveHeapPercent?: number;
  pauseAboveDisk?: (typeof diskWatermarks)[number];
  /** Most documents of a batch that the target may refuse. */
  failedDocuments?: number | null;
  /** Of each `_reindex` task. */
  requestsPerSecond?: number | null;
}

export interface TuneDecision extends Decision {
  limits: TunedLimits;
}

/** Refusals of an Update's validator: the type of its ApplicationFailure. The command line exits with 4. */
export const decisionRefused = 'DecisionRefused';
