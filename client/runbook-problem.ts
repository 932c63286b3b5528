import type { LineCounter } from 'yaml';

/** One thing that is wrong in a runbook, where an editor would jump to. */
export interface RunbookProblem {
  line: number;
  column: number;
  /** `snapshot.repository.name`, `hosts[2].address`; empty for the file as a whole. */
  path: string;
  /** What stands there; never a secret. */
  found: string;
  expected: string;
}

/** Line and column from 1, as editors count. */
export function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** `file:line:column` first, as editors and terminals link it. */
export function formatProblems(file: string, problems: readonly RunbookProblem[]): string {
  const lines = problems.map(({ line, column, path, found, expected }) => {
    return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}found ${found}; expected ${expected}`;
  });
  return [
    `${problems.length === 1 ? 'one thing is' : `${problems.length} things are`} wrong in ${file}`,
    ...lines,
  ].join('\n');
}
