import { checkAliases } from '../../activities/planning/checks/alias-checks';
import { checkIndices, checkSelection } from '../../activities/planning/checks/index-checks';
import { checkLifecycle } from '../../activities/planning/checks/lifecycle-checks';
import { checkNames } from '../../activities/planning/checks/name-checks';
import { aliasActions } from '../../activities/planning/alias-actions';
import { streamsAsAliases } from '../../activities/planning/data-streams';
import type { SelectedIndex } from '../../activities/planning/view';
import { runbookOf } from '../support/fixtures';
import { checkOf, clusterView, selectedIndex, withVersion } from './planning-fixtures';

const source = clusterView('source');
const target = clusterView('target');
const runbook = runbookOf('move');

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

  it('refuses more indices than one run can carry', () => {
    const of = (number: number) =>
      checkSelection(source, {
        selected: Array.from({ length: number }, (_, index) => selectedIndex(`i-${index}`)),
        leftOut: [],
        unmatched: [],
      });
    expect(of(30_000).some(({ id }) => id === 'select.count')).toBe(false);
    expect(checkOf(of(30_001), 'select.count')).toMatchObject({ state: 'failed', seen: '30001 indices' });
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
    const frozen = runbookOf('move', { freeze: 'beforeMove' });
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

describe('data streams', () => {
  const backing = ['.ds-logs-000001', '.ds-logs-000002'];
  const aliases = { all: { logs: { is_write_index: true }, a: {} }, plain: { a: { is_write_index: true } } };
  const names = streamsAsAliases({ indices: {}, aliases, dataStreams: { logs: backing } });
  const renamed = (to: string, over: object = {}) =>
    runbookOf('move', { method: 'copy', snapshot: undefined, copy: { rename: [{ from: '.ds-*', to }] }, ...over });
  const selected = backing.map((name) => selectedIndex(name, { dataStream: 'logs' }));
  const seen = (of: typeof runbook) => checkOf(checkIndices(of, source, target, selected), 'index.data-stream');

  it('become aliases of their backing indices, which the newest takes writes for; so do aliases of them', () => {
    expect(aliasActions(names, ['a', ...backing], (name) => name.replace('.ds-', 'ds-'))).toEqual([
      { add: { index: 'ds-logs-000001', alias: 'all' } },
      { add: { index: 'ds-logs-000002', alias: 'all', is_write_index: true } },
      { add: { index: 'a', alias: 'all' } },
      { add: { index: 'ds-logs-000001', alias: 'logs' } },
      { add: { index: 'ds-logs-000002', alias: 'logs', is_write_index: true } },
      { add: { index: 'a', alias: 'plain', is_write_index: true } },
    ]);
    // where the newest was left out there is somewhere to write to all the same
    expect(aliasActions(names, backing.slice(0, 1))).toContainEqual({
      add: { index: '.ds-logs-000001', alias: 'logs', is_write_index: true },
    });
    const from = clusterView('source', { names });
    const partly = checkAliases(runbook, from, target, [selectedIndex(backing[0]!)]);
    expect(checkOf(partly, 'alias.partial').seen).toContain('logs (stays behind on .ds-logs-000002)');
    const there = clusterView('target', { names: { indices: {}, aliases: {}, dataStreams: { logs: [] } } });
    expect(checkOf(checkAliases(runbook, from, there, selected), 'alias.free').seen).toContain('logs (a data stream)');
  });

  it('move under other names only, and the plan says what they are then', () => {
    expect(seen(runbook).state).toBe('failed');
    expect(seen(renamed('.ds-was-*')).state).toBe('failed');
    expect(seen(renamed('ds-*'))).toMatchObject({
      state: 'passed',
      seen: 'logs: arrives as ordinary indices behind an alias of that name',
    });
    expect(seen(renamed('ds-*', { cutover: { aliases: false } })).seen).toContain('without an alias');
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
