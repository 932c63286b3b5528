import type { DeletesFound, DeletesInput } from '../../contracts/catch-up';
import { heartbeat, throwIfCancelled } from '../context';
import { atOnce } from '../copy/requests';
import { isLost, lookAtIndices } from './changed-indices';
import { deleteSuspects } from './find-deleted';
import { refresh } from './read-shards';
import { groupsAtOnce } from './settle-deletes';
import { groupsOf } from './shard-groups';
import type { CatchUpSides } from './write-shard';

const indicesAtOnce = 2;

/**
 * Finds what was deleted in the shards that counts point at, and deletes it, while rounds go on. It counts nothing, since counts change
 * under it; the next round counts, and knows by that whether a shard still owes a search. What has become of an index since
 * is for that round to tell, too.
 */
export async function searchDeletes(
  input: Pick<DeletesInput, 'run' | 'owner' | 'runbook' | 'positions'>,
  sides: CatchUpSides,
): Promise<DeletesFound> {
  const { positions } = input;
  const { followed } = await lookAtIndices(sides, input, positions);
  const found: DeletesFound = { deleted: 0, searched: [] };
  let done = 0;
  await atOnce(indicesAtOnce, followed, async (each) => {
    const { target, shards } = each;
    // up to what the source has by now: a document that was updated since is no suspect then
    const seqNos = each.position.seqNos.map((reached, shard) => shards.get(shard)?.maxSeqNo ?? reached);
    const position = { ...each.position, seqNos };
    const { toSearch = [] } = position;
    try {
      // what a round has written is to be seen where it was deleted since
      await Promise.all([refresh(sides.source, [position.index]), refresh(sides.target, [target])]);
      const present = toSearch.filter((shard) => shards.has(shard));
      const groups = await groupsOf({ ...each, position }, present, sides);
      if (groups === 'target is not whole') return;
      await atOnce(groupsAtOnce, groups, async (group) => {
        throwIfCancelled(sides.signal);
        const deleted = await deleteSuspects(group, position.uuid, sides);
        found.deleted += deleted;
      });
      if (groups.length > 0 && present.length === toSearch.length) found.searched.push(position.index);
      heartbeat({ done: (done += 1), total: followed.length, unit: 'indices' });
    } catch (error) {
      throwIfCancelled(sides.signal);
      if (!(await isLost(position, sides.source))) throw error;
    }
  });
  return found;
}
