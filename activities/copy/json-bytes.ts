/**
 * Finds where JSON values end, without parsing them: the bytes of a document are moved, never read and printed again.
 * It knows strings, escapes and brackets, which is all that it takes to cut a text at the right places; whether a number
 * inside a document is well-formed is for the cluster to say.
 */

/** The bytes are no JSON, or stop in the middle of it. */
export class BrokenJson extends Error {
  override readonly name = 'BrokenJson';
}

export function broken(what: string, at: number): BrokenJson {
  return new BrokenJson(`${what}, at byte ${at}`);
}

/** Not exported: an exported constant is looked up each time it is used, which is for each byte here. */
const [QUOTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x22, 0x7b, 0x7d, 0x5b, 0x5d];
const [NEWLINE, SPACE, STAR, SLASH, BACKSLASH] = [0x0a, 0x20, 0x2a, 0x2f, 0x5c];

/** What a byte means outside of strings. */
const [PLAIN, STRING, OPEN, CLOSE, BREAK, COMMENT] = [0, 1, 2, 3, 4, 5];
const meaning = new Uint8Array(256);
meaning[QUOTE] = STRING;
meaning[OPEN_OBJECT] = meaning[OPEN_ARRAY] = OPEN;
meaning[CLOSE_OBJECT] = meaning[CLOSE_ARRAY] = CLOSE;
meaning[NEWLINE] = BREAK;
meaning[SLASH] = COMMENT;

/** What was seen on the way through a value. */
export interface Seen {
  /** A line feed outside of strings, or a comment: such a text cannot go into a body that is cut at line feeds. */
  lineBreak: boolean;
}

export function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (at < text.length && (text[at] as number) <= SPACE) at++;
  return at;
}

/**
 * Strings up to so many bytes are walked through; a call of the native search costs as much as about so many steps, and
 * pays only for longer ones.
 */
const nearBytes = 48;

/** Where the string that begins with the quote at `from` ends. */
export function endOfString(text: Buffer, from: number): number {
  const length = text.length;
  let at = from + 1;
  for (;;) {
    const near = Math.min(at + nearBytes, length);
    while (at < near) {
      const byte = text[at];
      if (byte === QUOTE) return at + 1;
      at += byte === BACKSLASH ? 2 : 1;
    }
    const quote = at < length ? text.indexOf(QUOTE, at) : -1;
    if (quote < 0) throw broken('a string has no end: the text is cut short', from);
    // `at` is no second half of an escape, so the backslashes from there on tell whether this quote is one
    let before = quote;
    while (before > at && text[before - 1] === BACKSLASH) before--;
    if ((quote - before) % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

/** Where the value that begins at `from` ends. */
export function endOfValue(text: Buffer, from: number, seen: Seen): number {
  const first = text[from];
  if (first === QUOTE) return endOfString(text, from);
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return endOfContainer(text, from, seen);
  let at = from;
  while (at < text.length && isLiteral(text[at] as number)) at++;
  if (at === from) throw broken('a value is missing', from);
  return at;
}

/** Letters, digits and signs: of numbers, true, false and null. */
function isLiteral(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x45
  );
}

/** Brackets that are still to come; kept between calls, since a scan is never interrupted. */
let expected = new Uint8Array(256);

function endOfContainer(text: Buffer, from: number, seen: Seen): number {
  const length = text.length;
  let depth = 0;
  let at = from;
  while (at < length) {
    const byte = text[at] as number;
    const kind = meaning[byte];
    if (kind === PLAIN) at++;
    else if (kind === STRING) at = endOfString(text, at);
    else if (kind === OPEN) {
      if (depth === expected.length) expected = grown(expected);
      // both closing brackets come two after their opening ones
      expected[depth++] = byte + 2;
      at++;
    } else if (kind === CLOSE) {
      if (expected[--depth] !== byte) throw broken('a bracket closes what it did not open', at);
      at++;
      if (depth === 0) return at;
    } else {
      seen.lineBreak = true;
      at = kind === BREAK ? at + 1 : endOfComment(text, at);
    }
  }
  throw broken('a bracket is never closed: the text is cut short', from);
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(bytes.length * 2);
  more.set(bytes);
  return more;
}

/** Elasticsearch takes documents with comments in them, and gives them back as they came. */
function endOfComment(text: Buffer, from: number): number {
  const second = text[from + 1];
  const [end, length] = second === STAR ? [text.indexOf('*/', from + 2), 2] : [text.indexOf(NEWLINE, from), 1];
  if ((second !== STAR && second !== SLASH) || end < 0) throw broken('a slash stands outside of strings', from);
  return end + length;
}

/**
 * The same value on one line: line feeds and comments outside of strings become spaces. Every other byte stays, and so
 * does the length.
 */
export function onOneLine(text: Buffer): Buffer {
  const line = Buffer.from(text);
  for (let at = 0; at < line.length;) {
    const kind = meaning[line[at] as number];
    if (kind === STRING) at = endOfString(line, at);
    else if (kind === BREAK) line[at++] = SPACE;
    else if (kind === COMMENT) {
      const end = endOfComment(line, at);
      line.fill(SPACE, at, end);
      at = end;
    } else at++;
  }
  return line;
}
