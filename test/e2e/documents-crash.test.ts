import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CopyPartsResult } from '../../contracts/document-activities';
import { batchWorkflowId } from '../../contracts/ids';
import { differences, digestIndices } from '../../lab/digest';
import { allSteps, startOperator, statusOf, type Operator } from '../support/site-run';
import { http, makeIndex, sharedPair } from '../support/shared-pair';
import { seeded } from '../support/source-writer';
import { startWriter, type WriterOptions } from '../support/writer';
import { waitUntil } from '../support/wait-until';

/**
 * Workers are killed with SIGKILL at random moments, of two that work side by side, in a copy and in the catch-up of a live
 * source. SHARDLIFT_KILLS says how often; the figures in docs/copy-performance.md are from 50.
 */
const kills = Number(process.env['SHARDLIFT_KILLS'] ?? 5);

/** Of the other kinds of catch-up, each in a run of its own: SHARDLIFT_KILLS says it of them, too. */
const killsByField = Number(process.env['SHARDLIFT_KILLS'] ?? 2);

jest.setTimeout(300_000 + kills * 20_000);

const pair = sharedPair();
let operator: Operator;

beforeAll(async () => {
  operator = await startOperator(pair, 'documents-crash');
  await operator.startWorker();
  await operator.startWorker();
});
afterAll(async () => operator?.stop());

async function killAtRandom(random: () => number, isOver: () => Promise<boolean>, times = kills): Promise<number> {
  let killed = 0;
  while (killed < times && !(await isOver())) {
    await sleep(1000 + random() * 6000);
    await operator.killWorker();
    killed += 1;
    await operator.startWorker();
  }
  return killed;
}

/** An example of the repository, on the pair and with some of its text replaced. */
function fromExample(name: string, replaced: [RegExp, string][]): string {
  let text = readFileSync(path.join(__dirname, '..', '..', 'examples', name), 'utf8')
    .replace('http://127.0.0.1:9200', pair.source)
    .replace('http://127.0.0.1:9201', pair.target);
  for (const [from, to] of replaced) text = text.replace(from, to);
  const directory = path.join(pair.directory, 'documents-crash', 'runs');
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

async function start(file: string): Promise<void> {
  const started = await operator.cli.run(['start', file], { capture: true });
  expect([started.code, started.stderr]).toEqual([0, expect.any(String)]);
}

const isEnded = async (run: string) => {
  const status = await statusOf(operator, run).catch(() => undefined);
  return status?.endedAt !== undefined;
};

async function unlike(indices: string[], called = (name: string) => name): Promise<string[]> {
  const from = await digestIndices({ url: pair.source, indices });
  const to = await digestIndices({ url: pair.target, indices: indices.map(called) });
  const back = Object.fromEntries(indices.map((name) => [name, to[called(name)]!]));
  return differences(from, back, { versions: true });
}

test('a copy ends whole, though its workers are killed again and again', async () => {
  const run = 'shop-by-copy';
  await makeIndex(pair.source, 'shop-orders', 30_000, { number_of_shards: 3 });
  await makeIndex(pair.source, 'shop-customers', 8_000);
  // slow enough to be met in its midst by every kill
  const rate = Math.max(200, Math.round(38_000 / (kills * 5)));
  const file = fromExample('05-copy.yaml', [
    [/maxDocuments: \d+/, 'maxDocuments: 3000'],
    [/bulkBytes: .*/, `bulkBytes: 50kb\n    docsPerSec: ${rate}`],
  ]);
  await start(file);
  const killed = await killAtRandom(seeded(7), () => isEnded(run));
  await waitUntil(() => isEnded(run), Boolean, { timeoutMs: 240_000, everyMs: 500, what: 'the end' });
  const status = await statusOf(operator, run);
  process.stdout.write(`${run}: ${killed} workers killed, ${status.batches[0]?.steps[2]?.summary ?? ''}\n`);
  expect(allSteps(status).filter(({ state }) => state === 'stuck')).toEqual([]);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(killed).toBeGreaterThan(0);
  expect(await unlike(['shop-orders', 'shop-customers'], (name) => name.replace('shop-', ''))).toEqual([]);
});

test('a copy without a limit goes on within its windows, though its workers are killed', async () => {
  const run = 'windows-by-copy';
  await makeIndex(pair.source, 'windows-1', 60_000, { number_of_shards: 2 });
  const file = fromExample('05-copy.yaml', [
    [/name: shop-by-copy/, `name: ${run}`],
    [/shop-\*/g, 'windows-*'],
    [/to: '\*'/, "to: 'moved-windows-*'"],
    // small bulks, one at a time: slow, and yet not held back by a limit, under which a window has one page
    [/bulkBytes: .*/, 'bulkBytes: 10kb'],
    [/bulksInFlight: .*/, 'bulksInFlight: 1'],
  ]);
  await start(file);
  const killed = await killAtRandom(seeded(17), () => isEnded(run));
  await waitUntil(() => isEnded(run), Boolean, { timeoutMs: 240_000, everyMs: 500, what: 'the end' });
  const status = await statusOf(operator, run);
  process.stdout.write(`${run}: ${killed} workers killed, ${status.batches[0]?.steps[2]?.summary ?? ''}\n`);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(killed).toBeGreaterThan(0);
  expect(await unlike(['windows-1'], (name) => `moved-${name}`)).toEqual([]);
});

/** How many small indices. */
const tiny = Number(process.env['SHARDLIFT_TINY'] ?? 200);

test('tiny indices share activities, and a killed worker loses its place in none of them', async () => {
  const run = 'tiny-by-copy';
  const documents = 12;
  const indices = Array.from({ length: tiny }, (_, at) => `shop-tiny-${String(at).padStart(4, '0')}`);
  for (const chunk of inTens(indices)) await Promise.all(chunk.map((name) => makeIndex(pair.source, name, documents)));
  await start(
    fromExample('05-copy.yaml', [
      [/name: .*/, `name: ${run}`],
      [/include: .*/, "include: ['shop-tiny-*']"],
      [/index.number_of_shards: 2/, 'index.number_of_shards: 1'],
      [/gates: \[\]/, 'gates: []\nbatches: { maxIndices: 1000 }'],
      // a group takes some 6 s, so that a busy machine sees the first ones in their midst; and what is left once workers are killed
      // takes longer than it takes to notice their loss
      [/bulkBytes: .*/, `bulkBytes: 50kb\n    docsPerSec: ${tiny / 2}`],
    ]),
  );
  const copied = async () => (await statusOf(operator, run).catch(() => undefined))?.batches[0];
  const handle = operator.client.workflow.getHandle(batchWorkflowId(run, 1));
  const underWay = async () => {
    const { raw } = await handle.describe();
    const copies = (raw.pendingActivities ?? []).filter(({ activityType }) => activityType?.name === 'copyParts');
    return copies.map(({ heartbeatDetails }) => partsIn<{ checkpoint?: Copied }>(heartbeatDetails)?.checkpoint);
  };
  const areInMidst = (copies: (Copied | undefined)[]) =>
    copies.length > 2 && copies.every((copied) => (copied?.parts.length ?? 0) > 1);
  await waitUntil(() => underWay().catch(() => []), areInMidst, { timeoutMs: 120_000, what: 'groups in their midst' });
  await operator.killWorker();
  await operator.startWorker();
  await waitUntil(
    copied,
    (batch) => batch?.steps.some(({ id, state }) => id.endsWith('/documents') && state === 'done') === true,
    { timeoutMs: 240_000, what: 'the end of the copy' },
  );
  const batch = await copied();
  const { events = [] } = await handle.fetchHistory();
  const scheduled = (events ?? []).filter(
    ({ activityTaskScheduledEventAttributes: of }) => of?.activityType?.name === 'copyParts',
  );
  const again = (events ?? []).flatMap(({ activityTaskCompletedEventAttributes: ended }) => {
    const begun = events?.find(({ eventId }) => String(eventId) === String(ended?.startedEventId));
    const result = partsIn<Copied>(ended?.result);
    return result?.parts && (begun?.activityTaskStartedEventAttributes?.attempt ?? 1) > 1 ? [result] : [];
  });
  const activities = scheduled.length;
  process.stdout.write(
    `${run}: ${activities} activities, ${again.length} of them in a second attempt, ${events?.length} events; ${batch?.steps[1]?.summary ?? ''}\n`,
  );
  await waitUntil(() => isEnded(run), Boolean, { timeoutMs: 240_000, everyMs: 500, what: 'the end' });
  const status = await statusOf(operator, run);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(status.batches[0]?.moved).toMatchObject({ parts: tiny, partsDone: tiny });
  // the last ones are begun anew with a larger share of the limit
  expect(activities).toBeLessThanOrEqual(Math.max(16, Math.ceil(tiny / 100)) + 4);
  expect(again.length).toBeGreaterThan(0);
  // what the first attempt had told of was not copied again
  for (const { parts } of again) expect(parts.slice(0, 2).map(({ superseded }) => superseded)).toEqual([0, 0]);
  expect(await unlike(indices, (name) => name.replace('shop-', ''))).toEqual([]);
  const { written = 0, superseded = 0 } = status.batches[0]?.moved ?? {};
  expect(written + superseded).toBe(tiny * documents);
  for (const chunk of inTens(indices)) {
    await http(`${pair.source}/${chunk.join(',')}`, 'DELETE');
    await http(`${pair.target}/${chunk.join(',').replaceAll('shop-', '')}`, 'DELETE');
  }
});

type Copied = Pick<CopyPartsResult, 'parts'>;

function partsIn<Value>(payloads: { payloads?: { data?: Uint8Array | null }[] | null } | null | undefined) {
  const text = Buffer.from(payloads?.payloads?.[0]?.data ?? []).toString();
  return text.startsWith('{') ? (JSON.parse(text) as Value) : undefined;
}

function* inTens(names: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += 10) yield names.slice(at, at + 10);
}

interface Live {
  example: string;
  run: string;
  indices: [string, string];
  mappings: Record<string, unknown>;
  writes: Partial<WriterOptions>;
  kills: number;
}

const time = () => `"updated_at":${Date.now() - (Date.now() % 7) * 100},`;
const lives: [kind: string, live: Live][] = [
  [
    'sequence',
    {
      example: '06-copy-and-follow.yaml',
      run: 'live-shop',
      indices: ['live-orders', 'live-carts'],
      mappings: {},
      writes: {},
      kills,
    },
  ],
  [
    'time-field',
    {
      example: '09-follow-by-time-field.yaml',
      run: 'legacy-shop',
      indices: ['legacy-orders', 'legacy-carts'],
      mappings: { updated_at: { type: 'date' } },
      writes: { members: time },
      kills: killsByField,
    },
  ],
  [
    'append-only',
    {
      example: '10-follow-append-only.yaml',
      run: 'live-events',
      indices: ['events-a', 'events-b'],
      mappings: { number: { type: 'long' } },
      writes: { members: (n) => `"number":${Math.floor(n / 10)},`, addsOnly: true },
      kills: killsByField,
    },
  ],
];

test.each(lives)(
  '%s: a live source is followed and cut over from, workers killed again and again',
  async (kind, live) => {
    const { run, indices, mappings } = live;
    await makeIndex(pair.source, indices[0], 10_000, { number_of_shards: 2, 'index.gc_deletes': '1s' });
    await makeIndex(pair.source, indices[1], 2_000);
    for (const index of indices)
      await http(`${pair.source}/${index}/_mapping`, 'PUT', { properties: { exact: { type: 'float' }, ...mappings } });
    const writer = startWriter(pair.source, indices, { seed: 11, perSecond: 200, ids: 12_000, ...live.writes });
    await start(fromExample(live.example, [[/interval: .*/, 'interval: 1s']]));
    const killed = await killAtRandom(seeded(11), async () => false, live.kills);
    if (kind === 'sequence') {
      await operator.temporal.kill9();
      await operator.temporal.restart();
    }
    await waitUntil(
      () => statusOf(operator, run).catch(() => undefined),
      (status) => status?.state === 'waiting',
      { timeoutMs: 240_000, everyMs: 500, what: 'the gate' },
    );
    const approving = operator.cli.run(['approve', run, 'cutover', '--reason', 'test'], { capture: true });
    expect((await approving).code).toBe(0);
    // it goes on until the write block meets it, as an application would
    await waitUntil(() => isEnded(run), Boolean, { timeoutMs: 240_000, everyMs: 500, what: 'the end' });
    const written = await writer.stop();
    const status = await statusOf(operator, run);
    const { catchUp } = status;
    process.stdout.write(
      `${run}, ${kind}: ${killed} workers killed${kind === 'sequence' ? ', and the Temporal server' : ''}; ${JSON.stringify(written)}; ${catchUp?.rounds} rounds, ${catchUp?.written} written, ${catchUp?.deleted} deleted\n`,
    );
    expect(catchUp?.kind).toBe(kind);
    expect(written.adds).toBeGreaterThan(500);
    expect([status.state, status.differences]).toEqual(['completed', []]);
    for (const index of indices) await http(`${pair.source}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
    expect(await unlike(indices)).toEqual([]);
  },
);

/** Of what costs CI time: a few, unless asked for more. */
const seriesKills = Math.min(kills, Number(process.env['SHARDLIFT_KILLS'] ?? 2));

test('a time series that rolls over is followed and cut over from, workers killed again and again', async () => {
  const run = 'daily-logs';
  await makeIndex(pair.source, 'logs-day-01', 5_000, { number_of_shards: 2 });
  await makeIndex(pair.source, 'logs-app-000001', 500);
  await http(`${pair.source}/_aliases`, 'POST', {
    actions: [{ add: { index: 'logs-app-000001', alias: 'logs-app', is_write_index: true } }],
  });
  await http(`${pair.source}/_index_template/logs`, 'PUT', {
    index_patterns: ['logs-*'],
    template: { settings: { number_of_replicas: 0 } },
  });
  const writer = startWriter(pair.source, ['logs-day-01', 'logs-app'], { seed: 13, perSecond: 200, ids: 3_000 });
  await start(fromExample('11-follow-time-series.yaml', [[/interval: .*/, 'interval: 1s']]));
  const rolling = startRolling(seeded(17));
  const killed = await killAtRandom(seeded(13), async () => false, seriesKills);
  const rolled = await rolling.stop();
  await waitUntil(
    () => statusOf(operator, run).catch(() => undefined),
    (status) => status?.state === 'waiting',
    { timeoutMs: 240_000, everyMs: 500, what: 'the gate' },
  );
  const approving = operator.cli.run(['approve', run, 'cutover', '--reason', 'test'], { capture: true });
  expect((await approving).code).toBe(0);
  await waitUntil(() => isEnded(run), Boolean, { timeoutMs: 240_000, everyMs: 500, what: 'the end' });
  const written = await writer.stop();
  const status = await statusOf(operator, run);
  const { catchUp } = status;
  process.stdout.write(
    `${run}: ${killed} workers killed; ${JSON.stringify(written)}; rolled over ${JSON.stringify(rolled)}; ` +
      `${catchUp?.rounds} rounds, ${catchUp?.written} written, ${catchUp?.deleted} deleted; ${catchUp?.series?.followed} followed, ${catchUp?.series?.deleted.length} gone\n`,
  );
  expect(rolled.made).toBeGreaterThan(0);
  // retention may take one in the very moment in which it is copied: that is told, and nothing else is
  const unforeseen = status.differences.filter(({ what }) => !what.includes('while it was being moved'));
  expect([status.state.split(' ')[0], unforeseen]).toEqual(['completed', []]);
  const { body } = await http(`${pair.source}/logs-*/_alias`);
  const indices = Object.keys(body);
  for (const index of indices) await http(`${pair.source}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
  expect(indices.length).toBe(2 + rolled.made - rolled.deleted);
  expect(await unlike(indices)).toEqual([]);
  const aliases = (url: string) => http(`${url}/_alias/logs-app`);
  expect((await aliases(pair.target)).body).toEqual((await aliases(pair.source)).body);
});

/** Rolls the alias over and lets retention take the oldest, at random moments. */
function startRolling(random: () => number) {
  const done = { made: 0, deleted: 0 };
  let isStopped = false;
  const rolling = (async () => {
    for (let oldest = 1; !isStopped;) {
      await sleep(1000 + random() * 4000);
      const { status } = await http(`${pair.source}/logs-app/_rollover`, 'POST');
      if (status === 200) done.made += 1;
      // old enough to have been moved whole, however often workers are killed meanwhile
      if (done.made - done.deleted < 20 || random() < 0.5) continue;
      const name = `logs-app-${String(oldest).padStart(6, '0')}`;
      if ((await http(`${pair.source}/${name}`, 'DELETE')).status === 200) done.deleted += 1;
      oldest += 1;
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await rolling;
      return done;
    },
  };
}
