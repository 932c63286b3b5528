import type { BeginCatchUpInput, CatchUpPositions } from '../../contracts/catch-up';
import type { IndicesInput, ShardPositions } from '../../contracts/document-activities';
import type { StepOutcome } from '../../contracts/host-activities';
import { targetName } from '../../contracts/ids';
import { heartbeat } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { permanent, transient } from '../failure';
import { changedBy, unchanged } from '../outcome';
import { isMarkOf, markSetting } from '../snapshots/restored-indices';
import { readSettings, readShards } from './read-shards';

interface Sides {
  source: Cluster;
  target: Cluster;
}

const gcDeletes = 'index.gc_deletes';

/** The source's global checkpoints at this moment; read-only, and later is as right as sooner, before the snapshot. */
export async function readPositions(source: Cluster, indices: IndicesInput['indices']): Promise<ShardPositions[]> {
  const open = indices.filter(({ status }) => status === 'open');
  const shards = await readShards(
    source,
    open.map(({ name }) => name),
  );
  return open.map(({ name, uuid, primaryShards }) => {
    const found = shards.get(name);
    const seqNos = Array.from({ length: primaryShards }, (_, shard) => found?.get(shard)?.checkpoint);
    if (seqNos.every((seqNo) => seqNo !== undefined)) return { index: name, uuid, seqNos };
    throw transient({
      type: 'ClusterUnavailable',
      message: 'a primary shard of the source is not there at the moment, or has no sequence numbers',
      where: `source cluster: ${name}, shard ${seqNos.indexOf(undefined)}`,
      remedy: 'GET /_cluster/allocation/explain on the source says why; sequence numbers are there from 6.0 on',
    });
  });
}

/**
 * Where the rounds begin. A restored shard has the numbers of the source, and everything up to the positions that were
 * read before the snapshot. Its own `max_seq_no` does not say that: operations that were under way when the snapshot was
 * taken may be missing below it. It is only the upper bound, of a snapshot that was older than thought.
 */
export async function startPositions(
  target: Cluster,
  { runbook, positions }: Pick<BeginCatchUpInput, 'runbook' | 'positions'>,
): Promise<CatchUpPositions[]> {
  if (runbook.method !== 'snapshot') return positions;
  const called = (name: string) => targetName(runbook, name);
  const restored = await readShards(
    target,
    positions.map(({ index }) => called(index)),
  );
  return positions.map((position) => {
    if (position.field) return position;
    const shards = restored.get(called(position.index));
    const seqNos = position.seqNos.map((seqNo, shard) => Math.min(seqNo, shards?.get(shard)?.maxSeqNo ?? -1));
    return { ...position, seqNos, restored: seqNos };
  });
}

/**
 * `index.gc_deletes: 0s` on this run's indices of the target, so that a delete there is forgotten at once, and a document
 * that begins anew at version 1 can be written. Twice: what is 0s already is left alone, and positions are the given ones
 * as long as no round has written, which is after this.
 */
export async function beginCatchUp(
  input: BeginCatchUpInput,
  { target }: Sides,
): Promise<StepOutcome & { positions: CatchUpPositions[] }> {
  const { run, owner, runbook, step, indices } = input;
  const names = indices.map(({ name }) => targetName(runbook, name));
  const settings = await readSettings(target, names, [gcDeletes, markSetting]);
  const foreign = [...settings].filter(([, own]) => !isMarkOf(own[markSetting], { run, owner })).map(([name]) => name);
  if (foreign.length > 0) {
    throw permanent({
      type: 'IndexNameTaken',
      message:
        'indices on the target are not of this run: their settings are left alone, and nothing is written to them',
      where: `target cluster: ${foreign.slice(0, 10).join(', ')}`,
      remedy: 'catch-up follows what this run has moved; leave these indices out by select.exclude',
    });
  }
  const positions = await startPositions(target, input);
  const others = [...settings].filter(([, own]) => own[gcDeletes] !== '0s');
  if (others.length === 0) return { ...unchanged(`${gcDeletes} is 0s already`), positions };
  await putSetting(
    target,
    others.map(([name]) => [name, '0s']),
  );
  const outcome = changedBy(step, `${gcDeletes} is 0s on ${others.length} indices, until it is put back`, {
    where: 'target cluster',
    what: `${gcDeletes} of ${others.length} indices`,
    before: [...new Set(others.map(([, own]) => own[gcDeletes] ?? 'default'))].join(', '),
    after: '0s',
  });
  return { ...outcome, positions };
}

/** Puts `index.gc_deletes` to what the source's indices have, or the runbook asks for. Twice: it is so already. */
export async function endCatchUp(
  { run, owner, runbook, step, indices }: IndicesInput,
  { source, target }: Sides,
): Promise<StepOutcome> {
  const names = indices.map(({ name }) => name);
  const [wanted, present] = await Promise.all([
    readSettings(source, names, [gcDeletes]),
    readSettings(
      target,
      names.map((name) => targetName(runbook, name)),
      [gcDeletes, markSetting],
    ),
  ]);
  const asked = (runbook.copy ?? runbook.reindex)?.settings[gcDeletes];
  const changes = names.flatMap((name): [string, string | null][] => {
    const here = present.get(targetName(runbook, name));
    if (!here || !isMarkOf(here[markSetting], { run, owner })) return [];
    const value = asked === undefined ? (wanted.get(name)?.[gcDeletes] ?? null) : asked === null ? null : String(asked);
    return value === (here[gcDeletes] ?? null) ? [] : [[targetName(runbook, name), value]];
  });
  if (changes.length === 0) return unchanged(`${gcDeletes} is as on the source already`);
  await putSetting(target, changes);
  return changedBy(step, `${gcDeletes} is as on the source again on ${changes.length} indices`, {
    where: 'target cluster',
    what: `${gcDeletes} of ${changes.length} indices`,
    before: '0s',
    after: [...new Set(changes.map(([, value]) => value ?? 'default'))].join(', '),
  });
}

async function putSetting(target: Cluster, values: readonly (readonly [string, string | null])[]): Promise<void> {
  for (const value of new Set(values.map(([, each]) => each))) {
    const names = values.filter(([, each]) => each === value).map(([name]) => name);
    for (const chunk of chunkNames(names)) {
      await target.request({
        method: 'PUT',
        path: `/${indexPath(chunk)}/_settings`,
        query: { expand_wildcards: 'none' },
        body: { [gcDeletes]: value },
      });
      heartbeat({ done: chunk.length, total: names.length, unit: 'indices' });
    }
  }
}
