/**
 * An attempt of an activity is this process's own for as long as Temporal hears of it. What documents it then still holds
 * may be of an earlier life: another worker has taken them over, or the run was aborted and undone, and a bulk would make a
 * deleted index anew. So nothing of what was begun before goes out any more once the process may have been given up:
 *
 * - Temporal has not answered it for that long: it is cut off from Temporal, and not from the clusters;
 * - it stood still for that long: a machine that is suspended or moved, a stopped process, a disk that hangs.
 *
 * Attempts that are begun later are given out by a Temporal that answers again, and go on as ever.
 */
export interface Hold {
  begin(): Held;
  end(): void;
}

/** What one attempt has. */
export interface Held {
  /** Set once it is this process's no more. */
  readonly lost: HoldLost | undefined;
  /** The same for requests under way: aborted at once. */
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * Ends the attempt, and is none of the failures that are waited out within it: the next attempt begins from what is known
 * to be done.
 */
export class HoldLost extends Error {
  override readonly name = 'HoldLost';
}

export interface HoldOptions {
  /** A small request to Temporal that ends by a limit of its own. Without it nobody but the clock is asked. */
  askTemporal?: () => Promise<unknown>;
  onLost?(why: string): void;
  onAnsweredAgain?(): void;
}

/**
 * An attempt is given up 15 s after Temporal was told of it last (`attendedTimeout` of the workflows), and that may be 5 s
 * old: it is told every 4 s (`attended`), and the worker sends that on once a second.
 */
const mostSilenceMs = 10_000;
const tickMs = 1_000;
const askEveryMs = 2_000;

/** The wall clock, since the other one stands still with a suspended machine. A clock that is set forward costs an attempt. */
export function watchHold({ askTemporal, onLost, onAnsweredAgain }: HoldOptions = {}): Hold {
  const helds = new Set<AbortController>();
  let tickedAt = Date.now();
  let answeredAt = Date.now();
  let isTold = false;

  function look(): void {
    const now = Date.now();
    const stood = now - tickedAt;
    const silent = now - answeredAt;
    tickedAt = now;
    const why = reason(stood, askTemporal ? silent : 0);
    if (why === undefined) return;
    for (const held of helds) held.abort(new HoldLost(`${why}: what it held is not sent any more, ${since}`));
    helds.clear();
    if (!isTold) onLost?.(why);
    isTold = true;
  }

  async function ask(): Promise<void> {
    const askedAt = Date.now();
    try {
      await askTemporal?.();
    } catch (error) {
      if (!isAnswer(error)) return;
    }
    // what was silent until now is lost, though it answers again
    look();
    answeredAt = Math.max(answeredAt, askedAt);
    if (isTold && Date.now() - answeredAt <= mostSilenceMs) {
      isTold = false;
      onAnsweredAgain?.();
    }
  }

  const timers = [setInterval(look, tickMs)];
  if (askTemporal) timers.push(setInterval(() => void ask(), askEveryMs));
  for (const timer of timers) timer.unref();
  return {
    begin() {
      // what has been lost until now is none of its business
      look();
      const held = new AbortController();
      helds.add(held);
      return {
        get lost() {
          // timers that were due in the meantime come in their own order: who asks must not wait for ours
          look();
          return held.signal.aborted ? (held.signal.reason as HoldLost) : undefined;
        },
        signal: held.signal,
        end: () => void helds.delete(held),
      };
    },
    end: () => timers.forEach((timer) => clearInterval(timer)),
  };
}

const since = 'since another worker may have taken it over';

function reason(stoodMs: number, silentMs: number): string | undefined {
  if (stoodMs > mostSilenceMs) return `the worker stood still for ${seconds(stoodMs)} s`;
  if (silentMs > mostSilenceMs) return `Temporal has not answered the worker for ${seconds(silentMs)} s`;
  return undefined;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}

/** gRPC statuses by which a server that is there refuses this one request, and says nothing of heartbeats. */
const unimplemented = 12;
const resourceExhausted = 8;

function isAnswer(error: unknown): boolean {
  const { code } = error as { code?: number };
  return code === unimplemented || code === resourceExhausted;
}
