import type { ApplicationFailure } from '@temporalio/common';
import { createClusters, type Clusters } from '../../activities/elasticsearch/cluster';
import { createMetadataActivities } from '../../activities/metadata';
import { ownerOf } from '../../contracts/ids';
import { metadataSettings, type MetadataEvaluation, type MetadataItem } from '../../contracts/metadata';
import { startPair, type Pair } from '../../lab/pair';
import { indexOf, runbookOf } from '../support/fixtures';
import { http, sharedPair } from '../support/shared-pair';

jest.setTimeout(300_000);

let clusters: Clusters;
let activities: ReturnType<typeof createMetadataActivities>;

beforeAll(() => {
  clusters = createClusters();
  activities = createMetadataActivities({ clusters });
});
afterAll(async () => clusters.close());

async function put(url: string, path: string, body: unknown, method = 'PUT'): Promise<void> {
  const answer = await http(`${url}/${path}`, method, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
}

async function flatSettings(url: string, index: string): Promise<Record<string, unknown>> {
  const { body } = await http<Record<string, { settings: Record<string, unknown> }>>(
    `${url}/${index}/_settings?flat_settings=true`,
  );
  return body[index]!.settings;
}

async function mappingOf(url: string, index: string): Promise<unknown> {
  return (await http<Record<string, { mappings: unknown }>>(`${url}/${index}/_mapping`)).body[index]!.mappings;
}

function find({ items }: MetadataEvaluation, kind: string, name: string): MetadataItem | undefined {
  return items.find((item) => item.kind === kind && item.name === name);
}

/** A run by copy, with indices of that name. */
function runOf(name: string, urls: { source: string; target: string }, indices: string[], over: object = {}) {
  const runbook = runbookOf(name, {
    source: { urls: [urls.source] },
    target: { urls: [urls.target] },
    select: { include: [`${name}-*`] },
    method: 'copy',
    snapshot: undefined,
    ...over,
  });
  const owner = ownerOf(name, '01900000-0000-7000-8000-00000123abcd');
  return { run: name, runbook, owner, step: 'test', indices: indices.map((index) => indexOf(index)) };
}

/** Nothing but what this test made. */
const only = (exclude: string[] = [], onConflict: 'keep' | 'replace' = 'keep') =>
  metadataSettings.parse({ exclude, onConflict });

async function whyFailed(promise: Promise<unknown>): Promise<{ type: string; why: string; remedy: string }> {
  const error = (await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  )) as ApplicationFailure;
  const info = error.details?.[0] as { type: string; why?: string; remedy: string } | undefined;
  if (!info) throw error;
  return { why: '', ...info };
}

describe('7.17 to 8.19', () => {
  const { source, target } = sharedPair();
  const urls = { source, target };

  test('an index with what 8.0 took away is made, loaded into, and has its own settings in the end', async () => {
    await put(source, 'meta-old', {
      settings: {
        number_of_shards: 2,
        number_of_replicas: 1,
        refresh_interval: '17s',
        'sort.field': 'at',
        'sort.order': 'desc',
        'soft_deletes.enabled': true,
        'soft_deletes.retention.operations': 1000,
        max_adjacency_matrix_filters: 50,
        'indexing.slowlog.level': 'info',
        'routing.allocation.total_shards_per_node': 5,
        'blocks.write': true,
        default_pipeline: 'meta-nothing',
        analysis: {
          analyzer: { mine: { type: 'custom', tokenizer: 'standard', filter: ['lowercase', 'stops'] } },
          filter: { stops: { type: 'stop', stopwords: ['a'] } },
        },
      },
      mappings: {
        dynamic: 'strict',
        _routing: { required: true },
        _meta: { of: 'us' },
        dynamic_templates: [{ all: { match: 'x_*', mapping: { type: 'keyword', boost: 2 } } }],
        properties: {
          at: { type: 'date', format: 'strictDateOptionalTime||yyyy-MM-dd' },
          text: { type: 'text', boost: 3, analyzer: 'mine', fields: { raw: { type: 'keyword' } } },
          lines: { type: 'object', properties: { price: { type: 'double' } } },
        },
      },
    });
    const input = runOf('meta', urls, ['meta-old']);
    const evaluation = await activities.evaluateMetadata({ ...input, metadata: only() });
    expect(find(evaluation, 'index-settings', 'meta-old')).toMatchObject({ result: 'changed' });
    expect(find(evaluation, 'mappings', 'meta-old')?.notes.map(({ path }) => path)).toEqual([
      'dynamic_templates.all.mapping.boost',
      'properties.at.format',
      'properties.text.boost',
    ]);

    const made = await activities.createIndices(input);
    expect(made).toMatchObject({ changed: true, summary: 'made 1 index' });
    expect(await flatSettings(target, 'meta-old')).toMatchObject({
      'index.number_of_shards': '2',
      'index.number_of_replicas': '0',
      'index.refresh_interval': '-1',
      'index.default_pipeline': '_none',
      'index.routing.allocation.exclude._name': `restored-by-shardlift-${input.owner}`,
    });
    expect(await mappingOf(target, 'meta-old')).toMatchObject({
      dynamic: 'strict',
      _routing: { required: true },
      properties: {
        at: { format: 'strict_date_optional_time||yyyy-MM-dd' },
        text: { type: 'text', analyzer: 'mine', fields: { raw: { type: 'keyword' } } },
      },
    });
    // it can be written to at once
    await put(target, 'meta-old/_doc/1?routing=a', { at: '2020-01-01', text: 'x', lines: [{ price: 1 }] });

    expect(await activities.createIndices(input)).toMatchObject({ changed: false });
    // as after a crash between two of them
    await put(source, 'meta-second', {});
    const both = runOf('meta', urls, ['meta-old', 'meta-second']);
    expect(await activities.createIndices(both)).toMatchObject({ changed: true, summary: 'made 1 index' });
    await activities.endLoad(input);
    const settings = await flatSettings(target, 'meta-old');
    expect(settings).toMatchObject({
      'index.refresh_interval': '17s',
      'index.default_pipeline': 'meta-nothing',
      'index.sort.field': 'at',
      'index.soft_deletes.retention.operations': '1000',
      'index.analysis.filter.stops.stopwords': ['a'],
    });
    for (const gone of [
      'blocks.write',
      'gc_deletes',
      'translog.durability',
      'routing.allocation.total_shards_per_node',
    ])
      expect(settings).not.toHaveProperty([`index.${gone}`]);
    expect(await activities.endLoad(input)).toMatchObject({ changed: false });
    expect((await http<{ count: number }>(`${target}/meta-old/_count`)).body.count).toBe(1);
  });

  test('with a catch-up, what would hinder it waits; another name, other settings', async () => {
    await put(source, 'metac-a', { settings: { number_of_shards: 1, 'blocks.write': true, gc_deletes: '90s' } });
    const copy = {
      rename: [{ from: 'metac-*', to: 'new-metac-*' }],
      settings: { 'index.number_of_shards': 3, 'index.refresh_interval': '5s' },
      load: { translog: 'async' },
    };
    const input = runOf('metac', urls, ['metac-a'], { copy, catchUp: { kind: 'sequence' } });
    await activities.createIndices(input);
    const during = { 'index.gc_deletes': '0s', 'index.translog.durability': 'async', 'index.number_of_shards': '3' };
    expect(await flatSettings(target, 'new-metac-a')).toMatchObject(during);
    await activities.endLoad(input);
    const followed = await flatSettings(target, 'new-metac-a');
    expect(followed).toMatchObject({ 'index.gc_deletes': '0s', 'index.refresh_interval': '5s' });
    expect(followed).not.toHaveProperty(['index.blocks.write']);
    expect(followed).not.toHaveProperty(['index.translog.durability']);
    const { catchUp: _ended, ...runbook } = input.runbook;
    await activities.endLoad({ ...input, runbook });
    expect(await flatSettings(target, 'new-metac-a')).toMatchObject({ 'index.gc_deletes': '90s' });
    expect(await flatSettings(target, 'new-metac-a')).not.toHaveProperty(['index.blocks.write']);
  });

  test('an index that is somebody else’s is not taken, and one that cannot be made is refused before any is made', async () => {
    await put(source, 'metat-a', {});
    await put(source, 'metat-b', {
      mappings: {
        properties: { a: { type: 'keyword', fields: { b: { type: 'keyword', fields: { c: { type: 'keyword' } } } } } },
      },
    });
    await put(target, 'metat-a', {});
    const taken = runOf('metat', urls, ['metat-a']);
    expect(await whyFailed(activities.createIndices(taken))).toMatchObject({ type: 'IndexNameTaken' });
    const evaluation = await activities.evaluateMetadata({ ...taken, metadata: only() });
    expect(find(evaluation, 'index-settings', 'metat-a')).toMatchObject({ result: 'conflict' });
    await http(`${target}/metat-a`, 'DELETE');
    const both = runOf('metat', urls, ['metat-a', 'metat-b']);
    const { why } = await whyFailed(activities.createIndices(both));
    expect(why).toMatch(/metat-b, properties.a.fields.b.fields: from 8.0 on a multi-field has no multi-fields/);
    expect((await http(`${target}/metat-a`)).status).toBe(404);
    // and the server says so itself, of the same mapping
    const { mappings } = (await http<Record<string, { mappings: unknown }>>(`${source}/metat-b`)).body['metat-b']!;
    expect((await http(`${target}/metat-b`, 'PUT', { mappings })).status).toBe(400);
    const two = runOf('metat', urls, ['metat-a', 'metat-b'], {
      copy: { rename: [{ from: 'metat-b', to: 'metat-a' }] },
    });
    expect(await whyFailed(activities.createIndices(two))).toMatchObject({ type: 'RunbookInvalid' });
  });

  test('a setting that nobody knows stops with the way round it; templates of the target that join in are told', async () => {
    await put(target, '_template/metaj', {
      index_patterns: ['metaj-*'],
      settings: { 'index.final_pipeline': 'metaj-nowhere', 'index.max_result_window': 77 },
      mappings: { properties: { added: { type: 'keyword' } } },
      aliases: { 'metaj-all': {} },
    });
    await put(source, 'metaj-a', { mappings: { properties: { own: { type: 'keyword' } } } });
    const settings = { 'index.no_such': 1 };
    const wrong = runOf('metaj', urls, ['metaj-a'], { copy: { settings } });
    const failure = await whyFailed(activities.createIndices(wrong));
    expect(failure.why).toMatch(/unknown setting \[index.no_such\]/);
    expect(failure.remedy).toMatch(/null/);
    const input = runOf('metaj', urls, ['metaj-a']);
    const evaluation = await activities.evaluateMetadata({ ...input, metadata: only() });
    expect(find(evaluation, 'index-settings', 'metaj-a')?.notes).toMatchObject([{ path: 'templates metaj' }]);
    const { summary } = await activities.createIndices(input);
    expect(summary).toBe(
      'made 1 index; templates of the target added to them: metaj-a: alias metaj-all, index.max_result_window, field added',
    );
    expect(await flatSettings(target, 'metaj-a')).toMatchObject({ 'index.final_pipeline': '_none' });
    await http(`${target}/_template/metaj`, 'DELETE');
  });

  test('templates and pipelines: applied in order, twice, conflicts kept or replaced, undone, drift seen', async () => {
    await put(source, '_component_template/metak-part', {
      template: { settings: { 'index.max_adjacency_matrix_filters': 9, 'index.refresh_interval': '9s' } },
    });
    await put(source, '_index_template/metak-whole', {
      index_patterns: ['metak-*'],
      composed_of: ['metak-part'],
      priority: 7,
      template: { mappings: { properties: { t: { type: 'text', boost: 2 } } }, aliases: { 'metak-all': {} } },
    });
    await put(source, '_template/metak-legacy', {
      index_patterns: ['metakl-*'],
      order: 3,
      settings: { number_of_shards: 2, 'index.max_adjacency_matrix_filters': 9 },
      mappings: { properties: { t: { type: 'keyword', boost: 2 } } },
    });
    await put(source, '_ingest/pipeline/metak-empty', { description: 'does nothing', processors: [] });
    await put(source, '_scripts/metak-script', {
      script: { lang: 'mustache', source: { query: { match: { a: '{{b}}' } } } },
    });
    await put(source, '_cluster/settings', { persistent: { 'cluster.max_shards_per_node': 1234 } });
    await put(target, '_template/metak-legacy', { index_patterns: ['metakl-*'], settings: { number_of_shards: 1 } });

    const input = { ...runOf('metak', urls, []), metadata: only() };
    const evaluation = await activities.evaluateMetadata(input);
    const ours = evaluation.items.filter(({ name }) => name.startsWith('metak') || name.startsWith('cluster.'));
    expect(Object.fromEntries(ours.map(({ kind, name, result }) => [`${kind} ${name}`, result]))).toEqual({
      'stored-script metak-script': 'refused',
      'component-template metak-part': 'changed',
      'index-template metak-whole': 'changed',
      'legacy-template metak-legacy': 'conflict',
    });
    expect(find(evaluation, 'legacy-template', 'metak-legacy')?.why).toMatch(
      /number_of_shards is "2" on the source and "1"/,
    );

    const { planned } = evaluation;
    const applied = await activities.applyMetadata({ ...input, planned });
    const names = applied.changes.map(({ what }) => what).filter((what) => /metak|max_shards/.test(what));
    expect(names).toEqual([
      'cluster-setting cluster.max_shards_per_node',
      'ingest-pipeline metak-empty',
      'component-template metak-part',
      'index-template metak-whole',
    ]);
    expect(applied.differences.map(({ where }) => where).filter((where) => where.includes('metak'))).toEqual([
      'stored-script metak-script',
      'legacy-template metak-legacy',
    ]);
    // As after a crash before the answer was told: the same changes, the same undo, nothing made anew.
    const again = await activities.applyMetadata({ ...input, planned });
    expect(again.undo).toEqual(applied.undo);
    // What is made is the same from now on.
    const later = await activities.evaluateMetadata(input);
    expect(later.planned.filter(({ name }) => name.startsWith('metak'))).toEqual([]);
    await put(target, 'metak-try', {});
    expect(await flatSettings(target, 'metak-try')).toMatchObject({ 'index.refresh_interval': '9s' });

    await put(source, '_ingest/pipeline/metak-empty', { description: 'changed', processors: [] });
    await http(`${source}/_template/metak-legacy`, 'DELETE');
    const drift = await activities.readDrift({ ...input, digests: evaluation.digests });
    expect(drift.differences).toMatchObject([
      { where: 'ingest-pipeline metak-empty', what: expect.stringMatching(/was changed/) as string },
      { where: 'legacy-template metak-legacy', what: expect.stringMatching(/is gone/) as string },
    ]);
    expect((await activities.readDrift({ ...input, digests: drift.digests })).differences).toEqual([]);

    const replacing = { ...input, metadata: only([], 'replace') };
    const second = await activities.evaluateMetadata(replacing);
    const replaced = await activities.applyMetadata({ ...replacing, planned: second.planned });
    const undo = replaced.undo.find(({ name }) => name === 'metak-empty')!;
    expect(undo).toMatchObject({ before: expect.stringContaining('does nothing') as string });
    const pipeline = async () => (await http(`${target}/_ingest/pipeline/metak-empty`)).body['metak-empty'];
    expect(await pipeline()).toMatchObject({ description: 'changed' });
    await activities.undoMetadata({ ...input, undo });
    expect(await pipeline()).toMatchObject({ description: 'does nothing' });

    await http(`${target}/metak-try`, 'DELETE');
    for (const each of [...applied.undo].reverse()) await activities.undoMetadata({ ...input, undo: each });
    expect((await http(`${target}/_index_template/metak-whole`)).status).toBe(404);
    expect((await http(`${target}/_component_template/metak-part`)).status).toBe(404);
    expect((await http(`${target}/_ingest/pipeline/metak-empty`)).status).toBe(404);
    // What somebody changed since is not the run's to take back.
    await put(target, '_ingest/pipeline/metak-empty', { description: 'by hand', processors: [] });
    expect(await activities.undoMetadata({ ...input, undo })).toMatchObject({ changed: false });
    expect(await pipeline()).toMatchObject({ description: 'by hand' });
    await put(source, '_cluster/settings', { persistent: { 'cluster.max_shards_per_node': null } });
  });
});

describe('from 6.8', () => {
  let pair: Pair;
  let source: string;
  const { source: to7, target: to8 } = sharedPair();
  beforeAll(async () => {
    pair = await startPair({ source: '6.8.23', target: '6.8.23', heap: '512m' });
    source = pair.source.url;
  });
  afterAll(async () => pair.stop());

  test('to 7.17: types, Joda-Time, analysis and templates come across', async () => {
    const target = to7;
    await put(source, 'six-a', {
      settings: {
        number_of_shards: 3,
        number_of_replicas: 0,
        'analysis.analyzer.mine.type': 'custom',
        'analysis.analyzer.mine.tokenizer': 'standard',
        'analysis.analyzer.mine.filter': ['standard', 'lowercase'],
      },
      mappings: {
        event: {
          _field_names: { enabled: false },
          properties: {
            at: { type: 'date', format: 'YYYY-MM-dd HH:mm:ss Z||dateOptionalTime' },
            text: { type: 'text', analyzer: 'mine', similarity: 'classic' },
            relation: { type: 'join', relations: { question: 'answer' } },
          },
        },
      },
    });
    const dates = [
      '2020-02-03 04:05:06 +0100',
      '2020-02-03 04:05:06 +01:00',
      '2020-02-03 04:05:06 Z',
      '2020-02-03T04:05:06Z',
    ];
    for (const [at, text] of dates.entries())
      await put(source, `six-a/event/${at}?refresh=true`, { at: text, text: 'hello', relation: 'question' });
    await put(source, '_template/six-template', {
      index_patterns: ['sixt-*'],
      settings: { number_of_shards: 1 },
      mappings: { event: { dynamic: 'strict', properties: { at: { type: 'date', format: 'YYYY' } } } },
      aliases: { 'sixt-all': {} },
    });
    const input = { ...runOf('six', { source, target }, ['six-a']), metadata: only() };
    const evaluation = await activities.evaluateMetadata(input);
    const applied = await activities.applyMetadata({ ...input, planned: evaluation.planned });
    expect(applied.differences).toEqual([]);
    expect(applied.changes.map(({ what }) => what)).toEqual(['legacy-template six-template']);
    expect((await activities.evaluateMetadata(input)).planned).toEqual([]);

    await activities.createIndices(input);
    for (const [at, text] of dates.entries())
      await put(target, `six-a/_doc/${at}?refresh=true`, { at: text, text: 'hello', relation: 'question' });
    await activities.endLoad(input);
    // both read the same times from the same strings, and print them alike
    const times = async (url: string) => {
      const { body } = await http<{ hits: { hits: { _id: string; fields: { at: string[] }; sort: number[] }[] } }>(
        `${url}/six-a/_search`,
        'POST',
        {
          docvalue_fields: [{ field: 'at', format: 'epoch_millis' }],
          sort: ['at'],
          query: { match: { text: 'HELLO' } },
        },
      );
      return body.hits.hits.map(({ fields, _id }) => [_id, fields.at[0]]).sort();
    };
    expect(await times(target)).toEqual(await times(source));
    expect(await times(target)).toHaveLength(4);
    expect(await flatSettings(target, 'six-a')).toMatchObject({
      'index.number_of_shards': '3',
      'index.analysis.analyzer.mine.filter': ['lowercase'],
    });
    await put(target, 'sixt-1/_doc/1', { at: '2020' });
    expect(await mappingOf(target, 'sixt-1')).toEqual({
      dynamic: 'strict',
      properties: { at: { type: 'date', format: 'uuuu' } },
    });
  });

  test('scripts, pipelines and policies: same on a server that has their parts, refused by one that has not', async () => {
    await put(source, '_scripts/six-script', { script: { lang: 'painless', source: 'return params.a' } });
    await put(source, '_scripts/six-search', {
      script: { lang: 'mustache', source: { query: { match: { a: '{{b}}' } } } },
    });
    await put(source, '_ingest/pipeline/six-dates', {
      processors: [
        { date: { field: 'at', formats: ['ISO8601', 'YYYY/MM/dd'], on_failure: [{ set: { field: 'e', value: 1 } }] } },
      ],
    });
    await put(source, '_ilm/policy/six-policy', {
      policy: {
        phases: {
          hot: { actions: { rollover: { max_age: '1d' } } },
          delete: { min_age: '9d', actions: { delete: {} } },
        },
      },
    });

    const six = { ...runOf('six', { source, target: pair.target.url }, []), metadata: only() };
    const evaluation = await activities.evaluateMetadata(six);
    const made = [
      'stored-script six-script',
      'stored-script six-search',
      'ingest-pipeline six-dates',
      'ilm-policy six-policy',
      'legacy-template six-template',
    ];
    const applied = await activities.applyMetadata({ ...six, planned: evaluation.planned });
    expect(applied.differences).toEqual([]);
    expect(applied.changes.map(({ what }) => what)).toEqual(made);
    expect((await activities.evaluateMetadata(six)).planned).toEqual([]);
    for (const undo of [...applied.undo].reverse()) await activities.undoMetadata({ ...six, undo });
    expect((await activities.evaluateMetadata(six)).planned.map(({ kind, name }) => `${kind} ${name}`)).toEqual(made);

    const eight = { ...runOf('six', { source, target: to8 }, []), metadata: only() };
    const { items } = await activities.evaluateMetadata(eight);
    expect(items.flatMap(({ kind, result, why }) => (result === 'refused' ? [`${kind}: ${why ?? ''}`] : []))).toEqual([
      'stored-script: the target has no scripts in painless',
      'stored-script: the target has no scripts in mustache',
      'ingest-pipeline: No processor type exists with name [date]',
      expect.stringMatching(/^ilm-policy: the target, Elasticsearch 8.19.21, has nothing of this kind/),
    ]);
    expect(find({ items } as MetadataEvaluation, 'ingest-pipeline', 'six-dates')?.notes).toMatchObject([
      { path: 'processors.0.date.formats', how: 'uuuu/MM/dd' },
    ]);
  });
});
