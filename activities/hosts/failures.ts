import { ApplicationFailure, type CancelledFailure } from '@temporalio/common';
import type { FailureInfo, FailureType } from '../../contracts/failures';
import { permanent, transient } from '../failure';
import type { ExecResult } from './host';

/** Last lines of a command's output: enough to see why, small enough for history. */
export function lastLines(text: string, lines = 12): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n').slice(-2000);
}

/** What a command said of its failure: stderr where there is any. */
export function saidBy(result: ExecResult): string {
  return lastLines(result.stderr.trim() ? result.stderr : result.stdout) || `exit code ${result.code}`;
}

export interface Problem extends Omit<FailureInfo, 'where' | 'why'> {
  host: string;
  /** File, directory, unit: added to the host's name. */
  at?: string;
  why?: string;
}

function info({ host, at, ...rest }: Problem): FailureInfo {
  return { ...rest, where: at === undefined ? host : `${host}:${at}` };
}

/** For good: a person has to do something. */
export function stuck(problem: Problem, cause?: unknown): ApplicationFailure {
  return permanent(info(problem), cause);
}

/** May pass by itself. */
export function passing(problem: Problem, cause?: unknown): ApplicationFailure {
  return transient(info(problem), cause);
}

export function isFailureOf(error: unknown, type: FailureType): boolean {
  return error instanceof ApplicationFailure && error.type === type;
}

/** Told apart by name: the class of another copy of the package would not be `instanceof` ours. */
export function isCancelled(error: unknown): error is CancelledFailure {
  return error instanceof Error && error.name === 'CancelledFailure';
}
