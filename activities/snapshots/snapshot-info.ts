import type { Cluster } from '../elasticsearch/cluster';
import { isAtLeast } from '../elasticsearch/version';
import { permanent } from '../failure';

/** What a cluster tells of a snapshot, and whose it is. */

export interface SnapshotInfo {
  snapshot: string;
  state: 'IN_PROGRESS' | 'SUCCESS' | 'PARTIAL' | 'FAILED' | 'INCOMPATIBLE';
  metadata?: { shardlift?: { owner?: string } };
  failures: { index: string; shard_id: number; reason: string }[];
  reason?: string;
  shards: { total: number; failed: number; successful: number };
}

export interface SnapshotStatusAnswer {
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

/** Before 7.3 a snapshot cannot carry a note of whose it is. */
export function keepsMetadata({ version }: Cluster): boolean {
  return version.distribution === 'opensearch' || isAtLeast(version, '7.3.0');
}

/** Where there is no metadata the name, which begins with the owner, is all there is to go by. */
export function isOurs(cluster: Cluster, found: SnapshotInfo, owner: string): boolean {
  return keepsMetadata(cluster) ? found.metadata?.shardlift?.owner === owner : found.snapshot.startsWith(`${owner}-`);
}

export function snapshotPath(repository: string, snapshot: string): string {
  return `/_snapshot/${encodeURIComponent(repository)}/${encodeURIComponent(snapshot)}`;
}

export async function readSnapshot(
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
