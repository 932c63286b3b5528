import type { ShareHostInput, StepOutcome } from '../../contracts/host-activities';
import { makeSo, outcome } from './change';
import { blockInFile } from './block-in-file';
import { lastLines, passing, saidBy, stuck } from './failures';
import { entriesFor, fstabFields, mountLineOf, type MountLine } from './fstab-file';
import type { ExecResult, Host } from './host';
import { execScript, readFile, replaceFile, run, runScript, type FileContent } from './host-files';
import { differingPart, foreignLines, withBlock, withoutBlock } from './marked-block';
import { describeMount, lookAtMountPoint, refuseMountPoint, type MountPointState } from './mount-state';
import { blockLabel, mountLine } from './share-names';

export const fstabPath = '/etc/fstab';

interface FstabState {
  /** Whole content before; stays on the host, in the record. */
  content: string;
  encoding: 'utf8' | 'latin1';
  lines: string[];
}

/**
 * The share at its mount path, now and after a reboot. May run twice: see makeSo, which is applied to the fstab line and
 * to the mount. Killed while `mount` waits for the server, the second run finds the line and, by then, perhaps the mount.
 * What is mounted there already is never mounted over.
 */
export async function ensureMount(host: Host, input: ShareHostInput): Promise<StepOutcome> {
  const { share } = input;
  const line = mountLine(input.runbook, share, host.name);
  if (!line) return outcome(`${share.mountPath} is the exported directory itself`);
  const access = line.type === 'nfs' && line.options[0] === 'ro' ? 'ro' : 'rw';
  const label = blockLabel(input.run, share);
  const wanted = mountLineOf(line);

  // everything that could refuse, before anything is changed
  refuseMountPoint(host, line, await lookAtMountPoint(host, line), access);
  const foreign = await foreignEntry(host, label, line);

  const fstab =
    foreign === 'same'
      ? { change: undefined }
      : await makeSo<FstabState>(host, input, {
          id: `fstab-${share.id}`,
          kind: 'fstab',
          what: fstabPath,
          look: async () => {
            const file = await readFile(host, fstabPath);
            return {
              content: file?.text ?? '',
              encoding: file?.encoding ?? 'utf8',
              lines: blockInFile(host, file, label, { path: fstabPath, type: 'PathOccupied' }) ?? [],
            };
          },
          isSo: (state) => state.lines.join('\n') === bytesAs(wanted, state.encoding),
          act: async () => {
            const file = await readFile(host, fstabPath);
            const text = file?.text ?? '';
            const edited = withBlock(text, label, [bytesAs(wanted, file?.encoding ?? 'utf8')]);
            if (edited !== text) await replaceFile(host, fstabPath, file, edited);
          },
          describe: (state) => state.lines.join('\n') || '(no line of this run)',
          about: { label, path: line.target },
          undo: `take the line of ${line.target} out of ${fstabPath}`,
        });

  // here and not in the act: a second run finds the line, and cannot know whether the first one came as far as this
  if (fstab.change) await daemonReload(host);

  let said = '';
  const mount = await makeSo<MountPointState>(host, input, {
    id: `mount-${share.id}`,
    kind: 'mount',
    what: line.target,
    look: () => lookAtMountPoint(host, line),
    isSo: (state) => state.isRightSource && state.answers === 'yes' && state.mounted?.access === access,
    act: async (_before, now) => {
      refuseMountPoint(host, line, now, access);
      await run(host, ['mkdir', '-p', '--', line.target], {
        message: `the mount point ${line.target} cannot be made`,
        remedy: `see on ${host.name} whether the file system is full or read-only, then retry`,
        at: line.target,
      });
      // mount.nfs itself tries for two minutes; a server that is up answers at once, and Temporal does the trying again
      const result = await host.exec(['mount', '--', line.target], { timeoutMs: 35_000 });
      if (result.code !== 0) throw mountFailed(host, line, result);
      said = result.stderr;
    },
    describe: describeMount,
    about: { path: line.target, source: line.source, type: line.type },
    undo: `umount ${line.target}`,
    failure: (state) =>
      stuck({
        type: 'MountFailed',
        message: `${line.target} is not mounted as wanted`,
        host: host.name,
        at: line.target,
        why: [`found: ${describeMount(state)}`, lastLines(said)].filter(Boolean).join('\n'),
        remedy: `try "mount ${line.target}" on ${host.name}, mend what it says, then retry`,
      }),
  });
  return outcome(
    (mount.change ?? fstab.change)
      ? `${line.target} is mounted from ${line.source}, ${access}`
      : `${line.target} was mounted from ${line.source} already`,
    fstab.change,
    mount.change,
  );
}

/** The same bytes in a file that is no UTF-8 as a whole, and therefore is taken byte by byte. */
function bytesAs(text: string, encoding: 'utf8' | 'latin1'): string {
  return encoding === 'utf8' ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * Takes our line out, whatever else was written there since. systemd is told also where the line is out already: an
 * attempt that was killed in between left it with a mount unit of that line.
 */
export async function undoFstab(host: Host, label: string): Promise<string> {
  const file = await readFile(host, fstabPath);
  const bare = file && withoutBlock(file.text, label);
  const isThere = file !== undefined && bare !== undefined && bare !== file.text;
  if (isThere) await replaceFile(host, fstabPath, file, bare);
  await daemonReload(host);
  return isThere ? `the line of this run is out of ${fstabPath}` : `${fstabPath} has no line of this run any more`;
}

/** Never lazily: a lazy umount says it is done while Elasticsearch still writes there. */
export async function undoMount(host: Host, line: MountLine, before: MountPointState): Promise<string> {
  const now = await lookAtMountPoint(host, line);
  if (now.mounted && !now.isRightSource && now.answers === 'yes') {
    return `${line.target} is left: something else is mounted there by now (${now.mounted.source})`;
  }
  if (now.mounted) {
    const result = await host.exec(['umount', '--', line.target]);
    if (result.code !== 0) {
      const holders = await execScript(host, 'timeout -s KILL 10 fuser -vm -- "$1" 2>&1 || true', [line.target]);
      throw passing({
        type: 'CommandFailed',
        message: `${line.target} cannot be unmounted`,
        host: host.name,
        at: line.target,
        why: [saidBy(result), lastLines(holders.stdout, 6)].filter(Boolean).join('\n'),
        remedy: `stop what uses it on ${host.name} ("fuser -vm ${line.target}"; Elasticsearch holds a repository open until it is restarted without it), then retry`,
      });
    }
  }
  if (before.directory === 'absent') {
    const script = `
path=$1 top=$2
rmdir -- "$path" 2>/dev/null || exit 0
while [ "$path" != "$top" ]; do path=$(dirname -- "$path"); rmdir -- "$path" 2>/dev/null || exit 0; done
`;
    await execScript(host, script, [line.target, before.firstMissing]);
  }
  return `${line.target} is unmounted`;
}

/** What `plan` shows: the lines around the block, before and after. */
export function previewFstab(
  file: FileContent | undefined,
  label: string,
  line: MountLine,
): { before: string; after: string } {
  const text = file?.text ?? '';
  return differingPart(text, withBlock(text, label, [mountLineOf(line)]), 3);
}

/** A line of somebody else's for this mount point: the same mount is as good as ours; another one is in the way. */
async function foreignEntry(host: Host, label: string, line: MountLine): Promise<'none' | 'same'> {
  const file = await readFile(host, fstabPath);
  blockInFile(host, file, label, { path: fstabPath, type: 'PathOccupied' });
  const [entry] = entriesFor(file ? foreignLines(file.text, label) : [], line.target);
  if (entry === undefined) return 'none';
  const [source] = fstabFields(entry);
  if (source === mountLineOf(line).split(' ')[0]) return 'same';
  throw stuck({
    type: 'PathOccupied',
    message: `${fstabPath} has another line for ${line.target}`,
    host: host.name,
    at: fstabPath,
    why: entry,
    remedy: `take that line out of ${fstabPath} on ${host.name}, or choose another mountPath, then retry`,
  });
}

/** systemd makes mount units of fstab, and would go on with the old ones. */
async function daemonReload(host: Host): Promise<void> {
  await runScript(host, '[ ! -d /run/systemd/system ] || exec systemctl daemon-reload', [], {
    message: 'systemd cannot read its configuration again',
    remedy: `run "systemctl daemon-reload" on ${host.name} and see what it says, then retry`,
  });
}

function mountFailed(host: Host, line: MountLine, result: ExecResult): Error {
  const why = saidBy(result);
  const problem = (message: string, remedy: string) =>
    ({ type: 'MountFailed', message, host: host.name, at: line.target, why, remedy }) as const;
  if (/access denied|Operation not permitted/i.test(why)) {
    return stuck(
      problem(
        `the NFS server refuses ${line.source} to ${host.name}`,
        `see "exportfs -v" on the server: it must list the address by which ${host.name} comes to it (behind NAT, another than in the runbook), then retry`,
      ),
    );
  }
  if (/No such file or directory|does not exist/i.test(why)) {
    return stuck(
      problem(
        `the server has no ${line.source}`,
        'see that the directory is there and exported on the server, then retry',
      ),
    );
  }
  if (/bad option|wrong fs type|unknown filesystem|incorrect mount option|invalid/i.test(why)) {
    return stuck(
      problem(
        'the mount options are refused',
        'correct mountOptions in the runbook, or install the NFS client (nfs-common, nfs-utils) by hand, then retry',
      ),
    );
  }
  return passing(
    problem(
      `${line.source} cannot be mounted`,
      `see whether the NFS server runs ("systemctl status nfs-server") and ${host.name} reaches its port 2049; the step tries again by itself`,
    ),
  );
}
