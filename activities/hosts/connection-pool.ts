import { SshConnection } from './ssh-connection';
import { connectionKey, type SshTarget } from './ssh-settings';

/** A minute without a command: long enough for the steps of one phase to share a connection. */
const idleAfterMs = 60_000;

/**
 * The worker's SSH connections, one for each host and set of credentials. A connection that broke is dropped, and the
 * next command makes another; one that nobody uses is closed.
 */
export class ConnectionPool {
  private readonly connections = new Map<string, Promise<SshConnection>>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private closed = false;

  /** A live connection, made now if there is none. */
  async get(target: SshTarget): Promise<SshConnection> {
    if (this.closed) throw new Error('the worker is shutting down');
    const key = connectionKey(target);
    const present = this.connections.get(key);
    if (present) {
      const connection = await present;
      if (connection.isAlive) {
        this.keep(key, connection);
        return connection;
      }
    }
    // another caller may have begun a new one while we waited for the old
    const begun = this.connections.get(key);
    if (begun && begun !== present) return begun;
    const connecting = this.connect(target);
    this.connections.set(key, connecting);
    connecting.then(
      (connection) => {
        connection.whenEnded(() => this.drop(key, connecting));
        this.keep(key, connection);
      },
      () => this.drop(key, connecting),
    );
    return connecting;
  }

  close(): void {
    this.closed = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const connection of this.connections.values()) {
      connection.then(
        (each) => each.close(),
        () => undefined,
      );
    }
    this.connections.clear();
  }

  private async connect(target: SshTarget): Promise<SshConnection> {
    const through = target.jump && (await this.get(target.jump));
    return SshConnection.connect(target, through);
  }

  private drop(key: string, connection: Promise<SshConnection>): void {
    if (this.connections.get(key) !== connection) return;
    this.connections.delete(key);
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
  }

  private keep(key: string, connection: SshConnection): void {
    clearTimeout(this.timers.get(key));
    const timer = setTimeout(() => {
      if (connection.load > 0) this.keep(key, connection);
      else connection.close();
    }, idleAfterMs);
    // the worker's exit does not wait for it
    timer.unref();
    this.timers.set(key, timer);
  }
}
