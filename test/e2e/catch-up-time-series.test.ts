import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LiveStatus } from '../../client/live-status';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { documentDifferences, readDocuments } from '../support/read-documents';
import { http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';
import { startWriter } from '../support/writer';

/** Whole runs of a time series: the example's file, a live source whose indices come, roll over and go. */

jest.setTimeout(240_000);

const pair = sharedPair();
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
  // As such series have it. On the target one that would spoil what is made by name.
  await must(`${pair.source}/_index_template/series`, 'PUT', {
    index_patterns: ['nightly-*', 'hourly-*'],
    template: { settings: { number_of_replicas: 0 }, mappings: { properties: { '@timestamp': { type: 'date' } } } },
  });
  await must(`${pair.target}/_index_template/series`, 'PUT', {
    index_patterns: ['nightly-*'],
    template: { settings: { number_of_shards: 3, 'index.default_pipeline': 'not-there' } },
  });
});
afterAll(async () => {
  await operator?.stop();
  for (const url of [pair.source, pair.target]) await must(`${url}/_index_template/series`, 'DELETE');
});

/** The example with only addresses and names put in their place. */
function fromExample(run: string, pattern: string): string {
  const text = readFileSync(path.join(__dirname, '..', '..', 'examples', '11-follow-time-series.yaml'), 'utf8')
    .replace('http://127.0.0.1:9200', pair.source)
    .replace('http://127.0.0.1:9201', pair.target)
    .replace('name: daily-logs', `name: ${run}`)
    .replace('logs-*', pattern);
  const file = path.join(operator.directory, `${run}.yaml`);
  writeFileSync(file, text);
  return file;
}

async function differences(index: string): Promise<string[]> {
  return documentDifferences(await readDocuments(pair.source, index), await readDocuments(pair.target, index));
}

const series = ({ catchUp }: LiveStatus) => catchUp?.series;
const put = (index: string, id: string) => must(`${pair.source}/${index}/_doc/${id}?routing=r1`, 'PUT', { late: 1.0 });

test('finished indices once, the current ones to their end, and new ones as they appear', async () => {
  const run = 'nightly';
  const [finished, current, old] = ['nightly-2026.11.20', 'nightly-2026.11.21', 'nightly-2026.10.01'] as const;
  const [tomorrow, taken] = ['nightly-2026.11.22', 'nightly-taken'] as const;
  await makeIndex(pair.source, finished, 2000, { number_of_shards: 2 });
  await makeIndex(pair.source, current, 500);
  await makeIndex(pair.source, old, 100);
  await makeIndex(pair.source, 'nightly-app-000001', 300);
  await must(`${pair.source}/_aliases`, 'POST', {
    actions: [{ add: { index: 'nightly-app-000001', alias: 'nightly-app', is_write_index: true } }],
  });
  await makeIndex(pair.target, taken, 1);
  const today = startWriter(pair.source, [current, 'nightly-app'], { seed: 3, perSecond: 100, ids: 2000 });
  await operator.tell('start', fromExample(run, 'nightly-*'));
  await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');

  // midnight: the alias rolls over, tomorrow's index is made by the first write, retention takes the oldest
  await must(`${pair.source}/nightly-app/_rollover`, 'POST');
  const next = startWriter(pair.source, [tomorrow], { seed: 4, perSecond: 50, ids: 500 });
  await must(`${pair.source}/${old}`, 'DELETE');
  await put(finished, 'late');
  await makeIndex(pair.source, taken, 3);
  const told = await operator.reach(
    run,
    'what came and went',
    (status) =>
      series(status)?.appeared === 2 && series(status)?.deleted.length === 1 && status.differences.length === 1,
  );
  expect(told.differences).toEqual([
    {
      where: `index ${taken}`,
      what: expect.stringContaining('has appeared on the source, and is not moved') as string,
    },
  ]);
  // mended, it is taken like the others
  await must(`${pair.target}/${taken}`, 'DELETE');
  const followed = await operator.reach(
    run,
    'all of it',
    (status) =>
      series(status)?.followed === 6 && series(status)?.joining.length === 0 && status.differences.length === 0,
  );
  expect(followed.batches.map(({ state }) => state)).toEqual(followed.batches.map(() => 'done'));
  expect(
    series(followed)
      ?.newest.map(({ index }) => index)
      .sort(),
  ).toEqual(['nightly-app-000002', tomorrow, taken].sort());
  expect(await operator.tell('status', run)).toMatch(/6 indices followed; 3 appeared: .*1 deleted on the source/s);

  await operator.tell('approve', run, 'cutover', '--reason', 'test');
  // they go on until the write block meets them, as applications do
  const status = await operator.ended(run);
  const written = [await today.stop(), await next.stop()];
  expect([status.state, status.differences]).toEqual(['completed', []]);
  for (const { adds, refused } of written) expect([adds > 50, refused > 0]).toEqual([true, true]);
  const all = [finished, current, 'nightly-app-000001', 'nightly-app-000002', tomorrow, taken];
  for (const index of all) {
    await must(`${pair.source}/${index}/_settings`, 'PUT', { 'index.blocks.write': null });
    expect([index, await differences(index)]).toEqual([index, []]);
  }
  expect((await readDocuments(pair.target, old)).size).toBe(100);
  // the write alias leads where it leads on the source now
  const aliasesOf = async (url: string) => (await http(`${url}/_alias/nightly-app`)).body;
  expect(await aliasesOf(pair.target)).toEqual(await aliasesOf(pair.source));
  expect(await aliasesOf(pair.target)).toMatchObject({
    'nightly-app-000002': { aliases: { 'nightly-app': { is_write_index: true } } },
  });
  // neither the template's nor what was for loading only, nor the mark
  const settings = await http<Record<string, { settings: Record<string, string> }>>(
    `${pair.target}/${tomorrow}/_settings?flat_settings=true`,
  );
  const own = settings.body[tomorrow]?.settings ?? {};
  expect(own['index.number_of_shards']).toBe('1');
  expect(Object.keys(own).filter((key) => /pipeline|refresh|gc_deletes|exclude/.test(key))).toEqual([]);
  const report = path.join(operator.directory, 'report.html');
  await operator.tell('report', run, '--out', report);
  expect(readFileSync(report, 'utf8')).toContain('appeared; moved as batch');
});

test('an abort takes what has appeared off the target again, and the source takes writes', async () => {
  const run = 'hourly';
  await makeIndex(pair.source, 'hourly-01', 200);
  await operator.tell('start', fromExample(run, 'hourly-*'));
  await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
  await makeIndex(pair.source, 'hourly-02', 5000);
  const onTarget = () => http<Record<string, unknown>>(`${pair.target}/hourly-*/_settings`);
  // in the moment in which it is there
  await waitUntil(onTarget, ({ body }) => 'hourly-02' in body, { timeoutMs: 60_000, what: 'the new index' });
  await operator.tell('abort', run, '--yes', '--reason', 'test');
  expect((await operator.ended(run)).state).toBe('aborted');
  expect((await onTarget()).body).toEqual({});
  await put('hourly-02', 'later');
});

test('by snapshot, too: what appears is restored, and followed from there', async () => {
  const run = 'snapped';
  const [first, second] = [`${run}-01`, `${run}-02`] as const;
  await makeIndex(pair.source, first, 200);
  const catchUp = { kind: 'time-series', interval: '1s' };
  await operator.start(pairRunbook(run, { catchUp, freeze: 'atCutover', gates: ['cutover'] }));
  await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
  await makeIndex(pair.source, second, 300);
  await operator.reach(run, 'the new index', (status) => series(status)?.followed === 2);
  for (const index of [first, second]) await put(index, 'later');
  await operator.tell('approve', run, 'cutover', '--reason', 'test');
  const status = await operator.ended(run);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  for (const index of [first, second]) expect([index, await differences(index)]).toEqual([index, []]);
});

test('a selection of names in full is refused: nothing new could ever be found', async () => {
  await makeIndex(pair.source, 'fixed-name', 1);
  const file = fromExample('fixed', 'fixed-name');
  const planned = await operator.shardlift('plan', file);
  expect(planned.code).not.toBe(0);
  expect(planned.out).toMatch(/select\.include has names in full alone: fixed-name/);
});
