import { ApplicationFailure } from '@temporalio/common';
import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { Progress } from '../../contracts/status';
import { heartbeat } from '../context';
import { classifyAnswer, readErrorAnswer, timedOut } from '../elasticsearch/classify-error';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { follow } from '../follow';
import { changedBy, unchanged } from '../outcome';
import { readSnapshotWork } from '../planning/read-cluster';
import { isOurs, readSnapshot, snapshotPath, type SnapshotStatusAnswer } from './snapshot-info';

/** A deletion says nothing of how far it is, and may unlink millions of files on a slow share. */
const deleteStallMs = 2 * 60 * 60_000;
/** Only to ask for it: the deletion goes on without us, and a look tells when it has ended. */
const deleteRequestMs = 10_000;
export function createSnapshotDeletionActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'deleteSnapshot'> {
  return {
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
