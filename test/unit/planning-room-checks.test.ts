import { checkNeededPlugins } from '../../activities/planning/checks/plugin-checks';
import { checkAllocation, checkRoom } from '../../activities/planning/checks/room-checks';
import type { SelectedIndex } from '../../activities/planning/view';
import { checkOf, clusterView, nodeView, selectedIndex } from './planning-fixtures';

const target = clusterView('target');
const gb = 1024 ** 3;

describe('checkRoom', () => {
  const room = (settings: Record<string, string>, freeGb: number[], index: Partial<SelectedIndex>, isOurs = false) => {
    const nodes = freeGb.map((free, number) =>
      nodeView(`t${number}`, { diskFreeBytes: free * gb, diskTotalBytes: 100 * gb }),
    );
    const taken = isOurs ? [{ name: 'a', creationDateMs: 1, isOurs }] : [];
    return checkRoom(clusterView('target', { nodes, settings }), [selectedIndex('a', index)], taken);
  };
  const mark = 'cluster.routing.allocation.disk.watermark';

  it.each<[string, Record<string, string>, number[], Partial<SelectedIndex>, string, string]>([
    ['fits', {}, [50, 50], { sizeBytes: 30 * gb }, 'passed', 'passed'],
    ['counts replicas', {}, [50, 50], { sizeBytes: 45 * gb, replicas: 1 }, 'failed', 'failed'],
    ['is above the low watermark only', {}, [50, 50], { sizeBytes: 37 * gb }, 'passed', 'failed'],
    [
      'keeps bytes free',
      { [`${mark}.high`]: '45gb', [`${mark}.low`]: '46gb' },
      [50, 50],
      { sizeBytes: 8 * gb },
      'failed',
      'failed',
    ],
    [
      'reads shares as ratios',
      { [`${mark}.high`]: '0.6', [`${mark}.low`]: '0.55' },
      [50],
      { sizeBytes: 20 * gb, replicas: 0 },
      'failed',
      'failed',
    ],
    [
      'caps a share by max_headroom',
      {
        [`${mark}.high`]: '90%',
        [`${mark}.high.max_headroom`]: '1GB',
        [`${mark}.low`]: '85%',
        [`${mark}.low.max_headroom`]: '2GB',
      },
      [10],
      { sizeBytes: 7 * gb, replicas: 0 },
      'passed',
      'passed',
    ],
    [
      'ignores switched-off watermarks',
      { 'cluster.routing.allocation.disk.threshold_enabled': 'false' },
      [10],
      { sizeBytes: 9 * gb, replicas: 0 },
      'passed',
      'passed',
    ],
    ['needs a node for the largest shard', {}, [20, 20, 20], { sizeBytes: 12 * gb, replicas: 0 }, 'failed', 'passed'],
    [
      'needs no such node for smaller shards',
      {},
      [20, 20, 20],
      { sizeBytes: 12 * gb, replicas: 0, primaryShards: 3 },
      'passed',
      'passed',
    ],
  ])('%s', (_, settings, free, index, must, should) => {
    const checks = room(settings, free, index);
    expect([checkOf(checks, 'disk.target').state, checkOf(checks, 'disk.target-low').state]).toEqual([must, should]);
  });

  it('does not count what this run has restored already', () => {
    expect(checkOf(room({}, [12], { sizeBytes: 500 * gb }, true), 'disk.target').state).toBe('passed');
  });

  it('says what is free and what is needed', () => {
    expect(checkOf(room({}, [50, 50], { sizeBytes: 45 * gb }), 'disk.target')).toMatchObject({
      seen: '80.0 GiB free below the high watermark (90%)',
      wanted: '90.0 GiB: primaries and replicas of what moves',
    });
  });

  it('counts shards against the limit, closed indices too, nodes without data not', () => {
    const nodes = [nodeView('t1'), nodeView('t2', { roles: ['master'] })];
    const view = (limit: string) =>
      clusterView('target', { nodes, settings: { 'cluster.max_shards_per_node': limit } });
    const index = selectedIndex('a', { primaryShards: 3, replicas: 1 });
    const closed = selectedIndex('c', { primaryShards: 2, replicas: 0, status: 'close' });
    expect(checkOf(checkRoom(view('18'), [index, closed], []), 'shards.limit').state).toBe('passed');
    expect(checkOf(checkRoom(view('17'), [index, closed], []), 'shards.limit')).toMatchObject({
      level: 'mandatory',
      state: 'failed',
      seen: '10 of 17 shards in use (cluster.max_shards_per_node 17, 1 data node)',
      wanted: 'room for 8 shards more',
    });
  });

  it('warns of replicas that have no node to go to, but for those that adapt themselves', () => {
    const nodes = [nodeView('t1')];
    const selected = [
      selectedIndex('a', { replicas: 1 }),
      selectedIndex('b', { replicas: 0 }),
      selectedIndex('c', { replicas: 1, settings: { 'index.auto_expand_replicas': '0-1' } }),
    ];
    expect(checkOf(checkRoom(clusterView('target', { nodes }), selected, []), 'replicas.fit')).toMatchObject({
      level: 'warning',
      state: 'failed',
      seen: '1 data node cannot hold the copies of: a (1 replica)',
    });
  });

  it('tells of allocation rules that are left behind', () => {
    const settings = {
      'index.routing.allocation.require.box': 'hot',
      'index.routing.allocation.include._tier_preference': 'data_hot',
    };
    expect(checkAllocation(target, [selectedIndex('a', { settings })])).toMatchObject({
      level: 'warning',
      state: 'failed',
      seen: 'left behind by the restore: a (require.box: hot)',
    });
  });
});

describe('checkNeededPlugins', () => {
  it.each<[string, Partial<SelectedIndex>, string | undefined]>([
    ['ordinary fields', { fieldTypes: ['keyword', 'text'] }, undefined],
    ['a field type of a plugin', { fieldTypes: ['annotated_text'] }, 'mapper-annotated-text'],
    ['the _size field', { fieldTypes: ['_size'] }, 'mapper-size'],
    [
      'a tokenizer of a plugin',
      { settings: { 'index.analysis.tokenizer.t.type': 'kuromoji_tokenizer' } },
      'analysis-kuromoji',
    ],
    [
      'a built-in analyzer by its type',
      { settings: { 'index.analysis.analyzer.a.type': 'smartcn' } },
      'analysis-smartcn',
    ],
    [
      'a filter named in a list',
      { settings: { 'index.analysis.analyzer.a.filter': ['lowercase', 'icu_folding'] } },
      'analysis-icu',
    ],
    [
      'not a filter of its own that only has such a name',
      {
        settings: {
          'index.analysis.filter.icu_mine.type': 'stop',
          'index.analysis.analyzer.a.filter': ['icu_mine'],
        },
      },
      undefined,
    ],
    ['a join field, which has a module', { fieldTypes: ['join'] }, undefined],
    ['a filter of analysis-common', { settings: { 'index.analysis.analyzer.a.filter': ['asciifolding'] } }, undefined],
  ])('%s', (_, index, component) => {
    const found = checkNeededPlugins(target, [selectedIndex('a', index)]);
    expect(found.state).toBe(component ? 'failed' : 'passed');
    if (component) expect(found.seen).toBe(`missing: ${component} (no node; needed by a)`);
  });

  it('misses modules of stripped servers, by node', () => {
    const nodes = [nodeView('t1'), nodeView('t2', { modules: ['transport-netty4'] })];
    const selected = [
      selectedIndex('a', { fieldTypes: ['join'], settings: { 'index.analysis.analyzer.x.filter': ['asciifolding'] } }),
      selectedIndex('b', { fieldTypes: ['join'] }),
    ];
    expect(checkNeededPlugins(clusterView('target', { nodes }), selected)).toMatchObject({
      level: 'mandatory',
      state: 'failed',
      seen: 'missing: analysis-common (not on t2; needed by a), parent-join (not on t2; needed by a, b)',
    });
  });
});
