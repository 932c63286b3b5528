/**
 * Our lines in a file that belongs to others stand between two comment lines that name the run. Pure: content in,
 * content out, every other byte as it was.
 */
export class DamagedBlock extends Error {}

function beginLine(label: string): string {
  return `# BEGIN shardlift ${label}`;
}

function endLine(label: string): string {
  return `# END shardlift ${label}`;
}

interface Found {
  /** Offset of the block's first byte, and the one behind its end line, without its line end. */
  start: number;
  end: number;
  lines: string[];
}

function findBlock(text: string, label: string): Found | undefined {
  let offset = 0;
  let begun: { start: number; lines: string[] } | undefined;
  let found: Found | undefined;
  for (const line of text.split('\n')) {
    const bare = line.replace(/\r$/, '');
    if (bare === beginLine(label)) {
      if (begun || found) throw new DamagedBlock(`"${beginLine(label)}" stands there twice`);
      begun = { start: offset, lines: [] };
    } else if (bare === endLine(label)) {
      if (!begun) throw new DamagedBlock(`"${endLine(label)}" has no beginning`);
      found = { ...begun, end: offset + line.length };
      begun = undefined;
    } else {
      begun?.lines.push(bare);
    }
    offset += line.length + 1;
  }
  if (begun) throw new DamagedBlock(`"${beginLine(label)}" has no end`);
  return found;
}

/** The lines within our block; undefined where there is none. */
export function blockLines(text: string, label: string): string[] | undefined {
  return findBlock(text, label)?.lines;
}

/**
 * The file with our block at its end, or with its lines put right where it stands. A file without a line end at its end
 * stays one: so `withoutBlock` gives back exactly what was there.
 */
export function withBlock(text: string, label: string, lines: readonly string[]): string {
  const block = [beginLine(label), ...lines, endLine(label)].join('\n');
  const found = findBlock(text, label);
  if (found) {
    if (found.lines.join('\n') === lines.join('\n')) return text;
    return text.slice(0, found.start) + block + text.slice(found.end);
  }
  return text === '' || text.endsWith('\n') ? `${text}${block}\n` : `${text}\n${block}`;
}

/** The file without our block. */
export function withoutBlock(text: string, label: string): string {
  const found = findBlock(text, label);
  if (!found) return text;
  const before = text.slice(0, found.start);
  const after = text.slice(found.end);
  if (after.startsWith('\n')) return before + after.slice(1);
  // the block ended the file without a line end: the one before it was put there with it
  return before.replace(/\n$/, '');
}

/** Everything but our block, line by line: what others say. */
export function foreignLines(text: string, label: string): string[] {
  return withoutBlock(text, label).split('\n');
}

/**
 * The lines in which two versions of a file differ, with a few around them: for evidence and previews. A whole file is
 * too much for history, and may hold what is nobody's business.
 */
export function differingPart(before: string, after: string, context: number): { before: string; after: string } {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const part = (lines: string[]) =>
    lines.slice(Math.max(0, head - context), lines.length - Math.max(0, tail - context)).join('\n');
  return { before: part(a), after: part(b) };
}
