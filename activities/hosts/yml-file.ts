import type { RunbookHost } from '../../contracts/runbook';
import { UnreadableYml } from './elasticsearch-yml';
import { stuck } from './failures';
import type { Host } from './host';
import { readFile, type FileContent } from './host-files';

export function ymlPath(settings: RunbookHost): string {
  return `${settings.configPath}/elasticsearch.yml`;
}

export async function readYml(host: Host, path: string): Promise<FileContent> {
  const file = await readFile(host, path);
  const unreadable = (why: string, remedy: string) =>
    stuck({ type: 'ConfigUnreadable', message: `${path} cannot be used`, host: host.name, at: path, why, remedy });
  if (!file) throw unreadable('it is not there', 'correct hosts.configPath in the runbook, and start the run again');
  if (file.encoding !== 'utf8') throw unreadable('it is no UTF-8', `save it as UTF-8 on ${host.name}, then retry`);
  return file;
}

/** A reading or an edit of one setting in the file's text; what cannot be read or edited for certain is a person's. */
export function inYml<Result>(host: Host, path: string, setting: string, how: () => Result): Result {
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
      remedy: `mend the file on ${host.name} at the place named (Elasticsearch itself would not start with what is no YAML), or write ${setting} there by hand, then retry`,
    });
  }
}
