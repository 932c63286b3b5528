import type { HostFacts } from '../../contracts/host-activities';
import type { SharePlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import { planShares } from '../planning/layout';
import { check, passedIf } from './host-checks';
import type { Host } from './host';
import { execScript } from './host-files';
import type { HostOf } from './hosts';
import { lookAtMountPoint } from './mount-state';
import { mountLine } from './share-names';
import { findHost } from './ssh-settings';

/** Checks of what the runbook's shares need, on their servers and their clients. Read-only. */
export async function shareChecks(
  hostOf: HostOf,
  runbook: MigrationRunbook,
  facts: readonly HostFacts[],
): Promise<Check[]> {
  const usable = (name: string) => facts.some((each) => each.host === name && each.sudo);
  const user = facts.find((each) => each.elasticsearchUser)?.elasticsearchUser;
  // The share and its copy mostly have one server: it is asked for once.
  const asked = new Set<string>();
  const all = await Promise.all(
    planShares(runbook).flatMap((share) => {
      const clients = share.clients.map(({ host }) => host);
      return [
        ...[share.server].filter(usable).map((name) => exportPathChecks(hostOf(runbook, name), share.exportPath, user)),
        ...clients
          .filter((name) => usable(name) && !asked.has(`${name} ${share.server}`))
          .map((name) => {
            asked.add(`${name} ${share.server}`);
            return portCheck(hostOf(runbook, name), runbook, share.server);
          }),
        ...[...clients, share.server]
          .filter(usable)
          .map((name) => mountPointCheck(hostOf(runbook, name), runbook, share)),
      ];
    }),
  );
  return all.flat();
}

const exportScript = `
path=$1
if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then echo other
elif [ -d "$path" ]; then echo "directory $(stat -c '%u:%g' -- "$path") $(ls -A -- "$path" | grep -vx -e 'lost+found' -e '\\.shardlift-.*' | head -n 1 | wc -l)"
else while [ ! -e "$path" ]; do path=$(dirname -- "$path"); done; [ -d "$path" ] && echo absent || echo other; fi
stat -f -c %T -- "$path"
`;

async function exportPathChecks(
  host: Host,
  path: string,
  user: { uid: number; gid: number } | undefined,
): Promise<Check[]> {
  const result = await execScript(host, exportScript, [path]);
  const [found = '', type = ''] = result.stdout.trim().split('\n');
  const [kind, ids, others] = found.split(' ');
  const isForeign = kind === 'directory' && others !== '0' && user !== undefined && ids !== `${user.uid}:${user.gid}`;
  return [
    check(
      'host.export-path',
      'mandatory',
      `${host.name}:${path}`,
      passedIf(
        (kind === 'absent' || kind === 'directory') && !isForeign,
        kind === 'other'
          ? 'something that is no directory'
          : isForeign
            ? `files that belong to ${ids}`
            : kind === 'absent'
              ? 'not there yet'
              : `a directory of ${ids}`,
        "not there, empty, or the Elasticsearch user's",
        'choose another exportPath, or move away what stands there',
      ),
    ),
    // the file systems that the kernel's NFS server cannot serve without further ado
    check(
      'host.export-filesystem',
      'mandatory',
      `${host.name}:${path}`,
      passedIf(
        !['overlayfs', 'tmpfs', 'nfs', 'nfs4', 'fuseblk', 'ramfs'].includes(type),
        type,
        'a local file system that NFS can serve (ext4, xfs)',
        'choose an exportPath on a local ext4 or xfs file system',
      ),
    ),
  ];
}

/** A refused connection has reached the host: before the run, nothing listens on 2049 yet. */
const portScript = `
for port in 2049 "$2"; do
  words=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$port" 2>&1); code=$?
  case "$code $words" in
    0*) echo "reached $port"; exit 0;;
    *refused*) echo "reached $port"; exit 0;;
    124*) last="no answer";;
    *) last=$words;;
  esac
done
echo "$last" | tail -n 1
`;

async function portCheck(host: Host, runbook: MigrationRunbook, server: string): Promise<Check[]> {
  const settings = findHost(runbook, server);
  const sshPort = settings.ssh?.port ?? runbook.ssh.port ?? 22;
  const result = await execScript(host, portScript, [settings.address, String(sshPort)], { privileged: false });
  const seen = result.stdout.trim();
  return [
    check(
      'host.ports',
      'mandatory',
      host.name,
      passedIf(
        seen.startsWith('reached'),
        seen.startsWith('reached') ? `reaches ${settings.address}` : `${settings.address}: ${seen}`,
        `reaches the NFS server ${server} (${settings.address}, port 2049)`,
        `let ${host.name} through to ${settings.address} port 2049 in the network's firewall, or correct the server's address`,
      ),
    ),
  ];
}

async function mountPointCheck(host: Host, runbook: MigrationRunbook, share: SharePlan): Promise<Check[]> {
  const line = mountLine(runbook, share, host.name);
  if (!line) return [];
  const { mounted, isRightSource, answers, directory, isEmpty } = await lookAtMountPoint(host, line);
  const isFree = directory !== 'other' && isEmpty;
  return [
    check(
      'host.mount-point',
      'mandatory',
      `${host.name}:${line.target}`,
      passedIf(
        mounted ? isRightSource && answers === 'yes' : isFree,
        mounted
          ? `${mounted.source} (${mounted.type}) is mounted there${answers === 'yes' ? '' : `, ${answers}`}`
          : isFree
            ? 'free'
            : directory === 'other'
              ? 'something that is no directory'
              : 'a directory with files in it',
        'an empty directory, nothing yet, or the share itself',
        'choose another mountPath, or move away what stands there (umount what is mounted there)',
      ),
    ),
  ];
}
