import { selectsName } from '../../activities/planning/select-indices';
import { checkCatchUp } from '../../activities/planning/checks/document-checks';
import { renderReport } from '../../client/report/html';
import { statusChanges } from '../../client/status-changes';
import { statusView } from '../../client/views/status-view';
import { migrationRunbook } from '../../contracts/runbook';
import type { CatchUpStatus } from '../../contracts/status';
import { planOf, runbookOf } from '../support/fixtures';
import { noon, plain, waitingStatus } from './client-fixtures';
import { clusterView, selectedIndex, withVersion } from './planning-fixtures';

/** What a plan says of a time series, and what an operator is shown of one. */

const runbook = (include: string[], kind = 'time-series', over: object = {}) =>
  runbookOf('series', { method: 'copy', snapshot: undefined, select: { include }, catchUp: { kind }, ...over });

describe('checkCatchUp', () => {
  const [source, indices] = [clusterView('source'), [selectedIndex('logs-1')]];

  test.each([
    ['a pattern', ['logs-*'], 'passed'],
    ['a pattern beside names', ['logs-1', 'app-*'], 'passed'],
    ['names in full', ['logs-1', 'logs-2'], 'failed'],
  ] as const)('with %s it has %s: %s', (_, include, state) => {
    expect(checkCatchUp(runbook([...include]), source, indices)).toMatchObject([{ id: 'catch-up.possible', state }]);
    expect(checkCatchUp(runbook([...include], 'sequence'), source, indices)).toMatchObject([{ state: 'passed' }]);
  });

  test('a source without sequence numbers is followed by a field, and refused without one', () => {
    const old = withVersion(source, '5.6.16');
    const by = (over: object) => ({
      ...runbook(['logs-*']),
      ...{ catchUp: { ...runbook(['logs-*']).catchUp!, ...over } },
    });
    const [refused] = checkCatchUp(by({}), old, indices);
    expect(refused).toMatchObject({
      state: 'failed',
      remedy: expect.stringContaining('name a catchUp.field') as string,
    });
    const dated = [selectedIndex('logs-1', { catchUpField: { type: 'date' } })];
    expect(checkCatchUp(by({ field: '@timestamp' }), old, dated)).toMatchObject([{ state: 'passed' }]);
    expect(checkCatchUp(by({ field: '@timestamp' }), old, indices)).toMatchObject([{ state: 'failed' }]);
  });
});

test('a query that chooses documents is refused: what an update takes out of it would stay for ever', () => {
  const copy = { query: { term: { a: 1 } } };
  expect(() => runbook(['logs-*'], 'time-series', { copy })).toThrow(/another kind than time-series/);
  expect(migrationRunbook.safeParse(runbook(['logs-*'])).success).toBe(true);
});

test.each([
  [['logs-*'], [], 'logs-2', true],
  [['logs-*'], ['logs-2'], 'logs-2', false],
  [['*'], [], '.logs-2', false],
  [['.logs-*'], [], '.logs-2', true],
  [['logs-1'], [], 'logs-2', false],
])('include %j, exclude %j, %s: %s', (include, exclude, name, expected) => {
  expect(selectsName({ include, exclude, hidden: false, closed: true })(name)).toBe(expected);
});

describe('what is shown', () => {
  const at = (minutes: number) => new Date(noon.getTime() - minutes * 60_000).toISOString();
  const catchUp = (over: Partial<NonNullable<CatchUpStatus['series']>> = {}): CatchUpStatus => ({
    kind: 'time-series',
    state: 'running',
    rounds: 7,
    lag: 3,
    written: 10,
    deleted: 1,
    refused: [],
    differences: [],
    steps: [],
    series: { followed: 12, joining: [], appeared: 0, newest: [], deleted: [], ...over },
  });
  const changed = catchUp({
    joining: ['logs-5'],
    appeared: 4,
    newest: [2, 3, 4, 5].map((day) => ({ index: `logs-${day}`, at: at(60 * (6 - day)) })),
    deleted: [{ index: 'logs-0', at: at(30), wasMoved: true }],
  });
  const status = { ...waitingStatus(), catchUp: changed };
  const options = { now: noon, paint: plain };

  test('is how many are followed, and what came and went by name', () => {
    expect(statusView({ ...status, catchUp: catchUp() }, options)).toContain('\n  12 indices followed\n');
    expect(statusView(status, options)).toContain(
      '\n  12 indices followed; 4 appeared: logs-5 (1 h 00 min ago), logs-4 (2 h 00 min ago), logs-3 (3 h 00 min ago), and 1 more; 1 being moved: logs-5; 1 deleted on the source: logs-0 (30 min ago)\n',
    );
  });

  test('to who watches, is each once', () => {
    expect(statusChanges({ ...status, catchUp: catchUp() }, status, noon)).toEqual([
      ...[2, 3, 4, 5].map((day) => `index logs-${day} has appeared on the source: it is moved, and followed`),
      'index logs-0 was deleted on the source: what was moved of it, the target keeps',
    ]);
    expect(statusChanges(status, status, noon)).toEqual([]);
  });

  test('in the report, is a table with the batches that were not in the plan', () => {
    const plan = planOf(2);
    plan.batches[1]!.appearedAt = at(60);
    const page = renderReport({ generatedAt: noon.toISOString(), run: 'logs', status, plan });
    expect(page).toMatch(
      /Time series[\s\S]*index-2[\s\S]*appeared; moved as batch 2[\s\S]*logs-0[\s\S]*the target keeps it/,
    );
  });
});
