import type { CatchUpPositions } from '../../contracts/catch-up';
import { throwIfCancelled } from '../context';
import type { Followed } from './changed-indices';
import { countSurplus, deleteSuspects, type ShardGroup } from './find-deleted';
import { refresh } from './read-shards';
import { lacksDocuments } from './refused-ranges';
import { atOnce } from './requests';
import { groupsOf } from './shard-groups';
import type { CatchUpSides } from './write-shard';

export interface DeletesSettled {
  deleted: number;
  /** Documents that the target has and the source has not, as far as is known. */
  surplus: number;
  /** Documents that the target should have and has not, and that it did not refuse. */
  missing: number;
  /** Shards that a search is owed. */
  owed: number[];
}

/** Of an index; of each the digests of both sides are held, 24 MB at most. */
export const groupsAtOnce = 2;

/**
 * What a round does about deletes, after it has written. Counts first: holes in a sequence are made by updates, too. Where they say
 * that something is gone, a search is owed; in a drain, which compares each shard, it is made here.
 */
export async function settleDeletes(
  followed: Followed,
  mode: 'defer' | 'compare',
  sides: CatchUpSides,
): Promise<DeletesSettled> {
  const { position, target, shards } = followed;
  const wanted = mode === 'compare' ? [...shards.keys()] : (position.owed ?? []);
  const settled: DeletesSettled = { deleted: 0, surplus: 0, missing: 0, owed: [] };
  if (wanted.length === 0) return settled;
  await Promise.all([refresh(sides.source, [position.index]), refresh(sides.target, [target])]);
  // what has no primary at the moment cannot be asked
  const present = wanted.filter((shard) => shards.has(shard));
  const groups = await groupsOf(followed, present, sides);
  settled.owed.push(...wanted.filter((shard) => !groups.some((group) => holds(group, shard))));
  await atOnce(groupsAtOnce, groups, async (group) => {
    throwIfCancelled(sides.signal);
    const owe = () => settled.owed.push(...group.sourceShards.map(({ shard }) => shard));
    const surplus = await countSurplus(group, sides.target);
    if (surplus === 'busy') return void owe();
    const isNothing = lacksDocuments(position) ? mode === 'defer' && isSearched(group, position) : surplus === 0;
    if (isNothing && surplus <= 0) return;
    if (mode === 'defer') {
      settled.surplus += Math.max(0, surplus);
      owe();
      return;
    }
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
 * Documents that were refused are missing on the target, and hide as many deleted ones: no count says then that nothing was
 * deleted, but a search with nothing new since does.
 */
function isSearched({ sourceShards }: ShardGroup, { searched = {} }: CatchUpPositions): boolean {
  return sourceShards.every(({ shard, through }) => searched[shard] === through);
}

function holds({ sourceShards }: ShardGroup, wanted: number): boolean {
  return sourceShards.some(({ shard }) => shard === wanted);
}
