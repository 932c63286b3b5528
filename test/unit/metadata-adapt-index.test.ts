import { adaptIndex, type SourceIndex, type TargetShape } from '../../activities/metadata/adapt-index';
import type { Server } from '../../activities/metadata/lifetimes';

const elasticsearch = (version: string): Server => ({ version, distribution: 'elasticsearch' });
const opensearch = (version: string): Server => ({ version, distribution: 'opensearch' });

function shape(over: Partial<TargetShape> = {}): TargetShape {
  return {
    settings: {},
    load: { refresh: false, replicas: false, translog: 'request' },
    isFollowed: false,
    lifecycle: false,
    ...over,
  };
}

function adapt(index: Partial<SourceIndex>, from: Server, target: Server, over: Partial<TargetShape> = {}) {
  return adaptIndex({ settings: {}, mappings: {}, ...index }, { from, target, shape: shape(over) });
}

test('what was a backing index of a data stream is an ordinary one, and not hidden', () => {
  const settings = { 'index.hidden': 'true', 'index.number_of_shards': '1' };
  const backing = { _data_stream_timestamp: { enabled: true }, properties: {} };
  const adapted = adapt({ settings, mappings: backing }, opensearch('2.19.6'), elasticsearch('8.19.21'));
  expect(adapted.settings).toEqual({ 'index.number_of_shards': '1' });
  expect(adapted.body.mappings).toEqual({ properties: {} });
  const hidden = adapt({ settings, mappings: { properties: {} } }, opensearch('2.19.6'), elasticsearch('8.19.21'));
  expect(hidden.settings).toEqual(settings);
});

/** An index that 2.4 made and 5.6 holds, by their documentation: no 2.x was at hand. Lists by number, as 5.6.16 prints them. */
const from56: SourceIndex = {
  settings: {
    'index.creation_date': '1500000000000',
    'index.mapper.dynamic': 'false',
    'index.number_of_replicas': '1',
    'index.number_of_shards': '5',
    'index.provided_name': 'logs',
    'index.query.default_field': '_all',
    'index.routing.allocation.require.box': 'hot',
    'index.uuid': 'Zr6P0wCZQ1-4TrQpZWIFZw',
    'index.version.created': '2040699',
    'index.analysis.analyzer.folded.type': 'custom',
    'index.analysis.analyzer.folded.tokenizer': 'nGram',
    'index.analysis.analyzer.folded.filter.0': 'standard',
    'index.analysis.analyzer.folded.filter.1': 'lowercase',
    'index.analysis.filter.grams.type': 'nGram',
    'index.analysis.filter.grams.min_gram': '2',
    'index.analysis.filter.grams.max_gram': '10',
    'index.similarity.mine.type': 'classic',
  },
  mappings: {
    _default_: { _all: { enabled: true } },
    event: {
      _all: { enabled: false },
      _timestamp: { enabled: true },
      include_in_all: false,
      dynamic_templates: [
        { strings: { match: '*', match_mapping_type: 'string', mapping: { type: 'string', index: 'not_analyzed' } } },
      ],
      properties: {
        title: { type: 'string', boost: 2, include_in_all: true, norms: { enabled: false } },
        host: { type: 'string', index: 'not_analyzed', ignore_above: 512, doc_values: true },
        hidden: { type: 'string', index: 'no' },
        at: { type: 'date', format: 'YYYY-MM-dd HH:mm:ss Z||epoch_millis' },
        boost: { type: 'object', properties: { type: { type: 'long', precision_step: 8 } } },
        where: { type: 'geo_point', lat_lon: true, geohash: true },
      },
    },
  },
};

describe('from 5.6', () => {
  const { body, notes, refusals } = adapt(from56, elasticsearch('5.6.16'), elasticsearch('7.17.29'));

  test('types go, string becomes text and keyword, _all is dropped', () => {
    expect(refusals).toEqual([]);
    expect(body.mappings).toEqual({
      dynamic_templates: [{ strings: { match: '*', match_mapping_type: 'string', mapping: { type: 'keyword' } } }],
      properties: {
        title: {
          type: 'text',
          boost: 2,
          norms: false,
          fields: { keyword: { type: 'keyword', ignore_above: 256 } },
        },
        host: { type: 'keyword', ignore_above: 512, doc_values: true },
        hidden: { type: 'keyword', index: false },
        at: {
          type: 'date',
          format: 'uuuu-MM-dd HH:mm:ss Z||uuuu-MM-dd HH:mm:ss XX||uuuu-MM-dd HH:mm:ss XXX||epoch_millis',
        },
        boost: { type: 'object', properties: { type: { type: 'long' } } },
        where: { type: 'geo_point' },
      },
    });
    expect(notes).toContainEqual({
      path: 'event',
      result: 'left out',
      why: 'there are no mapping types: documents are reached by _doc',
    });
    expect(notes.find(({ path }) => path === 'properties.title.type')).toMatchObject({
      result: 'changed',
      how: 'text, with a keyword below it',
    });
  });

  test('settings: what is private or of its nodes goes, analysis is spelled anew, limits are raised', () => {
    expect(body.settings).toEqual({
      'index.number_of_shards': '5',
      'index.number_of_replicas': '0',
      'index.auto_expand_replicas': 'false',
      'index.refresh_interval': '-1',
      'index.translog.durability': 'request',
      'index.default_pipeline': '_none',
      'index.final_pipeline': '_none',
      'index.analysis.analyzer.folded.type': 'custom',
      'index.analysis.analyzer.folded.tokenizer': 'ngram',
      'index.analysis.analyzer.folded.filter': ['lowercase'],
      'index.analysis.filter.grams.type': 'ngram',
      'index.analysis.filter.grams.min_gram': '2',
      'index.analysis.filter.grams.max_gram': '10',
      'index.max_ngram_diff': '8',
      'index.similarity.mine.type': 'BM25',
    });
    // said of each but what is true of every index
    expect(notes.filter(({ path }) => path.startsWith('index.')).map(({ path, result }) => [path, result])).toEqual([
      ['index.mapper.dynamic', 'left out'],
      ['index.routing.allocation.require.box', 'left out'],
      ['index.analysis.analyzer.folded.tokenizer', 'changed'],
      ['index.analysis.analyzer.folded.filter', 'changed'],
      ['index.analysis.filter.grams.type', 'changed'],
      ['index.max_ngram_diff', 'changed'],
      ['index.query.default_field', 'left out'],
      ['index.similarity.mine.type', 'changed'],
    ]);
  });

  test('boosts go with 8.0 only', () => {
    const to8 = adapt(from56, elasticsearch('5.6.16'), elasticsearch('8.19.21')).body.mappings;
    expect((to8['properties'] as Record<string, object>)['title']).not.toHaveProperty('boost');
  });

  test('to 6.8 the type stays, and its letters with it', () => {
    const { body: to6, type } = adapt(from56, elasticsearch('5.6.16'), elasticsearch('6.8.23'));
    expect(type).toBe('event');
    const mapping = to6.mappings['event'] as { properties: Record<string, Record<string, unknown>> };
    expect(mapping).not.toHaveProperty('_all');
    expect(mapping.properties['at']!['format']).toBe('YYYY-MM-dd HH:mm:ss Z||epoch_millis');
    expect(to6.settings['index.analysis.analyzer.folded.filter']).toEqual(['standard', 'lowercase']);
  });

  test('what 5.6.16 itself made and printed', () => {
    const printed = {
      settings: {
        'index.analysis.analyzer.a.char_filter.0': 'htmlStrip',
        'index.analysis.analyzer.a.filter.0': 'standard',
        'index.analysis.analyzer.a.filter.1': 'lowercase',
        'index.analysis.analyzer.a.filter.2': 'edgeNGram',
        'index.analysis.analyzer.a.filter.3': 'sh',
        'index.analysis.analyzer.a.tokenizer': 'grams',
        'index.analysis.analyzer.a.type': 'custom',
        'index.analysis.filter.sh.max_shingle_size': '6',
        'index.analysis.filter.sh.min_shingle_size': '2',
        'index.analysis.filter.sh.type': 'shingle',
        'index.analysis.tokenizer.grams.max_gram': '7',
        'index.analysis.tokenizer.grams.min_gram': '1',
        'index.analysis.tokenizer.grams.type': 'nGram',
        'index.number_of_shards': '2',
        'index.version.created': '5061699',
      },
      mappings: {
        _default_: { _all: { enabled: true } },
        event: {
          _all: { enabled: false },
          dynamic_date_formats: ['YYYY/MM/dd', 'dateOptionalTime'],
          dynamic_templates: [
            { s: { match_mapping_type: 'string', mapping: { index: 'not_analyzed', type: 'string' } } },
          ],
          properties: {
            at: { type: 'date', format: 'YYYY-MM-dd||epoch_millis||basicDate' },
            title: { type: 'text', analyzer: 'a', include_in_all: false },
          },
        },
      },
    };
    const made = adapt(printed, elasticsearch('5.6.16'), elasticsearch('7.10.2'));
    expect(made.refusals).toEqual([]);
    // This very body was taken by 7.10.2.
    expect(made.body.mappings).toEqual({
      dynamic_date_formats: ['uuuu/MM/dd', 'date_optional_time'],
      dynamic_templates: [{ s: { match_mapping_type: 'string', mapping: { type: 'keyword' } } }],
      properties: {
        at: { type: 'date', format: 'uuuu-MM-dd||epoch_millis||basic_date' },
        title: { type: 'text', analyzer: 'a' },
      },
    });
    expect(made.body.settings).toMatchObject({
      'index.analysis.analyzer.a.char_filter': ['html_strip'],
      'index.analysis.analyzer.a.filter': ['lowercase', 'edge_ngram', 'sh'],
      'index.max_ngram_diff': '6',
      'index.max_shingle_diff': '5',
    });
  });

  test('several types, _parent, and an index without _source are refused, with a way out', () => {
    const refusalsOf = (mappings: unknown) =>
      adapt({ mappings }, elasticsearch('5.6.16'), elasticsearch('7.17.29')).refusals;
    expect(refusalsOf({ a: { properties: {} }, b: { properties: {} } })).toMatchObject([{ path: 'a, b' }]);
    expect(refusalsOf({ child: { _parent: { type: 'parent' }, properties: {} } })).toMatchObject([{ path: '_parent' }]);
    expect(refusalsOf({ a: { _source: { enabled: false } } })).toMatchObject([{ path: '_source' }]);
    for (const each of refusalsOf({ child: { _parent: { type: 'parent' } } })) expect(each.remedy).toMatch(/reindex/);
  });
});

describe('from 6.8', () => {
  const from = elasticsearch('6.8.23');
  const mappings = {
    doc: {
      dynamic: 'strict',
      dynamic_date_formats: ['yyyy/MM/dd', 'basicDate'],
      _routing: { required: true },
      _field_names: { enabled: false },
      properties: {
        relation: { type: 'join', eager_global_ordinals: true, relations: { question: ['answer'] } },
        lines: { type: 'nested', properties: { price: { type: 'scaled_float', scaling_factor: 100 } } },
        at: { type: 'date', format: "8uuuu-MM-dd'T'HH:mm" },
        range: { type: 'date_range', format: 'dateOptionalTime' },
        area: { type: 'geo_shape', tree: 'quadtree', strategy: 'recursive' },
      },
    },
  };
  const settings = {
    'index.version.created': '6082399',
    'index.number_of_shards': '3',
    'index.number_of_routing_shards': '30',
    'index.sort.field': ['at'],
    'index.sort.order': ['desc'],
    'index.soft_deletes.enabled': 'false',
    'index.lifecycle.name': 'hot-warm',
    'index.lifecycle.rollover_alias': 'logs',
    'index.default_pipeline': 'enrich',
    'index.blocks.write': 'true',
    'index.refresh_interval': '30s',
    'index.translog.durability': 'async',
    'index.gc_deletes': '5m',
    'index.frozen': 'true',
    'index.search.throttled': 'true',
  };

  test('to 8.19', () => {
    const { body, refusals } = adapt({ settings, mappings }, from, elasticsearch('8.19.21'));
    expect(refusals).toEqual([]);
    expect(body.mappings).toEqual({
      dynamic: 'strict',
      dynamic_date_formats: ['uuuu/MM/dd', 'basic_date'],
      _routing: { required: true },
      properties: {
        relation: { type: 'join', eager_global_ordinals: true, relations: { question: ['answer'] } },
        lines: { type: 'nested', properties: { price: { type: 'scaled_float', scaling_factor: 100 } } },
        at: { type: 'date', format: "uuuu-MM-dd'T'HH:mm" },
        range: { type: 'date_range', format: 'date_optional_time' },
        area: { type: 'geo_shape' },
      },
    });
    expect(body.settings).toMatchObject({ 'index.sort.field': ['at'], 'index.number_of_routing_shards': '30' });
    for (const key of ['soft_deletes.enabled', 'lifecycle.name', 'frozen', 'search.throttled', 'blocks.write'])
      expect(body.settings).not.toHaveProperty([`index.${key}`]);
  });

  test('what the loading settings give way to, and what waits for the end of catch-up', () => {
    const { endLoad, body } = adapt({ settings, mappings }, from, elasticsearch('7.17.29'), {
      load: { refresh: false, replicas: false, translog: 'async' },
    });
    expect(body.settings).toMatchObject({ 'index.default_pipeline': '_none', 'index.translog.durability': 'async' });
    expect(endLoad).toEqual({
      'index.default_pipeline': 'enrich',
      'index.final_pipeline': null,
      'index.refresh_interval': '30s',
      'index.translog.durability': 'async',
      'index.gc_deletes': '5m',
    });
    const followed = adapt({ settings, mappings }, from, elasticsearch('7.17.29'), { isFollowed: true });
    expect(followed.body.settings).toMatchObject({ 'index.gc_deletes': '0s' });
    expect(followed.endLoad).toEqual({
      'index.refresh_interval': '30s',
      'index.translog.durability': 'request',
      'index.gc_deletes': '0s',
    });
  });

  test('lifecycle comes along when asked for, once everything is there', () => {
    const { body, endLoad } = adapt({ settings, mappings }, from, elasticsearch('8.19.21'), { lifecycle: true });
    expect(body.settings).not.toHaveProperty(['index.lifecycle.name']);
    expect(endLoad).toMatchObject({ 'index.lifecycle.name': 'hot-warm', 'index.lifecycle.rollover_alias': 'logs' });
    const asked = { settings: { 'index.lifecycle.name': 'other' } };
    expect(adapt({ settings, mappings }, from, elasticsearch('8.19.21'), asked).endLoad).toMatchObject({
      'index.lifecycle.name': 'other',
    });
    const { notes } = adapt({ settings, mappings }, from, opensearch('2.19.6'), { lifecycle: true });
    expect(notes).toContainEqual(expect.objectContaining({ path: 'index.lifecycle.name', result: 'left out' }));
  });

  test("the runbook's settings count more than anything else", () => {
    const { body, notes } = adapt({ settings, mappings }, from, elasticsearch('7.17.29'), {
      settings: { 'index.number_of_shards': 7, 'index.sort.field': null, 'index.sort.order': null },
    });
    expect(body.settings).toMatchObject({ 'index.number_of_shards': '7' });
    expect(body.settings).not.toHaveProperty(['index.sort.field']);
    // 30 routing shards cannot be cut into 7
    expect(body.settings).not.toHaveProperty(['index.number_of_routing_shards']);
    expect(notes).toContainEqual({
      path: 'index.number_of_shards',
      result: 'changed',
      how: '7',
      why: 'the runbook says so',
    });
  });

  test('a 7.17 cluster that was upgraded holds indices with the rules of 6.8', () => {
    const old = { at: { type: 'date', format: 'YYYY' } };
    const at = (created: string) =>
      adapt(
        { settings: { 'index.version.created': created }, mappings: { properties: old } },
        elasticsearch('7.17.29'),
        elasticsearch('8.19.21'),
      ).body.mappings['properties'];
    expect(at('6082399')).toEqual({ at: { type: 'date', format: 'uuuu' } });
    expect(at('7172999')).toEqual(old);
  });
});

describe('dates', () => {
  const formatOf = (format: string) => {
    const { body, refusals } = adapt(
      { mappings: { doc: { properties: { at: { type: 'date', format } } } } },
      elasticsearch('6.8.23'),
      elasticsearch('7.17.29'),
    );
    if (refusals.length > 0) return refusals[0]!.why;
    return (body.mappings['properties'] as { at: { format: string } }).at.format;
  };
  test.each([
    ['strict_date_optional_time||epoch_millis', 'strict_date_optional_time||epoch_millis'],
    ['yyyy-MM-dd', 'uuuu-MM-dd'],
    ["dd.MM.yyyy 'Uhr' HH:mm", "dd.MM.uuuu 'Uhr' HH:mm"],
    ["'y''Y' yyyy", "'y''Y' uuuu"],
    ['[yyyy]', "'['uuuu']'"],
    ["yyyy-MM-dd'T'HH:mm:ssZZ", "uuuu-MM-dd'T'HH:mm:ssxxx||uuuu-MM-dd'T'HH:mm:ssXXX||uuuu-MM-dd'T'HH:mm:ssXX"],
    ['yyyy ZZZ', 'uuuu VV'],
    ['strictDateOptionalTime', 'strict_date_optional_time'],
  ])('%s', (joda, java) => expect(formatOf(joda)).toBe(java));
  test.each(['yy-MM-dd', 'xxxx-ww-e', 'CC'])('%s is refused', (format) =>
    expect(formatOf(format)).toMatch(new RegExp(`in ${format}`)),
  );
});

describe('between servers from 7.0 on', () => {
  const vector = { mappings: { properties: { v: { type: 'dense_vector', dims: 3 } } } };
  const fieldOf = (from: Server, target: Server, index: Partial<SourceIndex> = vector) => {
    const { body, refusals } = adapt(index, from, target);
    return refusals[0]?.why ?? (body.mappings['properties'] as { v: unknown }).v;
  };

  test('vectors keep being indexed, or not, as they were', () => {
    expect(fieldOf(elasticsearch('7.17.29'), elasticsearch('8.19.21'))).toEqual({
      type: 'dense_vector',
      dims: 3,
      index: false,
    });
    expect(fieldOf(elasticsearch('8.12.0'), elasticsearch('8.19.21'))).toMatchObject({
      index_options: { type: 'hnsw' },
    });
    expect(fieldOf(elasticsearch('8.19.21'), elasticsearch('9.5.3'))).toEqual({ type: 'dense_vector', dims: 3 });
    expect(fieldOf(elasticsearch('7.17.29'), opensearch('2.19.6'))).toMatch(/no fields of type dense_vector/);
    const indexed = {
      mappings: { properties: { v: { type: 'dense_vector', dims: 3, index: true, similarity: 'cosine' } } },
    };
    expect(fieldOf(elasticsearch('8.19.21'), elasticsearch('7.17.29'), indexed)).toEqual({
      type: 'dense_vector',
      dims: 3,
    });
  });

  test('to OpenSearch: what it has by another name, and what it has not', () => {
    const of = (field: object) => ({ mappings: { properties: { v: field } } });
    const [from, target] = [elasticsearch('7.17.29'), opensearch('2.19.6')];
    expect(fieldOf(from, target, of({ type: 'flattened', depth_limit: 5 }))).toEqual({ type: 'flat_object' });
    expect(fieldOf(from, target, of({ type: 'histogram' }))).toMatch(/no fields of type histogram/);
    expect(fieldOf(from, opensearch('1.3.14'), of({ type: 'flattened' }))).toMatch(/no fields of type flattened/);
    expect(fieldOf(opensearch('2.19.6'), from, of({ type: 'flat_object' }))).toEqual({ type: 'flattened' });
    const { notes } = adapt(
      { settings: { 'index.mode': 'standard', 'index.codec': 'zstd' } },
      elasticsearch('8.19.21'),
      opensearch('2.19.6'),
    );
    expect(notes).toMatchObject([{ path: 'index.mode', result: 'left out' }]);
    expect(adapt({ settings: { 'index.codec': 'zstd' } }, opensearch('2.19.6'), from).notes).toMatchObject([
      { path: 'index.codec', how: 'best_compression' },
    ]);
  });

  test('an index of OpenSearch 1.3 is not one of before 7.0', () => {
    const { body } = adapt(
      {
        settings: { 'index.version.created': '135248227' },
        mappings: { properties: { at: { type: 'date', format: 'YYYY' } } },
      },
      opensearch('1.3.14'),
      opensearch('2.19.6'),
    );
    expect(body.mappings).toEqual({ properties: { at: { type: 'date', format: 'YYYY' } } });
  });

  test('what a newer server alone has is left out where nobody misses it, and refused where documents would', () => {
    const { body, notes, refusals } = adapt(
      {
        mappings: {
          dynamic: 'runtime',
          runtime: { day: { type: 'keyword' } },
          _source: { mode: 'synthetic' },
          properties: {
            a: { type: 'keyword', script: { source: 'emit("")' } },
            b: { type: 'object', subobjects: false },
          },
        },
      },
      elasticsearch('8.19.21'),
      elasticsearch('7.10.2'),
    );
    expect(body.mappings).toMatchObject({ dynamic: 'false', _source: {} });
    expect(notes.map(({ path }) => path)).toEqual(['dynamic', 'runtime', '_source.mode']);
    expect(refusals.map(({ path }) => path)).toEqual(['properties.a.type', 'properties.b.subobjects']);
  });
});
