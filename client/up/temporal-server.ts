import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import type { Io } from '../io';
import { lazy } from '../lazy';
import { identify, isAlive, type ProcessIdentity } from '../process-identity';

export interface ServerOptions {
  binary: string;
  directory: string;
  port: number;
  uiPort: number;
  namespace: string;
}

export interface RunningServer {
  identity: ProcessIdentity;
  /** Resolves when the process is gone, with words on how. */
  ended: Promise<string>;
}

/** A database of many runs takes a while to open on a slow disk. */
const readyTimeoutMs = 90_000;
const stopPatienceMs = 20_000;

/** Starts the server in a process group of its own: Ctrl-C is for us, and the worker must be able to say goodbye to it. */
export async function startServer(io: Io, options: ServerOptions): Promise<RunningServer> {
  const { binary, directory } = options;
  const log = openSync(path.join(directory, 'temporal.log'), 'a', 0o600);
  try {
    const child = spawn(binary, serverArguments(options), {
      cwd: directory,
      env: withoutTemporalSettings(io),
      detached: true,
      stdio: ['ignore', log, log],
    });
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) =>
        resolve(signal === null ? `ended with code ${code}` : `was killed by ${signal}`),
      );
      child.once('error', (error) => resolve(error.message));
    });
    if (child.pid === undefined) throw new ClientError(exitCodes.failed, `${binary} cannot be started: ${await ended}`);
    return { identity: identify(child.pid), ended };
  } finally {
    closeSync(log);
  }
}

function serverArguments({ directory, port, uiPort, namespace }: ServerOptions): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)];
  args.push('--db-filename', path.join(directory, 'temporal.db'), '--namespace', namespace, '--log-level', 'warn');
  return args;
}

/** An address or TLS setting that is meant for another server must not reach this one. */
function withoutTemporalSettings(io: Io): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(io.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** Waits until it answers and its namespace is there. */
export async function waitUntilReady(
  server: RunningServer,
  options: ServerOptions,
  signal: AbortSignal,
): Promise<void> {
  let gone: string | undefined;
  void server.ended.then((how) => (gone = how));
  const deadline = Date.now() + readyTimeoutMs;
  let last = 'nothing listens yet';
  while (Date.now() < deadline && !signal.aborted) {
    if (gone !== undefined)
      throw new ClientError(exitCodes.failed, `the Temporal server ${gone}${logTail(options.directory)}`);
    const problem = await whatIsMissing(options);
    if (problem === undefined) return;
    last = problem;
    await sleep(200);
  }
  if (!signal.aborted)
    throw new ClientError(
      exitCodes.failed,
      `the Temporal server does not answer: ${last}${logTail(options.directory)}`,
    );
}

async function whatIsMissing({ port, namespace }: ServerOptions): Promise<string | undefined> {
  const { Connection } = lazy.temporalClient();
  try {
    const connection = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: 1_000 });
    try {
      await connection.withDeadline(Date.now() + 3_000, () =>
        connection.workflowService.describeNamespace({ namespace }),
      );
      return undefined;
    } finally {
      await connection.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function logTail(directory: string): string {
  try {
    const text = readFileSync(path.join(directory, 'temporal.log'), 'utf8').trimEnd().split('\n').slice(-5).join('\n');
    return text === '' ? '' : `\n${text}`;
  } catch {
    return '';
  }
}

/** Asks it to end, and kills it when the patience is over; its whole group, and only if it is really that process. */
export async function stopServer(server: ProcessIdentity): Promise<void> {
  const send = (signal: NodeJS.Signals) => {
    try {
      if (isAlive(server)) process.kill(-server.pid, signal);
    } catch {
      // it ended in between
    }
  };
  send('SIGTERM');
  for (const deadline = Date.now() + stopPatienceMs; isAlive(server) && Date.now() < deadline;) await sleep(50);
  send('SIGKILL');
  for (const deadline = Date.now() + 5_000; isAlive(server) && Date.now() < deadline;) await sleep(50);
}
