import type { ClientChannel } from 'ssh2';
import { cancellationOf, cancellationSignal, throwIfCancelled } from '../context';
import { classifySshError, sudoRefusal, sudoRefused } from './classify-ssh-error';
import { commandArgv, defaultTimeoutMs, graceMs } from './command-line';
import type { ConnectionPool } from './connection-pool';
import { throwIfTimedOut, tooLong, tooMuchOutput } from './command-failures';
import type { ExecOptions, ExecResult, Host } from './host';
import { maxStderrBytes, maxStdoutBytes, OutputBuffer } from './output-buffer';
import { shellCommand } from './shell-quote';
import type { SshConnection } from './ssh-connection';
import type { SshTarget } from './ssh-settings';

/** A host behind SSH. */
export class SshHost implements Host {
  readonly name: string;
  readonly address: string;

  constructor(
    private readonly pool: ConnectionPool,
    private readonly target: SshTarget,
  ) {
    this.name = target.name;
    this.address = target.address;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const signal = options.evenIfCancelled ? undefined : cancellationSignal();
    throwIfCancelled(signal);
    const command = shellCommand(commandArgv(argv, this.target.sudo ? 'sudo' : 'root', options));
    const began = Date.now();
    let result: ExecResult;
    try {
      const channel = await this.open(command);
      result = await this.follow(channel, argv, options, signal);
    } catch (error) {
      throw classifySshError(error, this.name, this.address);
    }
    const refusal = this.target.sudo ? sudoRefusal(result.code, result.stderr) : undefined;
    if (refusal !== undefined) throw sudoRefused(this.name, this.target.user, refusal);
    throwIfTimedOut(this.name, argv, options, result, began);
    return result;
  }

  /** A pooled connection may have died unnoticed. Until a channel is open the command has not begun: once more is safe. */
  private async open(command: string): Promise<ClientChannel> {
    const connection: SshConnection = await this.pool.get(this.target);
    try {
      return await connection.channel(command);
    } catch (error) {
      if (connection.isAlive) throw error;
      return await (await this.pool.get(this.target)).channel(command);
    }
  }

  private follow(
    channel: ClientChannel,
    argv: readonly string[],
    options: ExecOptions,
    signal: AbortSignal | undefined,
  ): Promise<ExecResult> {
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    return new Promise((resolve, reject) => {
      const stdout = new OutputBuffer(options.maxStdoutBytes ?? maxStdoutBytes);
      const stderr = new OutputBuffer(maxStderrBytes);
      let code: number | undefined;
      let killedBy: string | undefined;
      const timer = setTimeout(() => give(tooLong(this.name, argv, timeoutMs)), timeoutMs + graceMs);
      const onAbort = () => give(cancellationOf(signal!));
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const give = (error: Error) => {
        settle();
        // ends our side; what still runs over there is ended by its own time limit
        channel.close();
        reject(error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      channel.on('data', (chunk: Buffer) => {
        options.onOutput?.();
        if (!stdout.add(chunk)) give(tooMuchOutput(this.name, argv, stdout.limit));
      });
      channel.stderr.on('data', (chunk: Buffer) => void stderr.add(chunk));
      channel.on('exit', (exitCode: number | null, signalName?: string) => {
        code = exitCode ?? undefined;
        killedBy = signalName;
      });
      channel.on('error', (error: Error) => give(error));
      channel.on('close', () => {
        settle();
        if (code === undefined && killedBy === undefined) {
          reject(
            new Error('the connection was lost while a command ran; whether it ended is looked up at the next try'),
          );
          return;
        }
        const bytes = stdout.bytes();
        // as a shell says it: 128 and the signal; which one does not matter to anybody here
        const exit = code ?? 128;
        const words = killedBy === undefined ? '' : `\nkilled by SIG${killedBy.replace(/^SIG/, '')}`;
        resolve({ code: exit, bytes, stdout: bytes.toString('utf8'), stderr: stderr.bytes().toString('utf8') + words });
      });
      channel.stdin.on('error', () => undefined);
      channel.end(options.stdin ?? '');
    });
  }
}
