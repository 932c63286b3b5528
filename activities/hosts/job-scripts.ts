/** The shell scripts of detached jobs. Fixed texts: what varies comes in as arguments or quoted assignments. */

/**
 * Puts the job's files in place and starts it, under systemd where that runs: then it survives the end of the SSH
 * session, and `systemctl status` shows it. $1 directory, $2 unit, $3 script's name. Content comes through stdin as a
 * tar-like sequence made by the worker: see startJob.
 *
 * It waits until the job holds its lock (or has ended), so that whoever looks next finds it running.
 */
export const startScript = `
set -u
cd -- "$1" || exit 1
unit=$2 script=$3
rm -f exit
if [ -d /run/systemd/system ]; then
  systemctl reset-failed -- "$unit.service" 2>/dev/null
  systemd-run --quiet --unit="$unit" --description="Shardlift job" -- /bin/sh "$1/$script" 2>start.log ||
    { systemctl is-active --quiet "$unit.service" || { cat start.log >&2; exit 1; }; }
else
  setsid -f /bin/sh "$1/$script" </dev/null >/dev/null 2>&1 || exit 1
fi
tries=0
while [ $tries -lt 100 ]; do
  [ -e exit ] && exit 0
  [ -e lock ] && ! flock -s -n lock true && exit 0
  tries=$((tries + 1)); sleep 0.1
done
echo "the job did not begin within 10 s" >&2
exit 1
`;

/**
 * The lock is held by the script and everything it started, and by nobody after a reboot: unlike a process id it cannot
 * be mistaken. It is looked at before the exit file: a job that ends between the two is found ended, never dead.
 */
export const lookScript = `
cd -- "$1" 2>/dev/null || { echo absent; exit 0; }
if [ -e lock ] && ! flock -s -n lock true; then echo running
elif [ -e exit ]; then echo "ended $(cat exit)"
elif [ -e lock ]; then echo died
else echo absent; exit 0; fi
echo "phase $(cat phase 2>/dev/null)"
echo "total $(cat total 2>/dev/null)"
echo "progress $(tail -c 400 progress 2>/dev/null | tr '\\r' '\\n' | grep % | tail -n 1)"
echo "result $(cat result 2>/dev/null)"
pid=$(cat pid 2>/dev/null)
io=0
# builtins only: hundreds of processes are looked through at every poll, and ps is not everywhere
for stat in /proc/[0-9]*/stat; do
  read -r line 2>/dev/null < "$stat" || continue
  set -- \${line##*) }
  [ "$4" = "\${pid:-0}" ] || continue
  while read -r name n; do case $name in [rw]char:) io=$((io + n));; esac; done 2>/dev/null < "\${stat%stat}io"
done
echo "moved $io"
echo "log"
tail -n 12 log 2>/dev/null
true
`;

/** Ends a job and all it started. Its process group is looked up only while it holds its lock: ids are used again. */
export const stopScript = `
cd -- "$1" 2>/dev/null || exit 0
tries=0
while [ -e lock ] && ! flock -s -n lock true; do
  [ $tries -lt 150 ] || exit 1
  if [ $((tries % 30)) = 0 ]; then
    [ $tries -lt 90 ] && signal=TERM || signal=KILL
    if [ -d /run/systemd/system ]; then systemctl kill --signal=$signal -- "$2.service" 2>/dev/null
    else kill -$signal -- "-$(cat pid)" 2>/dev/null; fi
  fi
  tries=$((tries + 1)); sleep 0.1
done
exit 0
`;

/**
 * The copy. Before it stand assignments: job, from, to, uid, gid, list, index, latest, generation, uuid, limit, verify,
 * locks. Exit codes beside rsync's own: 91 differs, 92 another repository is there, 93 no space, 94 no rsync.
 */
export const copyScript = `
set -u
export LC_ALL=C
cd -- "$job" || exit 1
exec 9>lock
# somebody may just be looking whether it is locked; another start of the same job keeps it
flock -w 10 9 || exit 0
[ -e exit ] && exit 0
umask 077
echo $$ > pid
as() { setpriv "--reuid=$uid" "--regid=$gid" --clear-groups -- "$@"; }
phase() { echo "$1" > phase.new && mv -f phase.new phase; }
end() {
  code=$1
  if [ "$code" != 0 ] && [ "$code" != 91 ] && grep -qE 'No space left on device|Disk quota exceeded' log; then code=93; fi
  # a half-written file takes room that the next try needs
  [ "$code" = 0 ] || as rm -rf -- "$temporary" 2> /dev/null
  # the copied files are on disk by now; this makes the answer durable before it counts
  echo "$code" > exit.new && sync exit.new; rm -f started; mv -f exit.new exit; sync .
  exit 0
}
: > log; : > progress; : > result; rm -f repaired
temporary=$to/.shardlift-new-$(basename -- "$job")
# a start that never came to its end: the host lost its power. Sizes and times of what was just written then prove
# nothing, so files are compared by content
restarted=
[ -e started ] && restarted=--checksum
: > started
began=$(date +%s)
command -v rsync > /dev/null || { echo "rsync is not installed" > log; end 94; }
as rm -rf -- "$temporary"
copy() { as rsync -rlpt --from0 --files-from=- "$@" -- "$from/" "$to/" < "$list"; }

phase measuring
copy -n --stats --no-human-readable > stats 2>> log || end $?
number() { sed -n "s/^$1: \\([0-9]*\\).*/\\1/p" stats; }
bytes=$(number 'Total file size'); needed=$(number 'Total transferred file size')
files=$(sed -n 's/^Number of files: .*(reg: \\([0-9]*\\).*/\\1/p' stats); moved=$(number 'Number of regular files transferred')
echo "$bytes $needed" > total

if [ "$limit" != 0 ]; then
  # the limit is for all copies of this host together: a throttled one waits for the one before it
  phase waiting
  exec 8> "$locks/throttle"; flock 8
fi
phase copying
as mkdir -p -- "$temporary" 2>> log || end 1
transfer() {
  copy --no-human-readable --info=progress2,flist0,name0 --outbuf=N --temp-dir="$temporary" "$@" > progress 2>> log
}
set --
[ "$limit" = 0 ] || set -- "--bwlimit=$limit"
transfer $restarted "$@" || end $?
phase syncing
as sync -f "$to" 2>> log || end 1

phase comparing
[ "$verify" = checksum ] && how=--checksum || how=--size-only
different() { copy -n --itemize-changes "$how" 2>> log > differences || end $?; grep -q '^[<>c]' differences; }
if different; then
  cp differences repaired
  phase repairing
  transfer --checksum "$@" || end $?
  as sync -f "$to" 2>> log || end 1
  if different; then head -n 20 differences > log; end 91; fi
fi
as rm -rf -- "$temporary"
[ "$limit" = 0 ] || flock -u 8

phase publishing
exec 7> "$locks/$(printf %s "$to" | sha256sum | cut -d' ' -f1)"
flock 7
put() { as sh -c 'umask 022; cat > "$1/.shardlift-$2" && sync "$1/.shardlift-$2" && mv -f "$1/.shardlift-$2" "$1/$2"' put "$to" "$1" 2>> log; }
generations() { as ls -- "$to" | sed -n 's/^index-\\([0-9]\\{1,15\\}\\)$/\\1/p' | sort -n; }
have=$(generations | tail -n 1)
published=0
if [ -n "$have" ] && [ "$have" -gt "$generation" ]; then
  # a later copy was quicker: its index names this snapshot too, or it is no index of the same repository
  as grep -qF -- "$uuid" "$to/index-$have" || { echo "index-$have at the destination does not name the snapshot" > log; end 92; }
elif [ "$have" = "$generation" ]; then
  as cat -- "$to/index-$have" | cmp -s - "$index" || { echo "another index-$have is at the destination" > log; end 92; }
else
  put "index-$generation" < "$index" || end 1
  published=1
fi
[ -n "$have" ] && [ "$have" -gt "$generation" ] || put index.latest < "$latest" || end 1
for n in $(generations); do
  if [ "$n" -lt "$generation" ]; then as rm -f -- "$to/index-$n"; fi
done
as sync -f "$to" 2>> log || end 1
phase done
again=$(grep -c '^[<>c]' repaired 2> /dev/null)
echo "\${files:-0} \${bytes:-0} $(($(date +%s) - began)) \${moved:-0} $published \${again:-0}" > result
sync result
end 0
`;
