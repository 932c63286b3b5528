import { transient } from '../failure';
import type { Cluster } from './cluster';
import { chunkNames, indexPath } from './index-names';

/** A flush writes what an async translog left in memory. */
const flushTimeoutMs = 300_000;

/**
 * Refreshes and flushes. Both must have reached every shard that is there: after that nothing of an async translog is lost
 * with a node. At once: each is of what was acknowledged before, and neither needs the other.
 */
export async function flushAll(target: Cluster, names: string[], onDone?: (verb: string) => void): Promise<void> {
  async function ask(verb: '_refresh' | '_flush'): Promise<void> {
    for (const chunk of chunkNames(names)) {
      const { body } = await target.request<{ _shards?: { failed?: number; failures?: { reason?: unknown }[] } }>({
        method: 'POST',
        path: `/${indexPath(chunk)}/${verb}`,
        query: { expand_wildcards: 'none', ...(verb === '_flush' ? { wait_if_ongoing: true } : {}) },
        timeoutMs: flushTimeoutMs,
      });
      onDone?.(verb);
      if ((body._shards?.failed ?? 0) === 0) continue;
      throw transient({
        type: 'ClusterUnavailable',
        message: `a shard could not be ${verb === '_flush' ? 'flushed' : 'refreshed'}`,
        where: `target cluster: ${chunk.slice(0, 5).join(', ')}${chunk.length > 5 ? ` and ${chunk.length - 5} more` : ''}`,
        why: JSON.stringify(body._shards?.failures ?? body._shards).slice(0, 1000),
        remedy: 'look at the nodes that hold its shards, then retry',
      });
    }
  }
  await Promise.all([ask('_refresh'), ask('_flush')]);
}
