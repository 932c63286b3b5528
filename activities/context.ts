import { setMaxListeners } from 'node:events';
import { Context } from '@temporalio/activity';
import type { Held, Hold } from './hold';

/** The running activity's context; nothing where code is called outside an activity, as unit tests do. */
function current(): Context | undefined {
  try {
    return Context.current();
  } catch {
    return undefined;
  }
}

/** Of each activity, what it reported last: said again by `attended`. */
const reported = new WeakMap<Context, unknown>();

/** Reports progress. Called when work has moved, or is held back: a heartbeat must mean more than "alive". But see `attended`. */
export function heartbeat(details: unknown): void {
  const context = current();
  if (!context) return;
  reported.set(context, details);
  context.heartbeat(details);
}

/** What was reported last, once more, in other words: nothing moves, and who looks must see why. */
export function heartbeatAgain(detail: string): void {
  const context = current();
  if (context) heartbeat({ done: 0, total: 0, unit: 'documents', ...(reported.get(context) as object), detail });
}

/** Well below the heartbeat timeout of the activities that move documents; `mostSilenceMs` of hold.ts goes by it. */
const attendEveryMs = 4_000;

/** Of each attended activity, whether its attempt is this worker's still. */
const holds = new WeakMap<Context, Held>();

/**
 * For work that is many requests, each with a time limit of its own: says again what was reported last while it waits for
 * answers, so that a lost worker is noticed within seconds though a single answer may take minutes. What hangs for good is
 * ended by those limits. Once the worker may have been given up, clusters are asked to change nothing more: `ownHold`.
 */
export async function attended<T>(hold: Hold, work: () => Promise<T>): Promise<T> {
  const context = current();
  if (!context) return work();
  const held = hold.begin();
  holds.set(context, held);
  const timer = setInterval(
    () => context.heartbeat(reported.get(context) ?? context.info.heartbeatDetails),
    attendEveryMs,
  );
  try {
    return await work();
  } finally {
    clearInterval(timer);
    held.end();
  }
}

/** Nothing where the activity is short, or none. */
export function ownHold(): Held | undefined {
  const context = current();
  return context && holds.get(context);
}

/** What the attempt before this one reported last; nothing in the first. */
export function lastHeartbeat(): unknown {
  return (current()?.info.heartbeatDetails as unknown) ?? undefined;
}

/**
 * When this activity was asked for, by the server's clock: the same for every worker and attempt, and before anything that it
 * does.
 */
export function scheduledAtMs(): number {
  return current()?.info.scheduledTimestampMs ?? Date.now();
}

/** Aborted when the activity is cancelled or the worker shuts down; goes into every long request. */
export function cancellationSignal(): AbortSignal | undefined {
  const signal = current()?.cancellationSignal;
  // Many requests of one activity listen at once, and each stops when it has its answer: Node would warn of a leak at 11.
  if (signal) setMaxListeners(0, signal);
  return signal;
}

/** Waits between two polls; ends early with a CancelledFailure when the activity is cancelled. */
export async function pause(milliseconds: number): Promise<void> {
  const context = current();
  if (context) return context.sleep(milliseconds);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** @throws the cancellation, once asked for. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancellationOf(signal);
}

export function cancellationOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('cancelled');
}
