import { compareCopied, type CopiedContext } from '../../activities/verification/compare-copied';
import { compareDocuments } from '../../activities/verification/compare-documents';
import { compareIndex } from '../../activities/verification/compare-index';
import { compareMappings } from '../../activities/verification/compare-mappings';
import { compareSettings } from '../../activities/verification/compare-settings';
import { reachedPositions } from '../../contracts/catch-up';
import type { ShardPositions } from '../../contracts/document-activities';
import type { IndexState } from '../../activities/verification/index-state';

const state = (over: Partial<IndexState> = {}): IndexState => ({
  status: 'open',
  health: 'green',
  documents: 10,
  shards: { 0: { documents: 6, maxSeqNo: 5 }, 1: { documents: 4, maxSeqNo: 3 } },
  mapping: { properties: { a: { type: 'text' } } },
  settings: { 'index.number_of_shards': '2' },
  ...over,
});
const shards = (...all: [documents: number, maxSeqNo?: number][]) =>
  Object.fromEntries(
    all.map(([documents, maxSeqNo], number) => [
      number,
      { documents, ...(maxSeqNo === undefined ? {} : { maxSeqNo }) },
    ]),
  );

describe('compareIndex', () => {
  const compare = (source?: IndexState, target?: IndexState) =>
    compareIndex(source, target, { isFrozenByRun: false, targetDataNodes: 2 });

  it('finds nothing between an index and its like', () => {
    expect(compare(state(), state())).toEqual({ differences: [], adapted: [], isBehind: false });
  });

  it('misses what is not there', () => {
    expect(compare(state()).differences).toEqual(['the index is missing on the target']);
    expect(compare(undefined, state()).differences[0]).toContain('gone from the source');
  });

  it('forgives a replica that no node is left for, and says so', () => {
    const settings = { 'index.number_of_replicas': '2' };
    const findings = compare(state({ settings }), state({ settings, health: 'yellow' }));
    expect(findings).toEqual({
      differences: [],
      adapted: ['yellow: wants 3 copies of each shard, and the target has 2 data nodes'],
      isBehind: false,
    });
    expect(compare(state({ settings }), state({ settings, health: 'red' })).differences).toHaveLength(1);
  });

  describe('calls an index behind', () => {
    const later = { documents: 13, shards: shards([9, 8], [4, 3]) };
    it('when only the source went on, whatever else differs with it', () => {
      expect(compare(state(later), state()).isBehind).toBe(true);
      const mapping = { properties: { a: { type: 'text' }, b: { type: 'long' } } };
      expect(compare(state({ ...later, mapping }), state()).isBehind).toBe(true);
    });

    it.each<[string, Partial<IndexState>, Partial<IndexState>]>([
      ['a primary of the target is not started, as after a failed restore', later, { shards: shards([6, 5]) }],
      ['another shard has lost documents', later, { shards: shards([6, 5], [3, 3]) }],
      ['documents were lost at the same numbers', {}, { documents: 9, shards: shards([5, 5], [4, 3]) }],
    ])('when %s: the source has it all', (_, source, target) => {
      expect(compare(state(source), state(target)).isBehind).toBe(true);
    });

    it('when the copy is missing and the source is whole', () => {
      expect(compare(state()).isBehind).toBe(true);
      expect(compare(state({ shards: shards([6, 5]) })).isBehind).toBe(false);
      expect(compare(state({ status: 'close', shards: {} })).isBehind).toBe(false);
    });

    it.each<[string, Partial<IndexState> | undefined, Partial<IndexState>]>([
      ['the source is gone', undefined, {}],
      ['a mapping alone differs', { mapping: {} }, {}],
      ['a setting alone differs', { settings: { 'index.number_of_shards': '2', 'index.x': '1' } }, {}],
      ['a primary of the source is not started', { shards: shards([9, 8]) }, {}],
      ['a primary of both is not started', { shards: shards([9, 8]) }, { shards: shards([6, 5]) }],
      ['another shard of the target is further on', later, { shards: shards([6, 5], [5, 4]) }],
    ])('never when %s', (_, source, target) => {
      const findings = compare(source && state(source), state(target));
      expect(findings.isBehind).toBe(false);
      expect(findings.differences).not.toEqual([]);
    });
  });

  it('wants the state as on the source, and green', () => {
    expect(compare(state({ status: 'close' }), state()).differences).toEqual([
      'close on the source and open on the target',
    ]);
    expect(compare(state(), state({ health: 'yellow' })).differences).toEqual([
      'health is yellow on the target and green on the source: a replica is not allocated: too few data nodes for its replicas, or a disk above its watermark',
    ]);
    expect(compare(state(), state({ health: 'red' })).differences[0]).toContain('a primary shard is missing');
  });
});

describe('compareDocuments', () => {
  const differences = (source: Partial<IndexState>, target: Partial<IndexState>) =>
    compareDocuments(state(source), state(target)).differences;

  it('says how much was written later, by shard', () => {
    expect(differences({ documents: 13, shards: shards([8, 8], [5, 4]) }, {})).toEqual([
      'written on the source after its snapshot: 4 operations later (shards 0: 3, 1: 1); 13 documents on the source and 10 on the target. Stop its writers, or set freeze to beforeMove, then retry, which moves it again',
    ]);
  });

  it('tells a loss also where another shard was written later', () => {
    const found = differences({ documents: 13, shards: shards([9, 8], [4, 3]) }, { shards: shards([6, 5], [3, 3]) });
    expect(found).toHaveLength(2);
    expect(found[1]).toContain('shard 1 holds 4 documents on the source and 3 on the target');
  });

  it('sees an update and a deletion, which leave the count as it was', () => {
    expect(differences({ shards: shards([6, 7], [4, 3]) }, {})[0]).toContain('2 operations later (shards 0: 2)');
  });

  it('sees writes on the target', () => {
    const found = differences({}, { documents: 11, shards: shards([7, 6], [4, 3]) });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('written on the target after its restore: further on by 1 operations in shard 0');
  });

  it('calls other counts at the same sequence numbers a loss', () => {
    const found = differences({}, { documents: 9, shards: shards([5, 5], [4, 3]) });
    expect(found).toEqual([
      '10 documents on the source and 9 on the target, though no shard was written later: do not cut over; restore this index again',
      'shard 0 holds 6 documents on the source and 5 on the target (nested ones counted), at the same sequence number 5: do not cut over; restore this index again',
    ]);
  });

  it('sees nested documents that a count does not', () => {
    expect(differences({}, { shards: shards([6, 5], [3, 3]) })).toHaveLength(1);
  });

  it('sees documents that changed places between shards', () => {
    expect(differences({}, { shards: shards([5, 5], [5, 3]) })).toHaveLength(2);
  });

  it('misses shards without a started primary, and counts that cannot be had', () => {
    expect(differences({}, { shards: shards([6, 5]) })).toEqual(['shard 1 has no started primary on the target']);
    const { documents: _, ...uncounted } = state();
    expect(compareDocuments(state(), uncounted).differences[0]).toContain('documents cannot be counted');
  });

  it('compares closed indices by their shards', () => {
    const { documents: _, ...closed } = state({ status: 'close' });
    expect(compareDocuments(closed, closed).differences).toEqual([]);
    expect(compareDocuments(closed, { ...closed, shards: shards([6, 5], [3, 3]) }).differences).toHaveLength(1);
  });

  it('takes an empty shard, and servers without sequence numbers, as they are', () => {
    const empty = { documents: 0, shards: shards([0, -1], [0, -1]) };
    expect(differences(empty, empty)).toEqual([]);
    const old = { shards: shards([6], [4]) };
    expect(differences(old, old)).toEqual([]);
    expect(differences(old, { shards: shards([6], [3]) })[0]).toContain('sequence number unknown');
  });
});

describe('compareCopied', () => {
  const settings = { 'index.number_of_shards': '2', 'index.uuid': 'u' };
  const compare = (over: Partial<CopiedContext>, source: Partial<IndexState> = {}) =>
    compareCopied(state({ settings, ...source }), state({ shards: shards([5, 90], [5, 91]) }), {
      refused: 0,
      isReshaped: false,
      isFollowed: true,
      ...over,
    });
  const position = (seqNos: number[], uuid = 'u') => ({ positions: { index: 'a', uuid, seqNos } });

  it('tells of a followed index how much was written after its drain, which counts alone do not see', () => {
    expect(compare(position([5, 3])).differences).toEqual([]);
    expect(compare(position([4, 1]))).toEqual({
      differences: [
        'written on the source after it was drained: 3 operations. Stop its writers, or set freeze to atCutover, then retry, which drains it once more',
      ],
      adapted: [],
      isBehind: true,
    });
    expect(compare({ ...position([4, 1]), isFollowed: false }).differences[0]).toContain('after it was copied: 3');
  });

  it('goes by what the primaries were asked for where they give no numbers, as long as these are the same', () => {
    const at = (...operations: number[]) => {
      const asked = operations.map((count) => ({ node: 'n', operations: count }));
      return { positions: { index: 'a', uuid: 'u', seqNos: [], field: { name: 'at', type: 'date' as const, asked } } };
    };
    const now = (node: string, ...operations: number[]) => ({
      shards: Object.fromEntries(
        operations.map((count, shard) => [
          shard,
          { documents: [6, 4][shard] ?? 0, asked: { node, operations: count } },
        ]),
      ),
    });
    const found = (source: Partial<IndexState>) => compare(at(7, 3), source).differences[0];
    expect(found(now('n', 7, 3))).toBeUndefined();
    expect(found(now('n', 9, 3))).toContain('written on the source after it was drained: 2 operations');
    expect(found(now('other', 7, 3))).toContain('cannot be told. Retry, which drains it once more');
    expect(found(now('n', 1, 3))).toContain('cannot be told');
  });

  it('goes by counts where a follower knows no numbers, and by the uuid always', () => {
    expect(compare(position([])).differences).toEqual([]);
    expect(compare(position([], 'earlier')).differences[0]).toContain('made anew since it was drained');
    expect(compare(position([]), { documents: 11 }).differences[0]).toContain(
      '11 documents on the source and 10 on the target: written on the source after it was drained, or lost',
    );
  });
});

describe('reachedPositions', () => {
  const at = (seqNos: number[], uuid = 'u'): ShardPositions => ({ index: 'a', uuid, seqNos });
  it.each<[string, ShardPositions[], ShardPositions[], ShardPositions[]]>([
    ['the drain is ahead of the move', [at([5, 5])], [at([9, 8])], [at([9, 8])]],
    ['moved once more after the drain', [at([9, 9])], [at([9, 8])], [at([9, 9])]],
    ['moved anew, as another index', [at([2, 2], 'new')], [at([9, 8])], [at([2, 2], 'new')]],
    ['followed without numbers', [at([5, 5])], [at([])], [at([])]],
    [
      'followed by a field: what the drain ended with',
      [{ ...at([]), field: { name: 'at', type: 'date', through: '1' } }],
      [{ ...at([]), field: { name: 'at', type: 'date', through: '2', asked: [] } }],
      [{ ...at([]), field: { name: 'at', type: 'date', through: '2', asked: [] } }],
    ],
    ['not followed: how far it was moved', [at([5, 5])], [], [at([5, 5])]],
  ])('%s', (_, moved, followed, expected) => expect(reachedPositions(moved, followed)).toEqual(expected));
});

describe('compareSettings', () => {
  type Settings = Record<string, string | string[]>;
  const compare = (sourceSettings: Settings, targetSettings: Settings, isFrozenByRun = false) =>
    compareSettings({ isFrozenByRun, sourceSettings, targetSettings });

  it.each<[string, Settings, Settings]>([
    ['its uuid', { 'index.uuid': 'a' }, { 'index.uuid': 'b' }],
    ['the name it was given', { 'index.provided_name': '<logs-{now/d}>' }, { 'index.provided_name': 'logs-1' }],
    ['the version that opened it', {}, { 'index.version.upgraded': '8190099' }],
    ['where it was shrunk from', { 'index.resize.source.uuid': 'x' }, {}],
    ['the mark of closing', { 'index.verified_before_close': 'true' }, {}],
    ['the mark of a write block', { 'index.verified_read_only': 'true' }, {}],
    ['its tier', { 'index.routing.allocation.include._tier_preference': 'data_hot' }, {}],
    ['the mark of the run', {}, { 'index.routing.allocation.exclude._name': 'restored-by-shardlift-move' }],
    ['auto-expand switched off as by default', {}, { 'index.auto_expand_replicas': 'false' }],
  ])('silently allows %s', (_, source, target) => {
    expect(compare(source, target)).toEqual({ differences: [], adapted: [] });
  });

  it.each<[string, Settings, Settings, string]>([
    ['allocation rules', { 'index.routing.allocation.require.box': 'hot' }, {}, 'left behind'],
    [
      'replicas that adapt themselves',
      { 'index.auto_expand_replicas': '0-1', 'index.number_of_replicas': '1' },
      { 'index.auto_expand_replicas': '0-1', 'index.number_of_replicas': '0' },
      'auto_expand_replicas',
    ],
    ['an operator’s write block', { 'index.blocks.write': 'true' }, {}, 'write blocks are left behind'],
    [
      'what a version archives',
      { 'index.lifecycle.name': 'p' },
      { 'archived.index.lifecycle.name': 'p' },
      'keeps it as archived',
    ],
    ['single_type', { 'index.mapping.single_type': 'true' }, {}, 'one mapping type always'],
  ])('allows and tells of %s', (_, source, target, reason) => {
    const found = compare(source, target);
    expect(found.differences).toEqual([]);
    expect(found.adapted).toHaveLength(1);
    expect(found.adapted[0]).toContain(reason);
  });

  it.each<[string, Settings, Settings, string]>([
    [
      'another value',
      { 'index.refresh_interval': '5s' },
      { 'index.refresh_interval': '1s' },
      '"5s" on the source and "1s" on the target',
    ],
    ['a lost setting', { 'index.codec': 'best_compression' }, {}, 'not set on the target'],
    ['a list in another order', { 'index.sort.field': ['a', 'b'] }, { 'index.sort.field': ['b', 'a'] }, '["a","b"]'],
    ['other replicas', { 'index.number_of_replicas': '1' }, { 'index.number_of_replicas': '0' }, '"1" on the source'],
    ['an archived setting with another value', { 'index.x': '1' }, { 'archived.index.x': '2' }, 'index.x'],
    [
      'a write block that is on the target only',
      {},
      { 'index.blocks.write': 'true' },
      'index.blocks.write is not set on the source',
    ],
    ['another creation date', { 'index.creation_date': '1' }, { 'index.creation_date': '2' }, 'index.creation_date'],
  ])('sees %s', (_, source, target, words) => {
    const { differences } = compare(source, target);
    expect(differences.length).toBeGreaterThan(0);
    expect(differences.join()).toContain(words);
  });

  it('is silent about write blocks that the run set', () => {
    expect(compare({ 'index.blocks.write': 'true' }, {}, true)).toEqual({ differences: [], adapted: [] });
  });
});

describe('compareMappings', () => {
  it('takes dynamic at the top for what it is unless given, and nowhere else', () => {
    expect(compareMappings({ properties: {} }, { dynamic: 'true', properties: {} }).differences).toEqual([]);
    expect(compareMappings({ dynamic: true }, { dynamic: 'true' }).differences).toEqual([]);
    expect(compareMappings({ dynamic: 'strict' }, { dynamic: 'true' }).differences).toHaveLength(1);
    const [below, unset] = [{ a: { dynamic: 'true', properties: {} } }, { a: { properties: {} } }];
    expect(compareMappings({ properties: unset }, { properties: below }).differences).toHaveLength(1);
  });

  it('knows no order of fields, but one in lists', () => {
    const a = { properties: { x: { type: 'text' }, y: { type: 'ip' } }, dynamic_templates: [{ a: {} }, { b: {} }] };
    const b = { dynamic_templates: [{ a: {} }, { b: {} }], properties: { y: { type: 'ip' }, x: { type: 'text' } } };
    expect(compareMappings(a, b)).toEqual({ differences: [], adapted: [] });
    expect(compareMappings(a, { ...b, dynamic_templates: [{ b: {} }, { a: {} }] }).differences.length).toBeGreaterThan(
      0,
    );
  });

  it('names the path and both values', () => {
    const a = { properties: { o: { properties: { x: { type: 'long' } } } } };
    const b = { properties: { o: { properties: { x: { type: 'keyword' } } }, y: { type: 'ip' } } };
    expect(compareMappings(a, b).differences).toEqual([
      'mapping properties.o.properties.x.type is "long" on the source and "keyword" on the target',
      'mapping properties.y is not set on the source and {"type":"ip"} on the target',
    ]);
  });

  it('takes the mapping type of 6.x off, also one named like nothing else', () => {
    const inner = { dynamic: 'strict', properties: { a: { type: 'ip' } } };
    expect(compareMappings({ doc: inner }, inner)).toEqual({ differences: [], adapted: [] });
    expect(compareMappings({ _doc: inner }, inner)).toEqual({ differences: [], adapted: [] });
    expect(compareMappings({}, {})).toEqual({ differences: [], adapted: [] });
  });

  it('allows what a version took away, and says so once', () => {
    const a = {
      properties: { x: { type: 'text', boost: 2 }, y: { type: 'text', boost: 3 } },
      _all: { enabled: false },
    };
    const b = { properties: { x: { type: 'text' }, y: { type: 'text' } } };
    expect(compareMappings(a, b)).toEqual({
      differences: [],
      adapted: [
        'mapping _all: _all is gone in 7.0',
        'mapping boost: boosts in mappings are gone in 8.0: give them in the query',
      ],
    });
    expect(compareMappings(b, a).differences.length).toBeGreaterThan(0);
  });

  it('does not take a field named boost for a boost', () => {
    const a = { properties: { boost: { type: 'long' } } };
    expect(compareMappings(a, { properties: {} }).differences).toHaveLength(1);
  });

  it('stays short', () => {
    const fields = Object.fromEntries(Array.from({ length: 40 }, (_, number) => [`f${number}`, { type: 'ip' }]));
    const { differences } = compareMappings({ properties: fields }, { properties: {} });
    expect(differences).toHaveLength(6);
    expect(differences[5]).toBe('mapping: 35 more such differences');
  });
});
