import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Connection, ConnectionOptions } from '@temporalio/client';
import { defaultTaskQueue } from '../contracts/messages';
import { ClientError } from './client-error';
import { livingEmbedded } from './embedded-state';
import { exitCodes } from './exit-codes';
import { unreachable } from './explain-error';
import { lazy } from './lazy';
import type { Session } from './session';

/** Where Temporal is and how to log in there, from flags, environment, profile file, or the embedded server. */
export interface TemporalSettings {
  address: string;
  namespace: string;
  taskQueue: string;
  /** TLS, API key and gRPC headers, as @temporalio/envconfig reads them. */
  options: Pick<ConnectionOptions, 'tls' | 'metadata'> & { apiKey?: string };
  /** embedded: found by the state file of `shardlift up`, since nothing was configured. */
  origin: 'configured' | 'embedded' | 'default';
}

export interface Temporal extends TemporalSettings {
  client: Client;
  connection: Connection;
}

/** Long enough for a server over a slow line, short enough for somebody who waits in front of it. */
const connectTimeoutMs = 8_000;

const temporalDefaultAddress = '127.0.0.1:7233';

export function temporalSettings(session: Session, isEmbeddedWanted = true): TemporalSettings {
  const { io, options } = session;
  const environment = Object.fromEntries(
    Object.entries(io.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  let configured: { namespace?: string; connectionOptions: ConnectionOptions & { apiKey?: unknown } };
  try {
    const { loadClientConnectConfig } = lazy.envconfig();
    configured = loadClientConnectConfig({
      profile: options.profile,
      overrideEnvVars: environment,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ClientError(exitCodes.inputWrong, `the Temporal configuration cannot be used: ${why}`);
  }
  const { tls, metadata, apiKey } = configured.connectionOptions;
  const address = options.address ?? configured.connectionOptions.address;
  const found = address === undefined && isEmbeddedWanted ? embeddedServer(session) : undefined;
  return {
    address: address ?? found?.address ?? temporalDefaultAddress,
    namespace: options.namespace ?? configured.namespace ?? found?.namespace ?? 'default',
    taskQueue: options.taskQueue ?? io.env['SHARDLIFT_TASK_QUEUE'] ?? found?.taskQueue ?? defaultTaskQueue,
    // TLS and keys that are configured are meant for another server than the embedded one, which has neither.
    options: found ? {} : { tls, metadata, ...(typeof apiKey === 'string' ? { apiKey } : {}) },
    origin: address !== undefined ? 'configured' : found ? 'embedded' : 'default',
  };
}

function embeddedServer(session: Session) {
  const living = livingEmbedded(session.io);
  if (living.length > 1) {
    const list = living.map((each) => `  --address ${each.address}   (${each.directory})`).join('\n');
    throw new ClientError(exitCodes.inputWrong, `several servers of \`shardlift up\` run; say which:\n${list}`);
  }
  return living[0];
}

async function connect(session: Session): Promise<Temporal> {
  const settings = temporalSettings(session);
  await failFastOnLoopback(settings.address);
  const { Client, Connection } = lazy.temporalClient();
  try {
    const connection = await Connection.connect({
      address: settings.address,
      ...settings.options,
      connectTimeout: connectTimeoutMs,
    });
    return {
      ...settings,
      connection,
      client: new Client({ connection, namespace: settings.namespace, dataConverter: lazy.dataConverter() }),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw notReached(settings.address, why);
  }
}

/** Connects, works, and closes the connection whatever happens. */
export async function withTemporal<T>(session: Session, work: (temporal: Temporal) => Promise<T>): Promise<T> {
  const temporal = await connect(session);
  try {
    return await work(temporal);
  } finally {
    await temporal.connection.close().catch(() => undefined);
  }
}

/**
 * gRPC goes on trying until its deadline also where nothing listens. On this machine a refused connection is final:
 * the operator learns it at once. Elsewhere a proxy may be in the way, so there gRPC decides.
 */
export async function failFastOnLoopback(address: string): Promise<void> {
  const [, host, port] = /^(localhost|127\.0\.0\.1|\[::1\]):(\d+)$/.exec(address) ?? [];
  if (host === undefined) return;
  const refused = await new Promise<boolean>((resolve) => {
    const socket = connectTcp({ host: host.replace(/[[\]]/g, ''), port: Number(port) });
    socket.once('connect', () => (socket.destroy(), resolve(false)));
    socket.once('error', (error: NodeJS.ErrnoException) => (socket.destroy(), resolve(error.code === 'ECONNREFUSED')));
    socket.setTimeout(connectTimeoutMs, () => (socket.destroy(), resolve(false)));
  });
  if (refused) throw notReached(address, 'connection refused');
}

function notReached(address: string, why: string): ClientError {
  return new ClientError(exitCodes.failed, `no Temporal server at ${address}: ${why}`, unreachable);
}

/** A poller asks again at least every 70 s; one that was not seen for longer is gone, though the server lists it still. */
const pollerGoneAfterMs = 90_000;

/** Whether a worker polls the task queue; undefined where the server does not say. */
export async function hasWorker(
  temporal: Temporal,
  now: number,
  taskQueue = temporal.taskQueue,
): Promise<boolean | undefined> {
  try {
    const answer = await temporal.connection.withDeadline(Date.now() + 3_000, () =>
      temporal.client.workflowService.describeTaskQueue({
        namespace: temporal.namespace,
        taskQueue: { name: taskQueue },
        // TASK_QUEUE_TYPE_WORKFLOW
        taskQueueType: 1,
      }),
    );
    return (answer.pollers ?? []).some((poller) => {
      const seen = Number(poller.lastAccessTime?.seconds ?? 0) * 1000;
      return seen === 0 || now - seen < pollerGoneAfterMs;
    });
  } catch {
    return undefined;
  }
}

/** The worker of `up` bundles its workflows while the server already answers; on a busy machine that takes a while. */
const embeddedWorkerPatienceMs = 60_000;
/** A worker that has just begun to poll is known to the server a moment later. */
const workerPatienceMs = 5_000;

/** Whether a worker is there; waits for one that is just starting. */
export async function waitForWorker(session: Session, temporal: Temporal): Promise<boolean> {
  const patience = temporal.origin === 'embedded' ? embeddedWorkerPatienceMs : workerPatienceMs;
  const deadline = Date.now() + patience;
  for (let isFirst = true; ; isFirst = false) {
    // A server that does not say is asked anyway: the answer then comes, or not.
    if ((await hasWorker(temporal, Date.now())) !== false) return true;
    if (Date.now() >= deadline) return false;
    if (isFirst) session.note('waiting for a worker …');
    await sleep(500);
  }
}
