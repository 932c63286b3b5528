import { Context } from '@temporalio/activity';
import type { Progress } from '../../contracts/status';

export interface ActivityHooks {
  /** Aborted when the activity is cancelled or the worker shuts down. */
  signal?: AbortSignal;
  heartbeat: (progress: Progress) => void;
}

/** The running activity's heartbeat and cancellation; outside of one (unit tests, scripts) neither exists. */
export function activityHooks(): ActivityHooks {
  try {
    const context = Context.current();
    return { signal: context.cancellationSignal, heartbeat: (progress) => context.heartbeat(progress) };
  } catch {
    return { heartbeat: () => undefined };
  }
}

/** @throws the cancellation, once asked for. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancellationOf(signal);
}

export function cancellationOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('cancelled');
}

/** Waits; ends at once, with the cancellation, when the activity is cancelled. */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  throwIfCancelled(signal);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, delayMs);
    const onAbort = () => {
      clearTimeout(timer);
      reject(cancellationOf(signal!));
    };
    function done() {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
