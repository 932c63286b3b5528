import type { AskedPrimary } from '../../contracts/document-activities';

/** What is compared of an index, the same on both sides. */
export interface IndexState {
  /** open or close; an index that is not there has no state at all. */
  status: 'open' | 'close';
  health: 'green' | 'yellow' | 'red' | '';
  /** `_count`; left out for closed indices, which cannot be searched. */
  documents?: number;
  /** By shard number, of the primaries. Empty where the server has no statistics (closed indices before 7.2). */
  shards: Record<number, ShardState>;
  mapping: unknown;
  /** Flat: "index.number_of_shards". */
  settings: Record<string, string | string[]>;
}

export interface ShardState {
  /** Lucene documents: nested ones are counted, deleted ones are not. */
  documents: number;
  /** -1 while nothing was ever written; left out where the server does not number operations. */
  maxSeqNo?: number;
  /** In its place. */
  asked?: AskedPrimary;
}

/** Whether every primary of an index is started; false where the server does not say, as of closed ones before 7.2. */
export function isWhole({ shards, settings }: IndexState): boolean {
  const count = Number(settings['index.number_of_shards'] ?? 0);
  return count > 0 && Array.from({ length: count }, (_, number) => number).every((number) => number in shards);
}

/** What a comparison found of one index. */
export interface Findings {
  /** Each a sentence with both values. */
  differences: string[];
  /** Reasons why something differs that a version or the restore had to change. */
  adapted: string[];
}

export interface DocumentFindings extends Findings {
  /** A new snapshot would bring what the copy lacks and lose nothing: the source is whole, and ahead wherever they differ. */
  isBehind: boolean;
}
