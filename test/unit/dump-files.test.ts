import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { cutHits, type Page } from '../../activities/copy/cut-hits';
import { bulkBodies } from '../../activities/copy/bulk-body';
import { blocksOf, type Block } from '../../activities/dump/blocks';
import { compress, decompressed } from '../../activities/dump/compression';
import { openDataFile, publish } from '../../activities/dump/data-file';
import { linesOf, pagesOf } from '../../activities/dump/lines';
import { readState, stateFile, writeState } from '../../activities/dump/state-file';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'shardlift-dump-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const page = (...hits: string[]): Page => cutHits(Buffer.from(`{"hits":{"hits":[${hits.join(',')}]}}`));
const bulk = (of: Page) => Buffer.concat(bulkBodies({ versionType: 'external_gte' })(of).buffers).toString();
const odd = '{"a":1.0,"b":9007199254740993, "a":2,"s":"\\u00e9\\n\\"}{"}';

describe('lines of a dump', () => {
  it('are what elasticdump writes, with the version besides, and bodies byte for byte', () => {
    const of = page(`{"_index":"x","_type":"_doc","_id":"1","_version":3,"_routing":"r","_source":${odd}}`);
    expect(linesOf(of, { index: 'x', type: '_doc' }).toString()).toBe(
      `{"_index":"x","_type":"_doc","_id":"1","_score":1,"_routing":"r","_version":3,"_source":${odd}}\n`,
    );
  });

  it('stand on one line each, also of a document that was sent over several', () => {
    const of = page('{"_id":"1","_version":1,"_source":{\n "a": "x\\n" // note\n}}');
    const text = linesOf(of, { index: 'x' }).toString();
    expect(text.trimEnd()).not.toContain('\n');
    expect(JSON.parse(text)).toMatchObject({ _source: { a: 'x\n' } });
  });

  it('come back as the same bulk request', () => {
    const of = page(
      `{"_id":"1","_version":3,"_routing":"r","_source":${odd}}`,
      `{"_id":"\\"2\\"","_version":1,"_source":{}}`,
    );
    const [back] = pagesOf(linesOf(of, { index: 'x' }));
    expect(back?.index).toBe('x');
    expect(bulk(back?.page as Page)).toBe(bulk(of));
  });

  it('of elasticdump have no version: they count as version 1', () => {
    const text = `{"_index":"x","_type":"_doc","_id":"1","_score":1,"_source":${odd}}\r\n\n{"_index":"x","_id":"2","_version":7,"_source":{}}`;
    const [back] = pagesOf(Buffer.from(text));
    expect(bulk(back?.page as Page)).toBe(
      `{"index":{"_id":"1","version":1,"version_type":"external_gte"}}\n${odd}\n` +
        `{"index":{"_id":"2","version":7,"version_type":"external_gte"}}\n{}\n`,
    );
  });

  it('of several indices go to theirs, and all to one where it is named', () => {
    const text = ['a', 'a', 'b', 'a'].map((index, id) => `{"_index":"${index}","_id":"${id}","_source":{}}\n`).join('');
    expect(pagesOf(Buffer.from(text)).map(({ index, page: of }) => [index, of.count])).toEqual([
      ['a', 2],
      ['b', 1],
      ['a', 1],
    ]);
    expect(pagesOf(Buffer.from(text), 'c').map(({ index, page: of }) => [index, of.count])).toEqual([['c', 4]]);
  });

  it.each([
    ['a document without _index', '{"_id":"1","_source":{}}\n', /line 1 .*_index/],
    ['no object', '{"_index":"x","_id":"1","_source":{}}\n[1]\n', /line 2 /],
    ['a cut line', '{"_index":"x","_id":"1","_source":{"a":', /line 1 /],
    ['two documents', '{"_index":"x","_id":"1","_source":{}},{"_index":"x","_id":"2","_source":{}}\n', /more than one/],
    ['only a source', '{"_index":"x","a":1}\n', /_id/],
  ])('are refused: %s', (_, text, words) => {
    expect(() => pagesOf(Buffer.from(text))).toThrow(words);
  });
});

async function all(blocks: AsyncGenerator<Block>): Promise<Block[]> {
  const found: Block[] = [];
  for await (const block of blocks) found.push({ ...block, text: Buffer.from(block.text) });
  return found;
}

describe('blocksOf', () => {
  it('gives whole lines, all of them, and goes on behind the end of any block', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ maxLength: 30 }).map((line) => line.replaceAll('\n', ' ')),
          { maxLength: 40 },
        ),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 50 }),
        async (lines, chunk, target) => {
          const text = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const stream = () =>
            Readable.from(
              (function* () {
                for (let at = 0; at < text.length; at += chunk) yield text.subarray(at, at + chunk);
              })(),
            );
          const blocks = await all(blocksOf(stream(), target));
          expect(Buffer.concat(blocks.map((block) => block.text))).toEqual(text);
          for (const { text: of, through } of blocks) {
            expect(of.at(-1)).toBe(0x0a);
            const rest = await all(blocksOf(stream(), target, through));
            expect(Buffer.concat(rest.map((block) => block.text))).toEqual(text.subarray(through));
            expect(rest[0]?.from ?? through).toBe(through);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes a line that is longer than any block, and a last one without an end', async () => {
    const long = 'x'.repeat(5000);
    const blocks = await all(blocksOf(Readable.from([Buffer.from(`${long}\n`), Buffer.from('last')]), 100));
    expect(blocks.map(({ text }) => text.toString())).toEqual([`${long}\n`, 'last']);
  });
});

describe.each(['none', 'gzip', 'zstd'] as const)('a data file with %s', (how) => {
  it('is cut off behind its checkpoint, and gone on with', async () => {
    const file = path.join(directory, 'logs.json.partial');
    const first = await openDataFile(file, 0, how);
    await first.append(Buffer.from('one\n'));
    await first.sync();
    const checkpoint = first.bytes;
    await first.append(Buffer.from('lost\n'));
    await first.sync();
    await first.close();
    const second = await openDataFile(file, checkpoint, how);
    await second.append(Buffer.from('two\n'));
    await second.sync();
    await second.close();
    await publish(file, path.join(directory, 'logs.json'));
    await publish(file, path.join(directory, 'logs.json'));
    const bytes = readFileSync(path.join(directory, 'logs.json'));
    const chunks: Buffer[] = [];
    for await (const chunk of decompressed(Readable.from([bytes]), bytes)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('one\ntwo\n');
  });

  it('that is cut short is no whole one', async () => {
    const bytes = await compress(Buffer.from('line\n'.repeat(1000)), how);
    const cut = bytes.subarray(0, bytes.length - 5);
    const read = async () => {
      let length = 0;
      for await (const chunk of decompressed(Readable.from([cut]), cut)) length += (chunk as Buffer).length;
      return length;
    };
    if (how === 'none') expect(await read()).toBe(4995);
    else await expect(read()).rejects.toThrow();
  });
});

describe('the state file', () => {
  it('is the last one that was written whole', async () => {
    const file = stateFile(directory, 'dump-logs');
    expect(await readState(file)).toBeUndefined();
    await writeState(file, { a: 1 });
    writeFileSync(`${file}.new`, '{"a":');
    expect(await readState(file)).toEqual({ a: 1 });
    await writeState(file, { a: 2 });
    expect(await readState(file)).toEqual({ a: 2 });
  });

  it('that is damaged is said, with what helps', async () => {
    const file = stateFile(directory, 'dump-logs');
    await writeState(file, {});
    writeFileSync(file, '{');
    await expect(readState(file)).rejects.toMatchObject({ type: 'CopyFailed', nonRetryable: true });
  });
});

it('gzip of elasticdump, one member, is read too', async () => {
  const bytes = gzipSync(Buffer.from('a\nb\n'));
  const blocks = await all(blocksOf(decompressed(Readable.from([bytes]), bytes), 100));
  expect(blocks.map(({ text }) => text.toString())).toEqual(['a\nb\n']);
});
