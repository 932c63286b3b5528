import type { ClusterActivities, SnapshotResult } from '../../contracts/cluster-activities';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { isAtLeast } from '../elasticsearch/version';
import { permanent } from '../failure';
import { follow } from '../follow';
import { changedBy, unchanged } from '../outcome';

interface SnapshotInfo {
  snapshot: string;
  state: 'IN_PROGRESS' | 'SUCCESS' | 'PARTIAL' | 'FAILED' | 'INCOMPATIBLE';
  metadata?: { shardlift?: { run?: string } };
  failures: { index: string; shard_id: number; reason: string }[];
  reason?: string;
  shards: { total: number; failed: number; successful: number };
}

interface SnapshotStatusAnswer {
  snapshots: {
    shards_stats: { done: number; total: number };
    stats: {
      total: { size_in_bytes: number; file_count: number };
      processed?: { size_in_bytes: number };
      incremental: { size_in_bytes: number };
    };
  }[];
}

/** A snapshot that has not written a byte for so long hangs on its repository: a person has to look at the share. */
const stallMs = 30 * 60_000;
/** Deleting unlinks every file that no other snapshot uses, before the call returns. */
const deleteTimeoutMs = 10 * 60_000;
const fewFailures = 5;

export function createSnapshotActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'takeSnapshot' | 'deleteSnapshot'> {
  return {
    /**
     * Starts the snapshot under its name and follows it. Twice: a snapshot of that name is followed, or its end reported,
     * never a second one begun; so a kill before the PUT begins it, one after it finds it. PARTIAL and FAILED are answers:
     * the workflow deletes such a snapshot and takes the next one, since it must never be restored.
     */
    async takeSnapshot({ run, runbook, step, repository, snapshot, indices }) {
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
            ...(isAtLeast(cluster.version, '7.3.0') ? { metadata: { shardlift: { run, step } } } : {}),
          },
        });
      } else if (found.metadata && found.metadata.shardlift?.run !== run) {
        throw permanent({
          type: 'RepositoryConflict',
          message: `a snapshot named ${snapshot} exists that this run did not take`,
          where: `repository ${repository}`,
          remedy: 'delete it if nobody needs it, then retry',
        });
      }
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
          if (!seen) return { result: missing(snapshot) };
          const { stats, shards_stats: shards } = await readStatus(cluster, repository, snapshot);
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

    /** Twice: a snapshot that is not there is done. Files that other snapshots use stay; Elasticsearch sees to it. */
    async deleteSnapshot({ runbook, step, repository, snapshot }) {
      const cluster = await clusters.connect(runbook, 'source');
      const answer = await cluster.request({
        method: 'DELETE',
        path: snapshotPath(repository, snapshot),
        allow: [404],
        timeoutMs: deleteTimeoutMs,
      });
      if (answer.status === 404) return unchanged(`${snapshot} is not in the repository`);
      return changedBy(step, `deleted the snapshot ${snapshot}`, {
        where: `source cluster, repository ${repository}`,
        what: `snapshot ${snapshot}`,
        before: 'present',
        after: 'deleted',
      });
    },
  };
}

function snapshotPath(repository: string, snapshot: string): string {
  return `/_snapshot/${encodeURIComponent(repository)}/${encodeURIComponent(snapshot)}`;
}

async function readSnapshot(cluster: Cluster, repository: string, snapshot: string): Promise<SnapshotInfo | undefined> {
  const answer = await cluster.request<{ snapshots?: SnapshotInfo[]; error?: { type?: string; reason?: string } }>({
    method: 'GET',
    path: snapshotPath(repository, snapshot),
    allow: [404],
  });
  if (answer.status !== 404) return answer.body.snapshots?.[0];
  // A missing repository is 404 too, and is no answer about the snapshot.
  if (answer.body.error?.type === 'snapshot_missing_exception') return undefined;
  throw permanent({
    type: 'RepositoryConflict',
    message: `the repository ${repository} is not registered any more`,
    where: `${cluster.side} cluster`,
    why: answer.body.error?.reason ?? '',
    remedy: 'register it again as the plan shows, then retry',
  });
}

async function readStatus(cluster: Cluster, repository: string, snapshot: string) {
  const answer = await cluster.request<SnapshotStatusAnswer>({
    method: 'GET',
    path: `${snapshotPath(repository, snapshot)}/_status`,
  });
  const status = answer.body.snapshots[0];
  return (
    status ?? {
      shards_stats: { done: 0, total: 0 },
      stats: { total: { size_in_bytes: 0, file_count: 0 }, incremental: { size_in_bytes: 0 } },
    }
  );
}

/** A snapshot vanishes when a master fails over before it was written down, or when somebody deletes it. */
function missing(snapshot: string): SnapshotInfo {
  return {
    snapshot,
    state: 'FAILED',
    failures: [],
    reason: 'it has vanished',
    shards: { total: 0, failed: 0, successful: 0 },
  };
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
  const { stats } =
    state === 'SUCCESS'
      ? await readStatus(cluster, repository, snapshot)
      : { stats: { total: { size_in_bytes: 0, file_count: 0 } } };
  const outcome = changedBy(step, `${snapshot}: ${state}, ${found.shards.successful} of ${found.shards.total} shards`, {
    where: `source cluster, repository ${repository}`,
    what: `snapshot ${snapshot}`,
    before: 'absent',
    after: `${state}, ${stats.total.size_in_bytes} bytes in ${stats.total.file_count} files`,
  });
  return { ...outcome, state, failures, bytes: stats.total.size_in_bytes, files: stats.total.file_count };
}
