import type { ExitCode } from './exit-codes';

/** An error whose words are meant for the operator: what is wrong, what would help, and the exit code. */
export class ClientError extends Error {
  constructor(
    readonly code: ExitCode,
    message: string,
    readonly remedy?: string,
  ) {
    super(message);
    this.name = 'ClientError';
  }
}
