import path from 'node:path';
import type { TemporalSettings } from './connection';
import { stateHome } from './embedded-state';
import { lazy } from './lazy';
import type { Session } from './session';

/** Runs a worker with those settings until the signal; it ends when the activities under way have let go. */
export async function runWorkerWith(
  settings: TemporalSettings,
  shutdownSignal: AbortSignal,
  { io, log }: Pick<Session, 'io' | 'log'>,
): Promise<void> {
  await lazy.worker().runWorker({
    connection: { address: settings.address, ...settings.options },
    namespace: settings.namespace,
    taskQueue: settings.taskQueue,
    shutdownSignal,
    log,
    failedDocumentsDirectory: io.env['SHARDLIFT_FAILED_DOCUMENTS'] || path.join(stateHome(io), 'failed-documents'),
  });
}
