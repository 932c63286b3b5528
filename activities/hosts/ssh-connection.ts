import type { Duplex } from 'node:stream';
import { Client, type ClientChannel, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import { resolveSecret } from '../secrets';
import { classifySshError } from './classify-ssh-error';
import { hostKeyCheck } from './host-key-check';
import type { SshTarget } from './ssh-settings';

/** From TCP to the end of authentication. A busy host forks sshd slowly; a firewall that drops packets never answers. */
const connectTimeoutMs = 20_000;

/** With three unanswered it takes 30 s to notice a host that lost its power: less than an activity's heartbeat allows. */
const keepaliveIntervalMs = 10_000;
const keepaliveMissed = 3;

/** sshd's MaxSessions is 10 by default and refuses more channels at once; a jump host's forwardings count too. */
const maxChannels = 8;

/** One authenticated connection to one host. */
export class SshConnection {
  private open = 0;
  private limit = maxChannels;
  private readonly waiting: (() => void)[] = [];
  private ended: Error | undefined;
  private readonly onEnd: ((error: Error) => void)[] = [];

  private constructor(
    private readonly client: Client,
    readonly target: SshTarget,
  ) {
    client.on('error', (error) => this.end(error));
    client.on('close', () => this.end(new Error('the connection was closed')));
  }

  /** Connects, with `through` as the way there where the host stands behind a jump host. */
  static async connect(target: SshTarget, through?: SshConnection): Promise<SshConnection> {
    try {
      return await SshConnection.handshake(target, through, false);
    } catch (error) {
      // The host has no key of a type that we know. Any type is asked for once more, only so that the refusal can show
      // the fingerprint of what is there: hostKeyCheck accepts none but the known.
      if (error instanceof Error && /no matching host key/i.test(error.message)) {
        return await SshConnection.handshake(target, through, true).catch((second: unknown) => {
          throw classifySshError(second, target.name, target.address);
        });
      }
      throw classifySshError(error, target.name, target.address);
    }
  }

  private static async handshake(target: SshTarget, through: SshConnection | undefined, anyKeyType: boolean) {
    const [privateKey, passphrase, check] = await Promise.all([
      resolveSecret(target.privateKey),
      target.passphrase === undefined ? undefined : resolveSecret(target.passphrase),
      hostKeyCheck(target),
    ]);
    const sock = through && (await through.forward(target.address, target.port));
    let refusal: Error | undefined;
    const config: ConnectConfig = {
      host: target.address,
      port: target.port,
      username: target.user,
      // a key file's last line end was taken off with the secret; parsers of the OpenSSH format want it
      privateKey: `${privateKey}\n`,
      passphrase,
      sock,
      readyTimeout: connectTimeoutMs,
      keepaliveInterval: keepaliveIntervalMs,
      keepaliveCountMax: keepaliveMissed,
      hostVerifier: (blob: Buffer) => {
        refusal = check.refusal(blob);
        return refusal === undefined;
      },
    };
    if (!anyKeyType && check.algorithms.length > 0) {
      config.algorithms = { serverHostKey: check.algorithms as ServerHostKeyAlgorithm[] };
    }
    const client = new Client();
    return new Promise<SshConnection>((resolve, reject) => {
      const fail = (error: Error) => {
        sock?.destroy();
        client.destroy();
        reject(refusal ?? error);
      };
      client.once('error', fail);
      client.once('close', () => fail(new Error('the connection was closed during the handshake')));
      client.once('ready', () => {
        client.removeAllListeners();
        resolve(new SshConnection(client, target));
      });
      try {
        client.connect(config);
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  get isAlive(): boolean {
    return this.ended === undefined;
  }

  /** Number of commands and forwardings under way or waiting: such a connection is not idle. */
  get load(): number {
    return this.open + this.waiting.length;
  }

  /** Called once, when the connection ends for whatever reason. */
  whenEnded(listener: (error: Error) => void): void {
    if (this.ended) listener(this.ended);
    else this.onEnd.push(listener);
  }

  close(): void {
    this.client.end();
    this.end(new Error('closed by the worker'));
  }

  /**
   * Opens a channel for a command. It counts against the connection's limit until it closes. Rejects with the raw
   * error: whoever knows what the command does decides what that means.
   */
  async channel(command: string): Promise<ClientChannel> {
    return this.limited((done) => this.client.exec(command, done));
  }

  private async forward(address: string, port: number): Promise<Duplex> {
    return this.limited<ClientChannel>((done) => this.client.forwardOut('127.0.0.1', 0, address, port, done));
  }

  private async limited<Channel extends Duplex>(
    openChannel: (done: (error: Error | undefined, channel: Channel) => void) => unknown,
  ): Promise<Channel> {
    for (;;) {
      await this.slot();
      try {
        const channel = await new Promise<Channel>((resolve, reject) => {
          const lost = (error: Error) => reject(error);
          this.whenEnded(lost);
          openChannel((error, opened) => {
            this.onEnd.splice(this.onEnd.indexOf(lost) >>> 0, 1);
            if (error) reject(error);
            else resolve(opened);
          });
        });
        let released = false;
        channel.once('close', () => {
          if (!released) this.release();
          released = true;
        });
        return channel;
      } catch (error) {
        this.release();
        // a host with a lower MaxSessions: as many as it gives are enough, the others wait for their turn
        const refused = error instanceof Error && /Channel open failure|open failed/i.test(error.message);
        if (!refused || this.open === 0 || this.ended) throw error;
        this.limit = Math.max(1, this.open);
      }
    }
  }

  private async slot(): Promise<void> {
    while (this.open >= this.limit) {
      if (this.ended) throw this.ended;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    if (this.ended) throw this.ended;
    this.open += 1;
  }

  private release(): void {
    this.open -= 1;
    this.waiting.shift()?.();
  }

  private end(error: Error): void {
    if (this.ended) return;
    this.ended = error;
    this.client.destroy();
    for (const listener of this.onEnd.splice(0)) listener(error);
    for (const wake of this.waiting.splice(0)) wake();
  }
}
