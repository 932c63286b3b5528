import { checkAliases } from '../../activities/planning/checks/alias-checks';
import { checkIndices, checkSelection } from '../../activities/planning/checks/index-checks';
import { checkLifecycle } from '../../activities/planning/checks/lifecycle-checks';
import { checkNames } from '../../activities/planning/checks/name-checks';
import { checkNeededPlugins } from '../../activities/planning/checks/plugin-checks';
import { checkAllocation, checkRoom } from '../../activities/planning/checks/room-checks';
import { aliasActions } from '../../activities/planning/alias-actions';
import type { SelectedIndex } from '../../activities/planning/view';
import { runbookOf } from '../support/fixtures';
import { checkOf, clusterView, nodeView, selectedIndex, withVersion } from './planning-fixtures';

const source = clusterView('source');
const target = clusterView('target');
const runbook = runbookOf('move');
const gb = 1024 ** 3;

describe('checkSelection', () => {
  it('refuses an empty selection, and says what was left out', () => {
    const checks = checkSelection(source, {
      selected: [],
      leftOut: [{ name: '.kibana', why: 'system' }],
      unmatched: [],
    });
    expect(checkOf(checks, 'select.empty')).toMatchObject({ level: 'mandatory', state: 'failed' });
    expect(checkOf(checks, 'index.system')).toMatchObject({ state: 'passed', seen: 'left out: .kibana' });
    expect(checkOf(checks, 'index.hidden').state).toBe('not applicable');
  });

  it('refuses a name that is no index, and says what it is; a pattern only warns', () => {
    const view = clusterView('source', {
      names: { indices: {}, aliases: { all: { a: {} } }, dataStreams: { logs: ['.ds-logs-1'] } },
    });
    const checks = checkSelection(view, {
      selected: [selectedIndex('a')],
      leftOut: [],
      unmatched: ['all', 'logs', 'gone', 'x*'],
    });
    const found = checks.filter(({ id }) => id === 'select.unmatched').map(({ level, seen }) => [level, seen]);
    expect(found).toEqual([
      ['mandatory', 'no such index: all (an alias of a), logs (a data stream), gone'],
      ['warning', 'matches no index: x*'],
    ]);
  });
});

describe('checkIndices', () => {
  const check = (
    id: string,
    index: Partial<SelectedIndex>,
    over: { source?: typeof source; target?: typeof target } = {},
  ) => checkOf(checkIndices(runbook, over.source ?? source, over.target ?? target, [selectedIndex('a', index)]), id);

  it('finds nothing wrong with an ordinary index', () => {
    const checks = checkIndices(runbook, source, target, [selectedIndex('a')]);
    expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
  });

  it.each<[string, Partial<SelectedIndex>, 'mandatory' | 'warning', string]>([
    ['index.created-version', { createdVersion: '6.8.23' }, 'mandatory', 'too old for 8.19.21: a (6.8.23)'],
    ['index.red', { health: 'red' }, 'mandatory', 'red: a'],
    ['index.data-stream', { dataStream: 'logs' }, 'mandatory', 'backing indices: a (of logs)'],
    ['index.mounted', { settings: { 'index.store.type': 'snapshot' } }, 'mandatory', 'searchable snapshots: a'],
    [
      'index.blocks',
      { settings: { 'index.blocks.read': 'true' } },
      'mandatory',
      'blocked: a (read: cannot be counted)',
    ],
    [
      'index.blocks',
      { settings: { 'index.blocks.read_only_allow_delete': 'true' } },
      'mandatory',
      'blocked: a (read_only_allow_delete: its copy could not be given its replicas)',
    ],
    ['index.live', { operationsInAMoment: 12 }, 'warning', 'being written: a (12 writes in a second)'],
    ['index.follower', { settings: { 'index.xpack.ccr.following_index': 'true' } }, 'warning', 'followers: a'],
  ])('%s fails for %o', (id, index, level, seen) => {
    const found = check(id, index);
    expect(found).toMatchObject({ level, state: 'failed', seen });
    expect(found.remedy).toBeTruthy();
  });

  it('lets write-blocked indices pass', () => {
    expect(check('index.blocks', { settings: { 'index.blocks.write': 'true' } }).state).toBe('passed');
  });

  it('takes the oldest version from the target, or reckons it', () => {
    const silent = withVersion(clusterView('target'), '7.17.29');
    delete silent.minimumIndexVersion;
    expect(check('index.created-version', { createdVersion: '6.8.23' }, { target: silent }).state).toBe('passed');
    expect(check('index.created-version', { createdVersion: '5.6.16' }, { target: silent }).state).toBe('failed');
  });

  it('refuses closed indices before 7.2 only', () => {
    const closed = { status: 'close' as const };
    expect(check('index.closed-movable', closed).state).toBe('passed');
    expect(check('index.closed-movable', closed, { source: withVersion(source, '6.8.23') }).state).toBe('failed');
    expect(check('index.closed-movable', {}).state).toBe('not applicable');
  });

  it('does not ask about writers where the run blocks writes', () => {
    const frozen = runbookOf('move', { freeze: 'beforeSnapshot' });
    const checks = checkIndices(frozen, source, target, [selectedIndex('a', { operationsInAMoment: 3 })]);
    expect(checkOf(checks, 'index.live').state).toBe('not applicable');
  });

  it('stays short however many are wrong', () => {
    const many = Array.from({ length: 500 }, (_, number) => selectedIndex(`i-${number}`, { health: 'red' }));
    const found = checkOf(checkIndices(runbook, source, target, many), 'index.red');
    expect(found.seen).toBe(
      `red: ${many
        .slice(0, 10)
        .map(({ name }) => name)
        .join(', ')} and 490 more`,
    );
  });
});

describe('checkNames', () => {
  it('allows what this run restored, and nothing else', () => {
    const selected = [selectedIndex('a'), selectedIndex('b'), selectedIndex('c'), selectedIndex('d')];
    const taken = [
      { name: 'a', creationDateMs: 1_000, isOurs: true },
      { name: 'b', creationDateMs: 1_000, isOurs: false },
      { name: 'c', creationDateMs: 5, isOurs: false },
    ];
    expect(checkNames(target, selected, [taken[0]!])).toMatchObject({
      state: 'passed',
      seen: 'restored by this run already: a; the others are free',
    });
    expect(checkNames(target, selected, taken)).toMatchObject({
      level: 'mandatory',
      state: 'failed',
      seen: 'taken: b (a copy of the same index, not made by this run), c (an index)',
    });
  });

  it('counts aliases and data streams as taken names', () => {
    const names = { indices: {}, aliases: { a: { x: {} } }, dataStreams: { b: ['.ds-b-1'] } };
    const found = checkNames(clusterView('target', { names }), [selectedIndex('a'), selectedIndex('b')], []);
    expect(found.seen).toBe('taken: a (an alias), b (a data stream)');
  });
});

describe('aliases', () => {
  const aliases = {
    all: { a: { filter: { term: { k: 1 } }, index_routing: 'r', search_routing: 'r' }, b: {} },
    write: { a: { is_write_index: true }, b: { is_write_index: false } },
    torn: { a: { is_hidden: true }, elsewhere: {} },
    foreign: { elsewhere: {} },
  };
  const from = clusterView('source', { names: { indices: {}, aliases, dataStreams: {} } });
  const selected = [selectedIndex('a'), selectedIndex('b')];
  const to = (over: Partial<typeof target.names>) =>
    clusterView('target', { names: { indices: {}, aliases: {}, dataStreams: {}, ...over } });

  it('become actions with every option, of what moves only', () => {
    expect(aliasActions(from.names, ['b', 'a'])).toEqual([
      { add: { index: 'a', alias: 'all', filter: { term: { k: 1 } }, index_routing: 'r', search_routing: 'r' } },
      { add: { index: 'b', alias: 'all' } },
      { add: { index: 'a', alias: 'torn', is_hidden: true } },
      { add: { index: 'a', alias: 'write', is_write_index: true } },
      { add: { index: 'b', alias: 'write', is_write_index: false } },
    ]);
  });

  it('pass where nothing is in the way, and warn of what stays behind', () => {
    const checks = checkAliases(runbook, from, to({}), selected);
    expect(checkOf(checks, 'alias.free').state).toBe('passed');
    expect(checkOf(checks, 'alias.shared').state).toBe('passed');
    expect(checkOf(checks, 'alias.partial')).toMatchObject({
      level: 'warning',
      seen: 'only partly moved: torn (stays behind on elsewhere)',
    });
  });

  it('are refused where an index, a data stream or another write index has the name', () => {
    const checks = checkAliases(
      runbook,
      from,
      to({
        indices: { all: { isSystem: false } },
        dataStreams: { torn: [] },
        aliases: { write: { other: { is_write_index: true } } },
      }),
      selected,
    );
    expect(checkOf(checks, 'alias.free')).toMatchObject({
      level: 'mandatory',
      state: 'failed',
      seen: 'in the way: all (an index), write (its write index there is other), torn (a data stream)',
    });
    expect(checkOf(checks, 'alias.shared').seen).toBe('on other indices already: write (on other)');
  });

  it('that this run put on already are no conflict', () => {
    const checks = checkAliases(runbook, from, to({ aliases: { write: { a: { is_write_index: true } } } }), selected);
    expect(checkOf(checks, 'alias.free').state).toBe('passed');
    expect(checkOf(checks, 'alias.shared').state).toBe('passed');
  });

  it('are not asked about when the cutover leaves them alone', () => {
    const checks = checkAliases(runbookOf('move', { cutover: { aliases: false } }), from, to({}), selected);
    expect(checks.map(({ state }) => state)).toEqual(['not applicable', 'not applicable', 'not applicable']);
  });
});

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

  it('counts shards against the limit, without closed indices and nodes without data', () => {
    const nodes = [nodeView('t1'), nodeView('t2', { roles: ['master'] })];
    const view = (limit: string) =>
      clusterView('target', { nodes, settings: { 'cluster.max_shards_per_node': limit } });
    const index = selectedIndex('a', { primaryShards: 3, replicas: 1 });
    const closed = selectedIndex('c', { primaryShards: 50, status: 'close' });
    expect(checkOf(checkRoom(view('16'), [index, closed], []), 'shards.limit').state).toBe('passed');
    expect(checkOf(checkRoom(view('15'), [index, closed], []), 'shards.limit')).toMatchObject({
      level: 'mandatory',
      state: 'failed',
      seen: '10 of 15 shards in use (cluster.max_shards_per_node 15, 1 data node)',
      wanted: 'room for 6 shards more',
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

describe('checkLifecycle', () => {
  const now = Date.UTC(2026, 0, 31);
  const day = 86_400_000;
  const policies = { weekly: { deleteAfter: '7d' }, keep: {} };
  const running = { isRunning: true, policies };
  const managed = (policy: string, ageDays: number) =>
    selectedIndex('a', { settings: { 'index.lifecycle.name': policy }, creationDateMs: now - ageDays * day });
  const check = (index: SelectedIndex, over: { source?: object; target?: object } = {}) =>
    checkLifecycle(
      clusterView('source', { lifecycle: { ...running, ...over.source } }),
      clusterView('target', { lifecycle: { ...running, ...over.target } }),
      [index],
      now,
    );

  it('warns on both sides of an index about to be deleted, with the time', () => {
    const checks = check(managed('weekly', 3));
    expect(checkOf(checks, 'ilm.deletes', 'source')).toMatchObject({
      level: 'warning',
      state: 'failed',
      seen: 'would be deleted: a (policy weekly, from 2026-02-04T00:00:00.000Z)',
    });
    expect(checkOf(checks, 'ilm.deletes', 'target').seen).toContain('the target has the policy');
  });

  it('counts the age from the rollover where ILM tells it', () => {
    const rolled = { ...managed('weekly', 100), lifecycleDateMs: now + 5 * day };
    expect(checkOf(check(rolled), 'ilm.deletes', 'source').state).toBe('passed');
  });

  it('passes a policy without deletion, and one that is stopped', () => {
    expect(checkOf(check(managed('keep', 100)), 'ilm.deletes', 'source').state).toBe('passed');
    expect(checkOf(check(managed('weekly', 3), { source: { isRunning: false } }), 'ilm.deletes', 'source').state).toBe(
      'not applicable',
    );
  });

  it('warns of a policy that the target lacks', () => {
    expect(checkOf(check(managed('weekly', 1), { target: { policies: {} } }), 'ilm.policy')).toMatchObject({
      state: 'failed',
      seen: 'missing: weekly',
    });
    expect(checkOf(check(selectedIndex('a')), 'ilm.policy').state).toBe('not applicable');
  });
});
