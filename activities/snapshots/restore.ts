import type { ClusterActivities, RestoreInput } from '../../contracts/cluster-activities';
import { targetName } from '../../contracts/ids';
import type { Progress } from '../../contracts/status';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { isAtLeast } from '../elasticsearch/version';
import { permanent, transient } from '../failure';
import { follow } from '../follow';
import { changedBy, unchanged } from '../outcome';
import { markOf as reindexMarkOf } from '../reindex/request';
import { endTasks } from '../reindex/tasks';
import { deleteStrays } from '../reindex/write-alias';
import {
  deleteIndices,
  findFailedPrimaries,
  markOf,
  markSetting,
  readPrimaries,
  whoseIndices,
} from './restored-indices';

/** As for a snapshot: nothing read for so long means that the repository hangs. */
const stallMs = 30 * 60_000;

/**
 * Settings that must not come along. A write block of ours would stop the
 * target; allocation filters name the source's nodes and would leave shards unassigned on the target.
 */
const leftOut = [
  'index.blocks.write',
  'index.routing.allocation.include.*',
  'index.routing.allocation.exclude.*',
  'index.routing.allocation.require.*',
  'index.routing.allocation.initial_recovery.*',
];

export function createRestoreActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'restoreIndices' | 'deleteRestoredIndices'> {
  return {
    /**
     * Restores the batch's indices and follows their primaries until they are started. Twice: an index that carries this run's
     * mark is followed, not restored again; one that is not ours is never touched; one of
     * ours whose restore failed is deleted and restored again, as Elasticsearch itself asks for. Killed in between, the
     * next attempt finds each index in one of those states.
     */
    async restoreIndices(input) {
      const { owner, runbook, step, repository, snapshot, indices } = input;
      const cluster = await clusters.connect(runbook, 'target');
      const names = indices.map((index) => index.name);
      const owned = await whoseIndices(cluster, owner, names);
      if (owned.foreign.length > 0) {
        throw permanent({
          type: 'IndexNameTaken',
          message: `the target has ${owned.foreign.length === 1 ? 'an index' : 'indices'} of that name that this run did not restore`,
          where: `target cluster: ${owned.foreign.slice(0, 10).join(', ')}`,
          remedy:
            'delete it there by hand if it is not needed, or leave it out by select.exclude in a new runbook, then retry',
        });
      }
      const failed = await findFailedPrimaries(cluster, owned.ours);
      const broken = [...new Set(failed.map((each) => each.index))];
      await deleteIndices(cluster, broken);
      const missing = names.filter((name) => !owned.ours.includes(name) || broken.includes(name));
      if (missing.length > 0) await startRestore(cluster, input, missing);
      const bytes = await followRestore(cluster, input);
      return {
        ...changedBy(step, `restored ${names.length} ${names.length === 1 ? 'index' : 'indices'}, ${bytes} bytes`, {
          where: 'target cluster',
          what:
            names.length <= 5
              ? `indices ${names.join(', ')}`
              : `indices ${names.slice(0, 5).join(', ')} and ${names.length - 5} more`,
          before: 'absent',
          after: `restored from ${repository}/${snapshot}`,
        }),
        bytes,
      };
    },

    /**
     * Twice: indices that are gone are done. Indices that this run did not restore are left alone and named. A `_reindex`
     * task whose worker is dead goes on by itself, and would make its deleted index anew: first all of this execution end.
     */
    async deleteRestoredIndices({ owner, runbook, step, indices }) {
      const cluster = await clusters.connect(runbook, 'target');
      if (runbook.method === 'remote-reindex') {
        await endTasks(cluster, reindexMarkOf(owner));
        await deleteStrays(cluster, owner);
      }
      const names = indices.map((name) => targetName(runbook, name));
      const { ours, foreign } = await whoseIndices(cluster, owner, names);
      const kept =
        foreign.length > 0 ? `; left alone, not restored by this run: ${foreign.slice(0, 5).join(', ')}` : '';
      if (ours.length === 0) return unchanged(`no restored index is left${kept}`);
      // Cannot be undone; the documents are still on the source, which a migration never deletes from.
      await deleteIndices(cluster, ours);
      return changedBy(step, `deleted ${ours.length} restored indices on the target${kept}`, {
        where: 'target cluster',
        what: `indices ${ours.slice(0, 5).join(', ')}`,
        before: 'present',
        after: 'deleted',
      });
    },
  };
}

async function startRestore(
  cluster: Cluster,
  { owner, repository, snapshot }: RestoreInput,
  names: string[],
): Promise<void> {
  await cluster.request({
    method: 'POST',
    path: `/_snapshot/${encodeURIComponent(repository)}/${encodeURIComponent(snapshot)}/_restore`,
    query: { wait_for_completion: false },
    body: {
      indices: names,
      include_global_state: false,
      include_aliases: false,
      ignore_unavailable: false,
      partial: false,
      // These two cannot be left out, only overridden; finalizeIndices gives them the source's values.
      index_settings: {
        'index.number_of_replicas': 0,
        'index.auto_expand_replicas': false,
        [markSetting]: markOf(owner),
      },
      ignore_index_settings: leftOut,
      ...(isAtLeast(cluster.version, '7.12.0') && cluster.version.distribution === 'elasticsearch'
        ? { feature_states: ['none'] }
        : {}),
    },
  });
}

/** Answers with the bytes of the restored primaries. */
async function followRestore(cluster: Cluster, { repository, indices }: RestoreInput): Promise<number> {
  const names = indices.map((index) => index.name);
  const wanted = indices.reduce((sum, index) => sum + index.primaryShards, 0);
  return follow<number>({
    stallMs,
    stalled: (last) =>
      permanent({
        type: 'RestoreFailed',
        message: `the restore has read nothing for ${stallMs / 60_000} min`,
        where: `target cluster, repository ${repository}`,
        why: `${last.done} of ${last.total} bytes`,
        remedy:
          'look at the share on the nodes of the target, at their disks and at _cluster/allocation/explain; retry follows the same restore',
      }),
    look: async () => {
      const primaries = await readPrimaries(cluster, names);
      if (primaries.started === wanted) return { result: primaries.bytes.total };
      if (primaries.unassigned > 0) await throwIfRestoreFailed(cluster, names);
      const progress: Progress = {
        done: primaries.bytes.recovered,
        total: Math.max(
          primaries.bytes.total,
          indices.reduce((sum, index) => sum + index.sizeBytes, 0),
        ),
        unit: 'bytes',
        detail: `${primaries.started} of ${wanted} shards`,
      };
      return { progress };
    },
  });
}

/** Damaged files stay damaged and need a person; any other cause is tried once more from the start of those indices. */
async function throwIfRestoreFailed(cluster: Cluster, names: string[]): Promise<void> {
  const failed = await findFailedPrimaries(cluster, names);
  const first = failed[0];
  if (!first) return;
  const corrupted = failed.find((each) => /corrupt|checksum|NoSuchFile|unexpected file/i.test(each.why));
  const where = `target cluster: ${[...new Set(failed.map((each) => each.index))].slice(0, 10).join(', ')}`;
  if (corrupted) {
    throw permanent({
      type: 'BlobCorrupted',
      message: 'a file of the snapshot is damaged or missing: the index cannot be restored from it',
      where,
      why: corrupted.why,
      remedy: 'check the disk of the share; retry takes a new snapshot of the batch, copies it and restores again',
    });
  }
  throw transient({
    type: 'RestoreFailed',
    message: 'primary shards could not be restored',
    where,
    why: first.why,
    remedy:
      'see the reason (disk watermarks, allocation filters, a node that is gone); retry deletes these indices, which this run made, and restores them again',
  });
}
