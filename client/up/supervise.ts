import { setTimeout as sleep } from 'node:timers/promises';
import type pino from 'pino';

export interface Supervised {
  /** "Temporal server", "worker": for the log. */
  name: string;
  /** Runs it once; resolves or rejects when it is no more. */
  runOnce: () => Promise<string>;
  signal: AbortSignal;
  log: pino.Logger;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** One that ran for so long had a good start: the next pause is short again. */
const goodRunMs = 60_000;

/** Runs something again and again until told to stop, with growing pauses when it ends at once. */
export async function supervise({ name, runOnce, signal, log }: Supervised): Promise<void> {
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    const began = Date.now();
    let how: string;
    try {
      how = await runOnce();
    } catch (error) {
      how = `failed: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (signal.aborted) return;
    pauseMs = Date.now() - began > goodRunMs ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
    log.warn({ seconds: pauseMs / 1000 }, `the ${name} ${how}; it is started again`);
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
