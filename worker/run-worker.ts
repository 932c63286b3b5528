import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type LogLevel,
  type NativeConnectionOptions,
} from '@temporalio/worker';
import type pino from 'pino';
import { createActivities } from '../activities';
import { watchHold, type Hold } from '../activities/hold';
import { dataConverter } from './data-converter';

export interface WorkerSettings {
  connection: NativeConnectionOptions;
  namespace: string;
  taskQueue: string;
  /** Aborted to end the worker: activities under way are told, and given the grace time below. */
  shutdownSignal: AbortSignal;
  log: pino.Logger;
  /** Where documents that targets refuse are kept, a folder for each run. */
  failedDocumentsDirectory: string;
}

/**
 * Following activities end at once when told; short changes on a host are let through to their end, which keeps their
 * answer. Whatever takes longer is found again by the next worker.
 */
const shutdownGraceTime = '20s';
/** Many batches and hosts wait at once; waiting costs a timer and a request, no CPU. */
const mostActivitiesAtOnce = 100;
/** Progress is read from heartbeats: by default the SDK would hold them back for most of the heartbeat timeout. */
const heartbeatThrottle = '1s';
const temporalAnswersWithinMs = 5_000;
/** Replaying a long run costs seconds of CPU; a few dozen runs and batches fit into memory easily. */
const mostCachedWorkflows = 200;

let isInstalled = false;

/** Temporal's own log lines go where ours go: to stderr, as JSON or pretty, as the logger was made. */
function installLogger(log: pino.Logger): void {
  if (isInstalled) return;
  isInstalled = true;
  const levels: Record<LogLevel, pino.Level> = {
    TRACE: 'trace',
    DEBUG: 'debug',
    INFO: 'info',
    WARN: 'warn',
    ERROR: 'error',
  };
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => log[levels[level]](meta ?? {}, message)),
    // Signals are handled by the command line, which ends the worker through shutdownSignal.
    shutdownSignals: [],
  });
}

/** Runs a worker until the signal. Resolves once it has drained. */
export async function runWorker({
  connection,
  namespace,
  taskQueue,
  shutdownSignal,
  log,
  failedDocumentsDirectory,
}: WorkerSettings): Promise<void> {
  installLogger(log);
  const native = await NativeConnection.connect(connection);
  const hold = holdOf(native, log);
  const { activities, close } = createActivities({ failedDocumentsDirectory, hold });
  try {
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      ...workflowSource(),
      activities: { ...activities },
      dataConverter,
      shutdownGraceTime,
      maxConcurrentActivityTaskExecutions: mostActivitiesAtOnce,
      maxCachedWorkflows: mostCachedWorkflows,
      maxHeartbeatThrottleInterval: heartbeatThrottle,
      defaultHeartbeatThrottleInterval: heartbeatThrottle,
    });
    shutdownSignal.addEventListener('abort', () => worker.shutdown(), { once: true });
    if (shutdownSignal.aborted) return;
    log.info({ taskQueue, namespace }, 'worker started');
    await worker.run();
  } finally {
    await close();
    await native.close();
  }
}

/** By a request that its server answers without asking anything else. */
function holdOf(native: NativeConnection, log: pino.Logger): Hold {
  return watchHold({
    askTemporal: () =>
      native.withDeadline(Date.now() + temporalAnswersWithinMs, () => native.workflowService.getSystemInfo({})),
    onLost: (why) => log.warn(`${why}: attempts under way send nothing more to clusters, and end`),
    onAnsweredAgain: () => log.info('Temporal answers the worker again'),
  });
}

/** The bundle that the build made; from a source checkout the workflows are bundled at the start, which takes seconds. */
function workflowSource(): { workflowBundle: { codePath: string } } | { workflowsPath: string } {
  const codePath = path.join(__dirname, '..', 'workflow-bundle.js');
  return existsSync(codePath) ? { workflowBundle: { codePath } } : { workflowsPath: require.resolve('../workflows') };
}
