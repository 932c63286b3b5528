import { lastLines, passing, saidBy, stuck } from './failures';
import { defaultTimeoutMs, isTimeoutExit } from './command-line';
import type { ExecOptions, ExecResult } from './host';

/** The command as an operator would recognise it; long scripts and contents are cut. */
function commandWords(argv: readonly string[]): string {
  const words = argv[0] === 'sh' && argv[1] === '-c' ? ['sh', ...argv.slice(3)] : argv;
  const text = words.join(' ');
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

/** Transient: a host under load, or a server that is away; the next attempt looks first. */
export function tooLong(host: string, argv: readonly string[], timeoutMs: number): Error {
  return passing({
    type: 'CommandFailed',
    message: `"${commandWords(argv)}" did not end within ${Math.round(timeoutMs / 1000)} s`,
    host,
    remedy: `see on ${host} what holds it up (load, a hung mount: "findmnt -t nfs,nfs4", "dmesg | tail"); the step tries again by itself`,
  });
}

/** `timeout` on the host ended the command. A command that gave that code by itself was quicker. */
export function throwIfTimedOut(
  host: string,
  argv: readonly string[],
  options: ExecOptions,
  result: ExecResult,
  beganMs: number,
): void {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  if (isTimeoutExit(result.code) && Date.now() - beganMs >= timeoutMs - 100) throw tooLong(host, argv, timeoutMs);
}

export function tooMuchOutput(host: string, argv: readonly string[], limitBytes: number): Error {
  return stuck({
    type: 'CommandFailed',
    message: `"${commandWords(argv)}" printed more than ${limitBytes} bytes`,
    host,
    remedy: 'report this: no command of a run should print that much',
  });
}

/** A command that had to succeed and did not. Transient unless the caller knows better: a full disk or a lock passes. */
export function commandFailed(
  host: string,
  result: ExecResult,
  message: string,
  remedy: string,
  options: { at?: string; isPermanent?: boolean } = {},
): Error {
  const problem = {
    type: 'CommandFailed',
    message,
    host,
    at: options.at,
    why: lastLines(saidBy(result)),
    remedy,
  } as const;
  return options.isPermanent ? stuck(problem) : passing(problem);
}
