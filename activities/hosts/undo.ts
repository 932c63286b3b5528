import type { HostInput, StepOutcome } from '../../contracts/host-activities';
import { outcome } from './change';
import { undoExport } from './export';
import { undoFirewall } from './firewall';
import type { MountLine } from './fstab-file';
import type { Host } from './host';
import { undoFstab, undoMount } from './mount';
import { undoNfsService } from './nfs-service';
import { forgetRestarts } from './node-service';
import { restoreYml } from './path-repo';
import { readRecord, removeRecord, type HostRecord } from './record';
import { isAllowlistRecord, restoreAllowlist } from './remote-allowlist';
import { undoShareDirectory } from './share-directory';

/** Any state: each kind of record is read back as what was written under that kind. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type AnyRecord = HostRecord<any>;

/**
 * Takes back one recorded change of this run. May run twice: the record goes last, so a killed attempt is found
 * unfinished; each kind looks first, so what is back already stays. Without a record there is nothing to take back.
 */
export async function undoHostChange(host: Host, input: HostInput & { id: string }): Promise<StepOutcome> {
  const record: AnyRecord | undefined = await readRecord(host, input.run, input.id);
  if (!record) return outcome(`${host.name} has no record ${input.id} of this run: nothing to take back`);
  const summary = await takeBack(host, record);
  await removeRecord(host, input.run, input.id);
  // only the record of it goes: a later run of this name finds the package, and did not install it
  if (record.kind === 'package') return outcome(summary);
  return outcome(summary, {
    step: input.step,
    at: new Date().toISOString(),
    where: host.name,
    what: text(record.about['path']) || input.id,
    before: 'as this run made it',
    after: summary,
  });
}

async function takeBack(host: Host, record: AnyRecord): Promise<string> {
  const before: unknown = record.before;
  const about = (key: string) => text(record.about[key]);
  switch (record.kind) {
    case 'directory':
      return undoShareDirectory(host, about('path'), before as Parameters<typeof undoShareDirectory>[2]);
    case 'export':
      return undoExport(host, about('label'), before as Parameters<typeof undoExport>[2]);
    case 'service':
      return undoNfsService(host, before as Parameters<typeof undoNfsService>[1]);
    case 'fstab':
      return undoFstab(host, about('label'));
    case 'mount': {
      const type = about('type') === 'nfs' ? 'nfs' : 'none';
      const line: MountLine = { source: about('source'), target: about('path'), type, options: [] };
      return undoMount(host, line, before as Parameters<typeof undoMount>[2]);
    }
    case 'firewall':
      return undoFirewall(host, before as Parameters<typeof undoFirewall>[1]);
    case 'pathRepo':
      return isAllowlistRecord(record) ? takeBackAllowlist(host, record) : takeBackPathRepo(host, record);
    case 'package':
      return `the package ${about('name')} stays`;
    case 'restart':
      return 'a restart is not taken back';
  }
}

async function takeBackAllowlist(host: Host, record: AnyRecord): Promise<string> {
  const summary = await restoreAllowlist(host, record);
  await forgetRestarts(host, record.run);
  return summary;
}

async function takeBackPathRepo(host: Host, record: AnyRecord): Promise<string> {
  const { path = '', paths = [] } = record.about;
  const before = record.before as Parameters<typeof restoreYml>[3];
  const summary = await restoreYml(host, text(path), typeof paths === 'string' ? [paths] : paths, before);
  await forgetRestarts(host, record.run);
  return summary;
}

/**
 * Takes back elasticsearch.yml; the restart is the caller's. May run twice: as undoHostChange; killed between the file
 * and the record, the second run finds the file as it was before and only removes the record.
 */
export async function undoPathRepo(host: Host, input: HostInput & { id: string }): Promise<StepOutcome> {
  return undoHostChange(host, input);
}

function text(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(' ') : (value ?? '');
}
