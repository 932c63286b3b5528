import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { CopyPart } from '../../contracts/document-activities';
import { differences, digestIndices } from '../../lab/digest';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { countOf, http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';

/** Whole runs of `method: copy` on a real pair: the command line, a worker's own activities, two clusters. */

jest.setTimeout(180_000);

const pair = sharedPair();
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => operator?.stop());

function copyRunbook(name: string, over: Record<string, unknown> = {}) {
  return pairRunbook(name, { method: 'copy', snapshot: undefined, ...over });
}

/** Sources as people send them: what JSON parsers change must come through as it is. */
const oddSources = [
  '{"n":12345678901234567890123,"f":1.0,"e":1e2}',
  '{ "spaced" : [ 1 , 2.50 ] , "text" : "line\\nbreak \\u00e9 \\ud83d\\ude00 é" }',
  '{"z":1,"a":{"z":1,"a":null},"empty":{},"list":[]}',
  '{}',
];

async function bulk(index: string, lines: string[]): Promise<void> {
  const answer = await http<{ errors: boolean }>(
    `${pair.source}/${encodeURIComponent(index)}/_bulk?refresh=true`,
    'POST',
    `${lines.join('\n')}\n`,
  );
  expect(answer.body.errors).toBe(false);
}

async function unlike(indices: string[]): Promise<string[]> {
  const [from, to] = await Promise.all([pair.source, pair.target].map((url) => digestIndices({ url, indices })));
  return differences(from ?? {}, to ?? {}, { versions: true });
}

test('documents of all sorts get there as the bytes that they are, with id, routing and version', async () => {
  const run = 'copying';
  const [many, odd, family, empty] = [`${run}-many`, `${run}-odd+é`, `${run}-family`, `${run}-empty`];
  await makeIndex(pair.source, many, 5000, { number_of_shards: 3 });
  // newer versions, and holes in the sequence
  await bulk(
    many,
    Array.from({ length: 300 }, (_, id) => [`{"index":{"_id":"${id * 7}"}}`, `{"n":${id},"text":"again"}`]).flat(),
  );
  await bulk(
    many,
    Array.from({ length: 100 }, (_, id) => `{"delete":{"_id":"${id * 11}"}}`),
  );
  await must(`${pair.source}/${encodeURIComponent(odd)}`, 'PUT', {
    settings: {
      number_of_shards: 2,
      number_of_replicas: 0,
      analysis: { analyzer: { mine: { type: 'standard', stopwords: ['of'] } } },
    },
    mappings: { dynamic: false, properties: { text: { type: 'text', analyzer: 'mine' } } },
  });
  await bulk(
    odd,
    oddSources.flatMap((source, at) => [
      `{"index":{"_id":"id ${at} \\"é"${at % 2 ? `,"routing":"r ${at}"` : ''}}}`,
      source,
    ]),
  );
  await must(`${pair.source}/${family}`, 'PUT', {
    settings: { number_of_shards: 3, number_of_replicas: 0 },
    mappings: {
      properties: {
        toys: { type: 'nested', properties: { name: { type: 'keyword' } } },
      },
    },
  });
  await bulk(
    family,
    Array.from({ length: 50 }, (_, at) => [
      `{"index":{"_id":"p${at}"}}`,
      `{"toys":[{"name":"a"},{"name":"b${at}"}]}`,
      `{"index":{"_id":"c${at}","routing":"p${at}"}}`,
      `{"toys":[],"of":"p${at}"}`,
    ]).flat(),
  );
  await makeIndex(pair.source, empty, 0);
  await must(`${pair.source}/_aliases`, 'POST', { actions: [{ add: { index: many, alias: 'copying-alias' } }] });
  const file = await operator.start(
    copyRunbook(run, {
      freeze: 'beforeMove',
      batches: { maxIndices: 2 },
      copy: { parts: { maxDocuments: 1000, inFlight: 3 } },
    }),
  );
  const status = await operator.ended(run);
  expect(status.state).toBe('completed');
  const names = [many, odd, family, empty];
  expect(await unlike(names)).toEqual([]);
  const { body } = await http(`${pair.target}/_alias/copying-alias`);
  expect(Object.keys(body)).toEqual([many]);
  const steps = status.batches.flatMap((batch) => batch.steps.map(({ id }) => id.split('/')[1]));
  expect(new Set(steps)).toEqual(new Set(['freeze', 'create', 'documents', 'finalize', 'verify']));
  const settings = await http<Record<string, { settings: Record<string, string> }>>(
    `${pair.target}/${many}/_settings?flat_settings=true`,
  );
  // neither what was for loading only, nor the mark
  expect(
    Object.keys(settings.body[many]?.settings ?? {}).filter((key) => /refresh|translog|exclude/.test(key)),
  ).toEqual([]);
  // the block that the run put on the source is not for the target
  await must(`${pair.target}/${many}/_doc/later?refresh=true`, 'PUT', { n: 1 });
  const planned = await operator.shardlift('plan', file);
  expect(planned.out).toContain('Method: copy');
});

test('other names, a query, fields left out', async () => {
  const run = 'reshaping';
  await makeIndex(pair.source, `${run}-one`, 200);
  await operator.start(
    copyRunbook(run, {
      copy: {
        rename: [{ from: `${run}-*`, to: `${run}ed-*-v2` }],
        query: { range: { n: { lt: 50 } } },
        dropFields: ['text'],
        settings: { 'index.number_of_shards': 2 },
      },
    }),
  );
  expect((await operator.ended(run)).state).toBe('completed');
  expect(await countOf(pair.target, `${run}ed-one-v2`)).toBe(50);
  const { body } = await http<{ _source: unknown }>(`${pair.target}/${run}ed-one-v2/_doc/7`);
  expect(body._source).toEqual({ n: 7 });
});

test('what the target refuses is kept with its cause; the rest is there, and the run ends with differences', async () => {
  const run = 'refusing';
  const index = `${run}-nested`;
  await must(`${pair.source}/${index}`, 'PUT', {
    settings: { number_of_replicas: 0 },
    mappings: { properties: { toys: { type: 'nested' } } },
  });
  const toys = (count: number) => JSON.stringify({ toys: Array.from({ length: count }, (_, at) => ({ at })) });
  await bulk(
    index,
    Array.from({ length: 40 }, (_, at) => [`{"index":{"_id":"${at}"}}`, toys(at % 10 === 0 ? 9 : 1)]).flat(),
  );
  await operator.start(copyRunbook(run, { copy: { settings: { 'index.mapping.nested_objects.limit': 5 } } }));
  const status = await operator.ended(run);
  expect(status.state).toBe('completed with differences');
  expect(await countOf(pair.target, index)).toBe(36);
  expect(status.batches[0]?.refused).toMatchObject([{ index, count: 4, example: '0' }]);
  expect(status.differences).toHaveLength(1);
  expect(status.differences[0]?.what).toMatch(/^4 documents were, such as 0, refused by the target: .*nested/);
  const kept = path.join(operator.directory, 'failed-documents');
  const [owner = ''] = readdirSync(kept).filter((name) => name.startsWith(`${run}-`));
  const [file = ''] = readdirSync(path.join(kept, owner));
  const lines = readFileSync(path.join(kept, owner, file), 'utf8')
    .trim()
    .split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { id: string }).id).sort()).toEqual(['0', '10', '20', '30']);
  expect(lines[0]).toContain(`"source":${toys(9)}`);
});

test('refused documents are driven again once the cause is mended, and only where they are', async () => {
  const run = 'mending';
  const index = `${run}-nested`;
  await must(`${pair.source}/${index}`, 'PUT', {
    settings: { number_of_replicas: 0 },
    mappings: { properties: { toys: { type: 'nested' } } },
  });
  const toys = (count: number) => JSON.stringify({ toys: Array.from({ length: count }, (_, at) => ({ at })) });
  // of three parts the first and the last have a document that is too large
  const sizes = (id: number) => (id === 5 || id === 2500 ? 9 : 0);
  await bulk(index, Array.from({ length: 2900 }, (_, id) => [`{"index":{"_id":"${id}"}}`, toys(sizes(id))]).flat());
  await operator.start(
    copyRunbook(run, {
      gates: ['cutover'],
      copy: {
        parts: { maxDocuments: 1000 },
        settings: { 'index.mapping.nested_objects.limit': 5 },
        // without a limit a window has room for several pages, and here for a whole part
        limits: { docsPerSec: 1_000_000 },
      },
    }),
  );
  const waiting = await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
  expect(waiting.batches[0]?.refused).toMatchObject([{ index, count: 2 }]);
  // in the order in which they ended; of the parts only the pages that they are in
  const ranges = ((waiting.batches[0]?.refusedParts ?? []) as CopyPart[]).sort((a, b) => a.afterSeqNo - b.afterSeqNo);
  expect(ranges.map((range) => range.index)).toEqual([index, index]);
  const within = ranges.map(({ afterSeqNo, toSeqNo }) => [5, 2500].filter((n) => n > afterSeqNo && n <= toSeqNo));
  expect(within).toEqual([[5], [2500]]);
  const numbers = ranges.reduce((sum, { afterSeqNo, toSeqNo }) => sum + toSeqNo - afterSeqNo, 0);
  expect(numbers).toBeLessThan(967 + 966);
  await must(`${pair.target}/${index}/_settings`, 'PUT', { 'index.mapping.nested_objects.limit': 20 });
  await operator.tell('retry', run, '--failed', '--reason', 'limit raised');
  await operator.reach(run, 'no differences', ({ differences }) => differences.length === 0);
  await operator.tell('approve', run, 'cutover', '--reason', 'whole');
  const status = await operator.ended(run);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(status.batches[0]?.steps.find(({ id }) => id.endsWith('/documents'))?.summary).toBe(
    `2 documents written in 2 parts, ${numbers - 2} were there already`,
  );
  expect(await unlike([index])).toEqual([]);
});

test('copied again after later writes: what was deleted and created again has its present body and version', async () => {
  const run = 'retaken';
  const index = `${run}-things`;
  const [documents, docsPerSec] = [3000, 500];
  await makeIndex(pair.source, index, documents, { number_of_shards: 2 });
  const write = (id: number, body: object) => must(`${pair.source}/${index}/_doc/${id}`, 'PUT', body);
  const remove = (id: number) => must(`${pair.source}/${index}/_doc/${id}`, 'DELETE');
  // 0 and 1 will begin anew at the version that the target has, and below it
  for (let version = 2; version < 6; version++) await write(1, { n: 1, version });
  await operator.start(
    copyRunbook(run, { copy: { limits: { docsPerSec }, failedDocuments: { most: 0 } }, select: { include: [index] } }),
  );
  const copied = async () => {
    await http(`${pair.target}/${index}/_refresh`, 'POST');
    const found = await Promise.all([0, 1].map((id) => http(`${pair.target}/${index}/_doc/${id}`)));
    return found.every(({ status }) => status === 200);
  };
  await waitUntil(copied, (is) => is, { timeoutMs: 60_000, what: 'both documents on the target' });
  await must(`${pair.source}/${index}/_settings`, 'PUT', { 'index.gc_deletes': '0s' });
  await remove(0);
  await remove(1);
  // a delete is forgotten when the source's coarse clock has ticked
  await waitUntil(
    async () => {
      for (const id of [0, 1]) await write(id, { n: id, life: 'second' });
      const { body } = await http<{ _version: number }>(`${pair.source}/${index}/_doc/0`);
      if (body._version !== 1) for (const id of [0, 1]) await remove(id);
      return body._version;
    },
    (version) => version === 1,
    { timeoutMs: 30_000, everyMs: 500, what: 'a document that begins anew' },
  );
  await write(2, { n: 2, text: 'updated' });
  await write(documents, { n: documents });
  const stuck = await operator.stuckAt(run, 'batch-0001/verify');
  expect(stuck.why).toContain('written on the source after it was copied');
  await operator.retry(run);
  const ended = await operator.ended(run);
  // the fields of what was written since have come with it, the setting has not
  expect(ended.differences.map(({ where }) => where)).toEqual([`index-settings ${index}`]);
  expect(await unlike([index])).toEqual([]);
  const { body } = await http<{ _version: number; _source: object }>(`${pair.target}/${index}/_doc/1`);
  expect(body).toMatchObject({ _version: 1, _source: { n: 1, life: 'second' } });
  const settings = await http(`${pair.target}/${index}/_settings/index.gc_deletes`);
  expect(settings.body).toMatchObject({ [index]: { settings: { index: { gc_deletes: '0s' } } } });
});

test('an index that cannot be copied is refused by the checks', async () => {
  const run = 'unreadable';
  await must(`${pair.source}/${run}-bare`, 'PUT', { mappings: { _source: { enabled: false } } });
  await makeIndex(pair.source, `${run}-closed`, 1);
  await must(`${pair.source}/${run}-closed/_close`, 'POST');
  await operator.start(copyRunbook(run));
  const failure = await operator.stuckAt(run, 'preflight/checks');
  expect(failure.why).toMatch(/index\.closed-readable/);
  expect(failure.why).toMatch(/index\.source/);
  await operator.tell('abort', run, '--yes', '--reason', 'seen');
  expect((await operator.ended(run)).state).toBe('aborted');
});
