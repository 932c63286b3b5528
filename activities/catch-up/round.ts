import type { CatchUpPositions, CatchUpRound, CatchUpRoundInput, RefusedRange } from '../../contracts/catch-up';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import { heartbeat, throwIfCancelled } from '../context';
import { atOnce } from '../copy/requests';
import { followByField } from './by-field';
import { isLost, lookAtIndices, madeAnew, type Followed } from './changed-indices';
import { readShards, refresh } from './read-shards';
import { refusedNow, withRange } from './refused-ranges';
import { readAtOnce } from './round-rates';
import { settleDeletes } from './settle-deletes';
import { addWritten, shared, writeAhead, writeShard, type CatchUpSides, type ShardOperations } from './write-shard';

/** Indices that are looked at together: their checkpoints are no older than it takes to follow them. */
const indicesAtOnce = 100;
const settledAtOnce = 2;
/** Of a shard in one round: what a killed round does again is bounded, however far behind the target is. */
const mostOperations = 250_000;

/**
 * One round. By sequence number: each shard's operations up to its global checkpoint. First the checkpoints are read, then the indices are
 * refreshed, then the documents are searched: so all of them can be seen. A position only moves when everything up to it
 * is on the target; deletes may be owed beyond it, and the position says where. By a field: see by-field.ts.
 */
export async function catchUpRound(input: CatchUpRoundInput, sides: CatchUpSides): Promise<CatchUpRound> {
  const round: CatchUpRound = {
    positions: [],
    written: 0,
    superseded: 0,
    refused: 0,
    bytes: 0,
    deleted: 0,
    replaced: 0,
    isWhole: true,
    lag: 0,
    causes: [],
    refusedNow: [],
    differences: [],
    unread: [],
  };
  for (let from = 0; from < input.positions.length; from += indicesAtOnce) {
    const portion = input.positions.slice(from, from + indicesAtOnce);
    round.positions.push(...(await followIndices(portion, input, sides, round)));
    heartbeat({ done: round.positions.length, total: input.positions.length, unit: 'indices' });
  }
  round.causes = mergeCauses(round.causes);
  round.refusedNow = refusedNow(round.positions);
  return round;
}

/** Answers where these indices stand now, and adds to the round what was done. */
async function followIndices(
  positions: readonly CatchUpPositions[],
  input: CatchUpRoundInput,
  sides: CatchUpSides,
  round: CatchUpRound,
): Promise<CatchUpPositions[]> {
  const looked = await lookAtIndices(sides, input, positions);
  round.differences.push(...looked.differences);
  round.unread.push(...looked.unread);
  const unfollowed = positions.filter(({ index }) => !looked.followed.some(({ position }) => position.index === index));
  round.unfollowed = [...(round.unfollowed ?? []), ...unfollowed.map(({ index }) => index)];
  const reached = new Map(positions.map((position) => [position.index, { ...position, seqNos: [...position.seqNos] }]));
  for (const [index, lostWrites] of looked.lostWrites) Object.assign(reached.get(index) ?? {}, { lostWrites });
  const lost = new Set<string>();

  /** An index may go away at any moment: that ends its own round, and no other's. */
  async function whileItIsThere({ position }: Followed, act: () => Promise<void>): Promise<void> {
    const { index } = position;
    if (lost.has(index)) return;
    try {
      await act();
    } catch (error) {
      throwIfCancelled(sides.signal);
      if (!(await isLost(position, sides.source))) throw error;
      lost.add(index);
    }
  }

  const [bySequence, byField] = [false, true].map((is) =>
    looked.followed.filter(({ position }) => (position.field !== undefined) === is),
  ) as [Followed[], Followed[]];
  const moved = [...movedShards(bySequence), ...(input.retryRefused === true ? refusedShards(bySequence) : [])];
  const names = [...new Set(moved.map(({ index }) => index))];
  await refresh(sides.source, names);
  const refreshed = await readShards(sides.source, names);
  for (const each of moved) each.checkpointSince = refreshed.get(each.index)?.get(each.shard)?.checkpoint;
  const written = await writeAll(moved, whileItIsThere, input, sides, round);
  // what was read is only of the index that it was asked of if that one is still there
  const ofShards = new Map(written.map(({ followed: { position } }) => [position.index, position]));
  for (const index of await madeAnew([...ofShards.values()], sides.source)) lost.add(index);
  // before any is added, which may join those that are there
  for (const { index, again } of written) {
    const position = reached.get(index);
    if (again && position && !lost.has(index))
      position.refused = position.refused?.filter((range) => range !== again) ?? [];
  }
  for (const { index, shard, afterSeqNo, toSeqNo, ahead, again, hasHoles, isWhole, causes } of written) {
    const position = reached.get(index);
    if (!position || lost.has(index)) continue;
    if (causes.length > 0) position.refused = withRange(position.refused ?? [], { shard, afterSeqNo, toSeqNo, causes });
    if (again) continue;
    position.seqNos[shard] = toSeqNo;
    if (ahead !== undefined) position.ahead = { ...position.ahead, [shard]: ahead };
    if (hasHoles) position.owed = [...new Set([...(position.owed ?? []), shard])];
    if (!isWhole) round.isWhole = false;
  }
  const followed = await followByField(byField, input, sides, round, whileItIsThere);
  for (const index of await madeAnew([...followed.values()], sides.source)) lost.add(index);
  for (const [index, position] of followed) if (!lost.has(index)) reached.set(index, position);
  const deletes = input.deletes === 'compare' ? 'compare' : 'defer';
  await atOnce(settledAtOnce, bySequence, (followed) =>
    whileItIsThere(followed, async () => {
      const position = reached.get(followed.position.index);
      if (!position || lost.has(position.index)) return;
      const settled = await settleDeletes({ ...followed, position }, { ...input, deletes }, sides);
      const { deleted, surplus, missing, owed, toSearch, isTargetThere } = settled;
      round.deleted += deleted;
      round.lag += surplus;
      if (!isTargetThere && deletes === 'compare')
        round.unread.push({ where: `index ${followed.target} on the target`, what: 'a primary shard is not there' });
      if (missing > 0)
        round.differences.push({
          where: `index ${position.index}`,
          what: `${missing} documents of the source are not on the target, though it took them: something else deleted them there; move the index anew`,
        });
      delete position.owed;
      delete position.toSearch;
      delete position.surplus;
      if (surplus > 0) position.surplus = surplus;
      if (owed.length > 0) position.owed = owed;
      if (toSearch.length > 0) position.toSearch = toSearch;
    }),
  );
  const stillThere = [...reached.values()].filter(({ index }) => !lost.has(index));
  round.lag += await lagOf(stillThere, bySequence, sides);
  // what became of the others is told by the next round, which finds them so
  for (const index of lost)
    round.unread.push({ where: `index ${index}`, what: 'it went away, or was closed, in this round' });
  return [...reached.values()];
}

interface MovedShard extends ShardOperations {
  followed: Followed;
  /** Up to the global checkpoint, and not only as far as one round goes. */
  isWhole: boolean;
  /** What is written once more, as the target had refused documents of it. */
  again?: RefusedRange;
  /** The global checkpoint after the refresh, at or above the one that the round goes by. */
  checkpointSince?: number | undefined;
  /** Up to where documents above the round's checkpoint were brought, if any were. */
  ahead?: number;
}

function movedShards(indices: readonly Followed[]): MovedShard[] {
  return indices.flatMap((followed) =>
    [...followed.shards].flatMap(([shard, { checkpoint }]) => {
      const { index, seqNos } = followed.position;
      const afterSeqNo = seqNos[shard] ?? -1;
      if (checkpoint <= afterSeqNo) return [];
      const toSeqNo = Math.min(checkpoint, afterSeqNo + mostOperations);
      const { target } = followed;
      return [{ followed, index, target, shard, afterSeqNo, toSeqNo, isWhole: toSeqNo === checkpoint }];
    }),
  );
}

interface WrittenShard extends MovedShard {
  hasHoles: boolean;
  causes: RefusalCause[];
}

/** A shard that has no primary at the moment keeps its refused documents for another time. */
function refusedShards(indices: readonly Followed[]): MovedShard[] {
  return indices.flatMap((followed) => {
    const { index, refused = [] } = followed.position;
    return refused
      .filter(({ shard }) => followed.shards.has(shard))
      .map((again) => {
        const { shard, afterSeqNo, toSeqNo } = again;
        return { followed, index, target: followed.target, shard, afterSeqNo, toSeqNo, again, isWhole: true };
      });
  });
}

async function writeAll(
  moved: readonly MovedShard[],
  whileItIsThere: (followed: Followed, act: () => Promise<void>) => Promise<void>,
  input: CatchUpRoundInput,
  sides: CatchUpSides,
  round: CatchUpRound,
): Promise<WrittenShard[]> {
  const done: WrittenShard[] = [];
  const total = moved.reduce((sum, { afterSeqNo, toSeqNo }) => sum + toSeqNo - afterSeqNo, 0);
  const limits = shared(input.limits, Math.min(readAtOnce, moved.length));
  const underWay = new Map<MovedShard, number>();
  let finished = 0;
  function report(index: string): void {
    let now = finished;
    for (const documents of underWay.values()) now += documents;
    const detail = `${index}: ${sides.rates.words(input.limits.bulkBytes)}`;
    heartbeat({ done: now, total, unit: 'documents', detail });
  }
  await atOnce(readAtOnce, moved, (shard) =>
    whileItIsThere(shard.followed, async () => {
      throwIfCancelled(sides.signal);
      const result = await writeShard(shard, { ...input, limits }, sides, (documents) => {
        underWay.set(shard, documents);
        report(shard.index);
      });
      underWay.delete(shard);
      const { toSeqNo: afterSeqNo, isWhole, again, checkpointSince = -1 } = shard;
      const ahead = Math.min(checkpointSince, shard.afterSeqNo + mostOperations);
      if (isWhole && !again && ahead > afterSeqNo) {
        await writeAhead({ ...shard, afterSeqNo, toSeqNo: ahead }, { ...input, limits }, sides);
        shard.ahead = ahead;
      }
      const operations = shard.toSeqNo - shard.afterSeqNo;
      const documents = result.written + result.superseded + result.refused;
      finished += operations;
      addWritten(round, result);
      done.push({ ...shard, hasHoles: documents < operations, causes: result.causes });
    }),
  );
  return done;
}

/** What the source has done since: the round's own time, and what it left. */
async function lagOf(
  positions: readonly CatchUpPositions[],
  followed: readonly Followed[],
  { source }: CatchUpSides,
): Promise<number> {
  const names = new Set(followed.map(({ position }) => position.index));
  const shards = await readShards(source, [...names]);
  let lag = 0;
  for (const { index, seqNos } of positions)
    for (const [shard, { maxSeqNo }] of shards.get(index) ?? []) lag += Math.max(0, maxSeqNo - (seqNos[shard] ?? -1));
  return lag;
}
