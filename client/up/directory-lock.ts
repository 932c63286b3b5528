import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import { identify, isAlive, type ProcessIdentity } from '../process-identity';

/** Who uses a directory of `up`: two servers on one database would ruin it. */
interface Holder {
  up: ProcessIdentity;
  server?: ProcessIdentity;
}

export interface DirectoryLock {
  /** Kept in the lock, so that the next `up` finds a server that outlived this one. */
  recordServer(server: ProcessIdentity): void;
  release(): void;
}

/**
 * Takes the directory for this process. The server of a predecessor that was killed is handed to `stopServer` first.
 * @throws ClientError (refused) when another `up` lives in it.
 */
export async function lockDirectory(
  directory: string,
  stopServer: (server: ProcessIdentity) => Promise<void>,
): Promise<DirectoryLock> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, 'up.lock');
  const own: Holder = { up: identify(process.pid) };
  for (let attempt = 0; attempt < 5; attempt++) {
    if (create(file, own)) {
      return {
        recordServer: (server) => replace(file, { ...own, server }),
        release: () => rmSync(file, { force: true }),
      };
    }
    await takeOver(file, directory, stopServer);
  }
  throw new ClientError(exitCodes.refused, `${file} changes hands too fast: several \`up\` begin at once`);
}

function create(file: string, holder: Holder): boolean {
  try {
    writeFileSync(file, JSON.stringify(holder), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new ClientError(
      exitCodes.failed,
      `${file} cannot be written: ${(error as Error).message}`,
      'name another directory with --dir',
    );
  }
}

function replace(file: string, holder: Holder): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(holder), { mode: 0o600 });
  renameSync(temporary, file);
}

async function takeOver(
  file: string,
  directory: string,
  stopServer: (server: ProcessIdentity) => Promise<void>,
): Promise<void> {
  const holder = read(file);
  if (holder && isAlive(holder.up)) {
    throw new ClientError(
      exitCodes.refused,
      `\`shardlift up\` runs already in ${directory} (process ${holder.up.pid})`,
      'use that one; every verb finds it by itself',
    );
  }
  // Of several that find the dead one's lock only one can rename it away.
  const away = `${file}.${process.pid}.old`;
  try {
    renameSync(file, away);
  } catch {
    return;
  }
  if (holder?.server && isAlive(holder.server)) await stopServer(holder.server);
  rmSync(away, { force: true });
}

function read(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
