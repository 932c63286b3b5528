import path from 'node:path';
import type { Command } from 'commander';
import { temporalSettings, type TemporalSettings } from '../connection';
import { removeEmbeddedState, stateHome, writeEmbeddedState } from '../embedded-state';
import { exitCodes, type ExitCode } from '../exit-codes';
import { identify } from '../process-identity';
import type { CarryOut } from '../program';
import { runWorkerWith } from '../run-worker';
import type { Session } from '../session';
import { lockDirectory } from '../up/directory-lock';
import { choosePort } from '../up/ports';
import { supervise } from '../up/supervise';
import { findTemporal } from '../up/temporal-binary';
import { startServer, stopServer, waitUntilReady, type RunningServer, type ServerOptions } from '../up/temporal-server';
import { examples } from './help';
import { wholeNumber } from './list';

interface UpOptions {
  dir?: string;
  port?: number;
  uiPort?: number;
  temporal?: string;
}

export function addUpVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('up')
    .summary('a Temporal server and a worker on this machine')
    .description(
      'Runs, in the foreground, a Temporal server with its database in a file and a worker: all that runs need on one\n' +
        'machine. However it was stopped, the next `up` takes every run up again. The other verbs find it by themselves.',
    )
    .option('--dir <directory>', 'where database and log are kept; below your state directory unless given')
    .option('--port <n>', 'port of the server; 7233, or any free one, unless given', wholeNumber)
    .option('--ui-port <n>', 'port of its web pages; 8233, or any free one, unless given', wholeNumber)
    .option('--temporal <program>', 'the temporal program (SHARDLIFT_TEMPORAL); the one on PATH unless given')
    .addHelpText(
      'after',
      examples(
        ['shardlift up', 'until Ctrl-C'],
        ['shardlift up --dir /var/lib/shardlift', 'in a service of the system'],
      ),
    )
    .action((options: UpOptions, command: Command) => carryOut(command, (session) => up(session, options)));
}

async function up(session: Session, options: UpOptions): Promise<ExitCode> {
  const { io, log } = session;
  const directory = path.resolve(options.dir ?? path.join(stateHome(io), 'up'));
  const binary = findTemporal(io, options.temporal);
  const lock = await lockDirectory(directory, async (left) => {
    log.info({ pid: left.pid }, 'a server of a killed `up` still runs: stopping it');
    await stopServer(left);
  });
  const stop = new AbortController();
  const unlisten = io.onSignal((signal) => {
    log.info({ signal }, 'ending worker and server');
    stop.abort();
  });
  try {
    const settings = await ownSettings(session, options);
    const server: ServerOptions = {
      binary,
      directory,
      port: Number(settings.address.split(':')[1]),
      uiPort: await choosePort(options.uiPort, 8233, '--ui-port'),
      namespace: settings.namespace,
    };
    await runBoth(session, settings, server, lock, stop);
    return exitCodes.done;
  } finally {
    unlisten();
    removeEmbeddedState(io, directory);
    lock.release();
  }
}

/** Where the embedded server is. What is configured for another one counts for the other verbs, so it is said. */
async function ownSettings(session: Session, options: UpOptions): Promise<TemporalSettings> {
  const { taskQueue, namespace, address, origin } = temporalSettings(session, false);
  const port = await choosePort(options.port, 7233, '--port');
  const own = `127.0.0.1:${port}`;
  if (origin === 'configured' && address !== own) {
    session.warn(`the other verbs will use ${address}, as configured, and not this server at ${own}`);
  }
  return { address: own, namespace, taskQueue, options: {}, origin: 'embedded' };
}

/** The worker is for as long as the server is: it begins after the first start and ends before the last stop. */
async function runBoth(
  session: Session,
  settings: TemporalSettings,
  options: ServerOptions,
  lock: { recordServer: (server: RunningServer['identity']) => void },
  stop: AbortController,
): Promise<void> {
  const { io, log } = session;
  const own = { directory: options.directory, address: settings.address, uiUrl: `http://127.0.0.1:${options.uiPort}` };
  const begin = async (): Promise<RunningServer> => {
    const server = await startServer(io, options);
    lock.recordServer(server.identity);
    try {
      await waitUntilReady(server, options, stop.signal);
    } catch (error) {
      await stopServer(server.identity);
      throw error;
    }
    const { namespace, taskQueue } = settings;
    writeEmbeddedState(io, { ...own, namespace, taskQueue, up: identify(process.pid), server: server.identity });
    return server;
  };
  // A server that cannot even start is the operator's to mend: no second try behind their back.
  let server = await begin();
  let isFirst = true;
  session.print({ ...own, namespace: settings.namespace, taskQueue: settings.taskQueue, pid: process.pid }, () =>
    [
      `Temporal server at ${own.address} (web pages: ${own.uiUrl}), worker on the task queue "${settings.taskQueue}" starting.`,
      `Database and log in ${own.directory}. Ctrl-C ends both; the next \`up\` takes every run up again.`,
    ].join('\n'),
  );
  const servers = supervise({
    name: 'Temporal server',
    log,
    signal: stop.signal,
    runOnce: async () => {
      if (!isFirst) server = await begin();
      isFirst = false;
      return Promise.race([server.ended, aborted(stop.signal)]);
    },
  });
  const workers = supervise({
    name: 'worker',
    log,
    signal: stop.signal,
    runOnce: async () => {
      await runWorkerWith(settings, stop.signal, session);
      return 'ended';
    },
  });
  try {
    await workers;
  } finally {
    await servers;
    await stopServer(server.identity);
  }
}

function aborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('ended');
    else signal.addEventListener('abort', () => resolve('ended'), { once: true });
  });
}
