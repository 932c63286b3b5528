import { decodeOctal } from './exports-file';
import type { MountLine } from './fstab-file';
import { passing, stuck } from './failures';
import type { Host } from './host';
import { execScript } from './host-files';

export interface Mounted {
  source: string;
  type: string;
  access: 'rw' | 'ro';
}

export interface MountPointState {
  mounted?: Mounted;
  /** Whether the mount is of what was wanted. */
  isRightSource: boolean;
  /** stale: its file handle is not valid any more. hung: its server does not answer. */
  answers: 'yes' | 'stale' | 'hung' | 'not mounted';
  directory: 'absent' | 'directory' | 'other';
  isEmpty: boolean;
  /** Highest directory of the mount point that is not there yet. */
  firstMissing: string;
}

/**
 * The topmost mount at a path, from the kernel's own table: findmnt and mountpoint would look at the path itself, and
 * hang with it.
 */
export function mountedAt(mountInfo: string, target: string): Mounted | undefined {
  let found: Mounted | undefined;
  for (const line of mountInfo.split('\n')) {
    const [own, rest] = line.split(' - ');
    const fields = own?.split(' ') ?? [];
    const [type, source] = rest?.split(' ') ?? [];
    if (!fields[4] || !type || source === undefined) continue;
    if (decodeOctal(fields[4]) !== target) continue;
    const options = fields[5]?.split(',') ?? [];
    found = { source: decodeOctal(source), type, access: options.includes('ro') ? 'ro' : 'rw' };
  }
  return found;
}

/**
 * statfs asks the server, where stat may be answered from the cache. KILL after 10 s is the only way out of a mount whose
 * server is gone, and a server that is only busy answers long before.
 */
const lookScript = `
target=$1 source=$2
if cut -d' ' -f5 /proc/self/mountinfo | grep -qxF -- "$3"; then
  words=$(timeout -s KILL 10 stat -f -c x -- "$target" 2>&1); code=$?
  if [ $code = 0 ]; then echo answers yes
  elif [ $code = 137 ]; then echo answers hung
  else case $words in *[Ss]tale*) echo answers stale;; *) echo answers hung;; esac; fi
  same=$(timeout -s KILL 10 stat -c %d:%i -- "$target" 2>/dev/null)
  [ -n "$same" ] && [ -e "$source" ] && [ "$same" = "$(timeout -s KILL 10 stat -c %d:%i -- "$source" 2>/dev/null)" ] && echo same
  echo directory; exit 0
fi
if [ -L "$target" ] || { [ -e "$target" ] && [ ! -d "$target" ]; }; then echo other
elif [ -d "$target" ]; then
  echo directory
  [ -z "$(ls -A -- "$target" | head -n 1)" ] && echo empty
else
  missing=$target
  while parent=$(dirname -- "$missing"); [ ! -e "$parent" ]; do missing=$parent; done
  if [ -d "$parent" ]; then printf 'absent %s\\n' "$missing"; else echo other; fi
fi
true
`;

/** mountinfo's own escapes, to find a path in it without decoding. */
function mountInfoField(path: string): string {
  return path.replace(/[ \t\n\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

export async function lookAtMountPoint(host: Host, line: MountLine): Promise<MountPointState> {
  const table = await execScript(host, 'exec cat /proc/self/mountinfo', [], { privileged: false });
  const mounted = mountedAt(table.stdout, line.target);
  const looked = await execScript(host, lookScript, [line.target, line.source, mountInfoField(line.target)]);
  const says = looked.stdout.split('\n');
  const absent = says.find((each) => each.startsWith('absent '));
  const isRightSource =
    mounted !== undefined &&
    (line.type === 'nfs'
      ? isNfs(mounted.type) && mounted.source.replace(/\/+$/, '') === line.source
      : says.includes('same'));
  return {
    mounted,
    isRightSource,
    answers: !mounted
      ? 'not mounted'
      : says.includes('answers yes')
        ? 'yes'
        : says.includes('answers stale')
          ? 'stale'
          : 'hung',
    directory: absent !== undefined ? 'absent' : says.includes('directory') ? 'directory' : 'other',
    isEmpty: says.includes('empty') || absent !== undefined,
    firstMissing: absent?.slice('absent '.length) ?? '',
  };
}

function isNfs(type: string): boolean {
  return type === 'nfs' || type === 'nfs4';
}

/** What must not be mounted over, or is not to be trusted. Changes nothing. */
export function refuseMountPoint(host: Host, line: MountLine, state: MountPointState, access: 'rw' | 'ro'): void {
  const at = line.target;
  const refuse = (
    type: 'PathOccupied' | 'MountPointNotEmpty' | 'MountStale' | 'MountFailed',
    message: string,
    remedy: string,
    why?: string,
  ) => stuck({ type, message, host: host.name, at, remedy, why });
  if (state.mounted && state.answers === 'stale') {
    throw refuse(
      'MountStale',
      `what is mounted at ${at} has a stale file handle: its directory was removed or exported anew on the server`,
      `stop what uses it on ${host.name} ("fuser -vm ${at}"), "umount ${at}", then retry: the run mounts it again`,
      `${state.mounted.source} (${state.mounted.type})`,
    );
  }
  if (state.mounted && state.answers === 'hung') {
    // a server that boots again answers in the end: no reason to wait for a person
    throw passing({
      type: 'MountStale',
      message: `what is mounted at ${at} does not answer`,
      host: host.name,
      at,
      why: `${state.mounted.source} (${state.mounted.type})`,
      remedy: `see whether its NFS server is up and can be reached from ${host.name}; the step tries again by itself`,
    });
  }
  if (state.mounted && !state.isRightSource) {
    throw refuse(
      'PathOccupied',
      `something else is mounted at ${at}`,
      `choose another mountPath, or umount it on ${host.name} and take it out of /etc/fstab, then retry`,
      `mounted: ${state.mounted.source} (${state.mounted.type}); wanted: ${line.source}`,
    );
  }
  if (state.mounted && state.mounted.access !== access) {
    throw refuse(
      'MountFailed',
      `${at} is mounted ${state.mounted.access}, wanted is ${access}`,
      `"umount ${at}" on ${host.name} (and mend the line in /etc/fstab, if it is not of this run), then retry`,
      `${state.mounted.source} (${state.mounted.type})`,
    );
  }
  if (!state.mounted && state.directory === 'other') {
    throw refuse(
      'PathOccupied',
      `${at} is there, and is no directory`,
      'choose another mountPath, or move what stands there away, then retry',
    );
  }
  if (!state.mounted && !state.isEmpty) {
    throw refuse(
      'MountPointNotEmpty',
      `${at} is not empty: what is in it would be hidden by the mount`,
      `move the files in ${at} on ${host.name} away, or choose another mountPath, then retry`,
    );
  }
}

export function describeMount(state: MountPointState): string {
  if (!state.mounted) return state.directory === 'absent' ? 'no directory, not mounted' : 'not mounted';
  return `${state.mounted.source} (${state.mounted.type}, ${state.mounted.access})`;
}
