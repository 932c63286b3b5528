import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Compares with a stored output, to the letter. After a change that is wanted: UPDATE_GOLDEN=1 npx jest client-, then
 * read the difference in git.
 */
export function expectGolden(name: string, text: string): void {
  const file = path.join(__dirname, 'client-golden', `${name}.golden`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}
