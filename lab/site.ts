import { appendFileSync, existsSync, linkSync, mkdirSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { record } from './cleanup';
import { labDirectory, makeLabDirectory, newLabName } from './directories';
import { waitUntilGreen } from './elasticsearch/cluster';
import { serverHome } from './elasticsearch/home';
import { DEFAULT_SOURCE, DEFAULT_TARGET, serverVersion } from './elasticsearch/versions';
import { dismantle, guard } from './guard';
import {
  cutPower,
  disksPath,
  hostSpec,
  knownHostsPath,
  rootKeyPath,
  runOnHost,
  switchOn,
  waitForSsh,
  type HostContext,
  type HostSpec,
} from './hosts/host';
import { hostImages, type HostImages } from './hosts/images';
import { CONTROLLER, createNamespace, isInside, namespaceOf, setLink } from './hosts/network';
import { makeSeed } from './hosts/seed';
import { runOrThrow, startSession, type RunResult } from './process';
import { progress } from './progress';
import { resetSite, type ResetOptions } from './site-reset';
import { startedSeconds } from './stopwatch';
import { waitFor } from './wait';

export type Side = 'source' | 'target';

export interface SiteOptions {
  name?: string;
  source?: string;
  target?: string;
  sourceHosts?: number;
  targetHosts?: number;
  /** Java heap of each node. */
  heap?: string;
  /** Memory of each host. */
  memory?: string;
  /** Settings for elasticsearch.yml of all nodes of a side. */
  sourceSettings?: Record<string, string>;
  targetSettings?: Record<string, string>;
  /** Goes on when this process ends, until `lab down`. */
  detached?: boolean;
}

export interface SiteCluster {
  version: string;
  url: string;
  urls: string[];
  hosts: HostSpec[];
}

/** What the lab's directory keeps of a site, so that another process can take it up. */
interface SiteState {
  kind: 'site';
  name: string;
  namespace: string;
  images: HostImages;
  hosts: HostSpec[];
  versions: Record<Side, string>;
}

export interface Site {
  name: string;
  directory: string;
  /** The network namespace: whatever talks to the hosts directly has to run inside (namespace.ts). */
  namespace: string;
  /** The address that hosts see us at. */
  controller: string;
  /** Private key for the users `ops` (may sudo) and `nosudo` (may not) on every host. */
  sshKeyPath: string;
  knownHostsPath: string;
  /** The socket to reach hosts' HTTP through from outside the namespace (http.ts); undefined inside, where none is needed. */
  via: string | undefined;
  hosts: HostSpec[];
  source: SiteCluster;
  target: SiteCluster;
  /** Runs a script on the host as root, over a way of the lab's own. */
  exec(host: string, script: string, timeoutMs?: number): Promise<RunResult>;
  powerCut(host: string): Promise<void>;
  /** Switches a host on again and waits until one can log in. */
  boot(host: string): Promise<void>;
  /** Pulls the host's network cable, or plugs it in again. */
  setLink(host: string, up: boolean): Promise<void>;
  startElasticsearch(host: string): Promise<void>;
  stopElasticsearch(host: string): Promise<void>;
  kill9Elasticsearch(host: string): Promise<void>;
  waitGreen(side: Side, timeoutMs?: number): Promise<void>;
  /** Puts every host and both clusters back to how they were before a runbook ran. */
  reset(options?: ResetOptions): Promise<void>;
  stop(): Promise<void>;
}

const STATE = 'site.json';
const RELAY = 'relay.sock';

/** Real hosts with two clusters on them, in a network of their own. Both are green when this returns. */
export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const seconds = startedSeconds();
  const versions = { source: options.source ?? DEFAULT_SOURCE, target: options.target ?? DEFAULT_TARGET };
  const images = await hostImages([versions.source, versions.target]);
  const name = options.name ?? newLabName();
  const directory = makeLabDirectory(name);
  if (options.detached !== true) guard(directory);
  const memory = options.memory ?? '1280M';
  const spread = (side: Side, first: number, count: number): HostSpec[] =>
    Array.from({ length: count }, (_, index) => hostSpec(side, first + index, memory));
  const hosts = [...spread('source', 11, options.sourceHosts ?? 3), ...spread('target', 21, options.targetHosts ?? 2)];
  const state: SiteState = { kind: 'site', name, namespace: namespaceOf(name), images, hosts, versions };
  try {
    record(directory, { kind: 'namespace', name: state.namespace });
    await createNamespace(state.namespace);
    await prepareDirectory(directory, state, options);
    writeFileSync(path.join(directory, STATE), JSON.stringify(state, null, 2));
    await startRelay(directory, state);
    const site = siteOf(directory, state);
    await Promise.all(
      hosts.map((host, index) =>
        switchOn({ labDirectory: directory, namespace: state.namespace, images }, host, index),
      ),
    );
    progress(`site ${name}: ${hosts.length} hosts switched on after ${seconds()} s`);
    await Promise.all(
      hosts.map((host) => waitForSsh({ labDirectory: directory, namespace: state.namespace, images }, host)),
    );
    progress(`site ${name}: one can log in to all hosts after ${seconds()} s`);
    await Promise.all((['source', 'target'] as const).map((side) => greenOrWhyNot(site, side)));
    progress(`site ${name} is up: ${versions.source} and ${versions.target} are green after ${seconds()} s`);
    return site;
  } catch (error) {
    if (process.env['SHARDLIFT_LAB_KEEP'] === undefined) await dismantle(directory);
    throw error;
  }
}

/** What the hosts themselves say when a cluster does not come up: an Elasticsearch that ended answers nothing. */
async function greenOrWhyNot(site: Site, side: Side): Promise<void> {
  try {
    await site.waitGreen(side, 300_000);
  } catch (error) {
    const look = 'systemctl is-active elasticsearch || journalctl -u elasticsearch --no-pager -n 30';
    const says = await Promise.all(
      site[side].hosts.map(async ({ name }) => {
        const { stdout, stderr } = await site.exec(name, look);
        return `${name}: ${(stdout + stderr).trim()}`;
      }),
    );
    throw new Error([error instanceof Error ? error.message : String(error), ...says].join('\n'), { cause: error });
  }
}

/** Takes up a site that another process started. */
export function attachSite(directoryOrName: string): Site {
  const directory = path.isAbsolute(directoryOrName) ? directoryOrName : labDirectory(directoryOrName);
  const file = path.join(directory, STATE);
  if (!existsSync(file)) throw new Error(`there is no site in ${directory}`);
  return siteOf(directory, JSON.parse(readFileSync(file, 'utf8')) as SiteState);
}

async function prepareDirectory(directory: string, state: SiteState, options: SiteOptions): Promise<void> {
  const disks = disksPath(directory);
  mkdirSync(disks);
  writeFileSync(path.join(disks, 'base.img'), '');
  linkOrCopy(state.images.elasticsearchDisk, path.join(disks, 'elasticsearch.img'));
  const keys = { root: rootKeyPath(directory), ops: path.join(directory, 'id_ed25519') };
  for (const [who, file] of Object.entries(keys))
    await runOrThrow('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `lab-${who}`, '-f', file]);
  const homes = { source: await serverHome(state.versions.source), target: await serverHome(state.versions.target) };
  await Promise.all(
    state.hosts.map(async (host) => {
      const side = host.cluster;
      const extra = side === 'source' ? options.sourceSettings : options.targetSettings;
      const hostKey = await makeSeed({
        name: host.name,
        file: path.join(disks, `${host.name}.seed`),
        version: state.versions[side],
        home: homes[side],
        keystore: path.join(state.images.keystores, state.versions[side]),
        archives: state.images.archives,
        heap: options.heap ?? '400m',
        settings: { ...elasticsearchSettings(state, host), ...extra },
        rootPublicKey: readFileSync(`${keys.root}.pub`, 'utf8'),
        opsPublicKey: readFileSync(`${keys.ops}.pub`, 'utf8'),
      });
      appendFileSync(knownHostsPath(directory), `${host.name},${host.address} ${hostKey}\n`);
    }),
  );
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function elasticsearchSettings(state: SiteState, host: HostSpec): Record<string, string> {
  const peers = state.hosts.filter(({ cluster }) => cluster === host.cluster);
  const list = (values: string[]): string => `[${values.map((value) => `"${value}"`).join(', ')}]`;
  const { security } = serverVersion(state.versions[host.cluster]);
  return {
    'cluster.name': host.cluster === 'source' ? 'shop-old' : 'shop-new',
    'node.name': host.name,
    'path.data': '/var/lib/elasticsearch',
    'path.logs': '/var/log/elasticsearch',
    'network.host': host.address,
    ...(peers.length === 1
      ? { 'discovery.type': 'single-node' }
      : {
          'discovery.seed_hosts': list(peers.map(({ address }) => address)),
          'cluster.initial_master_nodes': list(peers.map(({ name }) => name)),
        }),
    ...(security ? { 'xpack.security.enabled': 'false' } : {}),
  };
}

async function startRelay(directory: string, state: SiteState): Promise<void> {
  const socket = path.join(directory, RELAY);
  const command = [
    process.execPath,
    '--import',
    'tsx',
    path.join(__dirname, 'relay.ts'),
    state.images.packages,
    socket,
  ];
  const started = await startSession('ip', ['netns', 'exec', state.namespace, ...command], {
    cwd: path.join(__dirname, '..'),
    env: process.env,
    logFile: path.join(directory, 'relay.log'),
  });
  record(directory, { kind: 'session', what: 'relay', process: started });
  await waitFor(() => existsSync(socket), { what: `the relay (log: ${directory}/relay.log)`, timeoutMs: 30_000 });
}

function siteOf(directory: string, state: SiteState): Site {
  const { name, namespace, hosts } = state;
  const context: HostContext = { labDirectory: directory, namespace, images: state.images };
  const via = isInside(namespace) ? undefined : path.join(directory, RELAY);
  const find = (hostName: string): HostSpec => {
    const host = hosts.find((candidate) => candidate.name === hostName);
    if (host === undefined) throw new Error(`site ${name} has no host ${hostName}`);
    return host;
  };
  const cluster = (side: Side): SiteCluster => {
    const members = hosts.filter((host) => host.cluster === side);
    const urls = members.map(({ address }) => `http://${address}:9200`);
    return { version: state.versions[side], url: urls[0] as string, urls, hosts: members };
  };
  const exec = (host: string, script: string, timeoutMs?: number): Promise<RunResult> =>
    runOnHost(context, find(host), script, timeoutMs);
  const execOrThrow = async (host: string, script: string): Promise<void> => {
    const { code, stderr } = await exec(host, script);
    if (code !== 0) throw new Error(`on ${host}: ${script}: code ${code}: ${stderr.trim()}`);
  };
  const site: Site = {
    name,
    directory,
    namespace,
    controller: CONTROLLER,
    sshKeyPath: path.join(directory, 'id_ed25519'),
    knownHostsPath: knownHostsPath(directory),
    via,
    hosts,
    source: cluster('source'),
    target: cluster('target'),
    exec,
    powerCut: (host) => cutPower(directory, find(host)),
    boot: async (host) => {
      await switchOn(context, find(host), hosts.indexOf(find(host)));
      await waitForSsh(context, find(host));
    },
    setLink: (host, up) => setLink(namespace, `t${find(host).number}`, up),
    startElasticsearch: (host) => execOrThrow(host, 'systemctl start elasticsearch'),
    stopElasticsearch: (host) => execOrThrow(host, 'systemctl stop elasticsearch'),
    kill9Elasticsearch: (host) => execOrThrow(host, 'systemctl kill --signal=KILL --kill-who=all elasticsearch'),
    waitGreen: (side, timeoutMs = 180_000) =>
      waitUntilGreen(cluster(side).urls, cluster(side).urls.length, { timeoutMs, via }),
    reset: (options) => resetSite(site, options),
    stop: () => dismantle(directory),
  };
  return site;
}
