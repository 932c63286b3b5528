import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { killSession, run, stopSession, type ProcessIdentity } from './process';

/**
 * Something of a lab that must be gone afterwards. The records lie in the lab's own directory, so that whoever
 * cleans up (the process itself, its watchdog, `lab down`) touches what this lab made and nothing else.
 */
export type CleanupRecord =
  | { kind: 'session'; what: string; process: ProcessIdentity; graceful?: boolean }
  | { kind: 'namespace'; name: string }
  | { kind: 'mount'; path: string }
  | { kind: 'directory'; path: string };

const JOURNAL = 'cleanup.jsonl';

export function record(labDirectory: string, entry: CleanupRecord): void {
  mkdirSync(labDirectory, { recursive: true });
  appendFileSync(path.join(labDirectory, JOURNAL), `${JSON.stringify(entry)}\n`);
}

export function recordsOf(labDirectory: string): CleanupRecord[] {
  const file = path.join(labDirectory, JOURNAL);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as CleanupRecord);
}

/**
 * Ends, unmounts and removes all that the lab in that directory recorded, the latest first, and then the directory
 * itself. Doing it twice, or two at once, does no harm. What could not be undone is thrown at the end, all of it.
 */
export async function cleanUp(labDirectory: string): Promise<void> {
  const failures: string[] = [];
  const entries = recordsOf(labDirectory).reverse();
  const attempt = async (entry: CleanupRecord): Promise<void> => {
    try {
      await undo(entry);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  };
  // processes hold everything else, and each takes its time to end: all of them at once, before the rest
  await Promise.all(entries.filter((entry) => entry.kind === 'session').map(attempt));
  for (const entry of entries.filter(({ kind }) => kind !== 'session')) await attempt(entry);
  if (failures.length > 0) throw new Error(`left behind by ${labDirectory}: ${failures.join('; ')}`);
  rmSync(labDirectory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

async function undo(entry: CleanupRecord): Promise<void> {
  switch (entry.kind) {
    case 'session':
      await (entry.graceful === true ? stopSession(entry.process) : killSession(entry.process));
      return;
    case 'namespace':
      if (existsSync(`/run/netns/${entry.name}`)) await runChecked('ip', ['netns', 'delete', entry.name]);
      return;
    case 'mount':
      if ((await run('mountpoint', ['-q', entry.path])).code === 0) await runChecked('umount', ['-R', entry.path]);
      return;
    case 'directory':
      rmSync(entry.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      return;
  }
}

async function runChecked(command: string, args: string[]): Promise<void> {
  const { code, stderr } = await run(command, args, { timeoutMs: 20_000 });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`);
}
