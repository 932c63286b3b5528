import type pino from 'pino';
import type { TemporalSettings } from './connection';
import { lazy } from './lazy';

/** Runs a worker with those settings until the signal; it ends when the activities under way have let go. */
export async function runWorkerWith(
  settings: TemporalSettings,
  shutdownSignal: AbortSignal,
  log: pino.Logger,
): Promise<void> {
  await lazy.worker().runWorker({
    connection: { address: settings.address, ...settings.options },
    namespace: settings.namespace,
    taskQueue: settings.taskQueue,
    shutdownSignal,
    log,
  });
}
