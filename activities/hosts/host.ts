/** A user by its numbers. */
export interface UserIds {
  uid: number;
  gid: number;
}

export interface ExecOptions {
  /** As root, by whatever way the runbook names; true unless said otherwise. */
  privileged?: boolean;
  /** As this user, by number: the NFS server and its clients know each other's users by nothing else. */
  asUser?: UserIds;
  stdin?: string | Buffer;
  /** Time limit, kept by the worker and by `timeout` on the host, so that a hung call leaves no process behind. */
  timeoutMs?: number;
  /** Called for every piece of output: a long command that still talks is alive. */
  onOutput?: () => void;
  /** For what has to be done because of a cancellation. */
  evenIfCancelled?: boolean;
  /** Most that is taken of stdout; more is a failure, never a silent cut. */
  maxStdoutBytes?: number;
}

export interface ExecResult {
  code: number;
  stdout: string;
  /** Standard output as it came: for files. */
  bytes: Buffer;
  stderr: string;
}

/** A machine that commands are run on. The real ones are SSH and the worker's own; unit tests put a recorder here. */
export interface Host {
  /** Its name in the runbook. */
  readonly name: string;
  /** The address by which exports and mounts name it. */
  readonly address: string;
  /**
   * Runs one command to its end. An exit code other than 0 is an answer, not a failure: thrown is only what kept the
   * command from being run or from being followed (unreachable, sudo refused, time limit).
   */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}
