import type { CatchUpPositions, DeletesMode } from '../../contracts/catch-up';
import { throwIfCancelled } from '../context';
import type { Followed } from './changed-indices';
import { parseVersion } from '../elasticsearch/version';
import { createdVersion } from '../planning/versions';
import { deleteAbsent } from './delete-documents';
import { countSurplus, suspects, type ShardGroup } from './find-deleted';
import { lacksDocuments } from './refused-ranges';
import { readSettings, readShards, readStates, refresh, type FlatSettings } from './read-shards';
import { atOnce } from './requests';
import { placesOf, type CatchUpSides } from './write-shard';

export interface DeletesSearched {
  deleted: number;
  /** Documents that the target has and the source has not, as far as is known. */
  surplus: number;
  /** Documents that the target should have and has not, and that it did not refuse. */
  missing: number;
  /** Shards that are to be looked at in a later round. */
  owed: number[];
}

/** Of an index; of each the digests of both sides are held, 24 MB at most. */
const groupsAtOnce = 2;

/**
 * Finds what was deleted in the shards whose sequence has holes, and deletes it. Counts first: holes are made by updates,
 * too. Only when they say that something is gone are ids read.
 */
export async function searchDeletes(
  { position, target, shards }: Followed,
  mode: DeletesMode,
  sides: CatchUpSides,
): Promise<DeletesSearched> {
  const wanted = mode === 'compare' ? [...shards.keys()] : (position.owed ?? []);
  const searched: DeletesSearched = { deleted: 0, surplus: 0, missing: 0, owed: [] };
  if (wanted.length === 0) return searched;
  const places = placesOf(sides, { index: position.index, target });
  await Promise.all([refresh(sides.source, [position.index]), refresh(sides.target, [target])]);
  // what has no primary at the moment cannot be asked
  const groups = await groupsOf(
    { position, target, shards },
    wanted.filter((shard) => shards.has(shard)),
    sides,
  );
  searched.owed.push(...wanted.filter((shard) => !groups.some((group) => holds(group, shard))));
  await atOnce(groupsAtOnce, groups, async (group) => {
    throwIfCancelled(sides.signal);
    const searchable = { ...places, ...group };
    const owe = () => searched.owed.push(...group.sourceShards.map(({ shard }) => shard));
    const surplus = await countSurplus(searchable);
    if (surplus === 'busy') return void owe();
    // documents that were refused are missing on the target, and hide as many deleted ones
    if (surplus === 0 && !lacksDocuments(position)) return;
    if (mode === 'defer') {
      searched.surplus += Math.max(0, surplus);
      owe();
      return;
    }
    let deleted = 0;
    for await (const found of suspects(searchable))
      deleted += await deleteAbsent(
        { uuid: position.uuid, ...places, sourceCluster: sides.source, targetCluster: sides.target },
        found,
      );
    searched.deleted += deleted;
    if (deleted < surplus) {
      searched.surplus += surplus - deleted;
      owe();
    }
    // only at rest: while documents come and go a count taken in between would cry wolf
    if (mode === 'compare' && !lacksDocuments(position)) searched.missing += Math.max(0, -surplus);
  });
  return searched;
}

function holds({ sourceShards }: Shards, wanted: number): boolean {
  return sourceShards.some(({ shard }) => shard === wanted);
}

type Shards = Pick<ShardGroup, 'sourceShards' | 'targetShards' | 'restoredThrough'>;

/**
 * Shard by shard where both sides put a document on the shard of the same number; otherwise the index as a whole, which
 * needs every shard of the source.
 */
async function groupsOf(
  { position, target, shards }: Followed,
  wanted: readonly number[],
  sides: CatchUpSides,
): Promise<Shards[]> {
  const onTarget = (await readShards(sides.target, [target])).get(target) ?? new Map<number, never>();
  const sourceShard = (shard: number) => ({ shard, through: position.seqNos[shard] ?? -1 });
  const targetShard = (shard: number) => ({ shard, through: onTarget.get(shard)?.maxSeqNo ?? -1 });
  if (await isSameRouting(position, target, onTarget.size, sides))
    return wanted.map((shard) => {
      const restoredThrough = position.restored?.[shard];
      return {
        sourceShards: [sourceShard(shard)],
        targetShards: [targetShard(shard)],
        ...(restoredThrough === undefined ? {} : { restoredThrough }),
      };
    });
  if (shards.size < position.seqNos.length) return [];
  return [
    {
      sourceShards: position.seqNos.map((_, shard) => sourceShard(shard)),
      targetShards: [...onTarget.keys()].map(targetShard),
    },
  ];
}

const createdSetting = 'index.version.created';
const partitionSetting = 'index.routing_partition_size';

async function isSameRouting(
  { index, seqNos, restored }: CatchUpPositions,
  target: string,
  targetShards: number,
  sides: CatchUpSides,
): Promise<boolean> {
  if (seqNos.length !== targetShards) return false;
  // one shard has everything, whatever its routing
  if (targetShards === 1) return true;
  const [there, here, ofSource, ofTarget] = await Promise.all([
    readStates(sides.source, [index]),
    readStates(sides.target, [target]),
    readSettings(sides.source, [index], [partitionSetting, createdSetting]),
    readSettings(sides.target, [target], [partitionSetting, createdSetting]),
  ]);
  // Indices that 9.x made route by another function, seen with 9.5.3; a restored one goes on as it was made.
  const isNewRouting = (settings: FlatSettings = {}) =>
    parseVersion(createdVersion({ [createdSetting]: settings[createdSetting] ?? '' })).major >= 9;
  if (!restored && (isNewRouting(ofSource.get(index)) || isNewRouting(ofTarget.get(target)))) return false;
  const routingShards = there.get(index)?.routingShards;
  return (
    routingShards !== undefined &&
    routingShards === here.get(target)?.routingShards &&
    ofSource.get(index)?.[partitionSetting] === ofTarget.get(target)?.[partitionSetting]
  );
}
