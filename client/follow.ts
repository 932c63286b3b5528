import { setTimeout as sleep } from 'node:timers/promises';
import type { Temporal } from './connection';
import { exitCodeOf, exitCodes, isEnd, needsPerson, type ExitCode } from './exit-codes';
import { explainError } from './explain-error';
import { formatSeconds, shellWord, withoutControls } from './format';
import { lazy } from './lazy';
import { allSteps, type LiveStatus } from './live-status';
import { Screen } from './screen';
import type { Session } from './session';
import { readStatus } from './status';
import { statusChanges } from './status-changes';
import { statusView } from './views/status-view';
import { whatWaits } from './views/status-words';

export interface FollowOptions {
  /** End as soon as the run needs a person. */
  untilGate?: boolean;
  timeoutMs?: number;
}

/** One look is one query: often enough for a screen, and for a script that waits for the end. */
const intervalMs = 1_000;

/** Looks on until the run ends, and answers with the exit code that says how. */
export async function follow(
  session: Session,
  temporal: Temporal,
  run: string,
  options: FollowOptions,
): Promise<ExitCode> {
  const deadline = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : session.io.now() + options.timeoutMs;
  const show = display(session);
  const waits = whoeverWaits(session);
  const stop = new AbortController();
  const unlisten = session.io.onSignal(() => stop.abort());
  let silentSince: number | undefined;
  try {
    for (;;) {
      const status = await look(temporal, run);
      if ('error' in status) {
        // A server that restarts is no reason to leave: the run goes on, and so does whoever looks at it.
        if (silentSince === undefined) session.warn(`${status.error}; trying on`);
        silentSince ??= session.io.now();
      } else {
        if (silentSince !== undefined)
          session.note(`answers again, after ${formatSeconds((session.io.now() - silentSince) / 1000)}`);
        silentSince = undefined;
        show(status.live);
        const { state } = status.live;
        if (isEnd(state)) return exitCodeOf(state);
        if (options.untilGate === true && needsPerson(state)) return exitCodes.needsPerson;
        waits(status.live);
      }
      if (stop.signal.aborted) return leave(session, run);
      if (session.io.now() >= deadline) {
        session.note(`timed out: the run goes on; look at it again with \`shardlift watch ${shellWord(run)}\``);
        return exitCodes.timedOut;
      }
      const pause = Math.min(intervalMs, deadline - session.io.now());
      await sleep(Math.max(0, pause), undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return leave(session, run);
    }
  } finally {
    unlisten();
  }
}

async function look(temporal: Temporal, run: string): Promise<{ live: LiveStatus } | { error: string }> {
  try {
    return { live: await readStatus(temporal, run) };
  } catch (error) {
    const explained = explainError(error);
    if (explained.code !== exitCodes.failed) throw error;
    return { error: explained.message };
  }
}

function leave(session: Session, run: string): ExitCode {
  session.note(`the run goes on by itself; look at it again with \`shardlift watch ${shellWord(run)}\``);
  return exitCodes.interrupted;
}

/**
 * What waits for a person, said on stderr once each time: a log, or a program's input, only shows a run that stands still,
 * and that this looks on for ever. A screen has it in its picture; lines on stdout have it too, but for a pause.
 */
function whoeverWaits(session: Session): (status: LiveStatus) => void {
  if (session.isTerminal && session.format === 'table') return () => undefined;
  let told = '';
  return (raw) => {
    const status = withoutControls(raw);
    const stuck = allSteps(status).filter((step) => step.state === 'stuck');
    const about = [
      status.state,
      ...status.gates.map(({ state }) => state),
      ...stuck.map((each) => each.id + each.attempt),
    ];
    const isNews = about.join() !== told;
    told = about.join();
    if (!isNews || !needsPerson(status.state)) return;
    session.note(`the run is ${status.state}: it goes on when somebody decides (--until-gate ends here with 5)`);
    if (session.format === 'table' && !status.isPaused) return;
    for (const line of whatWaits(status, session.now, session.errorPaint)) session.note(line);
  };
}

/** On a screen one picture, elsewhere a line for each change, for programs a document for each change. */
function display(session: Session): (status: LiveStatus) => void {
  const { io, format, paint } = session;
  if (format !== 'table') {
    let last = '';
    return (status) => {
      const text = JSON.stringify(status);
      if (text === last) return;
      last = text;
      io.stdout.write(
        format === 'json' ? `${text}\n` : `---\n${lazy.yaml().stringify(JSON.parse(text), { lineWidth: 0 })}`,
      );
    };
  }
  if (session.isTerminal) {
    const screen = new Screen(io.stdout);
    const maxBatches = Math.max(3, (io.stdout.rows ?? 24) - 14);
    return (status) => screen.draw(statusView(status, { now: session.now, paint, bars: true, maxBatches }));
  }
  let before: LiveStatus | undefined;
  return (raw) => {
    const status = withoutControls(raw);
    const time = session.now.toISOString();
    for (const line of statusChanges(before, status, session.now)) io.stdout.write(`${time} ${line}\n`);
    before = status;
  };
}
