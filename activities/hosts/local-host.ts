import { spawn } from 'node:child_process';
import { cancellationOf, cancellationSignal, throwIfCancelled } from '../context';
import { sudoRefusal, sudoRefused } from './classify-ssh-error';
import { throwIfTimedOut, tooLong, tooMuchOutput } from './command-failures';
import { commandArgv, defaultTimeoutMs, graceMs, type RootBy } from './command-line';
import type { ExecOptions, ExecResult, Host } from './host';
import { maxStderrBytes, maxStdoutBytes, OutputBuffer } from './output-buffer';

/** The worker's own machine: the same commands without SSH, and without any shell in between. */
export class LocalHost implements Host {
  constructor(
    readonly name: string,
    readonly address: string,
    private readonly rootBy: RootBy,
  ) {}

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const signal = options.evenIfCancelled ? undefined : cancellationSignal();
    throwIfCancelled(signal);
    const [program, ...rest] = commandArgv(argv, this.rootBy, options);
    const began = Date.now();
    const result = await this.run(program!, rest, argv, options, signal);
    const refusal = this.rootBy === 'sudo' ? sudoRefusal(result.code, result.stderr) : undefined;
    if (refusal !== undefined) throw sudoRefused(this.name, process.env['USER'] ?? 'the worker', refusal);
    throwIfTimedOut(this.name, argv, options, result, began);
    return result;
  }

  private run(
    program: string,
    args: readonly string[],
    argv: readonly string[],
    options: ExecOptions,
    signal: AbortSignal | undefined,
  ): Promise<ExecResult> {
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { stdio: 'pipe' });
      const stdout = new OutputBuffer(options.maxStdoutBytes ?? maxStdoutBytes);
      const stderr = new OutputBuffer(maxStderrBytes);
      const timer = setTimeout(() => give(tooLong(this.name, argv, timeoutMs)), timeoutMs + graceMs);
      const onAbort = () => give(cancellationOf(signal!));
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const give = (error: Error) => {
        settle();
        // `timeout` hands TERM on to what it runs
        child.kill('SIGTERM');
        reject(error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      child.stdout.on('data', (chunk: Buffer) => {
        options.onOutput?.();
        if (!stdout.add(chunk)) give(tooMuchOutput(this.name, argv, stdout.limit));
      });
      child.stderr.on('data', (chunk: Buffer) => void stderr.add(chunk));
      child.on('error', (error) => give(error));
      child.on('close', (code) => {
        settle();
        const bytes = stdout.bytes();
        resolve({
          code: code ?? 128,
          bytes,
          stdout: bytes.toString('utf8'),
          stderr: stderr.bytes().toString('utf8'),
        });
      });
      child.stdin.on('error', () => undefined);
      child.stdin.end(options.stdin ?? '');
    });
  }
}
