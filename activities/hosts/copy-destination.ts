import { stuck } from './failures';
import { commandFailed } from './command-failures';
import type { Host, UserIds } from './host';
import { execScript, runScript } from './host-files';

/** Marks a directory as made, or taken, by a run for its copies: without it nothing is ever removed from there. */
export const markerName = '.shardlift-copy';

const prepareScript = `
umask 027
to=$1 run=$2 made=$3
marked() {
  [ -e "$to/${markerName}" ] || return 0
  [ "$(head -n 1 "$to/${markerName}")" = "run $run" ] || { head -n 1 "$to/${markerName}" >&2; exit 46; }
  exit 0
}
if [ -d "$to" ]; then
  marked
  # another batch of this run may be at it too: its marker comes before its files, so a second look tells
  [ -z "$(ls -A -- "$to" | grep -vx -e 'lost+found' -e '\\${markerName}\\.new\\..*' | head -n 1)" ] || { marked; exit 47; }
elif [ -e "$to" ] || [ -L "$to" ]; then exit 45
else mkdir -p -- "$to" || exit 48; made=yes; fi
new=$to/${markerName}.new.$$
printf 'run %s\\nmade %s\\n' "$run" "$made" > "$new" && sync "$new" || exit
# who made the directory says so; who merely found it empty does not overwrite that
if [ "$made" = yes ]; then mv -f "$new" "$to/${markerName}"; else ln "$new" "$to/${markerName}" 2>/dev/null; rm -f "$new"; fi
[ -e "$to/${markerName}" ]
`;

/** The directory that is copied to: made, or found empty, and marked. Found marked by this run, it is left as it is. */
export async function prepareDestination(host: Host, run: string, to: string, user: UserIds): Promise<void> {
  let result = await execScript(host, prepareScript, [to, run, 'no'], { asUser: user });
  if (result.code === 48) {
    // the directory above belongs to root: made by root, given to the user
    await runScript(
      host,
      'mkdir -p -- "$1" && chown "$2" -- "$1" && chmod 0750 -- "$1"',
      [to, `${user.uid}:${user.gid}`],
      {
        message: `${to} cannot be made`,
        remedy: `see "df -h" and "ls -ld" of the directory above on ${host.name}, then retry`,
        at: to,
      },
    );
    result = await execScript(host, prepareScript, [to, run, 'yes'], { asUser: user });
  }
  if (result.code === 0) return;
  const occupied = (message: string, remedy: string) =>
    stuck({ type: 'PathOccupied', message, host: host.name, at: to, why: result.stderr.trim() || undefined, remedy });
  switch (result.code) {
    case 45:
      throw occupied(
        `${to} is there, and is no directory`,
        'choose another place for the copy, or move it away, then retry',
      );
    case 46:
      throw occupied(
        `${to} belongs to another run's copy`,
        'choose another place for the copy, or remove that directory when its run is over, then retry',
      );
    case 47:
      throw occupied(
        `${to} is not empty, and was not made by this run`,
        'choose another place for the copy, or empty it, then retry',
      );
  }
  if (/No space left|quota/i.test(result.stderr)) throw shareFull(host, to, result.stderr);
  throw commandFailed(
    host.name,
    result,
    `${to} cannot be prepared for the copy`,
    `see whether ${user.uid}:${user.gid} may write there on ${host.name}, then retry`,
    { at: to },
  );
}

export function shareFull(host: Host, at: string, why: string): Error {
  return stuck({
    type: 'ShareFull',
    message: `there is no room for the copy at ${at}`,
    host: host.name,
    at,
    why: why.trim().slice(-1000),
    remedy: `make room on its file system ("df -h ${at}" on ${host.name}), then retry: what was copied already is kept`,
  });
}
