import type { PathRepoInput, StepOutcome } from '../../contracts/host-activities';
import type { RunbookHost, Side } from '../../contracts/runbook';
import { makeSo, outcome } from './change';
import { addPathRepo, readPathRepo, removePathRepo } from './elasticsearch-yml';
import type { Host } from './host';
import { readFile, replaceFile, type FileContent } from './host-files';
import { differingPart } from './marked-block';
import { findHost } from './ssh-settings';
import { inYml, readYml, ymlPath } from './yml-file';

const pathRepoRecordId = 'path-repo';

interface PathRepoState {
  /** Whole content before: the copy to put back. Only in the record on the host, which only root can read. */
  content: string;
  encoding: 'utf8' | 'latin1';
  paths: string[];
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

const edit = <Result>(host: Host, path: string, how: () => Result) => inYml(host, path, 'path.repo', how);

function sideOf(settings: RunbookHost): Side {
  return settings.role === 'target' ? 'target' : 'source';
}
