import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { createDumpActivities } from '../../activities/dump';
import { createClusters } from '../../activities/elasticsearch/cluster';
import type { Compression, DumpActivities, DumpedIndex } from '../../contracts/dump';
import { differences, digestIndices } from '../../lab/digest';
import { countOf, http, makeIndex, sharedPair } from '../support/shared-pair';

jest.setTimeout(240_000);

let directory: string;
let clusters: ReturnType<typeof createClusters>;
let activities: DumpActivities;
const source = () => ({ urls: [sharedPair().source] });
const target = () => ({ urls: [sharedPair().target] });

beforeAll(() => {
  clusters = createClusters();
  activities = createDumpActivities({ clusters });
});
afterAll(() => clusters.close());
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'shardlift-dump-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Bytes that a parser would not give back. */
const odd = '{"b":1.0, "a":9007199254740993,"c":1e3,"d":0.12345678901234567890123,"s":"\\u00e9\\n"}';

async function prepare(name: string, documents: number): Promise<DumpedIndex> {
  await makeIndex(sharedPair().source, name, documents, { number_of_shards: 2 });
  const url = `${sharedPair().source}/${name}`;
  const headers = { 'content-type': 'application/json' };
  await fetch(`${url}/_doc/odd?routing=r`, { method: 'PUT', headers, body: odd });
  await fetch(`${url}/_doc/lines`, { method: 'PUT', headers, body: '{\n  "a": 1\n}' });
  // its second version
  await fetch(`${url}/_doc/odd?routing=r`, { method: 'PUT', headers, body: odd });
  await http(`${url}/_doc/1`, 'DELETE');
  await http(`${sharedPair().source}/_aliases`, 'POST', {
    actions: [{ add: { index: name, alias: `${name}-alias` } }],
  });
  await http(`${url}/_refresh`, 'POST');
  const [index] = await activities.listDumpIndices({ source: source(), patterns: [name] });
  if (!index) throw new Error('no index');
  return index;
}

async function expectEqual(name: string, versions = true): Promise<void> {
  const [a, b] = await Promise.all(
    [sharedPair().source, sharedPair().target].map((url) => digestIndices({ url, indices: [name] })),
  );
  expect(differences(a ?? {}, b ?? {}, { versions })).toEqual([]);
}

test('an index that is not there is told as that', async () => {
  const asked = activities.listDumpIndices({ source: source(), patterns: ['dump-nosuch'] });
  await expect(asked).rejects.toThrow('there is no index of this name');
  expect(await activities.listDumpIndices({ source: source(), patterns: ['dump-nosuch-*'] })).toEqual([]);
});

it.each(['none', 'gzip', 'zstd'] as const)('goes out and in again byte for byte: %s', async (compression) => {
  const name = `dump-${compression}`;
  const index = await prepare(name, 3000);
  // a document over several lines comes to stand on one: its bytes are another document's
  await http(`${sharedPair().source}/${name}/_doc/lines?refresh=true`, 'DELETE');
  // as a cutover leaves its source
  await http(`${sharedPair().source}/${name}/_settings`, 'PUT', { 'index.blocks.write': true });
  const dumped = await activities.dumpIndex({ source: source(), index, directory, compression });
  expect(dumped).toMatchObject({ isDone: true, documents: 3000 });
  const loaded = await activities.loadFile({ target: target(), file: dumped.file, bulkBytes: 20_000 });
  expect(loaded).toMatchObject({ isDone: true, written: 3000, refused: 0 });
  await expectEqual(name);
  const { body } = await http<Record<string, { settings: { index: { number_of_shards: string } }; aliases: object }>>(
    `${sharedPair().target}/${name}`,
  );
  expect(body[name]?.settings.index.number_of_shards).toBe('2');
  expect(Object.keys(body[name]?.aliases ?? {})).toEqual([`${name}-alias`]);
  // once more: done already
  expect(await activities.loadFile({ target: target(), file: dumped.file })).toMatchObject({
    isDone: true,
    written: 3000,
  });
  expect(await activities.dumpIndex({ source: source(), index, directory, compression })).toMatchObject({
    isDone: true,
  });
  await activities.endDump({ directory });
  const extension = { none: '.json', gzip: '.json.gz', zstd: '.json.zst' }[compression];
  expect(readdirSync(directory).sort()).toEqual(
    ['.alias', '.analyzer', '', '.mapping', '.settings'].map((kind) => `${name}${kind}${extension}`).sort(),
  );
  await expect(activities.dumpIndex({ source: source(), index, directory, compression })).rejects.toMatchObject({
    type: 'PathOccupied',
  });
});

it('two files at once into one index of another name: both are in it, and the alias stays with the first', async () => {
  const names = ['dump-one', 'dump-two'];
  const files: string[] = [];
  for (const name of names) {
    const index = await prepare(name, 300);
    files.push((await activities.dumpIndex({ source: source(), index, directory, compression: 'none' })).file);
  }
  const into = 'dump-both';
  const loaded = await Promise.all(files.map((file) => activities.loadFile({ target: target(), file, index: into })));
  expect(loaded.map(({ isDone, refused }) => [isDone, refused])).toEqual([
    [true, 0],
    [true, 0],
  ]);
  await http(`${sharedPair().target}/${into}/_refresh`, 'POST');
  const { body } = await http<{ count: number }>(`${sharedPair().target}/${into}/_count`);
  // the same ids in both
  expect(body.count).toBe(301);
  expect((await http(`${sharedPair().target}/${into}/_alias`)).body).toEqual({ [into]: { aliases: {} } });
});

/** Throws out of the progress report: what a killed process leaves behind is the same, a file without its checkpoint. */
function killedAfter(reports: number): DumpActivities {
  let left = reports;
  return createDumpActivities(
    { clusters },
    {
      onProgress: () => {
        if (--left < 0) throw new Error('killed');
      },
    },
  );
}

it.each<Compression>(['none', 'gzip'])(
  'killed over and over, it goes on and nothing is missing or double: %s',
  async (compression) => {
    const name = `dump-killed-${compression}`;
    const index = await prepare(name, 4000);
    const input = { source: source(), index, directory, compression };
    let kills = 0;
    let dumped;
    // each attempt comes a little further: up to the end of a shard, which is a checkpoint
    for (let reports = 0; dumped === undefined; reports++) {
      dumped = await killedAfter(reports)
        .dumpIndex(input)
        .catch((error: Error) => {
          if (error.message !== 'killed') throw error;
          kills++;
          return undefined;
        });
    }
    expect(kills).toBeGreaterThan(2);
    expect(dumped).toMatchObject({ isDone: true, documents: 4001 });
    const load = { target: target(), file: dumped.file, bulkBytes: 20_000 };
    let loaded;
    for (let reports = 0; loaded === undefined; reports += 7) {
      loaded = await killedAfter(reports)
        .loadFile(load)
        .catch((error: Error) => {
          if (error.message !== 'killed') throw error;
          kills++;
          return undefined;
        });
    }
    expect(loaded).toMatchObject({ isDone: true, refused: 0 });
    await http(`${sharedPair().target}/${name}/_refresh`, 'POST');
    expect(await countOf(sharedPair().target, name)).toBe(4001);
  },
);

it('interrupted, it says so and goes on from its checkpoint', async () => {
  const name = 'dump-interrupted';
  const index = await prepare(name, 4000);
  const input = { source: source(), index, directory, compression: 'none' as const };
  const stop = new AbortController();
  const interrupted = createDumpActivities({ clusters }, { signal: stop.signal, onProgress: () => stop.abort() });
  const first = await interrupted.dumpIndex(input);
  expect(first.isDone).toBe(false);
  expect(first.documents).toBeGreaterThan(0);
  const second = await activities.dumpIndex(input);
  expect(second).toMatchObject({ isDone: true, documents: 4001 });
  const ids = readFileSync(second.file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { _id: string })._id);
  expect([ids.length, new Set(ids).size]).toEqual([4001, 4001]);
  const again = new AbortController();
  const halved = createDumpActivities({ clusters }, { signal: again.signal, onProgress: () => again.abort() });
  const load = { target: target(), file: second.file, bulkBytes: 20_000 };
  const half = await halved.loadFile(load);
  expect(half.isDone).toBe(false);
  expect(half.written).toBeLessThan(4001);
  expect(await activities.loadFile(load)).toMatchObject({ isDone: true, refused: 0 });
  await http(`${sharedPair().target}/${name}/_refresh`, 'POST');
  expect(await countOf(sharedPair().target, name)).toBe(4001);
});

it('keeps what the target refuses, and loads the rest', async () => {
  const name = 'dump-refused';
  const index = await prepare(name, 300);
  const { file } = await activities.dumpIndex({ source: source(), index, directory, compression: 'none' });
  await http(`${sharedPair().target}/${name}`, 'PUT', { mappings: { properties: { n: { type: 'byte' } } } });
  const loaded = await activities.loadFile({ target: target(), file });
  // 128 to 299 do not fit; document 1 was deleted
  expect(loaded).toMatchObject({ isDone: true, written: 129, refused: 172 });
  expect(loaded.causes).toEqual([expect.objectContaining({ count: 172, index: name })]);
  expect(
    readFileSync(loaded.refusedFile ?? '', 'utf8')
      .trimEnd()
      .split('\n'),
  ).toHaveLength(172);
});

it('reads what elasticdump writes: no versions, one gzip member, settings printed twice, another index', async () => {
  const lines = Array.from(
    { length: 500 },
    (_, id) =>
      `{"_index":"old","_type":"_doc","_id":"${id}","_score":1,${id === 3 ? '"_routing":"r",' : ''}"_source":{"n":${id},"f":1.0}}\n`,
  );
  const file = path.join(directory, 'old.json.gz');
  writeFileSync(file, gzipSync(Buffer.from(lines.join(''))));
  const settings = {
    old: {
      settings: {
        index: {
          number_of_shards: '3',
          number_of_replicas: '0',
          uuid: 'x',
          provided_name: 'old',
          version: { created: '6082399' },
        },
      },
    },
  };
  writeFileSync(
    path.join(directory, 'old.settings.json.gz'),
    gzipSync(Buffer.from(JSON.stringify(JSON.stringify(settings)))),
  );
  writeFileSync(
    path.join(directory, 'old.mapping.json'),
    '{"old":{"mappings":{"doc":{"properties":{"n":{"type":"short"}}}}}}\n',
  );
  const loaded = await activities.loadFile({ target: target(), file, index: 'dump-foreign' });
  expect(loaded).toMatchObject({ isDone: true, written: 500 });
  const { body } = await http<
    Record<string, { settings: { index: { number_of_shards: string } }; mappings: { properties: object } }>
  >(`${sharedPair().target}/dump-foreign`);
  expect(body['dump-foreign']?.settings.index.number_of_shards).toBe('3');
  expect(body['dump-foreign']?.mappings.properties).toMatchObject({ n: { type: 'short' } });
  const text = await (await fetch(`${sharedPair().target}/dump-foreign/_source/3?routing=r`)).text();
  expect(text).toBe('{"n":3,"f":1.0}');
});

it('says of a file that is no dump, or cut short, what is wrong', async () => {
  const file = path.join(directory, 'x.json');
  writeFileSync(file, '{"_index":"dump-broken","_id":"1","_source":{}}\n{"n":1}\n');
  await expect(activities.loadFile({ target: target(), file })).rejects.toMatchObject({
    type: 'CopyFailed',
    details: [expect.objectContaining({ why: expect.stringContaining('line 2') as string })],
  });
  const cut = path.join(directory, 'y.json.gz');
  writeFileSync(
    cut,
    gzipSync(Buffer.from('{"_index":"dump-broken","_id":"1","_source":{}}\n'.repeat(100))).subarray(0, 60),
  );
  await expect(activities.loadFile({ target: target(), file: cut })).rejects.toMatchObject({ type: 'CopyFailed' });
});
