import type { RunState } from '../contracts/status';

/** What the process ends with. Scripts rely on these numbers: they never change their meaning. */
export const exitCodes = {
  done: 0,
  failed: 1,
  inputWrong: 2,
  noSuchRun: 3,
  refused: 4,
  needsPerson: 5,
  timedOut: 6,
  completedWithDifferences: 7,
  /** Not an answer about the run: the operator pressed Ctrl-C. 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodeWords: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.done, 'done'],
  [exitCodes.failed, 'failed'],
  [exitCodes.inputWrong, 'the input is wrong'],
  [exitCodes.noSuchRun, 'no such run'],
  [exitCodes.refused, 'refused: a precondition or a conflict'],
  [exitCodes.needsPerson, 'the run is stuck or waits for a person'],
  [exitCodes.timedOut, 'timed out waiting'],
  [exitCodes.completedWithDifferences, 'completed with differences'],
];

/** Whether nothing more happens in a run of this state. */
export function isEnd(state: RunState): boolean {
  return state === 'completed' || state === 'completed with differences' || state === 'aborted' || state === 'failed';
}

/** Whether the run goes on only after a decision. A paused run was paused by a person, and only one can resume it. */
export function needsPerson(state: RunState): boolean {
  return state === 'waiting' || state === 'stuck' || state === 'paused';
}

export function exitCodeOf(state: RunState): ExitCode {
  if (state === 'completed with differences') return exitCodes.completedWithDifferences;
  if (state === 'aborted' || state === 'failed') return exitCodes.failed;
  return needsPerson(state) ? exitCodes.needsPerson : exitCodes.done;
}
