import type { OwnedInput } from './cluster-activities';
import type { CopyPart, CopyTotals, IndicesInput, PartLimits, ShardPositions } from './document-activities';
import type { StepOutcome } from './host-activities';
import type { BatchPlan, IndexFacts } from './plan';
import type { CatchUpSettings } from './runbook-documents';
import type { Difference, RefusalCause } from './status';

/** Inputs and results of catch-up, by sequence number and by a field; docs/catch-up.md says why it is right. */

/** Goes from round to round as it is: whoever drives the rounds looks at `owed` and `toSearch`, notes `searched`, and leaves the rest alone. */
export interface CatchUpPositions extends ShardPositions {
  /** Shards where something was deleted, and it is not known yet what: their ids are still to be compared. */
  owed?: number[];
  /** Of those: where counts say that something was deleted, or can never say, as what the target has refused is missing there. */
  toSearch?: number[];
  /** Documents that the last count found too many on the target. */
  surplus?: number;
  /** By shard: the position that the last search for deletes began with. */
  searched?: Record<number, number>;
  /** By shard: what the target has documents of, above its position; a source that is behind it has lost writes, too. */
  ahead?: Record<number, number>;
  /** By shard, after a restore: where catch-up began. Up to here both sides have the same sequence numbers. */
  restored?: number[];
  /**
   * Shards that were found behind what had been read of them. Kept, as the sign of it goes with the next writes: what the
   * source has numbered anew in between is never read.
   */
  lostWrites?: { shard: number; sourceAt: number; readUpTo: number }[];
  /** The target refused documents of it before the first round: how many it has says nothing of deletes then. */
  isPartial?: boolean;
  /** What it refused in rounds: the operations among which those documents are, to be read again. */
  refused?: RefusedRange[];
}

export interface RefusedRange {
  shard: number;
  afterSeqNo: number;
  toSeqNo: number;
  causes: RefusalCause[];
}

/** Of the workflow that follows the source: its rounds, and the search for deletes beside them. */
export const roundStep = 'catch-up/round';
export const deletesStep = 'catch-up/deletes';

/**
 * What a round does about deletes. defer: by sequence number, shards whose sequence has holes are noted, and what the target
 * has too many of is counted; `searchDeletes` finds them, beside the rounds. compare: every shard's count is compared, holes
 * or not, and what was deleted is found; for the last rounds, when the source is written to no more.
 *
 * What is followed by a field knows of deletes only by comparing ids and versions of both sides: that is done with search and
 * compare, and not with defer.
 */
export type DeletesMode = 'search' | 'defer' | 'compare';

export interface CatchUpRoundInput extends OwnedInput {
  step: string;
  positions: CatchUpPositions[];
  limits: PartLimits;
  deletes: DeletesMode;
  /** A search for deletes is under way: nothing is counted, as no count would settle that nothing is owed. */
  isSearching?: boolean;
  /**
   * Documents that the target has refused are written again: somebody has mended the cause. By a field nothing tells where
   * they are, so both sides are compared for them.
   */
  retryRefused?: boolean;
}

export interface CatchUpRound extends CopyTotals {
  /** Of the next round. */
  positions: CatchUpPositions[];
  deleted: number;
  /** false where a shard, or an index by its field, was brought only as far as one round goes. */
  isWhole?: boolean;
  /** Among `written`: documents that began anew at the source with a lower version than the target had. */
  replaced: number;
  /**
   * Operations of the source that were not on the target when the round ended; deletes that are owed are among them. By a
   * field: documents above what was read.
   */
  lag: number;
  /** Of this round. */
  causes: RefusalCause[];
  /** Of all rounds, without what was written since; left out by workers of an earlier version. */
  refusedNow?: RefusalCause[];
  /** Indices that are gone, closed, foreign on the target, or that no shard was read of; left out by workers of an earlier version. */
  unfollowed?: string[];
  /** Indices that are gone, closed, made anew, rolled over. Of this round: what is over does not come again. */
  differences: Difference[];
  /** What could not be read, and may be in the next round: nothing is drained as long as something stands here. */
  unread: Difference[];
}

export interface DeletesInput extends OwnedInput {
  step: string;
  /** Of indices with shards to be searched. */
  positions: CatchUpPositions[];
  limits: PartLimits;
}

export interface DeletesFound {
  deleted: number;
  /** Indices of which every shard was searched: what had been deleted there when the search began is gone from the target. */
  searched: string[];
}

export interface BeginCatchUpInput extends IndicesInput {
  /**
   * From where on: `positionsOfParts` after a copy; after a restore, and by a field after any method, what `readPositions`
   * answered before the first snapshot of these indices was taken, or their first document read.
   */
  positions: ShardPositions[];
}

/** Of a time series: what the run knows, by the source's names. */
export interface SeriesInput extends OwnedInput {
  step: string;
  /** Followed at present. */
  followed: string[];
  /** In the plan, and not followed: left out by an operator, or deleted on the source before they were moved. */
  unfollowed: string[];
  /** On their way to be followed. */
  joining: string[];
  /** Were followed, and deleted on the source. */
  deleted: string[];
}

/** Of a time series: what has come and gone since. */
export interface SeriesNow {
  /** Indices of the selection that the run does not know yet, packed as the plan's; their numbers are the run's to give. */
  appeared: BatchPlan[];
  /** Of `followed` and `unfollowed`. */
  deleted: string[];
  /** Indices of the selection that cannot be moved as they are now. Of this look: what is over does not come again. */
  differences: Difference[];
}

/** From the run to its catch-up: what has become of indices that appeared. */
export interface JoinedIndices {
  indices: string[];
  /** Of those that are to be followed. */
  positions: CatchUpPositions[];
}

export interface CatchUpActivities {
  /**
   * Global checkpoints of the source now, or the largest values of the field. Asked before a snapshot is taken, or the first
   * document read: all that lies below is within what is moved.
   */
  readPositions(input: IndicesInput): Promise<{ positions: ShardPositions[] }>;
  /** `index.gc_deletes` of the target's indices to 0s, which the rounds need; and where they begin. */
  beginCatchUp(input: BeginCatchUpInput): Promise<StepOutcome & { positions: CatchUpPositions[] }>;
  catchUpRound(input: CatchUpRoundInput): Promise<CatchUpRound>;
  /** By sequence number: finds what was deleted in the shards that owe it, and deletes it, while rounds go on. */
  searchDeletes(input: DeletesInput): Promise<DeletesFound>;
  /** The selection read anew, for what has appeared and what was deleted. Reads only. */
  readSeries(input: SeriesInput): Promise<SeriesNow>;
  /** `index.gc_deletes` as on the source again. */
  endCatchUp(input: IndicesInput): Promise<StepOutcome>;
}

/** Of an index that was followed, deleted, and is there once more: told by whoever sees it, in the same words. */
export function createdAgain(name: string): Difference {
  return {
    where: `index ${name}`,
    what: 'it was deleted on the source, and created again: the target has the earlier one; move the new one by a run of its own',
  };
}

/**
 * How far indices have come that were moved and then followed. A batch that was moved once more after the drain is ahead
 * of where it was drained; and of an index that was made anew since only its own new positions say anything.
 */
export function reachedPositions(
  moved: readonly ShardPositions[],
  followed: readonly ShardPositions[],
): ShardPositions[] {
  return moved.map((position) => {
    const later = followed.find(({ index }) => index === position.index);
    // not followed, or another one by now: all that is known is how far it was moved
    if (later?.uuid !== position.uuid) return position;
    // Where no number is known of the end, that of the move says nothing: what was written since has been followed.
    const seqNos = later.seqNos.map((at, shard) => Math.max(at, position.seqNos[shard] ?? -1));
    return { ...position, seqNos, ...(later.field ? { field: later.field } : {}) };
  });
}

/**
 * What follows by a field: where it begins is asked of the source before anything is moved. A time series does where the
 * runbook names one, for sources without sequence numbers.
 */
export function isByField({ kind, field }: Partial<Pick<CatchUpSettings, 'kind' | 'field'>> = {}): boolean {
  return kind === 'time-field' || kind === 'append-only' || (kind === 'time-series' && field !== undefined);
}

/** Where catch-up takes over from a copy that went by these parts. */
export function positionsOfParts(parts: readonly CopyPart[], indices: readonly IndexFacts[]): ShardPositions[] {
  return indices.map(({ name, uuid, primaryShards }) => {
    const seqNos = Array.from({ length: primaryShards }, () => -1);
    let found = uuid;
    for (const part of parts) {
      if (part.index !== name) continue;
      seqNos[part.shard] = Math.max(seqNos[part.shard] ?? -1, part.toSeqNo);
      found = part.uuid || found;
    }
    return { index: name, uuid: found, seqNos };
  });
}
