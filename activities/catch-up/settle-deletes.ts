import type { CatchUpPositions } from '../../contracts/catch-up';
import { throwIfCancelled } from '../context';
import { atOnce } from '../copy/requests';
import type { Followed } from './changed-indices';
import { countSurplus, deleteSuspects, type ShardGroup } from './find-deleted';
import { refresh } from './read-shards';
import { lacksDocuments } from './refused-ranges';
import { groupsOf } from './shard-groups';
import type { CatchUpSides } from './write-shard';

export interface DeletesSettled {
  deleted: number;
  /** Documents that the target has and the source has not, as far as is known. */
  surplus: number;
  /** Documents that the target should have and has not, and that it did not refuse. */
  missing: number;
  /** Shards of which it is not known that nothing was deleted; and those of them that a search is to look at. */
  owed: number[];
  toSearch: number[];
  /** The target has not every primary at the moment: nothing could be compared. */
  isTargetThere: boolean;
}

/** Of an index; of each the digests of both sides are held, 24 MB at most. */
export const groupsAtOnce = 2;

/**
 * What a round does about deletes, after it has written. Counts first: holes in a sequence are made by updates, too. Where they say
 * that something is gone, a search is owed; in a drain, which compares each shard, it is made here.
 */
export async function settleDeletes(
  followed: Followed,
  { deletes, isSearching = false }: { deletes: 'defer' | 'compare'; isSearching?: boolean },
  sides: CatchUpSides,
): Promise<DeletesSettled> {
  const { position, target, shards } = followed;
  const wanted = deletes === 'compare' ? [...shards.keys()] : (position.owed ?? []);
  const settled: DeletesSettled = { deleted: 0, surplus: 0, missing: 0, owed: [], toSearch: [], isTargetThere: true };
  if (wanted.length === 0) return settled;
  // a count beside a search that deletes would say nothing, and cost both sides a refresh
  if (deletes === 'defer' && isSearching) {
    const { surplus = 0, toSearch = [] } = position;
    return { ...settled, surplus, owed: wanted, toSearch };
  }
  await Promise.all([refresh(sides.source, [position.index]), refresh(sides.target, [target])]);
  // what has no primary at the moment cannot be asked
  const present = wanted.filter((shard) => shards.has(shard));
  const groups = await groupsOf(followed, present, sides);
  settled.isTargetThere = groups !== 'target is not whole';
  const comparable = groups === 'target is not whole' ? [] : groups;
  settled.owed.push(...wanted.filter((shard) => !comparable.some((group) => holds(group, shard))));
  await atOnce(groupsAtOnce, comparable, async (group) => {
    throwIfCancelled(sides.signal);
    const owe = () => settled.owed.push(...group.sourceShards.map(({ shard }) => shard));
    const surplus = await countSurplus(group, sides.target);
    if (surplus === 'busy') return void owe();
    if (deletes === 'defer') {
      settled.surplus += Math.max(0, surplus);
      if (isSettled(group, position, surplus)) return;
      owe();
      if (surplus !== 0 || lacksDocuments(position))
        settled.toSearch.push(...group.sourceShards.map(({ shard }) => shard));
      return;
    }
    if (surplus === 0 && !lacksDocuments(position)) return;
    const deleted = await deleteSuspects(group, position.uuid, sides);
    settled.deleted += deleted;
    if (deleted < surplus) {
      settled.surplus += surplus - deleted;
      owe();
    }
    // only at rest: while documents come and go a count taken in between would cry wolf
    if (!lacksDocuments(position)) settled.missing += Math.max(0, -surplus);
  });
  return settled;
}

/**
 * Documents that were refused are missing on the target, and hide as many deleted ones; so do those that something else has
 * deleted there. No count says then that nothing was deleted, but a search with nothing new since does.
 */
function isSettled({ sourceShards }: ShardGroup, position: CatchUpPositions, surplus: number): boolean {
  const { searched = {} } = position;
  if (surplus === 0 && !lacksDocuments(position)) return true;
  return surplus <= 0 && sourceShards.every(({ shard, through }) => searched[shard] === through);
}

function holds({ sourceShards }: ShardGroup, wanted: number): boolean {
  return sourceShards.some(({ shard }) => shard === wanted);
}
