import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { permanent } from '../failure';

/**
 * Where a dump or a load is, in a folder beside the data. Written whole or not at all, and on disk before it counts: what
 * a killed process finds is the last checkpoint or the one before it.
 */
const folder = '.shardlift';

export function stateFile(directory: string, name: string): string {
  return path.join(directory, folder, `${name}.json`);
}

export async function readState<State>(file: string): Promise<State | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as State;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileFailure(error, file, 'the state file cannot be read', 'remove it to begin this file anew, then retry');
  }
}

export async function writeState(file: string, state: object): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(`${file}.new`, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(state)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${file}.new`, file);
    await syncDirectory(path.dirname(file));
  } catch (error) {
    throw fileFailure(
      error,
      file,
      'the state file cannot be written',
      'make room or give the right to write, then retry',
    );
  }
}

/** Once all of a dump or a load is done: what is left is the data alone. */
export async function forgetStates(directory: string): Promise<void> {
  await rm(path.join(directory, folder), { recursive: true, force: true });
}

/** A name that was changed is safe only once its directory is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}

export function fileFailure(error: unknown, where: string, message: string, remedy: string): Error {
  const { code, message: words } = error as NodeJS.ErrnoException;
  if (code === undefined && !(error instanceof SyntaxError)) return error as Error;
  return permanent({ type: 'CopyFailed', message, where, why: code ?? words, remedy }, error);
}
