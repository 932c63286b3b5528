/** What a command may print: a file of configuration or a listing, never a stream that fills the worker's memory. */
export const maxStdoutBytes = 16 * 1024 * 1024;
/** Only the last lines of stderr are ever shown. */
export const maxStderrBytes = 256 * 1024;

export class OutputBuffer {
  private readonly chunks: Buffer[] = [];
  private size = 0;

  constructor(readonly limit: number) {}

  /** False when the limit is passed; what is beyond it is not kept. */
  add(chunk: Buffer): boolean {
    if (this.size + chunk.length > this.limit) return false;
    this.chunks.push(chunk);
    this.size += chunk.length;
    return true;
  }

  bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}
