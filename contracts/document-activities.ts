import type { OwnedInput } from './cluster-activities';
import type { StepOutcome } from './host-activities';
import type { IndexFacts } from './plan';
import type { CopySettings } from './runbook-documents';
import type { RefusalCause } from './status';

/** Inputs and results of the activities by which documents move one by one: copy, remote reindex, catch-up. */

export interface IndicesInput extends OwnedInput {
  step: string;
  /** Of the source, under the source's names; `targetName` says what they are called on the target. */
  indices: IndexFacts[];
}

/** A shard between two sequence numbers, or a slice of a source that has none. */
export interface CopyPart {
  /** On the source. */
  index: string;
  /** Of that name: one that was deleted and made anew is another. */
  uuid: string;
  shard: number;
  /** Documents above; -1 for all. A checkpoint goes here. */
  afterSeqNo: number;
  /** Documents at or below. */
  toSeqNo: number;
  /** Sources before 6.0: one of so many slices of the whole index, in place of shard and sequence numbers. */
  slice?: { id: number; max: number };
  /** Documents in it, about: what progress is counted against. */
  documents: number;
  /** On disk, on average; left out where it is not known. How many are asked for at first goes by it. */
  documentBytes?: number;
  /** The target may have documents of an earlier life: see `MoveByDocuments.movedAgain`. Those are replaced, whatever their version. */
  replaces?: boolean;
}

/** Operations of a shard. */
export type SequenceRange = Pick<CopyPart, 'afterSeqNo' | 'toSeqNo'>;

export interface PartLimits {
  /** For this part alone, or for the parts that one activity copies in turn. */
  docsPerSec?: number;
  bytesPerSec?: number;
  bulkBytes: number;
  bulksInFlight: number;
  /** Where it pauses by itself; never unless given. */
  pauseAbove?: PauseAbove;
  /** With more documents refused the part fails. */
  mostRefused?: number;
}

export type PauseAbove = CopySettings['limits']['pauseAbove'];

export interface CopyTotals {
  written: number;
  /** The target had them already, of this version or a newer one. */
  superseded: number;
  refused: number;
  bytes: number;
}

export interface CopyPartsInput extends OwnedInput {
  step: string;
  /** One, or a group of small ones that are copied in turn. */
  parts: CopyPart[];
  limits: PartLimits;
}

export interface CopyPartResult extends CopyTotals {
  /** false when it was told to stop (pause, tune): the rest is asked for anew, from the checkpoint. */
  isDone: boolean;
  /** Everything of the part up to here is on the target, or refused for good. */
  throughSeqNo: number;
  /**
   * Where the refused ones of them are, from below: few ranges, each with at least one in it. Left out where nothing was
   * refused, where the source has no sequence numbers, and by workers of an earlier version.
   */
  refusedRanges?: SequenceRange[];
}

export interface CopyPartsResult {
  /** Of those that were begun, in their order: fewer than were given where it was told to stop, or one cannot be copied. */
  parts: CopyPartResult[];
  /** Of all of them. */
  causes: RefusalCause[];
}

/** How far each shard of an index has been caught up with. */
export interface ShardPositions {
  index: string;
  uuid: string;
  /**
   * By shard: every operation up to this sequence number is on the target. Of an index that is followed by a field it is what
   * the drain ends with, where the source has numbers; empty as long as there is more to read.
   */
  seqNos: number[];
  /** Set where the index is followed by a field, and not by sequence numbers; the source need not have any. */
  field?: FieldPosition;
}

/** How a value of a field is written, and what lies between two of them. */
export type FieldType = 'date' | 'date_nanos' | 'integer' | 'decimal';

/**
 * How far an index has been followed by a field. Values are the digits that the source answered, never a number of ours:
 * a long has more of them than a number holds. Dates are milliseconds since 1970.
 */
export interface FieldPosition {
  name: string;
  type: FieldType;
  /** Every document that could be seen with a value up to here has been read. Left out as long as there was none. */
  through?: string;
  /** Of a field that only grows: the next round reads from here on. */
  from?: string;
  /** And the largest values that were seen, oldest first, each at this time at the latest (milliseconds). */
  seen?: { at: number; value: string }[];
  /** What the source had been asked for before the last round: as long as it is the same nothing new can be read. */
  operations?: string;
  /** By shard, of a source without sequence numbers: what its primaries had been asked for then. */
  asked?: AskedPrimary[];
  /** What both sides had been asked for before a comparison that found them the same: as long as it is that, they are. */
  equal?: string;
  /** What the target refused in the last comparison and in rounds since, some of it as often as it was read. */
  refused?: RefusalCause[];
  /** What the last comparison wrote: if the next one finds the very same missing, writing it does not help. */
  mended?: string;
}

/** Counted since the shard came to this node, or since the node was started; failed operations are not. */
export interface AskedPrimary {
  node: string;
  operations: number;
}

/** What the document activities make; each names in its comment why it may run twice. */
export interface DocumentActivities {
  /**
   * Makes the indices on the target, empty, with adapted settings and mappings, the settings for loading, and the run's
   * mark (`markOf`) on them. Of a time series those that the source has deleted since are left out, and named.
   */
  createIndices(input: IndicesInput): Promise<StepOutcome & { gone?: string[] }>;
  /** The settings for loading give way to the indices' own; refreshes, and flushes what was written with an async translog. */
  endLoad(input: IndicesInput): Promise<StepOutcome>;
  /** Parts of these indices, as the source is at that moment; every operation acknowledged before it is within them. */
  planParts(input: IndicesInput): Promise<{ parts: CopyPart[] }>;
  copyParts(input: CopyPartsInput): Promise<CopyPartsResult>;
}
