import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, parseDocument, type Document, type ErrorCode } from 'yaml';
import { migrationRunbook, type MigrationRunbook } from '../contracts/runbook';
import { ClientError } from './client-error';
import { exitCodes } from './exit-codes';
import { describeIssues } from './runbook-issues';
import { formatProblems, position, type RunbookProblem } from './runbook-problem';

/** Everything that is wrong with a runbook, at once. */
export class RunbookFileError extends ClientError {
  constructor(
    readonly file: string,
    readonly problems: readonly RunbookProblem[],
  ) {
    super(exitCodes.inputWrong, formatProblems(file, problems));
    this.name = 'RunbookFileError';
  }
}

/** A runbook is a page; something much larger is another file by mistake. */
const largestBytes = 1024 * 1024;

export interface LoadedRunbook {
  runbook: MigrationRunbook;
  /** As named to the operator. */
  file: string;
}

/** Reads, parses and validates. `-` is standard input. @throws RunbookFileError with all problems at once. */
export async function readRunbook(file: string, stdin: NodeJS.ReadableStream): Promise<LoadedRunbook> {
  const name = file === '-' ? '<stdin>' : file;
  const text = file === '-' ? await textOf(stdin) : textOfFile(file);
  return { runbook: parseRunbook(text, name), file: name };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function textOfFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why: Record<string, string> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a directory',
      EACCES: 'you may not read it',
    };
    throw new ClientError(
      exitCodes.inputWrong,
      `${file}: ${why[code ?? ''] ?? (error as Error).message}`,
      code === 'ENOENT' ? `looked for ${path.resolve(file)}; \`shardlift init\` writes a runbook` : undefined,
    );
  }
}

export function parseRunbook(text: string, file: string): MigrationRunbook {
  if (text.length > largestBytes) {
    throw new ClientError(
      exitCodes.inputWrong,
      `${file}: ${text.length} characters are no runbook, which is a page long`,
    );
  }
  const lines = new LineCounter();
  // prettyErrors would put lines of the file into messages, and with them a secret that somebody wrote there.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' });
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    throw new RunbookFileError(
      file,
      syntax.map(({ code, pos, message }) => ({ ...position(lines, pos[0]), path: '', ...syntaxWords(code, message) })),
    );
  }
  const value = toPlain(document, file);
  const parsed = migrationRunbook.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RunbookFileError(file, describeIssues(document, lines, value, parsed.error.issues));
}

function toPlain(document: Document.Parsed, file: string): unknown {
  try {
    // A few hundred uses of one anchor are no runbook but a bomb; the parser then throws.
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new RunbookFileError(file, [{ line: 1, column: 1, path: '', found, expected: 'anchors that resolve' }]);
  }
}

/** The parser's own message is for people who know its insides: the usual mistakes get words of ours. */
function syntaxWords(code: ErrorCode | 'TAG_RESOLVE_FAILED', message: string): { found: string; expected: string } {
  switch (code) {
    case 'DUPLICATE_KEY':
      return { found: 'a field that this mapping already has', expected: 'each field once' };
    case 'TAB_AS_INDENT':
      return { found: 'a tab in the indentation', expected: 'spaces' };
    case 'BAD_INDENT':
      return { found: 'an indentation that fits nothing above it', expected: 'the same indentation as its neighbours' };
    case 'MISSING_CHAR':
    case 'BAD_DQ_ESCAPE':
    case 'UNEXPECTED_TOKEN':
    case 'IMPOSSIBLE':
      return { found: `something that is not YAML (${message})`, expected: 'YAML' };
    case 'MULTIPLE_DOCS':
      return { found: 'a second document after ---', expected: 'one runbook in a file' };
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        found: 'a field that runs over more than one line',
        expected: 'a colon after its name, or quotes around a text with a colon in it',
      };
    case 'TAG_RESOLVE_FAILED':
      return { found: 'a tag (!) that means nothing here', expected: 'plain values' };
    default:
      return { found: message.split('\n', 1)[0] ?? message, expected: 'YAML' };
  }
}
