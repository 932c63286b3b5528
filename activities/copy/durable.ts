import { successOf, type ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { flushAll } from '../elasticsearch/flush';
import { transient } from '../failure';

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

/** Terms are asked for by the client where one is given: no cancellation ends it, and a part that is told to stop must know. */
export function durableIndex(target: Cluster, index: string, client?: ByteClient): Durable {
  const path = `/_cluster/state/metadata/${encodeURIComponent(index)}`;
  const filter = 'metadata.indices.*.primary_terms';
  async function state(): Promise<StateAnswer> {
    if (!client) {
      const query = { filter_path: filter };
      return (await target.request<StateAnswer>({ method: 'GET', path, query })).body;
    }
    const asked = client.send({ method: 'GET', path: `${path}?filter_path=${filter}`, timeoutMs });
    return JSON.parse(successOf('target cluster', await asked).toString()) as StateAnswer;
  }
  return {
    async terms() {
      const { metadata } = await state();
      return JSON.stringify(metadata?.indices?.[index]?.primary_terms ?? {});
    },
    flush: () => flushAll(target, [index]),
  };
}

/** Whether all that was acknowledged since the terms were read will outlive a crash of the target. */
export async function isOnDisk(durable: Durable | undefined, terms: string | undefined): Promise<boolean> {
  if (durable === undefined) return true;
  await durable.flush();
  return (await durable.terms()) === terms;
}

/** The next attempt finds other terms than its checkpoint has, and begins at the beginning. */
export function lostWrites(index: string): Error {
  return transient({
    type: 'ClusterUnavailable',
    message:
      'a primary shard of the target began anew meanwhile: with an async translog its last documents may be lost',
    where: `target cluster: ${index}`,
    remedy: 'nothing: the part is read once more; what is there is found by its version',
  });
}
