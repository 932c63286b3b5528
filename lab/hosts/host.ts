import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { record } from '../cleanup';
import { isAlive, killSession, run, startSession, type ProcessIdentity, type RunResult } from '../process';
import { GiveUp, waitFor } from '../wait';
import type { HostImages } from './images';
import { inNamespace, NETWORK, plugIn } from './network';

/** What a host is, as kept in the lab's state file. */
export interface HostSpec {
  name: string;
  /** The last part of its address. */
  number: number;
  address: string;
  cluster: 'source' | 'target';
  memory: string;
}

/** Where a lab keeps its hosts' things. */
export interface HostContext {
  labDirectory: string;
  namespace: string;
  images: HostImages;
}

export function hostSpec(cluster: HostSpec['cluster'], number: number, memory: string): HostSpec {
  return { name: `h${number}`, number, address: `${NETWORK}.${number}`, cluster, memory };
}

export const rootKeyPath = (labDirectory: string): string => path.join(labDirectory, 'root_ed25519');
export const knownHostsPath = (labDirectory: string): string => path.join(labDirectory, 'known_hosts');
export const disksPath = (labDirectory: string): string => path.join(labDirectory, 'disks');
const processFile = (labDirectory: string, host: HostSpec): string =>
  path.join(labDirectory, `${host.name}.process.json`);

function processOf(labDirectory: string, host: HostSpec): ProcessIdentity | undefined {
  const file = processFile(labDirectory, host);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity) : undefined;
}

/** Switches the host on. Its disk keeps what was written before, as after a power cut. Does not wait for it. */
export async function switchOn(context: HostContext, host: HostSpec, cpu: number): Promise<void> {
  const { labDirectory, namespace, images } = context;
  const device = `t${host.number}`;
  await plugIn(namespace, device);
  const tmp = path.join(labDirectory, 'tmp', host.name);
  mkdirSync(tmp, { recursive: true });
  const kernel = [
    `mem=${host.memory}`,
    'seccomp=on',
    `umid=${host.name}`,
    'uml_dir=/tmp/',
    `ubd0=/disks/${host.name}.cow,/disks/base.img`,
    `ubd1r=/disks/elasticsearch.img`,
    `ubd2r=/disks/${host.name}.seed`,
    'root=/dev/ubda',
    'rw',
    `vec0:transport=tap,ifname=${device},depth=128,gro=1,mac=52:54:00:00:00:${host.number.toString(16).padStart(2, '0')}`,
    'con=null',
    'con0=fd:0,fd:1',
    'ssl=null',
    'mitigations=off',
    `systemd.hostname=${host.name}`,
    `ip=${host.address}::${NETWORK}.1:255.255.255.0:${host.name}:vec0:off`,
  ];
  const boot = [
    'bash',
    path.join(__dirname, 'boot.sh'),
    images.kernelRoot,
    images.baseImage,
    disksPath(labDirectory),
    tmp,
    String(cpu % cpus().length),
    ...kernel,
  ];
  const started = await startSession('ip', ['netns', 'exec', namespace, ...boot], {
    cwd: labDirectory,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/' },
    logFile: consolePath(labDirectory, host),
  });
  writeFileSync(processFile(labDirectory, host), JSON.stringify(started));
  record(labDirectory, { kind: 'session', what: `host ${host.name}`, process: started });
}

export const consolePath = (labDirectory: string, host: HostSpec): string =>
  path.join(labDirectory, `${host.name}.console.log`);

export function isSwitchedOn(labDirectory: string, host: HostSpec): boolean {
  const identity = processOf(labDirectory, host);
  return identity !== undefined && isAlive(identity);
}

/** Cuts the power: nothing is written any more, nobody is told. */
export async function cutPower(labDirectory: string, host: HostSpec): Promise<void> {
  const identity = processOf(labDirectory, host);
  if (identity !== undefined) await killSession(identity);
}

/** Runs a shell script on the host as root, over a way that has nothing to do with what the lab tests. */
export function runOnHost(
  context: HostContext,
  host: HostSpec,
  script: string,
  timeoutMs = 120_000,
): Promise<RunResult> {
  const { labDirectory, namespace } = context;
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHostsPath(labDirectory)}`,
    'LogLevel=ERROR',
    'ConnectTimeout=5',
    'ServerAliveInterval=10',
  ];
  const ssh = [
    'ssh',
    '-i',
    rootKeyPath(labDirectory),
    ...options.flatMap((option) => ['-o', option]),
    `root@${host.address}`,
    'bash',
    '-s',
  ];
  const [command, ...args] = inNamespace(namespace, ssh);
  return run(command, args, { input: script, timeoutMs });
}

export async function waitForSsh(context: HostContext, host: HostSpec, timeoutMs = 120_000): Promise<void> {
  const console = consolePath(context.labDirectory, host);
  await waitFor(
    async () => {
      if (!isSwitchedOn(context.labDirectory, host))
        throw new GiveUp(`host ${host.name} ended while booting: see ${console}`);
      const { code, stderr } = await runOnHost(context, host, 'true', 10_000);
      if (code !== 0) throw new Error(stderr.trim());
      return true;
    },
    { what: `host ${host.name} to boot (its console: ${console})`, timeoutMs, everyMs: 500 },
  );
}
