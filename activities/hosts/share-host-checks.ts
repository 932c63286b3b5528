import type { HostFacts } from '../../contracts/host-activities';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import { formatBytes } from '../../contracts/bytes';
import { check, passedIf } from './host-checks';
import type { Host } from './host';
import { execScript } from './host-files';
import type { HostOf } from './hosts';
import { mountedAt } from './mount-state';
import { findHost } from './ssh-settings';

/** Checks of what the runbook's shared file system needs. Read-only. */
export async function shareChecks(
  hostOf: HostOf,
  runbook: MigrationRunbook,
  facts: readonly HostFacts[],
): Promise<Check[]> {
  const share = runbook.snapshot.repository.sharedFilesystem;
  if (!share) return [];
  const usable = (name: string) => facts.some((each) => each.host === name && each.sudo);
  const nodes = runbook.hosts
    .filter((host) => host.role === 'source' || host.role === 'target')
    .map((host) => host.name);
  const clients = nodes.filter((name) => name !== share.server && usable(name));
  const user = facts.find((each) => each.elasticsearchUser)?.elasticsearchUser;
  const copyServer = share.copy?.server ?? share.server;
  const exports = [{ server: share.server, path: share.exportPath }];
  if (share.targetReads === 'ownCopy' && share.copy?.exportPath) {
    exports.push({ server: copyServer, path: share.copy.exportPath });
  }
  const mounts = new Set([share.mountPath]);
  const all = await Promise.all([
    ...exports
      .filter(({ server }) => usable(server))
      .map(({ server, path }) => exportPathChecks(hostOf(runbook, server), path, user)),
    ...clients.flatMap((name) => [
      portCheck(hostOf(runbook, name), runbook, share.server),
      ...[...mounts].map((path) => mountPointCheck(hostOf(runbook, name), path)),
    ]),
  ]);
  return all.flat();
}

const exportScript = `
path=$1
if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then echo other
elif [ -d "$path" ]; then echo "directory $(stat -c '%u:%g' -- "$path") $(ls -A -- "$path" | grep -vx -e 'lost+found' -e '\\.shardlift-.*' | head -n 1 | wc -l)"
else while [ ! -e "$path" ]; do path=$(dirname -- "$path"); done; [ -d "$path" ] && echo absent || echo other; fi
df -B1 --output=avail -- "$path" | tail -n 1 | tr -d ' '
stat -f -c %T -- "$path"
`;

async function exportPathChecks(
  host: Host,
  path: string,
  user: { uid: number; gid: number } | undefined,
): Promise<Check[]> {
  const result = await execScript(host, exportScript, [path]);
  const [found = '', free = '', type = ''] = result.stdout.trim().split('\n');
  const [kind, ids, others] = found.split(' ');
  const isForeign = kind === 'directory' && others !== '0' && user !== undefined && ids !== `${user.uid}:${user.gid}`;
  const freeBytes = Number(free);
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
    check(
      'host.share-space',
      'warning',
      `${host.name}:${path}`,
      passedIf(
        freeBytes >= 1024 ** 3,
        `${formatBytes(freeBytes)} free`,
        'at least 1.0 GiB; the plan says how much the snapshots need',
        `make room on the file system of ${path}, or choose another exportPath`,
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

const mountPointScript = `
cat /proc/self/mountinfo
echo ---
if cut -d' ' -f5 /proc/self/mountinfo | grep -qxF -- "$1"; then echo mounted
elif [ -L "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then echo other
elif [ -d "$1" ] && [ -n "$(ls -A -- "$1" | head -n 1)" ]; then echo full
else echo free; fi
`;

async function mountPointCheck(host: Host, path: string): Promise<Check[]> {
  const [table = '', found = ''] = (await execScript(host, mountPointScript, [path])).stdout.split('\n---\n');
  const mounted = mountedAt(table, path);
  const seen = mounted
    ? `${mounted.source} (${mounted.type}) is mounted there`
    : ({ other: 'something that is no directory', full: 'a directory with files in it' }[found.trim()] ?? 'free');
  return [
    check(
      'host.mount-point',
      'mandatory',
      `${host.name}:${path}`,
      passedIf(
        mounted ? mounted.type === 'nfs' || mounted.type === 'nfs4' : found.trim() === 'free',
        seen,
        'an empty directory, nothing yet, or the share itself',
        'choose another mountPath, or move away what stands there (umount what is mounted there)',
      ),
    ),
  ];
}
