import type { HostInput, StepOutcome } from '../../contracts/host-activities';
import { heartbeat } from '../context';
import { makeSo, outcome } from './change';
import { lastLines, passing, stuck } from './failures';
import type { ExecResult, Host } from './host';
import { execScript } from './host-files';
import { nfsServiceRecordId, readNfsService, type ServiceState } from './nfs-service';
import { readRecord, writeRecord } from './record';

export type PackagePurpose = 'nfs-server' | 'nfs-client' | 'rsync';
type Family = 'debian' | 'redhat' | 'unknown';

const packageNames: Record<PackagePurpose, { debian: string; redhat: string }> = {
  'nfs-server': { debian: 'nfs-kernel-server', redhat: 'nfs-utils' },
  'nfs-client': { debian: 'nfs-common', redhat: 'nfs-utils' },
  rsync: { debian: 'rsync', redhat: 'rsync' },
};

/** A mirror far away and a slow disk: minutes, not more; beyond that somebody has to look. */
const installTimeoutMs = 600_000;

/** Within the family, by which tool is there: a derivative's os-release says anything. */
const familyScript = `
if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then echo debian
elif command -v rpm >/dev/null 2>&1 && { command -v dnf >/dev/null 2>&1 || command -v yum >/dev/null 2>&1; }; then echo redhat
else echo unknown; fi
`;

async function readFamily(host: Host): Promise<Family> {
  const words = (await execScript(host, familyScript, [])).stdout.trim();
  return words === 'debian' || words === 'redhat' ? words : 'unknown';
}

interface PackageState {
  /** installed, absent, or what dpkg calls a half-done one. */
  status: string;
  version: string;
}

/**
 * Installs what is missing. May run twice: see makeSo; what the first attempt installed is known by its record. Killed in
 * the midst, apt or dnf goes on by itself on the host and the second run waits for its lock; cut off by a power cut, dpkg
 * is left half configured, which the second run finishes first. There is no undo: a package that stays does no harm, and
 * one that others began to use must not go.
 */
export async function installPackage(host: Host, input: HostInput & { package: PackagePurpose }): Promise<StepOutcome> {
  const family = await readFamily(host);
  if (family === 'unknown') {
    throw stuck({
      type: 'HostNotSupported',
      message: `${host.name} has neither apt nor dnf or yum`,
      host: host.name,
      remedy: `install ${input.package === 'rsync' ? 'rsync' : 'the NFS server or client'} on ${host.name} by hand, then skip this step`,
    });
  }
  const name = packageNames[input.package][family];
  const { state, change } = await makeSo<PackageState>(host, input, {
    // by purpose: of two steps that want the same package only the one that installed it says so
    id: `package-${input.package}`,
    kind: 'package',
    what: `package ${name}`,
    look: () => readPackage(host, family, name),
    isSo: ({ status }) => status === 'installed',
    act: async () => {
      if (input.package === 'nfs-server') await recordServiceBefore(host, input);
      const result = await install(host, family === 'debian' ? aptScript : dnfScript, name);
      const after = await readPackage(host, family, name);
      if (result.code !== 0 || after.status !== 'installed') throw installFailed(host, name, family, result, after);
    },
    describe: ({ status, version }) =>
      status === 'absent' ? 'not installed' : status === 'installed' ? version : status,
    about: { name },
  });
  return outcome(`${name} ${state.version} ${change ? 'is installed' : 'was installed already'}`, change);
}

/** Debian starts the server with its package: what was there before that is recorded now, or an undo would not know. */
async function recordServiceBefore(host: Host, input: HostInput): Promise<void> {
  if (await readRecord<ServiceState>(host, input.run, nfsServiceRecordId)) return;
  await writeRecord<ServiceState>(host, nfsServiceRecordId, {
    kind: 'service',
    run: input.run,
    step: input.step,
    at: new Date().toISOString(),
    before: await readNfsService(host),
    about: {},
  });
}

async function readPackage(host: Host, family: 'debian' | 'redhat', name: string): Promise<PackageState> {
  if (family === 'redhat') {
    const result = await host.exec(['rpm', '-q', '--qf', '%{VERSION}-%{RELEASE}', name], { privileged: false });
    return result.code === 0
      ? { status: 'installed', version: result.stdout.trim() }
      : { status: 'absent', version: '' };
  }
  const format = '${db:Status-Status} ${Version}';
  const result = await host.exec(['dpkg-query', '-W', `-f=${format}`, name], { privileged: false });
  const [status = '', version = ''] = result.stdout.trim().split(' ');
  const isAbsent = result.code !== 0 || status === '' || status === 'not-installed' || status === 'config-files';
  return { status: isAbsent ? 'absent' : status, version };
}

/**
 * The lock's wait bridges unattended upgrades and our own earlier attempt. confold: a file that the operator edited stays
 * as it is, and nobody is there to be asked. The package lists are fetched only when they do not lead to the package.
 */
const aptScript = `
name=$1
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
half=$(dpkg-query -W -f='\${db:Status-Status}\\n' 2>/dev/null | grep -cE '^(half-configured|half-installed|unpacked|triggers-)' || true)
if [ "\${half:-0}" != 0 ]; then dpkg --configure -a --force-confold || exit 1; fi
install() {
  apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef install -- "$name"
}
candidate=$(apt-cache policy -- "$name" 2>/dev/null | sed -n 's/^ *Candidate: //p')
if [ -n "$candidate" ] && [ "$candidate" != '(none)' ]; then install && exit 0; fi
apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 update || exit 1
install
`;

/**
 * A line every 10 s for as long as the script lives on the host: unpacking a large package is silent for longer than a
 * heartbeat timeout. The sleep must not hold the output open: the channel would end only with it.
 */
const tick =
  '(while kill -0 $$ 2>/dev/null; do sleep 10 >/dev/null 2>&1; echo "[still at work]"; done) & ticker=$!; trap "kill $ticker" EXIT\n';

async function install(host: Host, script: string, name: string): Promise<ExecResult> {
  const result = await execScript(host, tick + script, [name], {
    timeoutMs: installTimeoutMs,
    onOutput: () => heartbeat({ done: 0, total: 1, unit: 'checks', detail: `installing ${name}` }),
  });
  return { ...result, stdout: result.stdout.replaceAll('[still at work]\n', '') };
}

const dnfScript = 'tool=$(command -v dnf || command -v yum) || exit 127; "$tool" -y install "$1"';

function installFailed(host: Host, name: string, family: Family, result: ExecResult, after: PackageState): Error {
  const why = lastLines([result.stdout, result.stderr].join('\n').trim()) || `it is ${after.status} afterwards`;
  const problem = (remedy: string) =>
    ({
      type: 'PackageInstallFailed',
      message: `${name} cannot be installed`,
      host: host.name,
      at: name,
      why,
      remedy,
    }) as const;
  if (
    /Unable to locate package|No match for argument|has no installation candidate|Unable to find a match/i.test(why)
  ) {
    const sources = family === 'debian' ? '/etc/apt/sources.list' : '"dnf repolist"';
    return stuck(
      problem(`give ${host.name} a package source that has ${name} (${sources}), or install it by hand, then retry`),
    );
  }
  if (/No space left/i.test(why)) return stuck(problem(`make room on ${host.name} ("df -h / /var"), then retry`));
  // mirrors, locks and networks come back
  const command = family === 'debian' ? `apt-get install ${name}` : `dnf install ${name}`;
  return passing(problem(`run "${command}" on ${host.name} and mend what it says; the step tries again by itself`));
}
