import type { StepOutcome } from '../../contracts/host-activities';
import type { RemoteAllowlistInput } from '../../contracts/reindex';
import { makeSo, outcome } from './change';
import type { Host } from './host';
import { readFile, replaceFile, type FileContent } from './host-files';
import { addToListSetting, readListSetting, removeFromListSetting } from './list-setting';
import { differingPart } from './marked-block';
import type { HostRecord } from './record';
import { findHost } from './ssh-settings';
import { inYml, readYml, ymlPath } from './yml-file';

const allowlistRecordId = 'remote-allowlist';

interface AllowlistState {
  /** Whole content before: the copy to put back. Only in the record on the host, which only root can read. */
  content: string;
  encoding: 'utf8' | 'latin1';
  entries: string[];
}

/**
 * Lets the node fetch from the source; restarts nothing. May run twice: see makeSo. The file is replaced at once, so a
 * killed attempt left either the old or the new one; the record keeps the old one for the undo. The record is of the kind
 * of path.repo's: what takes both back is elasticsearch.yml as it was, and a restart.
 */
export async function setRemoteAllowlist(host: Host, input: RemoteAllowlistInput): Promise<StepOutcome> {
  const { setting, entries } = input;
  const settings = findHost(input.runbook, host.name);
  const path = ymlPath(settings);
  const made = await makeSo<AllowlistState>(host, input, {
    id: allowlistRecordId,
    kind: 'pathRepo',
    what: path,
    look: async () => {
      const file = await readYml(host, path);
      const there = inYml(host, path, setting, () => readListSetting(file.text, setting));
      return { content: file.text, encoding: file.encoding, entries: there };
    },
    isSo: (state) => entries.every((entry) => state.entries.includes(entry)),
    act: async () => {
      const file = await readYml(host, path);
      const text = inYml(host, path, setting, () => addToListSetting(file.text, setting, entries));
      await replaceFile(host, path, file, text);
    },
    describe: (state) => `${setting}: [${state.entries.join(', ')}]`,
    about: { path, setting, entries },
  });
  const change = made.change && {
    ...made.change,
    undo: {
      kind: 'pathRepo' as const,
      side: settings.role === 'target' ? ('target' as const) : ('source' as const),
      host: host.name,
      id: allowlistRecordId,
      summary: `put elasticsearch.yml of ${host.name} back`,
    },
  };
  const what = `${setting} ${change ? 'holds' : 'held'} ${entries.join(', ')}`;
  return outcome(change ? what : `${what} already`, change);
}

export function isAllowlistRecord(record: HostRecord<unknown>): boolean {
  return record.about['setting'] !== undefined;
}

/** Puts the file back as it was, byte for byte; where somebody edited it since, only our entries are taken out. */
export async function restoreAllowlist(host: Host, record: HostRecord<unknown>): Promise<string> {
  const { path, setting, entries } = record.about as { path: string; setting: string; entries: string[] };
  const before = record.before as AllowlistState;
  const file = await readFile(host, path);
  if (!file) return `${path} is gone`;
  if (file.text === before.content) return `${path} is as it was already`;
  const ours = entries.filter((entry) => !before.entries.includes(entry));
  const isAsWeLeftIt =
    inYml(host, path, setting, () => addToListSetting(before.content, setting, entries)) === file.text;
  const text = isAsWeLeftIt
    ? before.content
    : inYml(host, path, setting, () => removeFromListSetting(file.text, setting, ours));
  if (text !== file.text) await replaceFile(host, path, file, text);
  return isAsWeLeftIt
    ? `${path} is as it was`
    : `${path} was edited since: only ${ours.join(', ')} is taken out of ${setting}`;
}

/** Only the lines that change: the rest of the file may hold what does not belong into a plan. */
export function previewAllowlist(
  host: Host,
  path: string,
  file: FileContent,
  { setting, entries }: Pick<RemoteAllowlistInput, 'setting' | 'entries'>,
): { before: string; after: string } {
  const text = inYml(host, path, setting, () => addToListSetting(file.text, setting, entries));
  return differingPart(file.text, text, 0);
}
