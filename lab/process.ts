import { spawn, type SpawnOptions } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { waitFor } from './wait';

/** A process that we started, so that a later one with the same number is never taken for it. */
export interface ProcessIdentity {
  pid: number;
  /** When it started, in the kernel's own words. */
  started: string;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string;
  timeoutMs?: number;
}

/** Runs a program to its end. A program that cannot be started counts as exit code 127. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const timer =
      options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, stdout: '', stderr: error.message });
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({
        code: code ?? 137,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

export async function runOrThrow(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) {
    const tail = `${stderr}\n${stdout}`.trim().split('\n').slice(-30).join('\n');
    throw new Error(`${[command, ...args].join(' ')} ended with code ${code}:\n${tail}`);
  }
  return stdout;
}

export interface SessionOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Output of the program is appended here. */
  logFile: string;
  uid?: number;
  gid?: number;
}

/**
 * Starts a program as the leader of a session of its own: it outlives us, Ctrl-C on the terminal does not reach it,
 * and whatever it forks can be found again by the session.
 */
export async function startSession(
  command: string,
  args: readonly string[],
  options: SessionOptions,
): Promise<ProcessIdentity> {
  const log = openSync(options.logFile, 'a');
  const spawnOptions: SpawnOptions = {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', log, log],
  };
  if (options.uid !== undefined) Object.assign(spawnOptions, { uid: options.uid, gid: options.gid });
  try {
    const child = spawn(command, args, spawnOptions);
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid as number));
    });
    child.unref();
    return { pid, started: startOf(pid) ?? '' };
  } finally {
    closeSync(log);
  }
}

/** Fields of /proc/PID/stat from the state on; the name before it may hold spaces and brackets. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    try {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim();
    } catch {
      return undefined;
    }
  }
  const stat = statOf(pid);
  return stat === undefined || stat[0] === 'Z' || stat[0] === 'X' ? undefined : stat[19];
}

export function identify(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid) ?? '' };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return startOf(identity.pid) === identity.started;
}

/**
 * All living processes of the session that this process leads, or led: members keep its number taken; and their children,
 * whatever session they made for themselves, as the server of `shardlift up` does.
 */
export function membersOf(session: ProcessIdentity): number[] {
  const leader = startOf(session.pid);
  if (leader !== undefined && leader !== session.started) return [];
  if (process.platform !== 'linux') return leader === undefined ? [] : [session.pid];
  const living = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const [state, parent, , ownSession] = statOf(Number(name)) ?? [];
      const isGone = state === undefined || state === 'Z' || state === 'X';
      return isGone ? [] : [{ pid: Number(name), parent: Number(parent), session: Number(ownSession) }];
    });
  const members = new Set(living.filter((each) => each.session === session.pid).map(({ pid }) => pid));
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const { pid, parent } of living) if (members.has(parent)) members.add(pid);
  }
  return [...members];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended by itself in between
  }
}

/** Kills every process of that session at once, and waits until none is left. */
export async function killSession(session: ProcessIdentity): Promise<void> {
  await waitFor(
    () => {
      const members = membersOf(session);
      for (const pid of members) signal(pid, 'SIGKILL');
      return members.length === 0;
    },
    { what: `the end of session ${session.pid}`, timeoutMs: 30_000, everyMs: 30 },
  );
}

/**
 * Asks the leader to end, and kills what is left of the session when the patience is over: above the 20 s that a worker
 * gives its activities to end.
 */
export async function stopSession(session: ProcessIdentity, patienceMs = 45_000): Promise<void> {
  if (isAlive(session)) signal(session.pid, 'SIGTERM');
  await waitFor(() => membersOf(session).length === 0, {
    what: 'a clean end',
    timeoutMs: patienceMs,
    everyMs: 50,
  }).catch(() => undefined);
  await killSession(session);
}
