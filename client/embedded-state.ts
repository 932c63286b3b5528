import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { Io } from './io';
import { isAlive, type ProcessIdentity } from './process-identity';

/**
 * What `shardlift up` leaves behind so that the other verbs find its server: one file for each directory it runs in,
 * in the operator's state directory.
 */
export interface EmbeddedState {
  /** Directory of its database and log. */
  directory: string;
  address: string;
  uiUrl: string;
  namespace: string;
  taskQueue: string;
  /** The process of `up` itself. */
  up: ProcessIdentity;
  /** Its Temporal server. */
  server: ProcessIdentity;
}

export function stateHome(io: Io): string {
  const home = io.env['HOME'] ?? homedir();
  return path.join(io.env['XDG_STATE_HOME'] || path.join(home, '.local', 'state'), 'shardlift');
}

function embeddedStateFile(io: Io, directory: string): string {
  const key = createHash('sha256').update(path.resolve(directory)).digest('hex').slice(0, 12);
  return path.join(stateHome(io), `up-${key}.json`);
}

/** Written beside its place and renamed, so that nobody reads half a file. */
export function writeEmbeddedState(io: Io, state: EmbeddedState): void {
  const file = embeddedStateFile(io, state.directory);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

export function removeEmbeddedState(io: Io, directory: string): void {
  rmSync(embeddedStateFile(io, directory), { force: true });
}

function readEmbeddedState(file: string): EmbeddedState | undefined {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8')) as Partial<EmbeddedState> | null;
    return typeof state?.address === 'string' && state.up && state.server ? (state as EmbeddedState) : undefined;
  } catch {
    return undefined;
  }
}

/** Every embedded server of this operator that runs, or is about to be started again, in any directory. */
export function livingEmbedded(io: Io): EmbeddedState[] {
  let names: string[];
  try {
    names = readdirSync(stateHome(io));
  } catch {
    return [];
  }
  return names
    .filter((name) => /^up-[0-9a-f]+\.json$/.test(name))
    .map((name) => readEmbeddedState(path.join(stateHome(io), name)))
    .filter((state): state is EmbeddedState => state !== undefined && (isAlive(state.server) || isAlive(state.up)))
    .sort((a, b) => a.directory.localeCompare(b.directory));
}
