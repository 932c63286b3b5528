import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import path from 'node:path';
import { cleanUp } from './cleanup';

/**
 * Sees to it that the labs this process starts are gone when it is, however it ends. A watchdog in a session of its
 * own holds the read end of a pipe: when this process dies, even by kill -9, the pipe breaks and the watchdog cleans
 * up after the records in the labs' directories (cleanup.ts).
 */
let watchdog: ChildProcess | undefined;
const guarded = new Set<string>();

function pipe(): Writable {
  if (watchdog === undefined) {
    watchdog = spawn(process.execPath, ['--import', 'tsx', path.join(__dirname, 'watchdog.ts')], {
      cwd: path.join(__dirname, '..'),
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watchdog.unref();
    // an unread error of the pipe would end the process that the watchdog is there to protect
    watchdog.stdin?.on('error', () => undefined);
    (watchdog.stdin as unknown as { unref(): void }).unref();
  }
  return watchdog.stdin as Writable;
}

/** From now on the lab in that directory ends with this process. To be called before the first thing in it starts. */
export function guard(labDirectory: string): void {
  guarded.add(labDirectory);
  pipe().write(`guard ${labDirectory}\n`);
}

/** The lab in that directory is cleaned up, or shall outlive this process. */
export function unguard(labDirectory: string): void {
  if (!guarded.delete(labDirectory)) return;
  pipe().write(`unguard ${labDirectory}\n`);
  if (guarded.size === 0) {
    watchdog?.stdin?.end();
    watchdog = undefined;
  }
}

/** Stops and removes the lab in that directory. */
export async function dismantle(labDirectory: string): Promise<void> {
  await cleanUp(labDirectory);
  unguard(labDirectory);
}

/** Stops and removes every lab this process guards. */
export async function dismantleAll(): Promise<void> {
  await Promise.all([...guarded].map(dismantle));
}

/**
 * For a program that owns labs: at Ctrl-C, at SIGTERM, and when the process that started it dies (bootstrap.cjs keeps
 * an IPC channel to it), `before` runs, then all labs are dismantled and the process exits as a shell expects it.
 */
export function dismantleOnSignals(before: (reason: string) => Promise<void> | void = () => undefined): void {
  let ending = false;
  const end = (reason: string, exitCode: number): void => {
    if (ending) return;
    ending = true;
    const finish = async (): Promise<void> => {
      try {
        await before(reason);
      } finally {
        await dismantleAll();
      }
    };
    finish().then(
      () => process.exit(exitCode),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
        process.exit(exitCode);
      },
    );
  };
  process.on('SIGINT', () => end('SIGINT', 130));
  process.on('SIGTERM', () => end('SIGTERM', 143));
  process.on('SIGHUP', () => end('SIGHUP', 129));
  if (process.channel !== undefined) {
    process.on('disconnect', () => end('the parent process died', 137));
    process.channel.unref();
  }
}
