import { rounded } from './statistics';
import { figureLine, isReached, type Figure } from './wanted';

/** Prints figures, for people or as one JSON document; answers whether all are as good as wanted. */
export function report(title: string, { json }: { json: boolean }, figures: Figure[]): boolean {
  const text = [title, '', ...figures.map(figureLine), ''].join('\n');
  (json ? process.stderr : process.stdout).write(text);
  if (json) {
    const all = figures.map(({ name, value, atMost, atLeast, unit = '' }) => ({
      name,
      value: rounded(value),
      ...(atMost === undefined ? { atLeast } : { atMost }),
      unit: unit.trim(),
    }));
    process.stdout.write(`${JSON.stringify({ figures: all })}\n`);
  }
  return figures.every(isReached);
}
