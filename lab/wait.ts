import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, in words: it ends up in the message when the wait is over. */
  what: string;
  timeoutMs: number;
  everyMs?: number;
}

/** Waits until `probe` gives something; an exception of the probe counts as "not yet" and is told when time is up. */
export async function waitFor<T>(
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions,
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      last = error;
    }
    if (Date.now() > deadline) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`waited ${Math.round(options.timeoutMs / 1000)} s in vain for ${options.what}${why}`);
    }
    await sleep(options.everyMs ?? 100);
  }
}

/** Thrown by a probe when waiting on makes no sense, such as for a process that has died. */
export class GiveUp extends Error {}
