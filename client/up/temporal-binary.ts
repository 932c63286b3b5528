import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import type { Io } from '../io';

/** The `temporal` program: named, on PATH, or in the cache that `npm run lab` fills. */
export function findTemporal(io: Io, named: string | undefined): string {
  const asked = named ?? io.env['SHARDLIFT_TEMPORAL'];
  if (asked !== undefined && asked !== '') {
    if (isProgram(asked)) return asked;
    throw new ClientError(
      exitCodes.inputWrong,
      `${asked} cannot be executed`,
      'name the temporal program with --temporal or SHARDLIFT_TEMPORAL',
    );
  }
  const onPath = (io.env['PATH'] ?? '').split(path.delimiter).map((place) => path.join(place, 'temporal'));
  const found = [...onPath, ...cached(io)].find(isProgram);
  if (found !== undefined) return found;
  throw new ClientError(
    exitCodes.failed,
    'the Temporal server is not installed on this machine',
    'install the Temporal CLI (https://docs.temporal.io/cli/setup-cli) so that `temporal` is on PATH, or name it with --temporal',
  );
}

/** The latest version first, by number and not by letter. */
function cached(io: Io): string[] {
  const root = path.join(
    io.env['XDG_CACHE_HOME'] || path.join(io.env['HOME'] ?? homedir(), '.cache'),
    'shardlift',
    'temporal',
  );
  try {
    return readdirSync(root)
      .filter((name) => /^\d+(\.\d+)*(-[\w.]+)?$/.test(name))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      .map((version) => path.join(root, version, 'temporal'));
  } catch {
    return [];
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
