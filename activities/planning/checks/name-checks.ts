import { isOwnerOf } from '../../../contracts/ids';
import type { Check } from '../../../contracts/status';
import type { ClusterView, SelectedIndex, TakenIndex } from '../view';
import { nameOf } from './cluster-checks';
import { listed, noneOf } from './make-check';

/** Whether the names of what moves are free on the target. What this very run restored is in nobody's way. */
export function checkNames(
  target: ClusterView,
  selected: SelectedIndex[],
  taken: TakenIndex[],
  called = (name: string) => name,
): Check {
  const bySource = new Map(selected.map((index) => [called(index.name), index]));
  const foreign: string[] = [];
  for (const index of taken.filter(({ isOurs }) => !isOurs)) {
    const isCopy = bySource.get(index.name)?.creationDateMs === index.creationDateMs;
    foreign.push(`${index.name} (${isCopy ? 'a copy of the same index, not made by this run' : 'an index'})`);
  }
  const names = selected.map(({ name }) => called(name));
  foreign.push(
    ...names.filter((name, at) => names.indexOf(name) < at).map((name) => `${name} (of two indices that move)`),
  );
  for (const name of names) {
    if (target.names.aliases[name]) foreign.push(`${name} (an alias)`);
    if (target.names.dataStreams[name]) foreign.push(`${name} (a data stream)`);
  }
  const ours = taken.filter(({ isOurs }) => isOurs).map(({ name }) => name);
  return noneOf(
    {
      id: 'index.name-free',
      level: 'mandatory',
      where: nameOf(target),
      wanted: 'no index, alias or data stream of the name of an index that moves',
    },
    foreign,
    {
      good:
        ours.length === 0 ? 'all names are free' : `restored by this run already: ${listed(ours)}; the others are free`,
      bad: 'taken',
      remedy:
        'nothing on the target is ever overwritten: rename or delete it there by hand if it is not needed, or leave the index out by select.exclude',
    },
  );
}

/** Snapshots are named <owner>-batch-0001-1 (contracts/ids.ts); another run's name may begin with ours. */
export function isSnapshotOfRun({ run, owner }: { run: string; owner?: string }, snapshot: string): boolean {
  const found = /^(.+)-batch-\d{4,}-\d+$/.exec(snapshot)?.[1];
  return found !== undefined && (owner === undefined ? isOwnerOf(found, run) : found === owner);
}
