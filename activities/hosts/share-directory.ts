import type { ShareHostInput, StepOutcome } from '../../contracts/host-activities';
import { makeSo, outcome } from './change';
import { stuck } from './failures';
import type { Host } from './host';
import { execScript, runScript } from './host-files';

interface DirectoryState {
  found: 'absent' | 'directory' | 'other';
  uid: number;
  gid: number;
  mode: string;
  isEmpty: boolean;
  /** Highest directory that is not there yet: as far as an undo may go back. */
  firstMissing: string;
}

/** lost+found stands in a fresh file system; tokens of a run are ours. */
const lookScript = `
path=$1
if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
  printf 'other %s\\n' "$(stat -c '%u %g %a' -- "$path")"
elif [ -d "$path" ]; then
  set -- $(ls -A -- "$path" | grep -vx -e 'lost+found' -e '\\.shardlift-.*' | head -n 1 | wc -l)
  printf 'directory %s %s\\n' "$(stat -c '%u %g %a' -- "$path")" "$1"
else
  missing=$path
  while parent=$(dirname -- "$missing"); [ ! -e "$parent" ]; do missing=$parent; done
  [ -d "$parent" ] || exit 45
  printf 'absent %s' "$missing"
fi
`;

/**
 * The exported directory, owned by the Elasticsearch user. Runs on the server.
 * May run twice: see makeSo. Killed between mkdir and chown, the second run finds an empty directory of root's and the
 * record, and only changes its owner.
 */
export async function ensureShareDirectory(host: Host, input: ShareHostInput): Promise<StepOutcome> {
  const { share, owner } = input;
  const path = share.exportPath;
  const made = await makeSo<DirectoryState>(host, input, {
    id: `directory-${share.id}`,
    kind: 'directory',
    what: path,
    look: async () => {
      const state = await look(host, path);
      refuseOccupied(host, path, state, owner);
      return state;
    },
    isSo: (state) => state.found === 'directory' && state.uid === owner.uid && state.gid === owner.gid,
    act: async () => {
      await runScript(
        host,
        'mkdir -p -- "$1" && chown "$2" -- "$1" && chmod 0750 -- "$1"',
        [path, `${owner.uid}:${owner.gid}`],
        {
          message: `${path} cannot be made`,
          remedy: `see on ${host.name} whether the file system is full or read-only ("df -h ${path}"), then retry`,
          at: path,
        },
      );
    },
    describe: (state) =>
      state.found === 'absent' ? 'not there' : `${state.found}, owner ${state.uid}:${state.gid}, mode ${state.mode}`,
    about: { path },
    undo: `remove ${path} if it is empty`,
  });
  return outcome(
    made.changed
      ? `${path} is there, owned by ${owner.uid}:${owner.gid}`
      : `${path} was there already, owned by ${owner.uid}:${owner.gid}`,
    made.change,
  );
}

async function look(host: Host, path: string): Promise<DirectoryState> {
  const result = await execScript(host, lookScript, [path]);
  const blank = { uid: 0, gid: 0, mode: '', isEmpty: true, firstMissing: '' };
  if (result.code !== 0) {
    if (result.code === 45) {
      throw stuck({
        type: 'PathOccupied',
        message: `a directory above ${path} is a file`,
        host: host.name,
        at: path,
        remedy: 'choose another exportPath, or move that file away, then retry',
      });
    }
    throw stuck({
      type: 'CommandFailed',
      message: `${path} cannot be looked at`,
      host: host.name,
      at: path,
      why: result.stderr,
      remedy: `run "ls -ld ${path}" on ${host.name} and mend what it says, then retry`,
    });
  }
  if (result.stdout.startsWith('absent ')) {
    return { ...blank, found: 'absent', firstMissing: result.stdout.slice('absent '.length) };
  }
  const [found, uid, gid, mode, others] = result.stdout.trim().split(' ');
  return {
    found: found === 'directory' ? 'directory' : 'other',
    uid: Number(uid),
    gid: Number(gid),
    mode: mode ?? '',
    isEmpty: others === '0',
    firstMissing: '',
  };
}

function refuseOccupied(host: Host, path: string, state: DirectoryState, owner: { uid: number; gid: number }): void {
  const occupied = (message: string, remedy: string) =>
    stuck({ type: 'PathOccupied', message, host: host.name, at: path, remedy });
  if (state.found === 'other') {
    throw occupied(
      `${path} is there, and is no directory`,
      'choose another exportPath, or move what stands there away, then retry (of a symbolic link, give the directory behind it)',
    );
  }
  if (state.found === 'directory' && !state.isEmpty && (state.uid !== owner.uid || state.gid !== owner.gid)) {
    throw occupied(
      `${path} holds files already and belongs to ${state.uid}:${state.gid}, not to the Elasticsearch user ${owner.uid}:${owner.gid}`,
      `choose another exportPath; or, if these are old snapshots to be used, "chown -R ${owner.uid}:${owner.gid} ${path}" on ${host.name}, then retry`,
    );
  }
}

/** Removes what the run made, if nothing but our own remains is in it; gives an empty directory its owner back. */
export async function undoShareDirectory(host: Host, path: string, before: DirectoryState): Promise<string> {
  const now = await look(host, path);
  if (now.found !== 'directory') return `${path} is gone`;
  if (!now.isEmpty) return `${path} is left as it is: it holds files`;
  if (before.found === 'absent') {
    const script = `
path=$1 top=$2
rm -f -- "$path"/.shardlift-*
rmdir -- "$path" || exit 1
while [ "$path" != "$top" ]; do path=$(dirname -- "$path"); rmdir -- "$path" 2>/dev/null || exit 0; done
`;
    await runScript(host, script, [path, before.firstMissing], {
      message: `${path} cannot be removed`,
      remedy: `see on ${host.name} what still uses it ("fuser -vm ${path}"), then retry`,
      at: path,
    });
    return `${path} is removed`;
  }
  await runScript(
    host,
    'rm -f -- "$1"/.shardlift-*; chown "$2" -- "$1" && chmod "$3" -- "$1"',
    [path, `${before.uid}:${before.gid}`, before.mode],
    { message: `${path} cannot be given back`, remedy: `run "ls -ld ${path}" on ${host.name}, then retry`, at: path },
  );
  return `${path} belongs to ${before.uid}:${before.gid} again`;
}
