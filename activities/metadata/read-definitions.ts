import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import type { SourceIndex } from './adapt-index';
import type { FlatSettings } from './adapt-settings';
import type { Server } from './lifetimes';

/** A mapping may have a megabyte. */
const readTimeoutMs = 60_000;

/** Settings and mappings of these indices; one that is gone is left out. Reads only. */
export async function readDefinitions(cluster: Cluster, names: string[]): Promise<Map<string, SourceIndex>> {
  const found = new Map<string, SourceIndex>();
  const query = { ignore_unavailable: true, expand_wildcards: 'all' };
  for (const chunk of chunkNames(names)) {
    const [settings, mappings] = await Promise.all([
      cluster.request<Record<string, { settings?: FlatSettings }>>({
        method: 'GET',
        path: `/${indexPath(chunk)}/_settings`,
        query: { ...query, flat_settings: true },
        allow: [404],
        timeoutMs: readTimeoutMs,
      }),
      cluster.request<Record<string, { mappings?: unknown }>>({
        method: 'GET',
        path: `/${indexPath(chunk)}/_mapping`,
        query,
        allow: [404],
        timeoutMs: readTimeoutMs,
      }),
    ]);
    if (settings.status === 404) continue;
    const wanted = new Set(chunk);
    for (const [name, { settings: own }] of Object.entries(settings.body)) {
      // an alias of that name answers with the index behind it
      if (own === undefined || !wanted.has(name)) continue;
      found.set(name, { settings: own, mappings: mappings.body[name]?.mappings ?? {} });
    }
  }
  return found;
}

export function serverOf({ version }: Cluster): Server {
  return { version: version.text, distribution: version.distribution };
}
