#!/usr/bin/env node
import { exitCodes, type ExitCode } from './exit-codes';
import { explainError } from './explain-error';
import { processIo, type Io } from './io';
import { buildProgram } from './program';

/** Carries out one command line and answers its exit code; everything it prints goes to `io`. */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const program = buildProgram(io, (ended) => (code = ended));
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return exitCodes.inputWrong;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (isCommanderError(error)) return error.exitCode === 0 ? exitCodes.done : exitCodes.inputWrong;
    const explained = explainError(error);
    io.stderr.write(`shardlift: ${explained.message}\n`);
    if (explained.remedy !== undefined) io.stderr.write(`  remedy: ${explained.remedy}\n`);
    if (program.opts<{ verbose?: boolean }>().verbose === true && error instanceof Error)
      io.stderr.write(`${error.stack}\n`);
    return explained.code;
  }
}

/** Commander has printed its message itself by then. */
function isCommanderError(error: unknown): error is { exitCode: number } {
  return (
    error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')
  );
}

async function main(): Promise<void> {
  // `shardlift list | head -1` closes our output early: that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const code = await runCommandLine(process.argv.slice(2), processIo());
  // What was written to a pipe is flushed first; then the end does not wait for sockets that are being closed.
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

if (require.main === module) void main();
