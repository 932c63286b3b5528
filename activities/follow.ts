import type { Progress } from '../contracts/status';
import { heartbeat, pause } from './context';

/** First and longest wait between polls: small work is seen to end at once, long work is not asked about all the time. */
const firstPollMs = 100;
const longestPollMs = 2_000;
/**
 * Waits grow with what the work has taken so far: whatever comes after it stands idle until its end is seen, so this is
 * the share of its time that may be lost to that.
 */
const pollShare = 0.05;

/**
 * Follows work that goes on outside: polls until `look` answers with a result, sends a heartbeat for each answer, and adds
 * rate and ETA. `look` must carry its own time limit. When nothing has moved for `stallMs`, `stalled` is thrown: work that
 * stands still for so long needs a person.
 */
export async function follow<Result>(options: {
  look: () => Promise<{ result: Result } | { progress: Progress }>;
  stallMs: number;
  stalled: (last: Progress) => Error;
}): Promise<Result> {
  const startedAt = Date.now();
  let first: Progress | undefined;
  let movedAt = startedAt;
  let lastDone = -1;
  for (;;) {
    const seen = await options.look();
    if ('result' in seen) return seen.result;
    const progress = seen.progress;
    first ??= progress;
    if (progress.done !== lastDone) {
      lastDone = progress.done;
      movedAt = Date.now();
    } else if (Date.now() - movedAt > options.stallMs) {
      throw options.stalled(progress);
    }
    heartbeat(withRate(progress, first, (Date.now() - startedAt) / 1000));
    await pause(Math.min(longestPollMs, Math.max(firstPollMs, (Date.now() - startedAt) * pollShare)));
  }
}

/** Rate since this attempt began: what an earlier attempt had done counts neither for nor against it. */
function withRate(progress: Progress, first: Progress, seconds: number): Progress {
  const rate = seconds > 0 ? (progress.done - first.done) / seconds : 0;
  if (rate <= 0) return progress;
  return { ...progress, rate, etaSeconds: Math.max(0, (progress.total - progress.done) / rate) };
}
