import type { OwnedInput, RunInput } from './cluster-activities';
import type { CopyPart, CopyTotals, IndicesInput, SequenceRange, ShardPositions } from './document-activities';
import type { Check, RefusalCause } from './status';
import type { HostInput, StepOutcome } from './host-activities';

/** Inputs and results of `method: remote-reindex`. */

/**
 * What one `_reindex` task takes: the documents of a range of sequence numbers, of all shards of the index, since a remote
 * search cannot be held to one shard, and slices are refused. Of a source older than 6.0 it is the whole index.
 */
export interface ReindexPart extends Pick<CopyPart, 'index' | 'uuid' | 'documents' | 'replaces'> {
  /** Left out where the source has no sequence numbers. */
  range?: SequenceRange;
}

/** A part, or a range of one, in which the target refused documents. */
export type RefusedPart = CopyPart | ReindexPart;

export interface ReindexPlan {
  parts: ReindexPart[];
  /** Where a catch-up takes over: what each shard had given when the parts were cut. Empty before 6.0. */
  positions: ShardPositions[];
}

export interface ReindexPartInput extends OwnedInput {
  step: string;
  part: ReindexPart;
  /** Documents a second; unlimited unless given. What was set by `throttleReindex` since stays for a task that runs. */
  requestsPerSecond?: number;
}

/** Bytes are not among the totals: `_reindex` does not tell them. */
export interface ReindexPartResult extends Omit<CopyTotals, 'bytes'> {
  /** false when it was cancelled: the numbers say how far it was. A part is begun from its beginning again. */
  isDone: boolean;
  causes: RefusalCause[];
  /** `_reindex` tasks that it took: more than one when a task was lost, or ended at documents that the target refuses. */
  tasks: number;
}

export interface ReindexActivities {
  /** Whether the target's nodes may fetch from the source, and can; read-only. */
  checkRemoteAllowed(input: RunInput): Promise<Check[]>;
  /** Parts of these indices, as the source is at that moment; every operation acknowledged before it is within them. */
  planReindexParts(input: IndicesInput): Promise<ReindexPlan>;
  reindexPart(input: ReindexPartInput): Promise<ReindexPartResult>;
  /** Sets the rate of each task of this execution that runs now; `null` takes the limit off. */
  throttleReindex(
    input: OwnedInput & { step: string; requestsPerSecond: number | null },
  ): Promise<StepOutcome & { tasks: number }>;
}

export interface RemoteAllowlistInput extends HostInput {
  /** Name of the setting: `reindex.remote.whitelist`, and `reindex.remote.allowlist` in OpenSearch from 2.0 on. */
  setting: string;
  /** `host:port` entries that it must hold; others in it stay. */
  entries: string[];
}
