import { createInterface } from 'node:readline';
import type pino from 'pino';
import pc from 'picocolors';
import { exitCodes } from './exit-codes';
import { ClientError } from './client-error';
import type { Io } from './io';
import { lazy } from './lazy';

export const outputFormats = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface GlobalOptions {
  output: OutputFormat;
  color: boolean;
  verbose?: boolean;
  address?: string;
  namespace?: string;
  profile?: string;
  taskQueue?: string;
}

export type Paint = ReturnType<typeof pc.createColors>;

/** What a verb works with: the options that all verbs share, and the two streams, each with its own purpose. */
export class Session {
  readonly format: OutputFormat;
  readonly paint: Paint;
  private logger: pino.Logger | undefined;

  constructor(
    readonly io: Io,
    readonly options: GlobalOptions,
  ) {
    this.format = options.output;
    this.paint = pc.createColors(this.isTerminal && options.color && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb');
  }

  /** Whether the result goes to a screen: only then colours, bars and redrawing. */
  get isTerminal(): boolean {
    return this.io.stdout.isTTY === true;
  }

  /** Whether somebody is there to answer a question. Questions are asked on stderr: stdout is the result. */
  get canAsk(): boolean {
    return this.io.stdin.isTTY === true && this.io.stderr.isTTY === true;
  }

  get width(): number {
    return this.isTerminal ? (this.io.stdout.columns ?? 100) : 120;
  }

  get now(): Date {
    return new Date(this.io.now());
  }

  /** The result: the same object in every format; `asTable` is for people. */
  print(result: unknown, asTable: () => string): void {
    if (this.format === 'table') this.io.stdout.write(ended(asTable()));
    else if (this.format === 'json') this.io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    else this.io.stdout.write(lazy.yaml().stringify(JSON.parse(JSON.stringify(result)), { lineWidth: 0 }));
  }

  /** Something that the operator should know and that is no part of the result. */
  note(text: string): void {
    this.io.stderr.write(ended(text));
  }

  warn(text: string): void {
    this.note(`${this.errorPaint.yellow('warning:')} ${text}`);
  }

  /** stderr has colours of its own: one of the two streams may be a file. */
  get errorPaint(): Paint {
    const { env, stderr } = this.io;
    return pc.createColors(stderr.isTTY === true && this.options.color && !env['NO_COLOR'] && env['TERM'] !== 'dumb');
  }

  /** The log, as JSON lines on stderr. */
  get log(): pino.Logger {
    this.logger ??= lazy
      .pino()
      .pino(
        { name: 'shardlift', level: this.options.verbose === true ? 'debug' : 'info', base: undefined },
        this.io.stderr,
      );
    return this.logger;
  }

  /** Asks a question and answers what was typed; end of input or Ctrl-C counts as no answer. */
  async ask(question: string): Promise<string> {
    if (!this.canAsk) throw new ClientError(exitCodes.refused, `nobody is there to answer: ${question.trim()}`);
    const reader = createInterface({ input: this.io.stdin, output: this.io.stderr });
    try {
      return await new Promise<string>((resolve, reject) => {
        const gone = () => reject(new ClientError(exitCodes.interrupted, 'no answer: nothing was done'));
        reader.once('close', gone);
        reader.once('SIGINT', gone);
        reader.question(question, (answer) => {
          reader.off('close', gone);
          resolve(answer.trim());
        });
      });
    } finally {
      reader.close();
    }
  }
}

function ended(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
