import { posix } from 'node:path';
import type { HostActivities, HostInput } from '../../contracts/host-activities';
import type { HostRecordKind } from '../../contracts/status';
import { commandFailed } from './command-failures';
import { stuck } from './failures';
import type { Host } from './host';
import { execScript, readFile, runScript, sha256Of, stateDirectory } from './host-files';

export type RecordKind = HostRecordKind | 'pathRepo' | 'restart';

/** What one change of one run found before it: written first, read by every later attempt and by the undo. */
export interface HostRecord<State> {
  kind: RecordKind;
  run: string;
  step: string;
  /** ISO 8601, by the worker's clock. */
  at: string;
  before: State;
  /** What an undo needs besides: a share, a list of paths. */
  about: Record<string, string | string[]>;
  /** What takes it back, in words. */
  undo?: string;
}

/** Ids and run names are file names on the host: nothing else may come through. */
export function recordPath(run: string, id: string): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(run) || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) {
    throw new TypeError(`not a record: ${run}/${id}`);
  }
  return `${stateDirectory}/${run}/${id}.json`;
}

export async function readRecord<State>(host: Host, run: string, id: string): Promise<HostRecord<State> | undefined> {
  const path = recordPath(run, id);
  const file = await readFile(host, path);
  return file && parseRecord<State>(host, path, file.text);
}

function parseRecord<State>(host: Host, path: string, text: string): HostRecord<State> {
  try {
    const record = JSON.parse(text) as Partial<HostRecord<State>> | null;
    if (!record?.kind || !record.about) throw new SyntaxError('no record');
    return record as HostRecord<State>;
  } catch (error) {
    throw stuck(
      {
        type: 'CommandFailed',
        message: 'the record of what was there before cannot be read',
        host: host.name,
        at: path,
        remedy: `look at ${path} on ${host.name}: it was damaged after it was written; mend it, or remove it if the change is not there, then retry`,
      },
      error,
    );
  }
}

type ListedRecord = Awaited<ReturnType<HostActivities['listHostRecords']>>[number];

/** Each file's name and content, ended by a zero byte, which neither has. */
const listScript = `
for file in "$1"/*.json; do
  [ -f "$file" ] || continue
  printf '%s\\0' "\${file##*/}" && cat -- "$file" && printf '\\0' || exit 1
done
`;

/**
 * Records of this run on one host, newest first: what was changed or about to be, also by an activity whose answer was
 * lost. A restart is none: nothing takes it back. May run twice: reads only.
 */
export async function listHostRecords(host: Host, input: HostInput): Promise<ListedRecord[]> {
  const directory = posix.dirname(recordPath(input.run, 'any'));
  const { stdout } = await runScript(host, listScript, [directory], {
    message: 'the records of this run cannot be read',
    remedy: `look at ${directory} on ${host.name}, then retry`,
    at: directory,
  });
  const parts = stdout.split('\0');
  const records: { id: string; record: HostRecord<unknown> }[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [name = '', text = ''] = parts.slice(at, at + 2);
    records.push({ id: name.replace(/\.json$/, ''), record: parseRecord(host, `${directory}/${name}`, text) });
  }
  return records
    .sort((a, b) => (a.record.at < b.record.at ? 1 : -1))
    .flatMap(({ id, record: { kind, undo, about } }) =>
      kind === 'restart' ? [] : [{ id, kind, summary: undo ?? `take back ${String(about['path'] ?? id)}` }],
    );
}

/**
 * Written whole or not at all (checksum, then a link to the name, which fails where there is one: O_EXCL for a whole
 * file), and on disk before anything is changed.
 */
const writeScript = `
set -u
umask 077
directory=$(dirname -- "$1")
mkdir -p -- "$directory" || exit 1
temporary=$(mktemp -- "$directory/.new.XXXXXX") || exit 1
trap 'rm -f -- "$temporary"' EXIT
cat > "$temporary" || exit 1
[ "$(sha256sum < "$temporary" | cut -d' ' -f1)" = "$2" ] || exit 47
sync "$temporary" || exit 1
ln -- "$temporary" "$1" 2>/dev/null || { [ -e "$1" ] && exit 48; exit 1; }
sync "$directory"
`;

/** Writes a record; where there is one already, that one counts, and is given back. */
export async function writeRecord<State>(
  host: Host,
  id: string,
  record: HostRecord<State>,
): Promise<HostRecord<State>> {
  const path = recordPath(record.run, id);
  const content = Buffer.from(`${JSON.stringify(record, undefined, 1)}\n`);
  const result = await execScript(host, writeScript, [path, sha256Of(content)], { stdin: content });
  if (result.code === 0) return record;
  if (result.code === 48) return (await readRecord<State>(host, record.run, id)) ?? record;
  throw commandFailed(
    host.name,
    result,
    'the record of what is there now cannot be written, so nothing was changed',
    `see on ${host.name} whether /var is full or read-only ("df ${stateDirectory}"), then retry`,
    { at: path },
  );
}

/** The last act of an undo: from here on the change counts as never made. */
export async function removeRecord(host: Host, run: string, id: string): Promise<void> {
  const script = 'rm -f -- "$1" && sync "$(dirname -- "$1")"; rmdir -- "$(dirname -- "$1")" 2>/dev/null; [ ! -e "$1" ]';
  await runScript(host, `[ -e "$1" ] || exit 0; ${script}`, [recordPath(run, id)], {
    message: 'the record of a change that was taken back cannot be removed',
    remedy: `see on ${host.name} whether /var is read-only, then retry`,
  });
}
