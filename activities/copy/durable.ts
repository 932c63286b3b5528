import { successOf, type ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { flushAll } from '../elasticsearch/flush';

/**
 * With an async translog a node that dies loses the documents of its last seconds, though it had acknowledged them. Whether
 * one did is told by the primary terms: one is raised each time that a primary begins anew. What lies between two equal
 * readings, with a flush before the second, is on disk.
 */
export interface Durable {
  terms(): Promise<string>;
  flush(): Promise<void>;
}

interface StateAnswer {
  metadata?: { indices?: Record<string, { primary_terms?: Record<string, number> }> };
}

const timeoutMs = 60_000;

/** Asked for by a client that no cancellation ends: a part that is told to stop must know as well. */
export function durableIndex(target: Cluster, client: ByteClient, index: string): Durable {
  return {
    async terms() {
      const path = `/_cluster/state/metadata/${encodeURIComponent(index)}?filter_path=metadata.indices.*.primary_terms`;
      const answer = successOf('target cluster', await client.send({ method: 'GET', path, timeoutMs }));
      const { metadata } = JSON.parse(answer.toString()) as StateAnswer;
      return JSON.stringify(metadata?.indices?.[index]?.primary_terms ?? {});
    },
    flush: () => flushAll(target, [index]),
  };
}
