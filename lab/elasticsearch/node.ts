import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { record } from '../cleanup';
import { request } from '../http';
import { answersTcp } from '../ports';
import { isAlive, killSession, runOrThrow, startSession, stopSession, type ProcessIdentity } from '../process';
import { GiveUp, waitFor } from '../wait';
import { findServerJdk } from './jdk';
import { makeOwnedDirectory, type ServerUser } from './user';
import { serverVersion } from './versions';

export interface NodeOptions {
  version: string;
  name: string;
  home: string;
  user: ServerUser;
  /** The lab that the node's process is recorded in. */
  labDirectory: string;
  httpPort: number;
  settings: Record<string, unknown>;
  heap: string;
  jvmOptions: readonly string[];
  /** More files for the configuration directory, name to content: users of the file realm, certificates. */
  configFiles?: Record<string, string>;
}

export interface ElasticsearchNode {
  name: string;
  url: string;
  directory: string;
  readonly pid: number;
  isRunning(): boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  restart(): Promise<void>;
  /** The last lines it logged. */
  log(lines?: number): string;
}

/** Writes the node's own configuration beside the shared home. */
async function configure(options: NodeOptions, directory: string): Promise<void> {
  const config = path.join(directory, 'config');
  for (const name of ['', 'config', 'data', 'logs', 'tmp'])
    makeOwnedDirectory(path.join(directory, name), options.user);
  cpSync(path.join(options.home, 'config'), config, { recursive: true });
  const settings = stringify({
    'path.data': path.join(directory, 'data'),
    'path.logs': path.join(directory, 'logs'),
    ...options.settings,
  });
  writeFileSync(path.join(config, `${serverVersion(options.version).product}.yml`), settings);
  const file = path.join(config, 'jvm.options');
  writeFileSync(file, jvmOptions(readFileSync(file, 'utf8'), directory, options));
  for (const [name, content] of Object.entries(options.configFiles ?? {}))
    writeFileSync(path.join(config, name), content);
  await runOrThrow('chown', ['-R', `${options.user.uid}:${options.user.gid}`, config]);
}

/** The options the server comes with, less those a later JDK refuses, with paths of this node. */
function jvmOptions(shipped: string, directory: string, { heap, jvmOptions }: NodeOptions): string {
  const refused =
    /^(\d+(-\d*)?:)?-XX:\+?(UseConcMarkSweepGC|CMSInitiating|UseCMSInitiating|AggressiveOpts)|PrintGC|PrintTenuring|Xloggc|GCLogFile|^-Xm[sx]/;
  const kept = shipped
    .split('\n')
    .filter((line) => !refused.test(line))
    .map((line) => line.replace(/(file=|LogFile=|ErrorFile=)logs\//, `$1${directory}/logs/`))
    .map((line) => line.replace('HeapDumpPath=data', `HeapDumpPath=${directory}/data`));
  // touching the whole heap at the start costs memory that a small lab node never uses
  return [...kept, `-Xms${heap}`, `-Xmx${heap}`, '-XX:-AlwaysPreTouch', ...jvmOptions, ''].join('\n');
}

function environment(version: string, home: string, directory: string): NodeJS.ProcessEnv {
  const { jdk } = serverVersion(version);
  const java = findServerJdk(jdk)?.home;
  if (java === undefined) throw new Error(`server ${version} needs a JDK ${jdk === 17 ? '17' : '21 or later'}`);
  const [config, tmp] = [path.join(directory, 'config'), path.join(directory, 'tmp')];
  return {
    PATH: '/usr/bin:/bin',
    HOME: tmp,
    JAVA_HOME: java,
    // the starters' own Java processes leave files behind when the node is killed: not in /tmp of this machine
    JDK_JAVA_OPTIONS: `-Djava.io.tmpdir=${tmp}`,
    ES_HOME: home,
    ES_JAVA_HOME: java,
    ES_PATH_CONF: config,
    ES_TMPDIR: tmp,
    ES_JVM_OPTIONS: path.join(config, 'jvm.options'),
    OPENSEARCH_JAVA_HOME: java,
    OPENSEARCH_PATH_CONF: config,
    OPENSEARCH_TMPDIR: tmp,
  };
}

/** One server on loopback, not started yet. */
export async function makeNode(options: NodeOptions): Promise<ElasticsearchNode> {
  const directory = path.join(options.labDirectory, options.name);
  await configure(options, directory);
  const { product, major } = serverVersion(options.version);
  const binary = path.join(options.home, 'bin', product);
  const args = major === 5 ? [`-Epath.conf=${path.join(directory, 'config')}`] : [];
  const url = `http://127.0.0.1:${options.httpPort}`;
  const logFile = path.join(directory, 'output.log');
  let server: ProcessIdentity | undefined;

  const log = (lines = 30): string =>
    existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';
  const running = (): ProcessIdentity => {
    if (server === undefined) throw new Error(`node ${options.name} was never started`);
    return server;
  };

  const start = async (): Promise<void> => {
    const started = await startSession(binary, args, {
      cwd: directory,
      env: environment(options.version, options.home, directory),
      logFile,
      ...(process.getuid?.() === 0 ? options.user : {}),
    });
    server = started;
    record(options.labDirectory, { kind: 'session', what: `node ${options.name}`, process: started });
    await waitFor(
      async () => {
        if (!isAlive(started))
          throw new GiveUp(`node ${options.name} (${options.version}) ended while starting:\n${log()}`);
        // a node with TLS does not answer plain HTTP: it is up when it listens
        if (options.settings['xpack.security.http.ssl.enabled'] === true)
          return answersTcp('127.0.0.1', options.httpPort);
        return (await request({ url, timeoutMs: 2_000 })).status === 200;
      },
      { what: `node ${options.name} (${options.version}) to answer`, timeoutMs: 180_000, everyMs: 200 },
    );
  };
  const stop = async (): Promise<void> => stopSession(running());
  return {
    name: options.name,
    url,
    directory,
    get pid() {
      return running().pid;
    },
    isRunning: () => server !== undefined && isAlive(server),
    start,
    stop,
    kill9: async () => killSession(running()),
    restart: async () => {
      await stop();
      await start();
    },
    log,
  };
}
