import { targetName } from '../../contracts/ids';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { IndexView, NamesView } from './view';

/**
 * A backing index under its own name belongs to its stream, and takes no documents with versions of their own. Under another
 * name its copy is an index like any other.
 */
export function staysInStream(
  { name, dataStream }: Pick<IndexView, 'name' | 'dataStream'>,
  runbook: MigrationRunbook,
): boolean {
  if (dataStream === undefined) return false;
  const called = targetName(runbook, name);
  return called === name || called.startsWith('.ds-');
}

/**
 * To whoever writes and searches a stream is an alias with a write index, the newest: that is what its copies get. An alias of
 * a stream becomes one of its copies, too.
 */
export function streamsAsAliases({ indices, aliases, dataStreams }: NamesView): NamesView {
  const all: NamesView['aliases'] = {};
  for (const [alias, carriers] of Object.entries(aliases)) {
    const each = Object.entries(carriers).map(([name, options]) => {
      const backing = dataStreams[name];
      return backing ? carriersOf(backing, options) : { [name]: options };
    });
    all[alias] = Object.assign({}, ...each) as NamesView['aliases'][string];
  }
  for (const [stream, backing] of Object.entries(dataStreams))
    all[stream] = carriersOf(backing, { is_write_index: true });
  return { indices, aliases: all, dataStreams };
}

/** Only the newest takes writes. */
function carriersOf(backing: string[], { is_write_index, ...options }: NamesView['aliases'][string][string]) {
  const newest = backing.at(-1);
  const write = is_write_index === undefined ? {} : { is_write_index };
  return Object.fromEntries(backing.map((name) => [name, { ...options, ...(name === newest ? write : {}) }]));
}
