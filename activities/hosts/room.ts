import type { DirectoryRoom } from '../../contracts/host-activities';
import type { MigrationRunbook } from '../../contracts/runbook';
import { planCopy, planShares } from '../planning/layout';
import type { Host } from './host';
import { execScript } from './host-files';

/** Directories in which a host keeps snapshot files: what it exports, and what it copies between. */
export function storedOn(runbook: MigrationRunbook, host: string): string[] {
  const served = planShares(runbook).filter((share) => share.server === host);
  const { existing } = runbook.snapshot?.repository ?? {};
  const copy = existing?.copyHost === host ? planCopy(runbook) : undefined;
  return [...served.map((share) => share.exportPath), ...(copy ? [copy.from, copy.to] : [])];
}

/**
 * Counting what is there walks all of it: a repository of millions of files is given up on, and then only free room
 * counts, which errs on the safe side. KILL, as a directory below may be a mount whose server is gone.
 */
const roomScript = `
for path in "$@"; do
  used=$(timeout -s KILL 20 du -sB1 -- "$path" 2>/dev/null | cut -f1)
  while [ ! -d "$path" ]; do path=$(dirname -- "$path"); done
  echo "$(timeout -s KILL 10 stat -c %d -- "$path") $(timeout -s KILL 10 df -B1 --output=avail -- "$path" | tail -n 1 | tr -d ' ') \${used:-0}"
done
`;

export async function readRoom(host: Host, paths: readonly string[]): Promise<DirectoryRoom[]> {
  if (paths.length === 0) return [];
  const { stdout } = await execScript(host, roomScript, [...paths]);
  const lines = stdout.trim().split('\n');
  return paths.flatMap((path, at) => {
    const [, device, free, used] = /^(\d+) (\d+) (\d+)$/.exec(lines[at] ?? '') ?? [];
    return device === undefined ? [] : [{ path, device, freeBytes: Number(free), usedBytes: Number(used) }];
  });
}
