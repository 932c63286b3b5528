/**
 * One word for a POSIX shell: the only place where text becomes part of a command line. Within single quotes a shell
 * takes everything as it stands, `$(…)`, newlines and backslashes too; only the quote itself has to be stepped out of.
 * @throws TypeError for NUL, which no argument of a process can hold: it would silently cut the word short.
 */
export function shellQuote(word: string): string {
  if (word.includes('\0')) throw new TypeError('a NUL character cannot be part of a command');
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line that a shell takes apart again into exactly these arguments. */
export function shellCommand(argv: readonly string[]): string {
  return argv.map(shellQuote).join(' ');
}
