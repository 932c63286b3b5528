import { bytesOf, cutHits, lineBreak, part, stride, type Page } from '../copy/cut-hits';
import { BrokenJson, onOneLine } from '../copy/json-bytes';

/**
 * The lines that elasticdump writes and reads with --type=data: a hit of a search each. Ours have `_version` besides,
 * which it looks at when it is asked to (--handleVersion), and so keep versions.
 */
export function linesOf(page: Page, { index, type }: { index: string; type?: string }): Buffer {
  const head = Buffer.from(
    `{"_index":${JSON.stringify(index)},${type === undefined ? '' : `"_type":${JSON.stringify(type)},`}"_id":`,
  );
  const pieces: Buffer[] = [];
  for (let hit = 0; hit < page.count; hit++) {
    const [id, routing, version, source] = (['id', 'routing', 'version', 'source'] as const).map((which) =>
      bytesOf(page, hit, which),
    );
    if (id === undefined || source === undefined)
      throw new BrokenJson(`the document ${id?.toString() ?? ''} came without its _source: it cannot be dumped`);
    pieces.push(head, id, score);
    if (routing !== undefined) pieces.push(routingKey, routing);
    if (version !== undefined) pieces.push(versionKey, version);
    const breaks = page.places[hit * stride + lineBreak] !== 0;
    pieces.push(sourceKey, breaks ? onOneLine(source) : source, end);
  }
  return Buffer.concat(pieces);
}

const score = Buffer.from(',"_score":1');
const routingKey = Buffer.from(',"_routing":');
const versionKey = Buffer.from(',"_version":');
const sourceKey = Buffer.from(',"_source":');
const end = Buffer.from('}\n');

/** Lines of one index, cut as the answer of a search would be. */
export interface LinePage {
  index: string;
  page: Page;
}

interface Line {
  start: number;
  end: number;
  index: string;
}

/**
 * Whole lines as pages, in their order. A line without `_version`, as elasticdump writes it, counts as version 1: a
 * document of the target that was changed since is left alone.
 * @throws BrokenJson with the number of the line in this text.
 */
export function pagesOf(text: Buffer, index?: string): LinePage[] {
  const groups: Line[][] = [];
  for (const line of eachLine(text, index)) {
    const group = groups.at(-1);
    if (group?.[0]?.index === line.index) group.push(line);
    else groups.push([line]);
  }
  return groups.map((lines) => ({ index: lines[0]?.index ?? '', page: pageOf(text, lines) }));
}

function pageOf(text: Buffer, lines: readonly Line[]): Page {
  const page = cutHits(asAnswer(text, lines, () => false));
  if (page.count !== lines.length) throw new BrokenJson('a line has more than one document');
  const lacks = (hit: number) => page.places[hit * stride + part.version] === -1;
  if (!lines.some((_, hit) => lacks(hit))) return page;
  return cutHits(asAnswer(text, lines, lacks));
}

const before = Buffer.from('{"hits":{"hits":[');
const after = Buffer.from(']}}');
const comma = Buffer.from(',');
const opened = Buffer.from('{"_version":1,');

function asAnswer(text: Buffer, lines: readonly Line[], lacks: (hit: number) => boolean): Buffer {
  const pieces: Buffer[] = [before];
  for (const [hit, line] of lines.entries()) {
    if (hit > 0) pieces.push(comma);
    if (lacks(hit)) pieces.push(opened, text.subarray(line.start + 1, line.end));
    else pieces.push(text.subarray(line.start, line.end));
  }
  pieces.push(after);
  return Buffer.concat(pieces);
}

function* eachLine(text: Buffer, index: string | undefined): Generator<Line> {
  let number = 0;
  for (let start = 0; start < text.length;) {
    const feed = text.indexOf(0x0a, start);
    const next = feed < 0 ? text.length : feed + 1;
    let [from, to] = [start, feed < 0 ? text.length : feed];
    while (from < to && (text[from] as number) <= 0x20) from++;
    while (to > from && (text[to - 1] as number) <= 0x20) to--;
    number++;
    start = next;
    if (from === to) continue;
    if (text[from] !== 0x7b || text[to - 1] !== 0x7d)
      throw new BrokenJson(`line ${number} of this part is no JSON object: is it a dump of documents, one a line?`);
    const own = index ?? indexIn(text.toString('utf8', from, Math.min(to, from + headBytes)));
    if (own === undefined)
      throw new BrokenJson(`line ${number} of this part does not begin with its _index: say which index with --index`);
    yield { start: from, end: to, index: own };
  }
}

/** An index name has 255 bytes at most, each of which may be an escape of six. */
const headBytes = 2_000;

function indexIn(head: string): string | undefined {
  const found = /^\{\s*"_index"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(head)?.[1];
  return found === undefined ? undefined : (JSON.parse(found) as string);
}
