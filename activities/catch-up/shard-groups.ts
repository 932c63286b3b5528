import type { CatchUpPositions } from '../../contracts/catch-up';
import { parseVersion } from '../elasticsearch/version';
import { createdVersion } from '../planning/versions';
import type { Followed } from './changed-indices';
import type { ShardGroup } from './find-deleted';
import { readSettings, readShards, readStates, type FlatSettings } from './read-shards';
import { placesOf, type CatchUpSides } from './write-shard';

/**
 * Shard by shard where both sides put a document on the shard of the same number; otherwise the index as a whole, which
 * needs every shard of the source.
 */
export async function groupsOf(
  { position, target, shards }: Followed,
  wanted: readonly number[],
  sides: CatchUpSides,
): Promise<ShardGroup[] | 'target is not whole'> {
  const places = placesOf(sides, { index: position.index, target });
  const [ofTarget, settings] = await Promise.all([
    readShards(sides.target, [target]),
    readSettings(sides.target, [target], [shardsSetting]),
  ]);
  const onTarget = ofTarget.get(target) ?? new Map<number, never>();
  // one that has no primary at the moment would be taken for another number of shards
  if (onTarget.size < Number(settings.get(target)?.[shardsSetting] ?? 1)) return 'target is not whole';
  const sourceShard = (shard: number) => ({ shard, through: position.seqNos[shard] ?? -1 });
  const targetShard = (shard: number) => ({ shard, through: onTarget.get(shard)?.maxSeqNo ?? -1 });
  if (await isSameRouting(position, target, onTarget.size, sides))
    return wanted.map((shard) => {
      const restoredThrough = position.restored?.[shard];
      return {
        ...places,
        sourceShards: [sourceShard(shard)],
        targetShards: [targetShard(shard)],
        ...(restoredThrough === undefined ? {} : { restoredThrough }),
      };
    });
  if (shards.size < position.seqNos.length) return [];
  return [
    {
      ...places,
      sourceShards: position.seqNos.map((_, shard) => sourceShard(shard)),
      targetShards: [...onTarget.keys()].map(targetShard),
    },
  ];
}

const shardsSetting = 'index.number_of_shards';
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
