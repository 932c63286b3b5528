import { createHash } from 'node:crypto';
import { commandFailed } from './command-failures';
import { passing } from './failures';
import type { ExecOptions, ExecResult, Host } from './host';

/** Where a host keeps what was there before a run changed it, jobs and locks. It outlives the worker and the run. */
export const stateDirectory = '/var/lib/shardlift';

/** Runs a fixed script with arguments: what varies is `$1`, `$2` …, never a part of the script's text. */
export function execScript(
  host: Host,
  script: string,
  args: readonly string[] = [],
  options: ExecOptions = {},
): Promise<ExecResult> {
  return host.exec(['sh', '-c', script, 'shardlift', ...args], options);
}

export interface Expectation {
  /** What it was for, as the failure's message. */
  message: string;
  remedy: string;
  at?: string;
  isPermanent?: boolean;
}

/** Runs a command that has to succeed. */
export async function run(
  host: Host,
  argv: readonly string[],
  expectation: Expectation,
  options: ExecOptions = {},
): Promise<ExecResult> {
  const result = await host.exec(argv, options);
  if (result.code !== 0) {
    throw commandFailed(host.name, result, expectation.message, expectation.remedy, expectation);
  }
  return result;
}

/** Runs a fixed script that has to succeed. */
export async function runScript(
  host: Host,
  script: string,
  args: readonly string[],
  expectation: Expectation,
  options: ExecOptions = {},
): Promise<ExecResult> {
  return run(host, ['sh', '-c', script, 'shardlift', ...args], expectation, options);
}

export interface FileContent {
  /** Its bytes as text; what is no UTF-8 is taken byte by byte, so that writing it back changes nothing. */
  text: string;
  encoding: 'utf8' | 'latin1';
  sha256: string;
}

export function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export function decodeFile(bytes: Buffer): FileContent {
  const utf8 = bytes.toString('utf8');
  const encoding = Buffer.from(utf8, 'utf8').equals(bytes) ? 'utf8' : 'latin1';
  return { text: encoding === 'utf8' ? utf8 : bytes.toString('latin1'), encoding, sha256: sha256Of(bytes) };
}

const readScript = `
[ -e "$1" ] || { [ -L "$1" ] && exit 45; exit 44; }
[ -f "$1" ] || exit 45
exec cat -- "$1"
`;

/** A file as root sees it; undefined where there is none. */
export async function readFile(host: Host, path: string, maxStdoutBytes?: number): Promise<FileContent | undefined> {
  const result = await execScript(host, readScript, [path], { maxStdoutBytes });
  if (result.code === 44) return undefined;
  if (result.code === 0) return decodeFile(result.bytes);
  const what = result.code === 45 ? `${path} is no regular file` : `${path} cannot be read`;
  throw commandFailed(host.name, result, what, `look at it on ${host.name}: "ls -l ${path}"`, {
    at: path,
    isPermanent: result.code === 45,
  });
}

/**
 * The content comes through stdin: were the connection lost on the way, cat would see the end of a shortened file, so
 * its checksum is compared before the rename. Owner, mode, ACL and SELinux label are those of the file that is
 * replaced. A symbolic link is followed: the file behind it is replaced, not the link.
 */
const writeScript = `
set -u
path=$1 wanted=$2 expected=$3
# one edit at a time: the steps of two shares may edit one fstab at once
mkdir -p -m 700 -- "$4" && exec 9> "$4/edit.lock" && flock -w 20 9 || exit 1
if [ -e "$path" ]; then path=$(readlink -f -- "$path") || exit 1; fi
if [ -e "$path" ]; then found=$(sha256sum < "$path" | cut -d' ' -f1); else found=absent; fi
[ "$found" = "$expected" ] || exit 46
umask 077
temporary=$(mktemp -- "$(dirname -- "$path")/.shardlift.XXXXXX") || exit 1
trap 'rm -f -- "$temporary"' EXIT
if [ "$found" = absent ]; then chmod 0644 "$temporary"; else
  cp --preserve=all -- "$path" "$temporary" 2>/dev/null || cp -p -- "$path" "$temporary" || exit 1
fi
cat > "$temporary" || exit 1
[ "$(sha256sum < "$temporary" | cut -d' ' -f1)" = "$wanted" ] || exit 47
sync "$temporary" || exit 1
mv -f -- "$temporary" "$path" || exit 1
sync "$(dirname -- "$path")"
`;

/**
 * Puts new content in the place of what was read, at once and durably; who opens the file sees the old or the new whole.
 * @throws a transient CommandFailed when somebody else changed the file since it was read: the next attempt reads again.
 */
export async function replaceFile(
  host: Host,
  path: string,
  before: FileContent | undefined,
  text: string,
): Promise<void> {
  const content = Buffer.from(text, before?.encoding ?? 'utf8');
  const result = await execScript(
    host,
    writeScript,
    [path, sha256Of(content), before?.sha256 ?? 'absent', stateDirectory],
    {
      stdin: content,
    },
  );
  if (result.code === 0) return;
  if (result.code === 46) {
    throw passing({
      type: 'CommandFailed',
      message: `${path} was changed by somebody else just now`,
      host: host.name,
      at: path,
      remedy: `see who else edits ${path} on ${host.name} (configuration management?); the step tries again by itself`,
    });
  }
  throw commandFailed(
    host.name,
    result,
    `${path} cannot be written`,
    `see on ${host.name} whether its disk is full or read-only ("df ${path}", "mount"), then retry`,
    { at: path },
  );
}
