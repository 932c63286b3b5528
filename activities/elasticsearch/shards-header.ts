/** `_shards` of an answer. */
export interface ShardsHeader {
  total?: number;
  /** With those that could be skipped, as nothing in them can match. */
  successful?: number;
  failed?: number;
}

/**
 * Shards of which the answer has nothing. Older servers do not count as failed what is on no node at the moment
 * (`SearchResponse.getFailedShards`: "we don't count 'no shards available' as a failed shard"): it is missing among the
 * successful ones only.
 */
export function silentShards({ total = 0, successful = total, failed = 0 }: ShardsHeader = {}): number {
  return Math.max(failed, total - successful);
}
