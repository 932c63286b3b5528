import type { ShareHostInput, StepOutcome } from '../../contracts/host-activities';
import { makeSo, outcome } from './change';
import {
  activeClients,
  endsContinued,
  exportLine,
  foreignExport,
  type ActiveClient,
  type ExportClient,
} from './exports-file';
import { blockInFile } from './block-in-file';
import { lastLines, stuck } from './failures';
import type { Host } from './host';
import { execScript, readFile, replaceFile, run, runScript, type FileContent } from './host-files';
import { differingPart, withBlock, withoutBlock } from './marked-block';
import { blockLabel, exportClients } from './share-names';

export const exportsPath = '/etc/exports';

interface ExportState {
  /** Whole content before; stays on the host, in the record. Left out where there was no file. */
  content?: string;
  encoding: 'utf8' | 'latin1';
  lines: string[];
  /** What the kernel's exports say of the path now. */
  active: string[];
}

/**
 * Exports the directory to exactly the clients. Runs on the server.
 * May run twice: see makeSo. The block is found by the run's and the share's name, so there is never a second one, and
 * `exportfs -ra` with nothing new does nothing.
 */
export async function ensureExport(host: Host, input: ShareHostInput): Promise<StepOutcome> {
  const { share } = input;
  const label = blockLabel(input.run, share);
  const clients = exportClients(input.runbook, share);
  const line = exportLine(share.exportPath, clients);
  let warnings = '';

  await refuseForeign(host, share.exportPath, label);
  const made = await makeSo<ExportState>(host, input, {
    id: `export-${share.id}`,
    kind: 'export',
    what: exportsPath,
    look: async () => {
      const file = await readFile(host, exportsPath);
      const active = await readActive(host, share.exportPath);
      return {
        content: file?.text,
        encoding: file?.encoding ?? 'utf8',
        lines: blockInFile(host, file, label, { path: exportsPath, type: 'ExportRefused' }) ?? [],
        active: await describeActive(host, active, clients),
      };
    },
    isSo: (state) => state.lines.join('\n') === line && sameSet(state.active, wantedActive(clients)),
    act: async () => {
      const file = await readFile(host, exportsPath);
      const text = file?.text ?? '';
      if (endsContinued(text, label)) throw endsContinuedFailure(host);
      const edited = withBlock(text, label, [line]);
      if (edited !== text || !file) await replaceFile(host, exportsPath, file, edited);
      warnings = await applyExports(host);
    },
    describe: (state) => state.lines.join('\n') || '(no line of this run)',
    about: { label, path: share.exportPath },
    undo: `take the export of ${share.exportPath} out of ${exportsPath}`,
    failure: (state) => {
      const found = `exported: ${state.active.join(' ') || 'nothing'}; wanted: ${wantedActive(clients).join(' ')}`;
      return refused(host, share.exportPath, lastLines(warnings) || found);
    },
  });
  // Listed is not served: of a file system that NFS cannot serve, or a directory that is gone, exportfs only warns. A
  // second run finds the line there and warns nothing by itself, so it applies the exports again: that changes nothing.
  if (made.changed) {
    warnings ||= await applyExports(host);
    if (concerns(warnings, share.exportPath)) throw refused(host, share.exportPath, warnings);
  }
  return outcome(
    made.changed
      ? `${share.exportPath} is exported to ${clients.length} clients`
      : `${share.exportPath} was exported to exactly the clients already`,
    made.change,
  );
}

/** exportfs warns on stderr and still exits with 0. */
async function applyExports(host: Host): Promise<string> {
  return (await host.exec(['exportfs', '-ra'])).stderr;
}

/** Whether a warning is about our directory, or about all of them; other lines of the file are not our business. */
function concerns(warnings: string, path: string): boolean {
  return warnings.split('\n').some((line) => line.includes(path));
}

function refused(host: Host, path: string, why: string): Error {
  return stuck({
    type: 'ExportRefused',
    message: `${path} cannot be exported to exactly the clients`,
    host: host.name,
    at: path,
    why: lastLines(why),
    remedy: exportRemedy(why, path),
  });
}

/**
 * Takes the block out of the file, whatever else was written there since, and unexports: also where the block is out
 * already, since an attempt that was killed in between left the kernel exporting it.
 */
export async function undoExport(host: Host, label: string, before: ExportState): Promise<string> {
  const file = await readFile(host, exportsPath);
  const bare = file && withoutBlock(file.text, label);
  const isThere = file !== undefined && bare !== undefined && bare !== file.text;
  if (isThere) {
    if (before.content === undefined && bare === '') {
      await run(host, ['rm', '-f', '--', exportsPath], {
        message: `${exportsPath} cannot be removed`,
        remedy: 'retry',
      });
    } else {
      await replaceFile(host, exportsPath, file, bare);
    }
  }
  // without the tool there is no server, and nothing is exported
  await runScript(host, 'command -v exportfs > /dev/null || exit 0; exec exportfs -ra', [], {
    message: 'the exports cannot be put into force again',
    remedy: `run "exportfs -rav" on ${host.name} and mend what it names, then retry`,
  });
  return isThere ? `the line of this run is out of ${exportsPath}` : `${exportsPath} has no line of this run any more`;
}

/** What `plan` shows: the lines around the block, before and after. */
export function previewExport(
  file: FileContent | undefined,
  label: string,
  path: string,
  clients: readonly ExportClient[],
): { before: string; after: string } {
  const text = file?.text ?? '';
  return differingPart(text, withBlock(text, label, [exportLine(path, clients)]), 3);
}

async function refuseForeign(host: Host, path: string, label: string): Promise<void> {
  const extra = await execScript(
    host,
    'for f in /etc/exports.d/*.exports; do [ -f "$f" ] && cat "$f" && echo; done; true',
  );
  const main = await readFile(host, exportsPath);
  blockInFile(host, main, label, { path: exportsPath, type: 'ExportRefused' });
  const foreign = foreignExport(`${main?.text ?? ''}\n${extra.stdout}`, label, path);
  if (!foreign) return;
  throw stuck({
    type: 'ExportRefused',
    message: `${path} is exported already, by a line that is not of this run`,
    host: host.name,
    at: path,
    why: `${foreign.path} ${foreign.clients.join(' ')}`,
    remedy: `take that line out of /etc/exports (or /etc/exports.d) on ${host.name}, or choose another exportPath, then retry`,
  });
}

function endsContinuedFailure(host: Host): Error {
  return stuck({
    type: 'ExportRefused',
    message: `the last line of ${exportsPath} ends with a backslash, which would swallow the next line`,
    host: host.name,
    at: exportsPath,
    remedy: `take the backslash off the end of ${exportsPath}, then retry`,
  });
}

async function readActive(host: Host, path: string): Promise<ActiveClient[]> {
  const etab = await readFile(host, '/var/lib/nfs/etab');
  return activeClients(etab?.text ?? '', path);
}

function wantedActive(clients: readonly ExportClient[]): string[] {
  return clients.map((client) => `${client.address}(${client.access})`);
}

/**
 * exportfs puts the name that the resolver gives for an address into its table: such an entry is the client that we
 * wrote if the host resolves both to the same.
 */
async function describeActive(
  host: Host,
  active: readonly ActiveClient[],
  clients: readonly ExportClient[],
): Promise<string[]> {
  const wanted = new Set(clients.map((client) => client.address));
  const unknown = active.filter((client) => !wanted.has(client.name)).map((client) => client.name);
  const names = new Map<string, string>();
  if (unknown.length > 0) {
    const missing = clients.map((client) => client.address);
    const [listed, ours] = [await resolve(host, unknown), await resolve(host, missing)];
    for (const [name, addresses] of listed) {
      const same = missing.find((address) => ours.get(address)?.some((each) => addresses.includes(each)));
      if (same !== undefined) names.set(name, same);
    }
  }
  return active.map((client) => `${names.get(client.name) ?? client.name}(${client.access})`);
}

async function resolve(host: Host, names: readonly string[]): Promise<Map<string, string[]>> {
  const script =
    'for n; do printf "%s" "$n"; getent ahosts "$n" | while read -r a _; do printf " %s" "$a"; done; echo; done';
  const result = await execScript(host, script, names);
  return new Map(
    result.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name, ...addresses]) => [name!, [...new Set([name!, ...addresses])]]),
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return [...new Set(a)].sort().join('\n') === [...new Set(b)].sort().join('\n');
}

function exportRemedy(warnings: string, path: string): string {
  if (/does not support NFS export|requires fsid=/.test(warnings)) {
    return `put the share on a file system that NFS can serve (ext4, xfs): ${path} is on one that it cannot (overlay, tmpfs), then retry`;
  }
  if (/Failed to resolve|unknown host|can't resolve/i.test(warnings)) {
    return 'give the hosts in the runbook by IP address, or mend name resolution on the server, then retry';
  }
  if (/Failed to stat|No such file/.test(warnings)) {
    return `make ${path} on the server, owned by the elasticsearch user, then retry: it is not there`;
  }
  return 'run "exportfs -rav" on the server and mend what it names in /etc/exports, then retry';
}
