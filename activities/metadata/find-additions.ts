import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import type { AdaptedIndex } from './adapt-index';
import type { Json } from './adapt-field';
import { flatten } from './flatten';

/** What the server gives every index by itself. */
const itsOwn =
  /^index\.(uuid|creation_date|provided_name|version\..+|number_of_(shards|replicas)|routing\.allocation\..+|soft_deletes\..+|refresh_interval|blocks\..+|replication\.type)$/;

/**
 * What indices have that was not asked for: templates of the target join in when an index is made, and nothing keeps them
 * from it. Found by looking again, told, and left as it is: it is the target's operator who wanted it.
 */
export async function findAdditions(target: Cluster, asked: Map<string, AdaptedIndex['body']>): Promise<string[]> {
  const additions: string[] = [];
  for (const chunk of chunkNames([...asked.keys()])) {
    const { status, body } = await target.request<Record<string, { settings?: Json; mappings?: Json; aliases?: Json }>>(
      {
        method: 'GET',
        path: `/${indexPath(chunk)}`,
        query: { flat_settings: true, expand_wildcards: 'all', ignore_unavailable: true },
        allow: [404],
      },
    );
    if (status === 404) continue;
    for (const [name, present] of Object.entries(body)) {
      const wanted = asked.get(name);
      if (wanted === undefined) continue;
      const keys = new Set(Object.keys(wanted.settings));
      const found = [
        ...Object.keys(present.aliases ?? {}).map((alias) => `alias ${alias}`),
        ...Object.keys(flatten(present.settings ?? {})).filter((key) => !keys.has(key) && !itsOwn.test(key)),
        ...addedTo(wanted.mappings, present.mappings ?? {}),
      ];
      if (found.length > 0) additions.push(`${name}: ${found.slice(0, 5).join(', ')}${found.length > 5 ? ' …' : ''}`);
    }
  }
  return additions;
}

/** Fields, and what stands at the top of a mapping; what servers write out within a field is not told apart. */
function addedTo(wanted: Json, present: Json): string[] {
  const asked = new Set(placesOf(wanted));
  return placesOf(present).filter((place) => !asked.has(place));
}

function placesOf(mappings: Json): string[] {
  // on 6.x there is the level of the mapping type
  const [only] = Object.values(mappings);
  const root = !('properties' in mappings) && isObject(only) && isObject(only['properties']) ? only : mappings;
  const places = Object.keys(root).filter((key) => key !== 'properties');
  const walk = (of: unknown, path: string) => {
    for (const [name, field] of Object.entries(isObject(of) ? of : {})) {
      places.push(path + name);
      if (isObject(field)) walk(field['properties'], `${path}${name}.`);
    }
  };
  walk(root['properties'], 'field ');
  return places;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
