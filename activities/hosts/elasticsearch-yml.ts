import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Document,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

/**
 * path.repo in elasticsearch.yml. Pure: text in, text out. The parsed document only tells where to cut; every byte that
 * is not the setting stays as it was: comments, order, line ends, a missing line end at the end of the file.
 */
export class UnreadableYml extends Error {}

const setting = 'path.repo';

/** What every node of the document has. */
interface Node {
  range?: [number, number, number] | null;
  anchor?: string;
}

interface Found {
  key: Node;
  value: Node | null;
}

interface Parsed {
  root: YAMLMap | undefined;
  document: Document.Parsed | undefined;
  found: Found | undefined;
  paths: string[];
}

/** Directories in path.repo, as Elasticsearch reads them. */
export function readPathRepo(text: string): string[] {
  return parse(text).paths;
}

/** The file with these directories in path.repo too; the same text when they are there already. */
export function addPathRepo(text: string, paths: readonly string[]): string {
  const before = parse(text);
  const missing = [...new Set(paths)].filter((path) => !before.paths.includes(path));
  if (missing.length === 0) return text;
  const edited = splice(text, before, missing);
  return checked(text, edited, [...before.paths, ...missing]);
}

/** The file without these directories; without the setting where nothing stays in it. */
export function removePathRepo(text: string, paths: readonly string[]): string {
  const before = parse(text);
  const staying = before.paths.filter((path) => !paths.includes(path));
  if (staying.length === before.paths.length || !before.found) return text;
  return checked(
    text,
    staying.length > 0 ? replaceValue(text, before.found, staying) : withoutSetting(text, before.found),
    staying,
  );
}

function checked(before: string, after: string, wanted: readonly string[]): string {
  let seen: string[];
  let others: boolean;
  try {
    const parsed = parse(after);
    seen = parsed.paths;
    others = otherSettings(parse(before)) === otherSettings(parsed);
  } catch (error) {
    throw new UnreadableYml(`${setting} stands there in a form that cannot be edited safely (${words(error)})`);
  }
  if (!others || seen.join('\n') !== wanted.join('\n')) {
    throw new UnreadableYml(`${setting} stands there in a form that cannot be edited safely`);
  }
  return after;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Everything but the setting, to see that an edit changed nothing else. */
function otherSettings(parsed: Parsed): string {
  const all = (parsed.document?.toJS() ?? {}) as Record<string, unknown>;
  const { [setting]: _dotted, path: nested, ...rest } = all;
  if (nested === null || typeof nested !== 'object') return JSON.stringify([nested, rest]);
  const { repo: _repo, ...nestedRest } = nested as Record<string, unknown>;
  return JSON.stringify([nestedRest, rest]);
}

function parse(text: string): Parsed {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents) || documents.length === 0)
    return { root: undefined, document: undefined, found: undefined, paths: [] };
  const [document] = documents;
  const error = documents.flatMap((each) => each.errors)[0];
  if (error) {
    const at = error.linePos?.[0];
    // the message's first line; what follows is a picture of the file, which may hold anything
    const message = (error.message.split('\n')[0] ?? '').replace(/:$/, '');
    throw new UnreadableYml(
      message.includes('line') || !at ? message : `${message} at line ${at.line}, column ${at.col}`,
    );
  }
  if (documents.length > 1) throw new UnreadableYml('it holds more than one YAML document');
  const root = document!.contents;
  if (root === null || (isScalar(root) && root.value === null))
    return { root: undefined, document, found: undefined, paths: [] };
  if (!isMap(root)) throw new UnreadableYml('it is no list of settings (key: value)');
  const found = findSetting(root);
  return { root, document, found, paths: found ? pathsOf(found.value) : [] };
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

function findSetting(root: YAMLMap): Found | undefined {
  const found: Found[] = [];
  for (const pair of root.items) {
    const key = keyOf(pair);
    if (/^path\.repo\.\d+$/.test(key))
      throw new UnreadableYml(`${key}: the numbered form of ${setting} cannot be edited`);
    if (key === setting) found.push(pair as Found);
    if (key === 'path' && isMap(pair.value)) {
      for (const inner of pair.value.items) if (keyOf(inner) === 'repo') found.push(inner as Found);
    }
  }
  if (found.length > 1) throw new UnreadableYml(`${setting} stands there twice`);
  return found[0];
}

function pathsOf(value: Node | null): string[] {
  if (value === null) return [];
  if (isAlias(value) || value.anchor) throw new UnreadableYml(`${setting} uses an anchor or alias`);
  if (isScalar(value)) {
    if (value.value === null) return [];
    // one string is a list divided by commas, as in every list setting
    return scalarText(value.value)
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '');
  }
  if (!isSeq(value)) throw new UnreadableYml(`${setting} is neither a path nor a list of paths`);
  return value.items.map((item) => {
    if (!isScalar(item)) throw new UnreadableYml(`${setting} holds something that is no path`);
    return scalarText(item.value);
  });
}

/** A path that looks like a number is a path all the same. */
function scalarText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A double-quoted YAML string; JSON's escapes are YAML's. */
function quoted(path: string): string {
  return JSON.stringify(path);
}

function flowList(paths: readonly string[]): string {
  return `[${paths.map(quoted).join(', ')}]`;
}

function splice(text: string, parsed: Parsed, missing: readonly string[]): string {
  const { found } = parsed;
  if (!found) return append(text, parsed, `${setting}: ${flowList(missing)}`);
  if (isSeq(found.value) && found.value.items.length > 0) return extendList(text, found.value, missing);
  return replaceValue(text, found, [...parsed.paths, ...missing]);
}

function replaceValue(text: string, found: Found, paths: readonly string[]): string {
  const range = found.value?.range;
  const keyEnd = found.key.range?.[1];
  if (!range || keyEnd === undefined) throw new UnreadableYml(`${setting} cannot be found in the text`);
  const isBlockList = isSeq(found.value) && found.value.flow !== true;
  const colon = text.indexOf(':', keyEnd);
  // an empty value has a place but no text, somewhere behind the colon
  if (range[0] === range[1]) return `${text.slice(0, colon + 1)} ${flowList(paths)}${text.slice(colon + 1)}`;
  if (isBlockList) {
    const end = text.slice(0, range[1]).replace(/\s+$/, '').length;
    return `${text.slice(0, colon + 1)} ${flowList(paths)}${text.slice(end)}`;
  }
  const tail = text.slice(range[0], range[1]).match(/\r?\n$/)?.[0] ?? '';
  return text.slice(0, range[0]) + flowList(paths) + tail + text.slice(range[1]);
}

function extendList(text: string, list: YAMLSeq, missing: readonly string[]): string {
  const last = list.items.at(-1) as { range?: [number, number, number] };
  if (!last.range) throw new UnreadableYml(`${setting} cannot be found in the text`);
  const end = last.range[1];
  if (list.flow === true) return `${text.slice(0, end)}, ${missing.map(quoted).join(', ')}${text.slice(end)}`;
  const lineStart = text.lastIndexOf('\n', last.range[0]) + 1;
  const indent = /^(\s*)-/.exec(text.slice(lineStart))?.[1];
  if (indent === undefined) throw new UnreadableYml(`the list in ${setting} cannot be edited`);
  const lines = missing.map((path) => `${indent}- ${quoted(path)}`);
  const lineEnd = text.indexOf('\n', end);
  if (lineEnd < 0) return [text, ...lines].join(eolOf(text));
  return text.slice(0, lineEnd + 1) + lines.map((line) => line + eolOf(text)).join('') + text.slice(lineEnd + 1);
}

function append(text: string, parsed: Parsed, line: string): string {
  const { root } = parsed;
  if (root?.flow === true) throw new UnreadableYml('its settings stand in one { } list');
  const eol = eolOf(text);
  const first = root?.items[0]?.key as { range?: [number, number, number] } | undefined;
  const indent = first?.range
    ? text.slice(text.lastIndexOf('\n', first.range[0]) + 1, first.range[0]).replace('\uFEFF', '')
    : '';
  const setting = (/^\s*$/.test(indent) ? indent : '') + line;
  // a line "..." ends the document: what comes behind it does not count
  const ended = /(^|\n)\.\.\.(\s|$)/.exec(text);
  if (ended) {
    const at = ended.index + ended[1]!.length;
    return text.slice(0, at) + setting + eol + text.slice(at);
  }
  if (text === '' || text === '\uFEFF' || text.endsWith('\n')) return text + setting + eol;
  return text + eol + setting;
}

/** Takes key and value out with their line; a nested `path:` that would be left empty is left in place, as it does no harm. */
function withoutSetting(text: string, found: Found): string {
  const range = found.value?.range;
  const key = found.key.range;
  if (!range || !key) throw new UnreadableYml(`${setting} cannot be found in the text`);
  const start = text.lastIndexOf('\n', key[0] - 1) + 1;
  if (text.slice(start, key[0]).trim() !== '') return replaceValue(text, found, []);
  const valueEnd = text.slice(0, range[1]).replace(/\s+$/, '').length;
  const lineEnd = text.indexOf('\n', valueEnd);
  if (lineEnd < 0) return text.slice(0, start).replace(/\r?\n$/, '');
  return text.slice(0, start) + text.slice(lineEnd + 1);
}

function eolOf(text: string): string {
  return /\r?\n/.exec(text)?.[0] ?? '\n';
}
