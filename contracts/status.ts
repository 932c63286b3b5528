import type { RecordedDecision } from './decisions';
import type { CatchUpPositions } from './catch-up';
import type { ShardPositions } from './document-activities';
import type { FailureInfo } from './failures';
import type { MetadataUndo } from './metadata';
import type { RefusedPart } from './reindex';
import type { CatchUpKind } from './runbook-documents';

/**
 * The one status object: `status`, `watch`, `--output json` and the report all show it. It is kept by the run's
 * workflow; the command line only adds the live progress that pending activities report in their heartbeats.
 */

export const phases = ['preflight', 'prepare', 'move', 'catch-up', 'verify', 'cutover', 'soak', 'finish'] as const;
export type Phase = (typeof phases)[number];

/**
 * running: at work. waiting: at a gate, for a person. stuck: a step failed for good, nothing else goes on behind it.
 * paused: no new step is begun. undoing: after an abort. The last five are ends.
 */
export type RunState =
  | 'running'
  | 'waiting'
  | 'stuck'
  | 'paused'
  | 'undoing'
  | 'completed'
  | 'completed with differences'
  | 'aborted'
  | 'failed';

export type StepState = 'pending' | 'running' | 'done' | 'stuck' | 'skipped' | 'undone';

/** How far a long step is. Bytes where there are bytes; rate and ETA are for whoever shows it, from `observedAt`. */
export interface Progress {
  done: number;
  total: number;
  unit: 'bytes' | 'files' | 'shards' | 'indices' | 'nodes' | 'checks' | 'documents';
  /** Per second, over the step so far. */
  rate?: number;
  /** Seconds to go at that rate. */
  etaSeconds?: number;
  /** What is being done right now. */
  detail?: string;
}

export interface StepStatus {
  /** Unique in the run, readable: `prepare/share/mount/h12`, `batch-0003/restore`. What retry and skip name. */
  id: string;
  phase: Phase;
  title: string;
  state: StepState;
  /** How often it was begun: 1, and one more for each retry by an operator. */
  attempt: number;
  /** ISO 8601. */
  startedAt?: string;
  endedAt?: string;
  /** Whether it changed something, or found it so already. */
  changed?: boolean;
  /** One sentence: what was done or found. */
  summary?: string;
  failure?: FailureInfo;
  progress?: Progress;
  /** What follows needs its result: where it is stuck it can be retried, or the run aborted. */
  isUnskippable?: boolean;
}

export type BatchStage =
  'freeze' | 'snapshot' | 'copy' | 'restore' | 'create' | 'documents' | 'finalize' | 'verify' | 'cleanup';

export interface BatchStatus {
  number: number;
  indices: number;
  sizeBytes: number;
  documents: number;
  state: 'waiting' | 'running' | 'stuck' | 'done' | 'done with differences';
  /** Its steps; ids are `batch-0003/<stage>`. Done ones are kept: the report's timeline is made of them. */
  steps: StepStatus[];
  /** Snapshots taken of it, newest last: PARTIAL ones were deleted and taken again under the next name. */
  snapshots: string[];
  /** Indices of the source that the run has write-blocked for it. */
  writeBlocked: string[];
  differences: Difference[];
  /** What verification found and an operator accepted by a skip: later comparisons do not ask about exactly that again. */
  accepted: Difference[];
  /** Documents that the target refused; they are in the workers' files of failed documents. Few causes, the commonest first. */
  refused: RefusalCause[];
  /** Where they are on the source, so that only that is read again; left out where they are in too many places. */
  refusedParts?: RefusedPart[];
  /** Where documents are moved one by one: how far that is, over all attempts. Left out before, and by other methods. */
  moved?: { parts: number; partsDone: number; written: number; superseded: number };
  /** Up to where its documents have come, for catch-up: by shard of each index. Empty without one. */
  positions: ShardPositions[];
  /** What it changed on the clusters and on the host that copies: evidence for the report. */
  changes: Change[];
}

export interface GateStatus {
  gate: string;
  state: 'closed' | 'open' | 'approved' | 'rejected';
  /** What an approval sets going, in words. */
  asks: string;
  /** ISO 8601: since when it waits. */
  openedAt?: string;
  decision?: RecordedDecision;
}

/** How a live source is followed. */
export interface CatchUpStatus {
  kind: CatchUpKind;
  state: 'running' | 'paused' | 'draining' | 'drained' | 'stuck';
  rounds: number;
  /** Operations of the source that were not on the target when the last round ended; null before the first has. */
  lag: number | null;
  /** ISO 8601: everything acknowledged by the source before is on the target. */
  inStepAt?: string;
  /** Operations a second in the last round that had any. */
  rate?: number;
  written: number;
  deleted: number;
  refused: RefusalCause[];
  differences: Difference[];
  /** What could not be read in the last round. */
  unread?: Difference[];
  /** Once drained: what the target has of each index, for the comparison, and from where it is drained once more. */
  positions?: CatchUpPositions[];
  steps: StepStatus[];
  /** With time-series. */
  series?: SeriesStatus;
}

/** An index that came or went since the plan of a time series. */
export interface SeriesChange {
  index: string;
  /** ISO 8601: when it was seen. */
  at: string;
}

export interface SeriesStatus {
  followed: number;
  /** Have appeared, and are being moved. */
  joining: string[];
  /** How many have appeared since the plan, and the newest of them, newest last. */
  appeared: number;
  newest: SeriesChange[];
  /** Deleted on the source: what was moved before, the target keeps. */
  deleted: (SeriesChange & { wasMoved: boolean })[];
}

/** Documents that the target refused for one reason. */
export interface RefusalCause {
  /** On the target. */
  index: string;
  /** Elasticsearch's own, such as mapper_parsing_exception. */
  type: string;
  /** Of the first one. */
  reason: string;
  count: number;
  /** `_id` of the first one. */
  example: string;
  remedy: string;
}

/** What differs at the end: something skipped, or something that verification found. */
export interface Difference {
  /** Step, index or setting it is about. */
  where: string;
  what: string;
}

export interface RunStatus {
  run: string;
  kind: 'Migration';
  state: RunState;
  isPaused: boolean;
  phase: Phase;
  /** One sentence: what it does now, or what it waits for. */
  now: string;
  startedAt: string;
  endedAt?: string;
  steps: StepStatus[];
  batches: BatchStatus[];
  gates: GateStatus[];
  decisions: RecordedDecision[];
  /** Bytes and documents over all batches; done counts a batch once it is verified. */
  totals: {
    bytes: number;
    bytesDone: number;
    documents: number;
    documentsDone: number;
    indices: number;
    indicesDone: number;
  };
  differences: Difference[];
  /** Only where the runbook has one, and once it has begun. */
  catchUp?: CatchUpStatus;
  /** What the applications must point at, once cut over. */
  cutover?: string;
  /** Checks of the preflight, for the report. */
  checks: Check[];
  /** What was observed before and after each change, for the report and for taking it back; batches have their own. */
  changes: Change[];
}

/** One preflight check. Ids are stable: docs/checks.md explains each. */
export interface Check {
  id: string;
  /** mandatory: the run does not start while it fails. warning: shown, and in the report. */
  level: 'mandatory' | 'warning';
  state: 'passed' | 'failed' | 'not applicable';
  /** Cluster, host or index it is about. */
  where: string;
  seen: string;
  wanted: string;
  /** Only when failed. */
  remedy?: string;
}

/** Something that this run changed, with what was there before: the evidence, and what an undo works from. */
export interface Change {
  /** The step that made it. */
  step: string;
  /** ISO 8601. */
  at: string;
  /** Host or cluster. */
  where: string;
  /** What was changed: a file's path, a setting, an index. */
  what: string;
  before: string;
  after: string;
  /** What takes it back; left out where nothing should (an installed package stays). */
  undo?: Undo;
}

/** How a change is taken back. Each is an activity of its own that looks first, so it may run twice. */
export type Undo =
  | { kind: 'host'; host: string; record: HostRecordKind; id: string; summary: string }
  | { kind: 'pathRepo'; side: 'source' | 'target'; host: string; id: string; summary: string }
  | { kind: 'repository'; side: 'source' | 'target'; repository: string; summary: string }
  | {
      kind: 'repositorySettings';
      side: 'source' | 'target';
      repository: string;
      registered: { type: string; settings: Record<string, string> };
      summary: string;
    }
  | { kind: 'settings'; side: 'source' | 'target'; before: Record<string, string | null>; summary: string }
  | MetadataUndo;

/** Changes on hosts that the host's own record can take back. */
export type HostRecordKind = 'directory' | 'export' | 'service' | 'fstab' | 'mount' | 'firewall' | 'package';

/** One action of an `_aliases` request, in Elasticsearch's own form. */
export interface AliasAction {
  add?: { index: string; alias: string; [option: string]: unknown };
  remove?: { index: string; alias: string };
}
