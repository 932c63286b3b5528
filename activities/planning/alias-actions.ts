import type { AliasAction } from '../../contracts/status';
import type { NamesView } from './view';

/** The source's aliases of the indices that move, as actions for the target: filter, routing, write index, hidden kept. */
export function aliasActions(names: NamesView, moving: string[], called = (name: string) => name): AliasAction[] {
  const selected = new Set(moving);
  return Object.entries(names.aliases)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([alias, carriers]) =>
      Object.entries(carriers)
        .filter(([index]) => selected.has(index))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([index, options]) => ({ add: { index: called(index), alias, ...options, ...ofStream(alias, index) } })),
    );

  /** Whoever writes to a stream must be able to, also where its newest index was left out: the newest that moves takes writes. */
  function ofStream(alias: string, index: string): { is_write_index?: true } {
    const newest = names.dataStreams[alias]?.filter((name) => selected.has(name)).at(-1);
    return index === newest ? { is_write_index: true } : {};
  }
}
