import type { FailureType } from '../../contracts/failures';
import { stuck } from './failures';
import type { Host } from './host';
import type { FileContent } from './host-files';
import { blockLines, DamagedBlock } from './marked-block';

/** Lines of this run's marked block in a file of the host; a block that somebody has half removed is left to a person. */
export function blockInFile(
  host: Host,
  file: FileContent | undefined,
  label: string,
  { path, type }: { path: string; type: FailureType },
): string[] | undefined {
  try {
    return file && blockLines(file.text, label);
  } catch (error) {
    if (!(error instanceof DamagedBlock)) throw error;
    throw stuck({
      type,
      message: `the marked block of this run in ${path} is damaged`,
      host: host.name,
      at: path,
      why: error.message,
      remedy: `remove the lines from "# BEGIN shardlift ${label}" to "# END shardlift ${label}" by hand, then retry`,
    });
  }
}
