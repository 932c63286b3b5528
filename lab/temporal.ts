import { accessSync, constants, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { cached, isCached } from './cache';
import { record } from './cleanup';
import { makeLabDirectory, newLabName } from './directories';
import { dismantle, guard, unguard } from './guard';
import { answersTcp, freePort } from './ports';
import { isAlive, killSession, run, runOrThrow, startSession, stopSession, type ProcessIdentity } from './process';
import { GiveUp, waitFor } from './wait';

/** Later releases of the CLI carry a `replace` in go.mod, with which `go install` refuses to build them. */
const TEMPORAL_CLI_VERSION = '1.5.1';

export interface TemporalOptions {
  /** A lab directory for its log and (unless `dbFile` says otherwise) its database; made, and removed by `stop()`, if not given. */
  directory?: string;
  port?: number;
  uiPort?: number;
  /** `false` for no web UI. */
  ui?: boolean;
  dbFile?: string;
  /** Custom search attributes to register, name to type (`Keyword`, `Int`, `Datetime` …). */
  searchAttributes?: Record<string, string>;
  namespace?: string;
  /** Goes on when this process ends, until `stop()` or a cleaning up of the directory. */
  detached?: boolean;
}

export interface TemporalServer {
  address: string;
  uiUrl: string;
  binary: string;
  readonly pid: number;
  readonly directory: string;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** What a power cut does to it. */
  kill9(): Promise<void>;
  /** Starts it again at the same address with the same database. */
  restart(): Promise<void>;
}

function executable(file: string | undefined): string | undefined {
  if (file === undefined || file === '') return undefined;
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return undefined;
  }
}

/** A temporal program that is already there: named by SHARDLIFT_TEMPORAL, or on PATH. */
export function installedTemporal(): string | undefined {
  const named = process.env['SHARDLIFT_TEMPORAL'];
  if (named !== undefined && named !== '') {
    if (executable(named) === undefined) throw new Error(`SHARDLIFT_TEMPORAL names ${named}, which cannot be executed`);
    return named;
  }
  const places = (process.env['PATH'] ?? '').split(path.delimiter);
  return places.map((place) => executable(path.join(place, 'temporal'))).find((file) => file !== undefined);
}

const CACHE_KEY = { name: 'temporal', version: TEMPORAL_CLI_VERSION };

/** Has it been built here before? */
export function isTemporalCached(): boolean {
  return isCached(CACHE_KEY);
}

/** The temporal program: an installed one, or one built with Go into the cache. */
export async function temporalBinary(): Promise<string> {
  const installed = installedTemporal();
  if (installed !== undefined) return installed;
  const directory = await cached({
    ...CACHE_KEY,
    building: 'building the Temporal server 1.29 with Go (first time, some 3 to 14 min)',
    build: async (place) => {
      const env = { ...process.env, GOBIN: path.join(place, 'bin'), GOFLAGS: '-trimpath' };
      await runOrThrow(
        'go',
        ['install', '-ldflags=-s -w', `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`],
        { env },
      );
      renameSync(path.join(place, 'bin', 'temporal'), path.join(place, 'temporal'));
    },
  });
  return path.join(directory, 'temporal');
}

function serverArguments(options: TemporalOptions, port: number, uiPort: number, dbFile: string): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--db-filename', dbFile];
  if (options.ui === false) args.push('--headless');
  else args.push('--ui-ip', '127.0.0.1', '--ui-port', String(uiPort));
  args.push('--namespace', options.namespace ?? 'default', '--log-level', 'warn');
  for (const [name, type] of Object.entries(options.searchAttributes ?? {})) {
    args.push('--search-attribute', `${name}=${type}`);
  }
  return args;
}

/** A Temporal server on loopback, its database in a file. */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  const binary = await temporalBinary();
  const port = options.port ?? (await freePort());
  const uiPort = options.uiPort ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  const directory = options.directory ?? makeLabDirectory(`temporal-${newLabName()}`);
  mkdirSync(directory, { recursive: true });
  const args = serverArguments(options, port, uiPort, options.dbFile ?? path.join(directory, 'temporal.db'));
  const logFile = path.join(directory, 'temporal.log');
  if (options.detached !== true) guard(directory);
  let server: ProcessIdentity;

  const start = async (): Promise<void> => {
    server = await startSession(binary, args, { cwd: directory, env: cleanEnvironment(), logFile });
    record(directory, { kind: 'session', what: 'Temporal server', process: server });
    await waitUntilServing(binary, options, port, server, logFile);
  };
  await start();
  return {
    address,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    binary,
    directory,
    get pid() {
      return server.pid;
    },
    stop: async () => {
      await stopSession(server);
      if (options.directory === undefined) await dismantle(directory);
      else unguard(directory);
    },
    kill9: () => killSession(server),
    restart: async () => {
      await stopSession(server);
      await start();
    },
  };
}

/** A profile or TLS setting of the person who runs the lab must not reach the lab's own server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

async function waitUntilServing(
  binary: string,
  options: TemporalOptions,
  port: number,
  server: ProcessIdentity,
  logFile: string,
): Promise<void> {
  const answers = async (...args: string[]): Promise<string | undefined> => {
    const { code, stdout } = await run(binary, [...args, '--address', `127.0.0.1:${port}`], {
      env: cleanEnvironment(),
      timeoutMs: 10_000,
    });
    return code === 0 ? stdout : undefined;
  };
  const what = `the Temporal server to serve (log: ${logFile})`;
  await waitFor(
    () => {
      if (!isAlive(server)) throw new GiveUp(`the Temporal server ended while starting: see ${logFile}`);
      return answersTcp('127.0.0.1', port);
    },
    { what, timeoutMs: 60_000, everyMs: 50 },
  );
  const namespace = options.namespace ?? 'default';
  const wanted = Object.keys(options.searchAttributes ?? {});
  await waitFor(
    async () => {
      if ((await answers('operator', 'cluster', 'health'))?.includes('SERVING') !== true) return false;
      const list = await answers('operator', 'search-attribute', 'list', '--namespace', namespace);
      return list !== undefined && wanted.every((name) => list.includes(name));
    },
    { what, timeoutMs: 60_000 },
  );
}
