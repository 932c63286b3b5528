import { ApplicationFailure } from '@temporalio/common';
import type { ClusterActivities, SnapshotResult } from '../../contracts/cluster-activities';
import type { FailureInfo } from '../../contracts/failures';
import type { Progress } from '../../contracts/status';
import { heartbeat } from '../context';
import { classifyAnswer, readErrorAnswer, timedOut } from '../elasticsearch/classify-error';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { isAtLeast } from '../elasticsearch/version';
import { permanent } from '../failure';
import { follow } from '../follow';
import { changedBy, unchanged } from '../outcome';
import { readSnapshotWork } from '../planning/read-cluster';

interface SnapshotInfo {
  snapshot: string;
  state: 'IN_PROGRESS' | 'SUCCESS' | 'PARTIAL' | 'FAILED' | 'INCOMPATIBLE';
  metadata?: { shardlift?: { owner?: string } };
  failures: { index: string; shard_id: number; reason: string }[];
  reason?: string;
  shards: { total: number; failed: number; successful: number };
}

interface SnapshotStatusAnswer {
  snapshots: {
    shards_stats: { done: number; failed?: number; total: number };
    indices?: Record<string, { shards: Record<string, { reason?: string }> }>;
    stats: {
      total: { size_in_bytes: number; file_count: number };
      processed?: { size_in_bytes: number };
      incremental: { size_in_bytes: number };
    };
  }[];
}

/** A snapshot that has not written a byte for so long hangs on its repository: a person has to look at the share. */
const stallMs = 30 * 60_000;
/** A deletion says nothing of how far it is, and may unlink millions of files on a slow share. */
const deleteStallMs = 2 * 60 * 60_000;
/** Only to ask for it: the deletion goes on without us, and a look tells when it has ended. */
const deleteRequestMs = 10_000;
/** Of a snapshot that has ended, a file for each shard is read from the repository; below the heartbeat's 30 s. */
const statisticsTimeoutMs = 25_000;
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

    /**
     * Deletes a snapshot of this execution and waits for the deletion's end; one that somebody else took is left
     * alone. A deletion waits behind a snapshot that runs: from 7.9 on in the cluster itself; before, it is refused
     * meanwhile and asked for again here. Twice: one that is not there is done, a deletion under way is followed. Files
     * that other snapshots use stay; Elasticsearch sees to it.
     */
    async deleteSnapshot({ owner, runbook, step, repository, snapshot }) {
      const cluster = await clusters.connect(runbook, 'source');
      const isThere = await isListed(cluster, repository, snapshot);
      if (isThere && !(await isOursByMetadata(cluster, { owner, repository, snapshot })))
        return unchanged(`${snapshot} is left alone: not taken by this run`);
      await follow<true>({
        stallMs: deleteStallMs,
        stalled: (last) =>
          permanent({
            type: 'SnapshotFailed',
            message: `the snapshot ${snapshot} has not been deleted for ${deleteStallMs / 3_600_000} h`,
            where: `source cluster, repository ${repository}`,
            why: last.detail ?? '',
            remedy: 'look at the share and at what else uses the repository (GET _snapshot/_status), then retry',
          }),
        look: () => lookAtDeletion(cluster, repository, snapshot),
      });
      if (!isThere) return unchanged(`${snapshot} is not in the repository`);
      return changedBy(step, `deleted the snapshot ${snapshot}`, {
        where: `source cluster, repository ${repository}`,
        what: `snapshot ${snapshot}`,
        before: 'present',
        after: 'deleted',
      });
    },
  };
}

/** Before 7.3 a snapshot cannot carry a note of whose it is. */
function keepsMetadata({ version }: Cluster): boolean {
  return version.distribution === 'opensearch' || isAtLeast(version, '7.3.0');
}

/** Where there is no metadata the name, which begins with the owner, is all there is to go by. */
function isOurs(cluster: Cluster, found: SnapshotInfo, owner: string): boolean {
  return keepsMetadata(cluster) ? found.metadata?.shardlift?.owner === owner : found.snapshot.startsWith(`${owner}-`);
}

/** A snapshot whose own metadata is damaged can still be deleted, and must be, before it is taken anew: then its name tells. */
async function isOursByMetadata(
  cluster: Cluster,
  { owner, repository, snapshot }: { owner: string; repository: string; snapshot: string },
): Promise<boolean> {
  try {
    const found = await readSnapshot(cluster, repository, snapshot);
    return found === undefined || isOurs(cluster, found, owner);
  } catch (error) {
    if (!(error instanceof ApplicationFailure) || error.type !== 'BlobCorrupted') throw error;
    return snapshot.startsWith(`${owner}-`);
  }
}

/** Whether the repository's index, or the cluster's work, names it: none of the snapshot's own files are read for that. */
async function isListed(cluster: Cluster, repository: string, snapshot: string): Promise<boolean> {
  return (await readSnapshot(cluster, repository, snapshot, { verbose: false })) !== undefined;
}

/** Asks for the deletion where none is under way. It is over when the snapshot and the cluster's work on it are gone. */
async function lookAtDeletion(
  cluster: Cluster,
  repository: string,
  snapshot: string,
): Promise<{ result: true } | { progress: Progress }> {
  const isThere = await isListed(cluster, repository, snapshot);
  const work = await readSnapshotWork(cluster);
  const isUnderWay = work.some(
    (each) =>
      each.kind === 'deletion' && each.repository === repository && each.snapshot.split(', ').includes(snapshot),
  );
  if (!isThere && !isUnderWay) return { result: true };
  const other = work.find(({ kind }) => kind !== 'deletion');
  const detail = other ? `behind the ${other.kind} ${other.snapshot}` : 'its files are unlinked';
  heartbeat({ done: 0, total: 0, unit: 'bytes', detail });
  if (isThere && !isUnderWay) await askForDeletion(cluster, repository, snapshot);
  return { progress: { ...(await readRunning(cluster)), unit: 'bytes', detail } };
}

/** That another operation is in the way, or that no answer came in time, is no failure: the next look tells. */
async function askForDeletion(cluster: Cluster, repository: string, snapshot: string): Promise<void> {
  const params = { method: 'DELETE' as const, path: snapshotPath(repository, snapshot) };
  try {
    const { status, body } = await cluster.request({ ...params, allow: [404, 503], timeoutMs: deleteRequestMs });
    if (status !== 503) return;
    const answer = readErrorAnswer(status, body);
    if (answer.type === 'concurrent_snapshot_execution_exception') return;
    throw classifyAnswer(`source cluster, DELETE ${params.path}`, answer);
  } catch (error) {
    if (!timedOut(error)) throw error;
  }
}

/** Bytes of all snapshots that run: that they move shows that what waits for them does not hang. */
async function readRunning(cluster: Cluster): Promise<{ done: number; total: number }> {
  const { body } = await cluster.request<SnapshotStatusAnswer>({ method: 'GET', path: '/_snapshot/_status' });
  return body.snapshots.reduce(
    (sum, { stats }) => ({
      done: sum.done + (stats.processed?.size_in_bytes ?? 0),
      total: sum.total + stats.incremental.size_in_bytes,
    }),
    { done: 0, total: 0 },
  );
}

function snapshotPath(repository: string, snapshot: string): string {
  return `/_snapshot/${encodeURIComponent(repository)}/${encodeURIComponent(snapshot)}`;
}

async function readSnapshot(
  cluster: Cluster,
  repository: string,
  snapshot: string,
  query: { verbose?: boolean } = {},
): Promise<SnapshotInfo | undefined> {
  const answer = await cluster.request<{ snapshots?: SnapshotInfo[]; error?: { type?: string; reason?: string } }>({
    method: 'GET',
    path: snapshotPath(repository, snapshot),
    query,
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
