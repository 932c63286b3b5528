/** Below the heartbeat timeout of the activities that move documents: nobody else has begun what this process still holds. */
const mostStandstillMs = 12_000;
const tickMs = 1_000;

/**
 * A process can stand still for minutes: a machine that is suspended or moved, a stopped process, a disk that hangs. Its
 * activities have been given to another worker by then, and documents that it still holds may be of an earlier life: a
 * document that was deleted meanwhile and created again has a lower version than the one it holds, which would be written
 * over it. So nothing of what was begun before a standstill goes out after it.
 *
 * The wall clock, since the other one stands still with a suspended machine. A clock that is set forward costs an attempt.
 */
export function watchForStandstill(onStandstill: () => void): {
  readonly stoodStillMs: number | undefined;
  end(): void;
} {
  let last = Date.now();
  let stoodStillMs: number | undefined;
  function look(): void {
    const now = Date.now();
    const gap = now - last;
    last = now;
    if (gap <= mostStandstillMs || stoodStillMs !== undefined) return;
    stoodStillMs = gap;
    onStandstill();
  }
  const timer = setInterval(look, tickMs);
  timer.unref();
  return {
    get stoodStillMs() {
      // timers that were due in the meantime come in their own order: who asks must not wait for ours
      look();
      return stoodStillMs;
    },
    end: () => clearInterval(timer),
  };
}
