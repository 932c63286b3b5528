import type { PathRepoInput, StepOutcome } from '../../contracts/host-activities';
import type { RunbookHost, Side } from '../../contracts/runbook';
import { makeSo, outcome } from './change';
import { addPathRepo, readPathRepo, removePathRepo, UnreadableYml } from './elasticsearch-yml';
import { stuck } from './failures';
import type { Host } from './host';
import { readFile, replaceFile, type FileContent } from './host-files';
import { differingPart } from './marked-block';
import { findHost } from './ssh-settings';

const pathRepoRecordId = 'path-repo';

interface PathRepoState {
  /** Whole content before: the copy to put back. Only in the record on the host, which only root can read. */
  content: string;
  encoding: 'utf8' | 'latin1';
  paths: string[];
}

export function ymlPath(settings: RunbookHost): string {
  return `${settings.configPath}/elasticsearch.yml`;
}

/**
 * path.repo in elasticsearch.yml; restarts nothing. May run twice: see makeSo. The file is replaced at once, so a killed
 * attempt left either the old or the new one; the record keeps the old one for the undo.
 */
export async function ensurePathRepo(host: Host, input: PathRepoInput): Promise<StepOutcome> {
  const settings = findHost(input.runbook, host.name);
  const path = ymlPath(settings);
  const made = await makeSo<PathRepoState>(host, input, {
    id: pathRepoRecordId,
    kind: 'pathRepo',
    what: path,
    look: async () => {
      const file = await readYml(host, path);
      return { content: file.text, encoding: file.encoding, paths: edit(host, path, () => readPathRepo(file.text)) };
    },
    isSo: (state) => input.paths.every((each) => state.paths.includes(each)),
    act: async () => {
      const file = await readYml(host, path);
      await replaceFile(
        host,
        path,
        file,
        edit(host, path, () => addPathRepo(file.text, input.paths)),
      );
    },
    describe: (state) => `path.repo: [${state.paths.join(', ')}]`,
    about: { path, paths: input.paths },
  });
  const change = made.change && {
    ...made.change,
    undo: {
      kind: 'pathRepo' as const,
      side: sideOf(settings),
      host: host.name,
      id: pathRepoRecordId,
      summary: `put elasticsearch.yml of ${host.name} back`,
    },
  };
  return outcome(
    change ? `path.repo holds ${input.paths.join(', ')}` : `path.repo held ${input.paths.join(', ')} already`,
    change,
  );
}

/**
 * Puts the file back as it was, byte for byte; where somebody edited it since, only our directories are taken out.
 */
export async function restoreYml(
  host: Host,
  path: string,
  paths: readonly string[],
  before: PathRepoState,
): Promise<string> {
  const file = await readFile(host, path);
  if (!file) return `${path} is gone`;
  if (file.text === before.content) return `${path} is as it was already`;
  const ours = paths.filter((each) => !before.paths.includes(each));
  const isAsWeLeftIt = edit(host, path, () => addPathRepo(before.content, paths)) === file.text;
  const text = isAsWeLeftIt ? before.content : edit(host, path, () => removePathRepo(file.text, ours));
  if (text !== file.text) await replaceFile(host, path, file, text);
  return isAsWeLeftIt
    ? `${path} is as it was`
    : `${path} was edited since: only ${ours.join(', ')} is taken out of path.repo`;
}

/** Only the lines that change: the rest of the file may hold what does not belong into a plan. */
export function previewPathRepo(
  host: Host,
  path: string,
  file: FileContent,
  paths: readonly string[],
): { before: string; after: string } {
  return differingPart(
    file.text,
    edit(host, path, () => addPathRepo(file.text, paths)),
    0,
  );
}

export async function readYml(host: Host, path: string): Promise<FileContent> {
  const file = await readFile(host, path);
  const unreadable = (why: string, remedy: string) =>
    stuck({ type: 'ConfigUnreadable', message: `${path} cannot be used`, host: host.name, at: path, why, remedy });
  if (!file) throw unreadable('it is not there', 'correct hosts.configPath in the runbook, and start the run again');
  if (file.encoding !== 'utf8') throw unreadable('it is no UTF-8', `save it as UTF-8 on ${host.name}, then retry`);
  return file;
}

function edit<Result>(host: Host, path: string, how: () => Result): Result {
  try {
    return how();
  } catch (error) {
    if (!(error instanceof UnreadableYml)) throw error;
    throw stuck({
      type: 'ConfigUnreadable',
      message: `${path} cannot be read or edited`,
      host: host.name,
      at: path,
      why: error.message,
      remedy: `mend the file on ${host.name} at the place named (Elasticsearch itself would not start with it), or write path.repo by hand, then retry`,
    });
  }
}

function sideOf(settings: RunbookHost): Side {
  return settings.role === 'target' ? 'target' : 'source';
}
