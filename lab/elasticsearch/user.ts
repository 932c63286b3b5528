import { chownSync, cpSync, existsSync, linkSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { run, runOrThrow } from '../process';

export interface ServerUser {
  uid: number;
  gid: number;
}

/** The user that servers run as, since they refuse root: `elasticsearch`, made if need be. Not root ourselves: us. */
export async function serverUser(): Promise<ServerUser> {
  const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (self.uid !== 0) return self;
  if ((await run('id', ['-u', 'elasticsearch'])).code !== 0) {
    // of two labs at once one comes second: what counts is that the user is there afterwards
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      'elasticsearch',
    ]);
  }
  const uid = Number(await runOrThrow('id', ['-u', 'elasticsearch']));
  const gid = Number(await runOrThrow('id', ['-g', 'elasticsearch']));
  return { uid, gid };
}

/** May everybody pass through all directories on the way there? */
function reachable(directory: string): boolean {
  for (let place = directory; place !== path.dirname(place); place = path.dirname(place)) {
    if ((statSync(place).mode & 0o005) !== 0o005) return false;
  }
  return true;
}

/**
 * That directory, or where its path is closed to other users (root's home is, and the cache lies in it) a tree of hard
 * links to its files, which costs nothing, or a copy of it on another file system.
 */
export function madeReachable(directory: string, elsewhere: string, user: ServerUser): string {
  if (user.uid === process.getuid?.() || reachable(directory)) return directory;
  mkdirSync(elsewhere, { recursive: true, mode: 0o755 });
  try {
    linkTree(directory, elsewhere);
  } catch {
    cpSync(directory, elsewhere, { recursive: true, force: true });
  }
  return elsewhere;
}

function linkTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, copy] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) {
      mkdirSync(copy, { mode: 0o755, recursive: true });
      linkTree(source, copy);
    } else if (!existsSync(copy)) {
      // it is there when both clusters of a pair have the same version
      linkSync(source, copy);
    }
  }
}

export function makeOwnedDirectory(directory: string, user: ServerUser, mode = 0o755): void {
  mkdirSync(directory, { recursive: true, mode });
  chownSync(directory, user.uid, user.gid);
}
