import { ApplicationFailure } from '@temporalio/common';
import type { ClusterActivities, SnapshotResult } from '../../contracts/cluster-activities';
import type { FailureInfo } from '../../contracts/failures';
import { heartbeat } from '../context';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { follow } from '../follow';
import { changedBy } from '../outcome';
import {
  isOurs,
  keepsMetadata,
  readSnapshot,
  snapshotPath,
  type SnapshotInfo,
  type SnapshotStatusAnswer,
} from './snapshot-info';

/** A snapshot that has not written a byte for so long hangs on its repository: a person has to look at the share. */
const stallMs = 30 * 60_000;
/** Of a snapshot that has ended, a file for each shard is read from the repository; below the heartbeat's 30 s. */
const statisticsTimeoutMs = 25_000;
const fewFailures = 5;

export function createSnapshotActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'takeSnapshot'> {
  return {
    /**
     * Starts the snapshot under its name and follows it. Twice: a snapshot of that name is followed, or its end reported,
     * never a second one begun; so a kill before the PUT begins it, one after it finds it. PARTIAL and FAILED are answers:
     * the workflow deletes such a snapshot and takes the next one, since it must never be restored. One of that name that
     * is not of this execution is a conflict, also when it ended well: it holds what the indices held then.
     */
    async takeSnapshot({ owner, run, runbook, step, repository, snapshot, indices }) {
      const cluster = await clusters.connect(runbook, 'source');
      let found = await readSnapshot(cluster, repository, snapshot);
      if (!found) {
        await cluster.request({
          method: 'PUT',
          path: snapshotPath(repository, snapshot),
          query: { wait_for_completion: false },
          body: {
            indices,
            include_global_state: false,
            ignore_unavailable: false,
            partial: false,
            ...(keepsMetadata(cluster) ? { metadata: { shardlift: { owner, run, step } } } : {}),
          },
        });
      } else if (!isOurs(cluster, found, owner)) {
        throw permanent({
          type: 'RepositoryConflict',
          message: `a snapshot named ${snapshot} exists that this run did not take`,
          where: `repository ${repository}`,
          remedy: 'delete it if nobody needs it, then retry',
        });
      }
      let shardFailures: SnapshotInfo['failures'] = [];
      found = await follow<SnapshotInfo>({
        stallMs,
        stalled: (last) =>
          permanent({
            type: 'SnapshotFailed',
            message: `the snapshot ${snapshot} has written nothing for ${stallMs / 60_000} min`,
            where: `source cluster, repository ${repository}`,
            why: `${last.done} of ${last.total} bytes`,
            remedy: 'look at the share (mounts, disk, NFS server) and the nodes; retry follows the same snapshot again',
          }),
        look: async () => {
          const seen = await readSnapshot(cluster, repository, snapshot);
          if (seen && seen.state !== 'IN_PROGRESS') return { result: seen };
          if (!seen) return { result: await vanished(cluster, repository, snapshot, shardFailures) };
          const { stats, shards_stats: shards, indices: each } = await readStatus(cluster, repository, snapshot);
          // Kept while they can be seen: a full share lets the snapshot vanish with its reasons.
          if (shards.failed) shardFailures = failuresIn(each);
          return {
            progress: {
              done: stats.processed?.size_in_bytes ?? 0,
              total: stats.incremental.size_in_bytes,
              unit: 'bytes',
              detail: `${shards.done} of ${shards.total} shards`,
            },
          };
        },
      });
      return resultOf(cluster, { step, repository, snapshot, found });
    },
  };
}

async function readStatus(cluster: Cluster, repository: string, snapshot: string, timeoutMs?: number) {
  const answer = await cluster.request<Partial<SnapshotStatusAnswer>>({
    method: 'GET',
    path: `${snapshotPath(repository, snapshot)}/_status`,
    // It may have vanished since it was looked for: the next look tells.
    allow: [404],
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const status = answer.body.snapshots?.[0];
  return (
    status ?? {
      shards_stats: { done: 0, total: 0 },
      stats: { total: { size_in_bytes: 0, file_count: 0 }, incremental: { size_in_bytes: 0 } },
    }
  );
}

/**
 * A snapshot vanishes when its end could not be written down (a full share, a master that fails over), or when somebody
 * deletes it. Elasticsearch says why in its log only: what its shards said is told instead, and what the repository says
 * when it is asked to write.
 */
async function vanished(
  cluster: Cluster,
  repository: string,
  snapshot: string,
  failures: SnapshotInfo['failures'],
): Promise<SnapshotInfo> {
  const path = `/_snapshot/${encodeURIComponent(repository)}/_verify`;
  const cause = await cluster.request({ method: 'POST', path, timeoutMs: statisticsTimeoutMs }).then(
    () => 'its repository can be written to now; the log of the elected master says more',
    (error: unknown) => {
      const info = error instanceof ApplicationFailure ? (error.details?.[0] as FailureInfo | undefined) : undefined;
      return info ? [info.message, info.why].filter(Boolean).join(': ') : String(error);
    },
  );
  const shards = { total: failures.length, failed: failures.length, successful: 0 };
  return { snapshot, state: 'FAILED', failures, reason: `it has vanished: ${cause}`, shards };
}

function failuresIn(indices: SnapshotStatusAnswer['snapshots'][number]['indices'] = {}): SnapshotInfo['failures'] {
  return Object.entries(indices)
    .flatMap(([index, { shards }]) =>
      Object.entries(shards).flatMap(([shard, { reason }]) =>
        reason === undefined ? [] : [{ index, shard_id: Number(shard), reason }],
      ),
    )
    .slice(0, fewFailures);
}

async function resultOf(
  cluster: Cluster,
  { step, repository, snapshot, found }: { step: string; repository: string; snapshot: string; found: SnapshotInfo },
): Promise<SnapshotResult> {
  const failures = found.failures
    .slice(0, fewFailures)
    .map((each) => `${each.index}[${each.shard_id}]: ${each.reason.slice(0, 300)}`);
  if (found.reason) failures.unshift(found.reason.slice(0, 300));
  const state = found.state === 'SUCCESS' || found.state === 'PARTIAL' ? found.state : 'FAILED';
  const total = state === 'SUCCESS' ? await readSize(cluster, repository, snapshot) : undefined;
  const size = total ? `${total.size_in_bytes} bytes in ${total.file_count} files` : 'its size is not known';
  const { successful, total: shards } = found.shards;
  const counted = `${snapshot}: ${state}, ${successful} of ${shards} shards`;
  const outcome = changedBy(step, state === 'SUCCESS' && !total ? `${counted}; ${size}` : counted, {
    where: `source cluster, repository ${repository}`,
    what: `snapshot ${snapshot}`,
    before: 'absent',
    after: state === 'SUCCESS' ? `${state}, ${size}` : state,
  });
  return { ...outcome, state, failures, bytes: total?.size_in_bytes ?? 0, files: total?.file_count ?? 0 };
}

/** For the report only: a snapshot that has succeeded does not fail because its size cannot be read in time. */
async function readSize(cluster: Cluster, repository: string, snapshot: string) {
  heartbeat({ done: 0, total: 0, unit: 'bytes', detail: 'taken; reading its size' });
  try {
    return (await readStatus(cluster, repository, snapshot, statisticsTimeoutMs)).stats.total;
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    return undefined;
  }
}
