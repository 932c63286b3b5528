import { setTimeout as sleep } from 'node:timers/promises';
import type { RunStatus } from '../../contracts/status';
import { must } from '../support/pair-operator';
import { startReindexPair, type ReindexPair } from '../support/reindex-pair';
import { countOf, http, makeIndex } from '../support/shared-pair';
import { statusOf } from '../support/site-run';
import { seeded } from '../support/source-writer';
import { waitUntil } from '../support/wait-until';
import { startWriter } from '../support/writer';

/**
 * Whole runs of `method: remote-reindex`, as an operator has them: the built command line and the example, with workers and
 * nodes that are killed. SHARDLIFT_KILLS says how often workers are; docs/copy-performance.md has what 50
 * of them gave.
 */
const kills = Number(process.env['SHARDLIFT_KILLS'] ?? 2);

jest.setTimeout(300_000 + kills * 20_000);

let on: ReindexPair;
let source: string;
let target: string;

beforeAll(async () => {
  on = await startReindexPair();
  source = on.pair.source.url;
  target = on.pair.target.url;
});
afterAll(async () => on?.stop());

const isEnded = ({ endedAt }: RunStatus) => endedAt !== undefined;
const isAtGate = ({ state }: RunStatus) => state === 'waiting';

const documents = (index: string, sources: string[], more = '') =>
  http(`${source}/${index}/_bulk?refresh=true`, 'POST', lines(sources, more));
const lines = (sources: string[], more: string) =>
  sources.map((source, at) => `{"index":{"_id":"odd ${at}"${more}}}\n${source}\n`).join('');

test('the example: plan, start, gate, cutover, report; values, ids, routing and versions are the same', async () => {
  const run = 'whole';
  const [orders, odd] = [`${run}-orders`, `${run}-odd`];
  await makeIndex(source, orders, 8000, { number_of_shards: 3 });
  await documents(orders, ['{"n":-1}', '{"n":-2,"text":"routed"}'], ',"routing":"r 1"');
  await must(`${source}/${orders}/_doc/7?refresh=true`, 'PUT', { n: 7, text: 'again' });
  await must(`${source}/${orders}/_doc/8?refresh=true`, 'DELETE');
  await must(`${source}/${odd}`, 'PUT', {
    settings: { number_of_replicas: 0 },
    mappings: { dynamic: false },
    aliases: { [`${run}-alias`]: {} },
  });
  // what comes of each: white space goes, strings and decimals get one spelling, decimals the digits of a double
  const spelled = [
    ['{"b":1.0, "a":9007199254740993,"z":{"y":[]}}', '{"b":1.0,"a":9007199254740993,"z":{"y":[]}}'],
    ['{"n":12345678901234567890123,"e":1e3,"f":2.50}', '{"n":12345678901234567890123,"e":1000.0,"f":2.5}'],
    ['{"s":"\\u00e9 \\/ \\ud83d\\ude00","t":null}', '{"s":"é / \\uD83D\\uDE00","t":null}'],
    ['{"d":0.12345678901234567890123}', '{"d":0.12345678901234568}'],
    ['{"same":"as it was","n":[1,2.5,true]}', '{"same":"as it was","n":[1,2.5,true]}'],
  ];
  await documents(
    odd,
    spelled.map(([source = '']) => source),
  );
  const file = on.fromExample(run);
  expect(await on.tell('plan', file)).toContain('Method: remote-reindex');
  await on.tell('start', file);
  await on.reach(run, 'the gate', isAtGate);
  await on.tell('approve', run, 'cutover', '--reason', 'test');
  const status = await on.reach(run, 'its end', isEnded);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(await on.compare(orders)).toEqual({ unlike: [], documents: 8001, respelled: 0 });
  expect(await on.compare(odd)).toEqual({ unlike: [], documents: spelled.length, respelled: 4 });
  for (const [at, [, expected]] of spelled.entries()) {
    const path = `${target}/${odd}/_source/${encodeURIComponent(`odd ${at}`)}`;
    expect(await (await fetch(path)).text()).toBe(expected);
  }
  expect(Object.keys((await http(`${target}/_alias/${run}-alias`)).body)).toEqual([odd]);
  const report = JSON.parse(await on.tell('report', run, '-o', 'json')) as { status: RunStatus };
  expect(report.status.batches[0]?.steps.map(({ id }) => id.split('/')[1])).toEqual(
    expect.arrayContaining(['freeze', 'create', 'documents', 'finalize', 'verify']),
  );
});

test('what the target refuses is told by cause, and driven again once that is mended', async () => {
  const run = 'refusing';
  const index = `${run}-nested`;
  await must(`${source}/${index}`, 'PUT', {
    settings: { number_of_replicas: 0 },
    mappings: { properties: { toys: { type: 'nested' } } },
  });
  const toys = (count: number) => JSON.stringify({ toys: Array.from({ length: count }, (_, at) => ({ at })) });
  await documents(
    index,
    Array.from({ length: 40 }, (_, at) => toys(at % 10 === 0 ? 9 : 1)),
  );
  const limit = 'index.mapping.nested_objects.limit';
  const file = on.fromExample(run, [
    ['  size: 2000', `  size: 2000\n  settings: { ${limit}: 5 }`],
    ['freeze: beforeMove', 'freeze: none'],
  ]);
  await on.tell('start', file);
  const waiting = await on.reach(run, 'the gate', isAtGate);
  expect(await countOf(target, index)).toBe(36);
  expect(waiting.batches[0]?.refused).toMatchObject([{ index, count: 4, example: 'odd 0' }]);
  expect(waiting.batches[0]?.refused[0]?.reason).toMatch(/nested documents .* exceeded the allowed limit of \[5\]/);
  expect(waiting.batches[0]?.refused[0]?.remedy).toMatch(/retry/);
  for (const at of [0, 10, 20, 30])
    await must(`${source}/${index}/_doc/odd%20${at}?refresh=true`, 'PUT', { toys: [{ at: 0 }] });
  await on.tell('retry', run, '--failed', '--reason', 'documents mended');
  await on.reach(run, 'the gate again', (status) => isAtGate(status) && status.batches[0]?.refused.length === 0);
  await on.tell('approve', run, 'cutover', '--reason', 'test');
  const status = await on.reach(run, 'its end', isEnded);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(await on.compare(index)).toMatchObject({ unlike: [], documents: 40 });
});

test('a pause begins no further part; new limits reach the tasks under way', async () => {
  const run = 'steered';
  const index = `${run}-orders`;
  await makeIndex(source, index, 6000, { number_of_shards: 2 });
  await on.tell('start', on.fromExample(run, slow(400, 1)));
  await on.fetched(index, 200);
  await on.tell('pause', run, '--reason', 'test');
  await waitUntil(on.tasksUnderWay, (tasks) => tasks.length === 0, { timeoutMs: 60_000, what: 'the end of its task' });
  await sleep(1500);
  expect(await on.tasksUnderWay()).toEqual([]);
  await on.tell('resume', run, '--reason', 'test');
  const [task] = await waitUntil(on.tasksUnderWay, (tasks) => tasks.length === 1, { what: 'the next task' });
  await on.tell('tune', run, '--requests-per-second', '77', '--reason', 'test');
  const rate = async () => {
    const { body } = await http<{ task: { status: { requests_per_second: number } } }>(`${target}/_tasks/${task}`);
    return body.task.status.requests_per_second;
  };
  await waitUntil(rate, (seen) => seen === 77, { what: 'the new rate of the task under way' });
  const tuned = Date.now();
  await on.tell('tune', run, '--requests-per-second', 'none', '--reason', 'test');
  await on.reach(run, 'the gate', isAtGate);
  // what was left would have taken a minute at that rate
  expect(Date.now() - tuned).toBeLessThan(30_000);
  await on.tell('approve', run, 'cutover', '--reason', 'test');
  expect((await on.reach(run, 'its end', isEnded)).state).toBe('completed');
  expect(await on.compare(index)).toMatchObject({ unlike: [], documents: 6000 });
  // no task was begun twice
  expect(new Set(await on.tasksOfParts(run))).toEqual(new Set([1]));
});

/** Slow enough to be met in its midst: parts of a thousand, at so many documents a second each. */
const slow = (perSecond: number, inFlight = 2): [RegExp, string][] => [
  [/size: \d+/, 'size: 100'],
  [/requestsPerSecond: \d+/, `requestsPerSecond: ${perSecond}`],
  [/maxDocuments: \d+/, 'maxDocuments: 1000'],
  [/ {4}inFlight: \d+/, `    inFlight: ${inFlight}`],
];

test('nodes of both sides are killed: the lost tasks are found, and those parts begun again', async () => {
  const run = 'nodes-killed';
  const index = `${run}-orders`;
  await makeIndex(source, index, 6000, { number_of_shards: 2 });
  await on.tell('start', on.fromExample(run, slow(200)));
  await on.fetched(index, 300);
  for (const side of ['target', 'source'] as const) {
    await waitUntil(on.tasksUnderWay, (tasks) => tasks.length > 0, { what: 'a task under way', timeoutMs: 60_000 });
    const [node] = on.pair[side].nodes;
    await node?.kill9();
    await node?.start();
    await on.pair[side].waitGreen();
  }
  await on.tell('tune', run, '--requests-per-second', 'none', '--reason', 'test');
  const { batches } = await on.reach(run, 'the gate', isAtGate);
  await on.tell('approve', run, 'cutover', '--reason', 'test');
  const status = await on.reach(run, 'its end', isEnded);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(await on.compare(index)).toMatchObject({ unlike: [], documents: 6000 });
  const tasks = await on.tasksOfParts(run);
  process.stdout.write(`${run}: ${batches[0]?.steps[2]?.summary ?? ''}; tasks of each part: ${tasks.join(' ')}\n`);
  expect(Math.max(...tasks)).toBeGreaterThan(1);
});

test('aborted while its worker is dead, it leaves neither task nor index', async () => {
  const run = 'orphaned';
  const index = `${run}-orders`;
  await makeIndex(source, index, 3000);
  // a second worker is there for the abort; the one that follows the task is the first
  await on.tell('start', on.fromExample(run, slow(20, 1)));
  await on.fetched(index, 100);
  await on.operator.startWorker();
  const before = await on.tasksUnderWay();
  await on.operator.killWorker();
  await on.tell('abort', run, '--yes', '--reason', 'test');
  expect(await on.tasksUnderWay()).toEqual(before);
  const status = await on.reach(run, 'its end', isEnded);
  expect(status.state).toBe('aborted');
  expect(await on.tasksUnderWay()).toEqual([]);
  expect((await http(`${target}/${index}`)).status).toBe(404);
});

test('a live source is fetched and followed while workers are killed again and again', async () => {
  const run = 'live';
  const indices = [`${run}-orders`, `${run}-carts`];
  const documents = 3000 + kills * 500;
  await makeIndex(source, indices[0] ?? '', documents, { number_of_shards: 2, 'index.gc_deletes': '1s' });
  await makeIndex(source, indices[1] ?? '', 1000);
  await on.operator.startWorker();
  const writer = startWriter(source, indices, { seed: 5, perSecond: 100, ids: documents });
  const rate = Math.max(20, Math.round(documents / (2 * (kills + 1) * 5)));
  const file = on.fromExample(run, [
    ...slow(rate),
    [/freeze: .*/, 'catchUp: { kind: sequence, interval: 1s }\nfreeze: atCutover'],
  ]);
  await on.tell('start', file);
  const random = seeded(5);
  let [killed, inMove] = [0, 0];
  while (killed < kills) {
    await sleep(1000 + random() * 6000);
    const phase = (await statusOf(on.operator, run).catch(() => undefined))?.phase;
    await on.operator.killWorker();
    killed += 1;
    if (phase === undefined || phase === 'move') inMove += 1;
    await on.operator.startWorker();
  }
  await on.reach(run, 'the gate', isAtGate);
  await on.tell('approve', run, 'cutover', '--reason', 'test');
  const status = await on.reach(run, 'its end', isEnded);
  // it goes on until the write block meets it, as an application would
  const written = await writer.stop();
  const { catchUp, batches } = status;
  const tasks = await on.tasksOfParts(run);
  process.stdout.write(
    `${run}: ${killed} workers killed, ${inMove} of them while documents were fetched; ${batches[0]?.steps[1]?.summary ?? ''}; ${JSON.stringify(written)}; ${catchUp?.rounds} rounds, ${catchUp?.written} written, ${catchUp?.deleted} deleted; tasks of each part: ${tasks.join(' ')}\n`,
  );
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(inMove).toBeGreaterThan(0);
  for (const index of indices) {
    await http(`${source}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
    const { unlike, ...found } = await on.compare(index);
    process.stdout.write(`${index}: ${JSON.stringify(found)}\n`);
    expect(unlike).toEqual([]);
  }
});
