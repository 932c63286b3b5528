import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { identify, isAlive, type ProcessIdentity } from './process';
import { progress, timed } from './progress';
import { waitFor } from './wait';

/** Where what is costly to make is kept between runs. */
export function cacheRoot(): string {
  return path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'shardlift');
}

/** A short hash over files and words that decide what gets built: when they change, it is built anew. */
export function recipeHash(files: readonly string[], words: readonly string[] = []): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  for (const word of words) hash.update(word).update('\0');
  return hash.digest('hex').slice(0, 10);
}

export interface CacheKey {
  name: string;
  version: string;
  /** Set where the recipe is ours (`recipeHash`). */
  hash?: string;
}

export interface CacheEntry extends CacheKey {
  /** What the progress line says, such as "building the Temporal server (some 3 to 14 min)". */
  building: string;
  /** Makes the whole entry inside that empty directory. */
  build: (directory: string) => Promise<void>;
}

function placeOf({ name, version, hash }: CacheKey): string {
  return path.join(cacheRoot(), name, hash === undefined ? version : `${version}-${hash}`);
}

/** Is that entry there, whole? */
export function isCached(key: CacheKey): boolean {
  return existsSync(placeOf(key));
}

/** The end of a build directory's name: the process that builds in it. */
const OWNER = /\.(\d+)-([^.]*)\.tmp$/;

/**
 * The directory of that entry, built now if it is not there. It is built beside its place and renamed when whole,
 * so an interrupted build is never taken for a finished one. Of processes that want the same at the same time one
 * builds and the others wait.
 */
export async function cached(entry: CacheEntry): Promise<string> {
  const place = placeOf(entry);
  const [parent, key] = [path.dirname(place), path.basename(place)];
  if (existsSync(place)) return place;
  mkdirSync(parent, { recursive: true });
  const self = identify(process.pid);
  const lock = path.join(parent, `${key}.lock`);
  let told = false;
  await waitFor(
    () => {
      if (existsSync(place) || takeLock(lock, self)) return true;
      if (!told) progress(`waiting for another process that is ${entry.building}`);
      told = true;
      return false;
    },
    { what: `another process that builds ${place}`, timeoutMs: 45 * 60_000, everyMs: 500 },
  );
  if (existsSync(place)) return place;
  try {
    sweep(parent);
    const temporary = path.join(parent, `${key}.${self.pid}-${self.started}.tmp`);
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    try {
      await timed(entry.building, () => entry.build(temporary));
      renameSync(temporary, place);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  } finally {
    rmSync(lock, { force: true });
  }
  return place;
}

/** A lock whose holder has died is taken over; should two do so at once, both build and the later rename fails. */
function takeLock(lock: string, self: ProcessIdentity): boolean {
  try {
    writeFileSync(lock, JSON.stringify(self), { flag: 'wx' });
    return true;
  } catch {
    // somebody holds it: who?
  }
  try {
    const holder = JSON.parse(readFileSync(lock, 'utf8')) as ProcessIdentity;
    if (!isAlive(holder)) rmSync(lock, { force: true });
  } catch {
    // being written or gone just now: look again next time, but not for ever at one that stayed empty
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > 60_000) rmSync(lock, { force: true });
  }
  return false;
}

/** Removes what builders that died left behind. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const owner = OWNER.exec(name);
    if (owner === null) continue;
    if (!isAlive({ pid: Number(owner[1]), started: owner[2] ?? '' })) {
      rmSync(path.join(parent, name), { recursive: true, force: true });
    }
  }
}
