import { lazy } from '../lazy';
import type { Paint } from '../session';

const noBorders = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((name) => [name, '']),
);

export interface Column {
  name: string;
  align?: 'left' | 'right';
}

/** Columns without lines around them: they can be read, and cut out with awk. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], paint: Paint): string {
  const Table = lazy.tables();
  const made = new Table({
    head: columns.map(({ name }) => paint.dim(name)),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: { ...noBorders, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  for (const row of rows) made.push([...row]);
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A bar of that many characters; the filled part is what is done. */
export function bar(percent: number, width: number, paint: Paint): string {
  const filled = Math.round((Math.max(0, Math.min(100, percent)) / 100) * width);
  return paint.green('█'.repeat(filled)) + paint.dim('░'.repeat(width - filled));
}

/** What is longer than the line would wrap and spoil the picture; colours do not count. */
export function cut(line: string, width: number): string {
  // eslint-disable-next-line no-control-regex -- the escape character begins a colour
  const parts = line.split(/(\u001b\[[0-9;]*m)/);
  let left = width;
  const kept = parts.map((part) => {
    if (part.startsWith('\u001b[')) return part;
    const characters = [...part];
    const shown =
      characters.length <= left ? part : `${characters.slice(0, Math.max(0, left - 1)).join('')}${left > 0 ? '…' : ''}`;
    left = Math.max(0, left - characters.length);
    return shown;
  });
  return kept.join('');
}
