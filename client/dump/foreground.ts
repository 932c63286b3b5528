import type { DumpActivities } from '../../contracts/dump';
import { ClientError } from '../client-error';
import { exitCodes } from '../exit-codes';
import { lazy } from '../lazy';
import type { Session } from '../session';

const toldMs = 2_000;

/** Ctrl-C ends at the next checkpoint; the same command goes on from there. */
export async function inForeground<Result>(
  session: Session,
  tell: (progress: unknown) => string,
  work: (activities: DumpActivities, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const unlisten = session.io.onSignal(() => {
    stop.abort();
    unlisten();
  });
  let toldAt = session.io.now();
  const onProgress = (progress: unknown) => {
    if (session.io.now() - toldAt < toldMs) return;
    toldAt = session.io.now();
    session.note(tell(progress));
  };
  try {
    return await lazy
      .dump()
      .withDumpActivities({ signal: stop.signal, onProgress }, (activities) => work(activities, stop.signal));
  } catch (error) {
    throw inWords(error);
  } finally {
    unlisten();
  }
}

/** What an activity throws carries its own words; see contracts/failures.ts. */
function inWords(error: unknown): unknown {
  const { details, nonRetryable } = error as { details?: unknown; nonRetryable?: boolean };
  const [info] = Array.isArray(details)
    ? (details as { message?: string; where?: string; why?: string; remedy?: string }[])
    : [];
  if (info?.message === undefined) return error;
  const why = info.why ? ` (${info.why})` : '';
  // there is no run here that could be told to
  const remedy = info.remedy?.replace(/, then retry$/, ', then give the same command once more') ?? '';
  const again = nonRetryable === true ? '' : '; the same command goes on from the last checkpoint';
  return new ClientError(exitCodes.failed, `${info.where}: ${info.message}${why}`, `${remedy}${again}`);
}

/** Runs through all of them, so many at once; the first failure stops what has not begun yet. */
export async function eachOf<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const failures: unknown[] = [];
  const one = async () => {
    for (let item = left.shift(); item !== undefined && failures.length === 0; item = left.shift())
      await work(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, one));
  if (failures.length > 0) throw failures[0];
}
