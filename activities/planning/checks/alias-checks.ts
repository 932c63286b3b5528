import type { MigrationRunbook } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import type { ClusterView, SelectedIndex } from '../view';
import { nameOf } from './cluster-checks';
import { listed, noneOf, notApplicable, type CheckSubject } from './make-check';

/** Whether the source's aliases can be put on at the cutover. */
export function checkAliases(
  runbook: MigrationRunbook,
  source: ClusterView,
  target: ClusterView,
  selected: SelectedIndex[],
): Check[] {
  const free: CheckSubject = {
    id: 'alias.free',
    level: 'mandatory',
    where: nameOf(target),
    wanted: 'no index, data stream or second write index in the way of an alias',
  };
  const shared: CheckSubject = {
    id: 'alias.shared',
    level: 'warning',
    where: nameOf(target),
    wanted: 'aliases that only indices of this run carry',
  };
  const partial: CheckSubject = {
    id: 'alias.partial',
    level: 'warning',
    where: nameOf(source),
    wanted: 'all indices of an alias move together',
  };
  if (!runbook.cutover.aliases) {
    return [free, shared, partial].map((subject) => notApplicable(subject, 'cutover.aliases is false'));
  }
  const moving = new Set(selected.map(({ name }) => name));
  const conflicts: string[] = [];
  const joined: string[] = [];
  const torn: string[] = [];
  for (const [alias, carriers] of Object.entries(source.names.aliases)) {
    const ours = Object.keys(carriers).filter((index) => moving.has(index));
    if (ours.length === 0) continue;
    const left = Object.keys(carriers).filter((index) => !moving.has(index));
    if (left.length > 0) torn.push(`${alias} (stays behind on ${listed(left, 3)})`);
    const kind = takenBy(target, alias);
    if (kind) conflicts.push(`${alias} (${kind})`);
    const there = Object.entries(target.names.aliases[alias] ?? {}).filter(([index]) => !moving.has(index));
    if (there.length === 0) continue;
    joined.push(
      `${alias} (on ${listed(
        there.map(([index]) => index),
        3,
      )})`,
    );
    const writer = ours.find((index) => carriers[index]?.is_write_index);
    const other = there.find(([, options]) => options.is_write_index)?.[0];
    if (writer !== undefined && other !== undefined) conflicts.push(`${alias} (its write index there is ${other})`);
  }
  return [
    noneOf(free, conflicts, {
      good: 'every alias can be put on',
      bad: 'in the way',
      remedy:
        'delete or rename what has the name on the target, take is_write_index off it, or set cutover.aliases to false and put the aliases on by hand',
    }),
    noneOf(shared, joined, {
      good: 'none is there yet on other indices',
      bad: 'on other indices already',
      remedy:
        'searches by the alias will see those indices and the moved ones: take it off them first if that is not wanted',
    }),
    noneOf(partial, torn, {
      good: 'all do',
      bad: 'only partly moved',
      remedy: 'searches by the alias find less on the target: select the other indices too, if they are wanted there',
    }),
  ];
}

function takenBy({ names }: ClusterView, alias: string): string | undefined {
  if (names.indices[alias]) return 'an index';
  return names.dataStreams[alias] ? 'a data stream' : undefined;
}
