/**
 * Finds the parts of a JSON text without parsing them, so that the bytes of a document can be compared as they are. A parser
 * would turn 1.0 into 1 and round numbers past 2^53.
 */
export interface Span {
  start: number;
  end: number;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c] as const;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (at < text.length && (text[at] as number) <= 0x20) at++;
  return at;
}

/** As long as most keys and small values: to begin a search in the buffer costs more than to look at these. */
const shortString = 48;

function endOfString(text: Buffer, from: number): number {
  const near = Math.min(text.length, from + shortString);
  let at = from + 1;
  for (; at < near; at++) {
    if (text[at] === BACKSLASH) at++;
    else if (text[at] === QUOTE) return at + 1;
  }
  for (;;) {
    const quote = text.indexOf(QUOTE, at);
    if (quote < 0) throw new Error('unfinished string in JSON');
    let escapes = quote;
    while (escapes > at && text[escapes - 1] === BACKSLASH) escapes--;
    if ((quote - escapes) % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

/** Where the value that begins at `from` ends. */
function endOfValue(text: Buffer, from: number): number {
  const first = text[from];
  if (first === QUOTE) return endOfString(text, from);
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at) - 1;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      // the bracket of what surrounds a plain value ends it; our own one belongs to it
      if (depth === 0) return at;
      depth--;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || (byte as number) <= 0x20)) return at;
  }
  return text.length;
}

/** The members of an object: where the value of each lies. */
export function members(text: Buffer, object: Span): Map<string, Span> {
  const found = new Map<string, Span>();
  let at = skipSpace(text, object.start + 1);
  while (at < object.end && text[at] === QUOTE) {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.toString('utf8', at, keyEnd)) as string;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    found.set(key, { start, end });
    at = skipSpace(text, end);
    if (text[at] === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}

/** The elements of an array. */
export function elements(text: Buffer, array: Span): Span[] {
  const found: Span[] = [];
  let at = skipSpace(text, array.start + 1);
  while (at < array.end && text[at] !== CLOSE_ARRAY) {
    const end = endOfValue(text, at);
    found.push({ start: at, end });
    at = skipSpace(text, end);
    if (text[at] === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}

export function whole(text: Buffer): Span {
  return { start: skipSpace(text, 0), end: text.length };
}

/** The value at that path of keys. */
export function at(text: Buffer, path: readonly string[], from: Span = whole(text)): Span | undefined {
  let span: Span | undefined = from;
  for (const key of path) span = span === undefined ? undefined : members(text, span).get(key);
  return span;
}
