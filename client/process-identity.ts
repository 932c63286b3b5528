import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process number together with its start: numbers are given out again, so the number alone names nobody. */
export interface ProcessIdentity {
  pid: number;
  /** When it started, in the kernel's own words; empty if that could not be read. */
  started: string;
}

export function identify(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid) ?? '' };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identity.started !== '' && startOf(identity.pid) === identity.started;
}

function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return startByPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before the state stands in brackets and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startByPs(pid: number): string | undefined {
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] });
    return started.toString().trim() || undefined;
  } catch {
    return undefined;
  }
}
