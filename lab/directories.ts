import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { existsSync } from 'node:fs';

/**
 * Where labs live: each in a directory of its own, with a name of its own. Not below the home directory, which
 * Elasticsearch's user may be unable to enter, and not on a memory file system, since hosts' disks lie there.
 */
export function labsRoot(): string {
  const base =
    process.env['SHARDLIFT_LAB_DIR'] ??
    path.join(existsSync('/var/tmp') ? '/var/tmp' : tmpdir(), `shardlift-labs-${userInfo().uid}`);
  mkdirSync(base, { recursive: true });
  chmodSync(base, 0o755);
  return base;
}

export function newLabName(): string {
  return randomBytes(3).toString('hex');
}

export function labDirectory(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,20}$/.test(name)) {
    throw new Error(`"${name}" cannot name a lab: wanted are at most 21 small letters, digits and hyphens`);
  }
  return path.join(labsRoot(), name);
}

export function makeLabDirectory(name: string): string {
  const directory = labDirectory(name);
  if (existsSync(directory)) throw new Error(`there is already a lab named ${name}: ${directory}`);
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  return directory;
}
