import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { cacheRoot } from './cache';
import { findJdk, findServerJdk } from './elasticsearch/jdk';
import { DEFAULT_SOURCE, DEFAULT_TARGET, serverVersion } from './elasticsearch/versions';
import { run } from './process';
import { timed } from './progress';
import { installedTemporal, isTemporalCached } from './temporal';

export interface PrerequisiteProblem {
  what: string;
  why: string;
  remedy: string;
}

export interface PrerequisiteOptions {
  /** Hosts are wanted, not only clusters on loopback. */
  site: boolean;
  /** A Temporal server of the lab's own is wanted. */
  temporal: boolean;
  /** Server versions that will run; none named means the default ones, where servers are wanted at all. */
  versions: readonly string[];
}

interface Prerequisite {
  what: string;
  why: string;
  /** The Debian package that brings it. */
  debian?: string;
  remedy: string;
  isThere: () => boolean | Promise<boolean>;
}

/** On PATH, or where system tools lie on machines whose PATH lacks sbin. */
export function onPath(program: string): boolean {
  const places = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];
  return places.some((place) => existsSync(path.join(place, program)));
}

function program(name: string, debian: string, why: string): Prerequisite {
  return {
    what: name,
    why,
    debian,
    remedy: `install ${name} (Debian: apt-get install ${debian})`,
    isThere: () => onPath(name),
  };
}

function wanted(options: PrerequisiteOptions): Prerequisite[] {
  const list: Prerequisite[] = [];
  const usual = options.site || options.temporal ? [DEFAULT_SOURCE, DEFAULT_TARGET] : [];
  const versions = (options.versions.length > 0 ? options.versions : usual).map(serverVersion);
  if (versions.length > 0) {
    list.push(program('mvn', 'maven', "Elasticsearch's parts come from Maven Central"));
    list.push(program('unzip', 'unzip', 'unpacks the Elasticsearch distribution'));
  }
  if (versions.some(({ jdk }) => jdk === 17)) {
    list.push({
      what: 'JDK 17',
      why: `runs Elasticsearch ${versions
        .filter(({ jdk }) => jdk === 17)
        .map(({ version }) => version)
        .join(', ')}`,
      debian: 'openjdk-17-jdk-headless',
      remedy:
        'install a JDK 17 (Debian 12: apt-get install openjdk-17-jdk-headless), or name its directory in SHARDLIFT_JDK17',
      isThere: () => findServerJdk(17) !== undefined,
    });
  }
  if (versions.some(({ jdk }) => jdk === 21)) {
    list.push({
      what: 'JDK 21 or later',
      why: `runs ${versions
        .filter(({ jdk }) => jdk === 21)
        .map(({ product, version }) => `${product} ${version}`)
        .join(', ')}`,
      remedy: 'install a JDK 21 or later with javac, or name its directory in SHARDLIFT_JDK25',
      isThere: () => findJdk(21) !== undefined,
    });
  }
  if (options.temporal && installedTemporal() === undefined && !isTemporalCached()) {
    list.push({
      what: 'Go',
      why: 'builds the Temporal server',
      remedy: 'install Go 1.24 or later, or put the temporal program on PATH, or name it in SHARDLIFT_TEMPORAL',
      isThere: () => onPath('go'),
    });
  }
  return options.site ? [...list, ...hostPrerequisites()] : list;
}

function hostPrerequisites(): Prerequisite[] {
  return [
    program('mmdebstrap', 'mmdebstrap', "builds the hosts' image"),
    program('apt-get', 'apt', "the hosts' image and kernel are made of Debian packages"),
    program('dpkg-deb', 'dpkg', "indexes the hosts' package repository"),
    program('mke2fs', 'e2fsprogs', "makes the hosts' disks"),
    program('ip', 'iproute2', "makes the hosts' network"),
    program('ssh', 'openssh-client', 'reaches the hosts'),
    program('ssh-keygen', 'openssh-client', "makes the hosts' keys"),
    program('unshare', 'util-linux', "runs the hosts' kernels apart from this machine"),
    program('setpriv', 'util-linux', 'runs servers as a user without rights'),
    program('curl', 'curl', 'tries Elasticsearch while the hosts’ disk is made'),
    {
      what: 'the keys of Debian’s archive',
      why: 'packages for the hosts are checked with them',
      debian: 'debian-archive-keyring',
      remedy: 'apt-get install debian-archive-keyring',
      isThere: () => existsSync('/usr/share/keyrings/debian-archive-keyring.gpg'),
    },
  ];
}

export type HostsAnswer = { ok: true } | { ok: false; reason: string };

/** Can this machine run the site lab's hosts at all, whatever gets installed? */
export async function canRunHosts(): Promise<HostsAnswer> {
  const no = (reason: string): HostsAnswer => ({ ok: false, reason });
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return no(`hosts run on Linux on x86-64 only, and this is ${process.platform} on ${process.arch}`);
  if (process.getuid?.() !== 0) return no('hosts need root: they have a network and mounts of their own');
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return no('/dev/net/tun is missing or closed: hosts need it for their network cards (modprobe tun)');
  }
  if (!existsSync('/etc/debian_version'))
    return no("the hosts' kernel and image are fetched with apt from a Debian mirror, and this is no Debian");
  // root of a container may lack the rights that go with it
  const apart = await run('unshare', ['--net', '--mount', 'true']);
  if (apart.code !== 0) return no(`namespaces are not allowed here: ${apart.stderr.trim()}`);
  return { ok: true };
}

/** Packages of Debian, installed as a part of the lab's own set-up when we may. */
async function installDebianPackages(packages: string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await timed(`installing Debian packages: ${packages.join(' ')}`, async () => {
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
  });
}

function mayInstall(): boolean {
  return (
    process.getuid?.() === 0 &&
    existsSync('/etc/debian_version') &&
    onPath('apt-get') &&
    process.env['SHARDLIFT_NO_INSTALL'] === undefined
  );
}

async function missingOf(list: readonly Prerequisite[]): Promise<Prerequisite[]> {
  const there = await Promise.all(list.map(async (prerequisite) => prerequisite.isThere()));
  return list.filter((_, index) => there[index] !== true);
}

/**
 * Everything that is missing for what shall run, each with its remedy; nothing has been started when this returns. Root on a
 * Debian has missing packages installed (not with SHARDLIFT_NO_INSTALL set) and hears only of what is still missing then.
 */
export async function checkPrerequisites(options: PrerequisiteOptions): Promise<PrerequisiteProblem[]> {
  const problems: PrerequisiteProblem[] = [];
  if (options.site) {
    const hosts = await canRunHosts();
    if (!hosts.ok) problems.push({ what: 'hosts', why: 'the site lab runs real hosts', remedy: hosts.reason });
  }
  const list = wanted({ ...options, site: options.site && problems.length === 0 });
  let missing = await missingOf(list);
  const packages = [...new Set(missing.flatMap(({ debian }) => debian ?? []))];
  if (packages.length > 0 && mayInstall()) {
    await installDebianPackages(packages);
    missing = await missingOf(list);
  }
  problems.push(...missing.map(({ what, why, remedy }) => ({ what, why, remedy })));
  const room = roomInGigabytes();
  const need = options.site ? 8 : 3;
  if (room < need)
    problems.push({
      what: `${need} GB of free disk`,
      why: 'caches, disks and indices',
      remedy: `make room where ${cacheRoot()} lies: ${room.toFixed(1)} GB are free`,
    });
  return problems;
}

function roomInGigabytes(): number {
  let place = cacheRoot();
  while (!existsSync(place)) place = path.dirname(place);
  const { bavail, bsize } = statfsSync(place);
  return (bavail * bsize) / 1e9;
}

/** The same, for a program that cannot go on without: everything missing is in the message. */
export async function requirePrerequisites(options: PrerequisiteOptions): Promise<void> {
  const problems = await checkPrerequisites(options);
  if (problems.length > 0) throw new Error(describeProblems(problems));
}

/** As a message: one line each. */
function describeProblems(problems: readonly PrerequisiteProblem[]): string {
  return problems.map(({ what, why, remedy }) => `missing: ${what} (${why}): ${remedy}`).join('\n');
}

/** A Chromium to look at reports with: CHROMIUM names one, or it is installed, or (root on a Debian) gets installed now. */
export async function findOrInstallChromium(): Promise<string | undefined> {
  const find = (): string | undefined => {
    const named = process.env['CHROMIUM'];
    const places = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => path.join('/usr/bin', name));
    return [named, ...places].find(
      (place): place is string => place !== undefined && place !== '' && existsSync(place),
    );
  };
  if (find() === undefined && mayInstall()) await installDebianPackages(['chromium']);
  return find();
}
