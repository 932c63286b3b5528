import { isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { UnreadableYml } from './elasticsearch-yml';

/**
 * A list setting of elasticsearch.yml that stands there under its full name, as settings of this kind do. Pure: text in,
 * text out; every byte that is not the setting stays as it was. What it cannot edit for certain it refuses to.
 */
export function readListSetting(text: string, setting: string): string[] {
  return parse(text, setting).entries;
}

/** The file with these entries in the setting too; the same text when they are there already. */
export function addToListSetting(text: string, setting: string, entries: readonly string[]): string {
  const before = parse(text, setting);
  const missing = [...new Set(entries)].filter((entry) => !before.entries.includes(entry));
  if (missing.length === 0) return text;
  const wanted = [...before.entries, ...missing];
  return checked(text, before.range ? replaced(text, before.range, wanted) : appended(text, setting, wanted), {
    setting,
    wanted,
  });
}

/** The file without these entries; with an empty list where nothing stays in it. */
export function removeFromListSetting(text: string, setting: string, entries: readonly string[]): string {
  const before = parse(text, setting);
  const wanted = before.entries.filter((entry) => !entries.includes(entry));
  if (wanted.length === before.entries.length || !before.range) return text;
  return checked(text, replaced(text, before.range, wanted), { setting, wanted });
}

interface Parsed {
  entries: string[];
  /** Where the value stands; left out where the setting does not. */
  range?: [number, number];
  others: string;
}

function parse(text: string, setting: string): Parsed {
  const documents = parseAllDocuments(text);
  const document = (Array.isArray(documents) ? documents : [])[0];
  if (document === undefined) return { entries: [], others: '{}' };
  if (Array.isArray(documents) && documents.length > 1) throw new UnreadableYml('it holds more than one YAML document');
  const [error] = document.errors;
  if (error) throw new UnreadableYml(error.message.split('\n')[0] ?? 'it is no YAML');
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return { entries: [], others: '{}' };
  if (!isMap(root)) throw new UnreadableYml('it is no list of settings (key: value)');
  if (root.flow === true) throw new UnreadableYml('its settings stand in one { } list');
  const all = document.toJS() as Record<string, unknown>;
  const { [setting]: value, ...rest } = all;
  const [first = ''] = setting.split('.');
  const nested = Object.keys(rest).filter((key) => key === first || key.startsWith(`${setting}.`));
  if (nested.length > 0)
    throw new UnreadableYml(`${nested.join(', ')}: settings below ${first} stand there in a nested form`);
  const others = JSON.stringify(rest);
  const pair = root.items.find(({ key }) => isScalar(key) && key.value === setting);
  if (!pair) return { entries: [], others };
  const { value: node } = pair;
  if (!isScalar(node) && !isSeq(node)) throw new UnreadableYml(`${setting} is neither a text nor a list`);
  if (node.anchor !== undefined || !node.range) throw new UnreadableYml(`${setting} uses an anchor`);
  if (!isScalar(node) && node.flow !== true)
    throw new UnreadableYml(`${setting} is a list over lines; write it as ["…", "…"] on one line`);
  return { entries: entriesOf(value), range: [node.range[0], node.range[1]], others };
}

/** One text is a list divided by commas, as in every list setting. */
function entriesOf(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  const list = Array.isArray(value) ? (value as unknown[]) : (value as string | number).toString().split(',');
  return list.map((entry) => String(entry).trim()).filter((entry) => entry !== '');
}

function flowList(entries: readonly string[]): string {
  return `[${entries.map((entry) => JSON.stringify(entry)).join(', ')}]`;
}

function replaced(text: string, [start, end]: [number, number], entries: readonly string[]): string {
  // a value of nothing stands right behind its colon
  const space = start === end && text[start - 1] === ':' ? ' ' : '';
  return text.slice(0, start) + space + flowList(entries) + text.slice(end);
}

function appended(text: string, setting: string, entries: readonly string[]): string {
  if (/(^|\n)\.\.\.(\s|$)/.test(text)) throw new UnreadableYml('a line "..." ends its settings');
  const eol = /\r?\n/.exec(text)?.[0] ?? '\n';
  const line = `${setting}: ${flowList(entries)}`;
  if (text === '' || text === '\uFEFF' || text.endsWith('\n')) return text + line + eol;
  return text + eol + line;
}

function checked(before: string, after: string, { setting, wanted }: { setting: string; wanted: string[] }): string {
  const unsafe = () => new UnreadableYml(`${setting} stands there in a form that cannot be edited safely`);
  let seen: Parsed;
  try {
    seen = parse(after, setting);
  } catch {
    throw unsafe();
  }
  if (seen.others !== parse(before, setting).others || seen.entries.join('\n') !== wanted.join('\n')) throw unsafe();
  return after;
}
