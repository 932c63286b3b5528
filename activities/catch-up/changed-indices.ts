import { targetName } from '../../contracts/ids';
import type { CatchUpPositions, CatchUpRoundInput } from '../../contracts/catch-up';
import type { Difference } from '../../contracts/status';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { selectsName } from '../planning/select-indices';
import { isMarkOf, markSetting } from '../snapshots/restored-indices';
import {
  readOperations,
  readSettings,
  readShards,
  readStates,
  type FlatSettings,
  type Operations,
  type ShardNow,
} from './read-shards';

/** An index that this round follows. */
export interface Followed {
  position: CatchUpPositions;
  /** On the target. */
  target: string;
  /** Of what is followed by sequence numbers. */
  shards: Map<number, ShardNow>;
  /** Of what is followed by a field: as it was before the round, and so before any refresh. */
  operations?: Operations;
}

export interface Looked {
  followed: Followed[];
  differences: Difference[];
  unread: Difference[];
  /** By index: what its position is to keep of writes that the source has lost, in this round or before. */
  lostWrites: Map<string, LostWrites>;
}

type LostWrites = NonNullable<CatchUpPositions['lostWrites']>;

/**
 * Which of these indices can be followed, and how far each of their shards is at the source. An index counts only as long
 * as it is the same one, open on both sides, and on the target ours: a write to one that is gone would make it anew.
 */
export async function lookAtIndices(
  { source, target }: { source: Cluster; target: Cluster },
  { run, owner, runbook }: Pick<CatchUpRoundInput, 'run' | 'owner' | 'runbook'>,
  positions: readonly CatchUpPositions[],
): Promise<Looked> {
  const looked: Looked = { followed: [], differences: [], unread: [], lostWrites: new Map() };
  const names = positions.map(({ index }) => index);
  const called = (name: string) => targetName(runbook, name);
  const [ofSource, ofTarget] = await Promise.all([
    readSettings(source, names, ['index.uuid', shardsSetting]),
    readSettings(target, names.map(called), ['index.uuid', markSetting]),
  ]);
  const candidates: Followed[] = [];
  for (const position of positions) {
    const [there, here] = [ofSource.get(position.index), ofTarget.get(called(position.index))];
    const what = changeOf(position, there?.['index.uuid']) ?? changeOnTarget(here, { run, owner });
    if (what !== undefined) looked.differences.push({ where: `index ${position.index}`, what });
    else candidates.push({ position, target: called(position.index), shards: new Map() });
  }

  const isByField = ({ position }: Followed) => position.field !== undefined;
  const silent = new Map<Followed, number[]>();
  const byField = candidates.filter(isByField);
  const operations = await readOperations(
    source,
    byField.map(({ position }) => position.index),
  );
  for (const candidate of byField) {
    const { index } = candidate.position;
    const found = operations.get(index);
    const missing = missingOf(Number(ofSource.get(index)?.[shardsSetting] ?? 1), found?.shards ?? []);
    // what lies on a shard that does not answer would be passed over
    if (!found || missing.length > 0) silent.set(candidate, missing);
    else looked.followed.push({ ...candidate, operations: found });
  }

  const bySequence = candidates.filter((candidate) => !isByField(candidate));
  const shards = await readShards(
    source,
    bySequence.map(({ position }) => position.index),
  );
  for (const candidate of bySequence) {
    const { index, seqNos } = candidate.position;
    const found = shards.get(index) ?? new Map<number, ShardNow>();
    candidate.shards = found;
    if (found.size < seqNos.length) silent.set(candidate, missingOf(seqNos.length, [...found.keys()]));
    if (found.size > 0) looked.followed.push(candidate);
    const lost = lostWrites(candidate);
    if (lost.length > 0) looked.lostWrites.set(index, lost);
  }
  for (const { index, lostWrites: before = [] } of positions) {
    for (const lost of looked.lostWrites.get(index) ?? before)
      looked.differences.push({ where: `index ${index}`, what: sentenceOf(lost) });
  }
  await addSilent(silent, source, looked);
  // Of a time series the index behind is found by its name, if the selection has it.
  const isFound = runbook.catchUp?.kind === 'time-series' ? selectsName(runbook.select) : () => false;
  looked.differences.push(...(await rolledOver(source, looked.followed, isFound)));
  return looked;
}

/** Once for each shard: as it was when it was first seen. */
function lostWrites({ position: { seqNos, ahead = {}, lostWrites: before = [] }, shards }: Followed): LostWrites {
  const fresh = [...shards].flatMap(([shard, { maxSeqNo }]) => {
    const readUpTo = Math.max(seqNos[shard] ?? -1, ahead[shard] ?? -1);
    // a new primary knows of a lower checkpoint for a while, but has all that lies below the one that was read
    if (maxSeqNo >= readUpTo || before.some((known) => known.shard === shard)) return [];
    return [{ shard, sourceAt: maxSeqNo, readUpTo }];
  });
  return [...before, ...fresh];
}

function sentenceOf({ shard, sourceAt, readUpTo }: LostWrites[number]): string {
  return `shard ${shard} of the source had given ${sourceAt} as its last sequence number, and had been read up to ${readUpTo}: the source lost writes (an older copy became the primary), and what it numbers ${sourceAt + 1} to ${readUpTo} anew is not followed. Move this index anew: abort this run and start another; or let it end, delete the index on the target, and move it by a run of its own (select.include)`;
}

const shardsSetting = 'index.number_of_shards';

function missingOf(count: number, there: readonly number[]): number[] {
  return Array.from({ length: count }, (_, shard) => shard).filter((shard) => !there.includes(shard));
}

/** Shards that tell nothing of themselves: of a closed index, or without a primary. */
async function addSilent(indices: Map<Followed, number[]>, source: Cluster, looked: Looked): Promise<void> {
  const states = await readStates(
    source,
    [...indices.keys()].map(({ position }) => position.index),
  );
  for (const [{ position }, missing] of indices) {
    const where = `index ${position.index}`;
    if (states.get(position.index)?.isOpen === false) {
      looked.differences.push({ where, what: 'it is closed on the source: it is followed again once it is open' });
      continue;
    }
    looked.unread.push({
      where,
      what: `no primary on the source at present of shard ${missing.slice(0, 10).join(', ')}`,
    });
  }
}

function changeOnTarget(
  settings: FlatSettings | undefined,
  whose: Pick<CatchUpRoundInput, 'run' | 'owner'>,
): string | undefined {
  if (settings === undefined) return 'it is not on the target (any more): its writes are not followed';
  if (isMarkOf(settings[markSetting], whose)) return undefined;
  return 'the index of its name on the target is not of this run: its writes are not followed';
}

/** Nothing as long as it is the index that it was. */
export function changeOf({ uuid }: CatchUpPositions, found: string | undefined): string | undefined {
  if (found === undefined)
    return 'it was deleted on the source: the target keeps it as it was in the last round before';
  if (uuid !== '' && found !== uuid)
    return 'it was deleted on the source and created again: the target has the documents of the earlier one, and perhaps some of the new one; move it anew';
  return undefined;
}

type Aliases = Record<string, { aliases?: Record<string, { is_write_index?: boolean }> }>;

/** An alias that writes went through now leads them to another index, which this run does not carry. */
async function rolledOver(
  source: Cluster,
  followed: readonly Followed[],
  isFound: (index: string) => boolean,
): Promise<Difference[]> {
  const names = followed.map(({ position }) => position.index);
  const left = new Map<string, string>();
  for (const chunk of chunkNames(names)) {
    const { status, body } = await source.request<Aliases>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_alias`,
      query: { ignore_unavailable: true, expand_wildcards: 'all' },
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [index, { aliases = {} }] of Object.entries(body))
      for (const [alias, { is_write_index: isWritten }] of Object.entries(aliases))
        if (isWritten === false) left.set(alias, index);
  }
  const differences: Difference[] = [];
  const carried = new Set(names);
  for (const chunk of chunkNames([...left.keys()])) {
    const { status, body } = await source.request<Aliases>({
      method: 'GET',
      path: `/_alias/${indexPath(chunk)}`,
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [index, { aliases = {} }] of Object.entries(body))
      for (const [alias, { is_write_index: isWritten }] of Object.entries(aliases))
        if (isWritten === true && !carried.has(index) && !isFound(index) && left.has(alias))
          differences.push({
            where: `alias ${alias}`,
            what: `${left.get(alias)} was rolled over: writes through the alias go to ${index}, which is not followed here; move it, too`,
          });
  }
  return differences;
}

/** Which of them are not the index any more that was read. */
export async function madeAnew(positions: readonly CatchUpPositions[], source: Cluster): Promise<string[]> {
  const names = positions.map(({ index }) => index);
  const settings = await readSettings(source, names, ['index.uuid']);
  return positions
    .filter((position) => changeOf(position, settings.get(position.index)?.['index.uuid']) !== undefined)
    .map(({ index }) => index);
}

/** Whether the index is no more the open one that a round, or a search for deletes, began with. */
export async function isLost(position: CatchUpPositions, source: Cluster): Promise<boolean> {
  const { index } = position;
  const uuid = (await readSettings(source, [index], ['index.uuid'])).get(index)?.['index.uuid'];
  if (changeOf(position, uuid) !== undefined) return true;
  return (await readStates(source, [index])).get(index)?.isOpen !== true;
}
