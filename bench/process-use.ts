import { readFileSync, writeFileSync } from 'node:fs';
import { runOrThrow } from '../lab/process';

/** Processor time and memory of processes as the kernel counts them: nothing that a process does by itself is left out. */

let perSecond: number | undefined;

export async function ticksPerSecond(): Promise<number> {
  return (perSecond ??= Number(await runOrThrow('getconf', ['CLK_TCK'])));
}

function statOf(pid: number | 'self'): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** User and system time of all threads of a process, in clock ticks; with that of its children that have ended. */
export function cpuTicks(pid: number): number {
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(statOf(pid)[field]), 0);
}

/** Of our children that have ended, and theirs, as getrusage tells it. */
export function endedChildrenTicks(): number {
  const stat = statOf('self');
  return Number(stat[13]) + Number(stat[14]);
}

/** The most memory that a process has had since it began, or since `forgetPeak`; nothing once it has ended. */
export function peakRssMb(pid: number): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return found === undefined ? undefined : Number(found) / 1024;
  } catch {
    return undefined;
  }
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

export interface CpuWatch {
  /** Seconds of processor time between two moments, as of Date.now(). */
  secondsBetween(fromMs: number, toMs: number): number;
  stop(): void;
}

/** Notes a process's time again and again, for who learns only afterwards which stretch of it counts. */
export async function watchCpu(pid: number, everyMs = 40): Promise<CpuWatch> {
  const perSecondNow = await ticksPerSecond();
  const seen: { atMs: number; ticks: number }[] = [];
  const look = () => {
    try {
      seen.push({ atMs: Date.now(), ticks: cpuTicks(pid) });
    } catch {
      // it has ended: what was seen before counts
    }
  };
  look();
  const timer = setInterval(look, everyMs);
  const ticksAt = (ms: number): number => {
    const after = seen.findIndex(({ atMs }) => atMs >= ms);
    const [before, next] = [seen[Math.max(0, after - 1)], seen[after]];
    if (before === undefined || next === undefined) return seen.at(-1)?.ticks ?? 0;
    const share = next.atMs === before.atMs ? 0 : (ms - before.atMs) / (next.atMs - before.atMs);
    return before.ticks + (next.ticks - before.ticks) * Math.max(0, share);
  };
  return {
    secondsBetween: (fromMs, toMs) => (ticksAt(toMs) - ticksAt(fromMs)) / perSecondNow,
    stop: () => {
      clearInterval(timer);
      look();
    },
  };
}
