import { createDumpActivities } from '../activities/dump';
import { createClusters } from '../activities/elasticsearch/cluster';
import type { DumpActivities } from '../contracts/dump';

/**
 * Dumps and loads in the foreground, by the same code that a worker's activities are made of, and without a Temporal
 * server: files belong on the machine where the command is typed, and their own checkpoints make the work durable.
 * @public loaded through lazy.ts, which knip cannot follow
 */
export async function withDumpActivities<Result>(
  outside: { signal: AbortSignal; onProgress(progress: unknown): void },
  work: (activities: DumpActivities) => Promise<Result>,
): Promise<Result> {
  const clusters = createClusters();
  try {
    return await work(createDumpActivities({ clusters }, outside));
  } finally {
    await clusters.close();
  }
}
