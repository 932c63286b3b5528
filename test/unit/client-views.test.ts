import pc from 'picocolors';
import { planView, hostChangesView } from '../../client/views/plan-view';
import { statusView } from '../../client/views/status-view';
import { bar, cut } from '../../client/views/table';
import { parseRunbook } from '../../client/runbook-file';
import { deletesStep } from '../../contracts/catch-up';
import {
  copyingStatus,
  endedStatus,
  followedStatus,
  noon,
  plain,
  planAnswer,
  runningStatus,
  waitingStatus,
} from './client-fixtures';
import { expectGolden } from './client-golden';

const options = { now: noon, paint: plain };
const runbook = parseRunbook(
  'kind: Migration\nname: logs\nsource: { urls: [http://a:9200] }\ntarget: { urls: [http://b:9200] }\nsnapshot: { repository: { existing: { location: /mnt/x } } }\n',
  'logs.yaml',
);

describe('status', () => {
  test('of a run that is stuck', () => expectGolden('status-stuck', statusView(runningStatus(), options)));
  test('with every step', () => expectGolden('status-all', statusView(runningStatus(), { ...options, all: true })));
  test('of a copy', () => expectGolden('status-copying', statusView(copyingStatus(), options)));
  test('of a run that waits', () => expectGolden('status-waiting', statusView(waitingStatus(), options)));
  test('of a run that ended', () => expectGolden('status-ended', statusView(endedStatus(), options)));
  test('as data', () => expectGolden('status-json', `${JSON.stringify(runningStatus(), null, 2)}\n`));
  test('on a screen, with bars', () => {
    expectGolden('status-bars', statusView(runningStatus(), { ...options, bars: true, maxBatches: 2 }));
  });

  test('of a live source tells how far a search for deletes has come', () => {
    const progress = {
      done: 1200,
      total: 50_000,
      unit: 'documents' as const,
      detail: 'logs: looking for deleted documents',
    };
    const step = { id: deletesStep, phase: 'catch-up' as const, title: 'look', state: 'running' as const, attempt: 1 };
    const followed = { ...followedStatus().catchUp!, state: 'running' as const, steps: [{ ...step, progress }] };
    const shown = '\n  1,200 of 50,000 documents, 2 %, logs: looking for deleted documents\n';
    expect(statusView({ ...waitingStatus(), catchUp: followed }, options)).toContain(shown);
    const done = { ...followed, steps: [{ ...step, state: 'done' as const }] };
    expect(statusView({ ...waitingStatus(), catchUp: done }, options)).not.toContain('looking for');
  });

  test('says for every state of a person what moves it on', () => {
    expect(statusView(runningStatus(), options)).toContain('shardlift retry logs batch-0002/restore');
    expect(statusView(runningStatus(), options)).toContain("shardlift skip logs batch-0002/restore --reason '…'");
    const [checks] = runningStatus().steps;
    const needed = { ...checks!, state: 'stuck' as const, isUnskippable: true };
    const preflight = statusView(runningStatus({ steps: [needed], batches: [] }), options);
    expect(preflight).toContain('shardlift retry logs preflight/checks');
    expect(preflight).not.toContain('shardlift skip');
    expect(statusView(waitingStatus(), options)).toContain("shardlift approve logs cutover --reason '…'");
    expect(statusView(runningStatus({ isPaused: true }), options)).toContain('shardlift resume logs');
  });

  test('of a thousand batches shows those that need eyes', () => {
    const [done] = runningStatus().batches;
    if (!done) throw new Error('the fixture has batches');
    const batches = Array.from({ length: 1000 }, (_, index) => ({ ...done, number: index + 1 }));
    const text = statusView(runningStatus({ batches }), options);
    expect(text).toContain('1,000 batches: 1,000 done');
    expect(text.split('\n').length).toBeLessThan(30);
  });

  test('lets no name move the cursor or recolour the screen', () => {
    const status = waitingStatus();
    const text = statusView({ ...status, now: 'index \u001b[31mred\u001b[0m \u202eesrever\r' }, options);
    expect(text).toContain('index \\u001b[31mred\\u001b[0m \\u202eesrever\\u000d');
  });

  test('has colours only where they are asked for', () => {
    const colours = statusView(runningStatus(), { ...options, paint: pc.createColors(true) });
    expect(colours).toContain('\u001b[31m');
    expect(statusView(runningStatus(), options)).not.toContain('\u001b');
  });
});

describe('plan', () => {
  test('with failed checks', () => expectGolden('plan', planView(planAnswer(), runbook, options)));
  test('with everything', () => expectGolden('plan-all', planView(planAnswer(), runbook, { ...options, all: true })));
  test('as data', () => expectGolden('plan-json', `${JSON.stringify(planAnswer(), null, 2)}\n`));
  test('says when another method would be better', () => {
    const answer = planAnswer();
    const advised = { ...answer, plan: { ...answer.plan!, advice: 'Copy would be simpler.' } };
    expect(planView(advised, runbook, options)).toContain('\nCopy would be simpler.\n');
  });
  test('without a plan', () => {
    const { checks, hostChanges } = planAnswer();
    expectGolden('plan-none', planView({ checks, hostChanges }, runbook, options));
  });

  test('shows what is added and taken away as a diff', () => {
    const change = { host: 'h1', what: '/etc/fstab', before: 'a\nb\n', after: 'a\nc\n' };
    expect(hostChangesView([change], plain).split('\n')).toEqual([
      '1 change on hosts',
      '--- h1:/etc/fstab  now',
      '+++ h1:/etc/fstab  then',
      '@@ -1,2 +1,2 @@',
      ' a',
      '-b',
      '+c',
    ]);
  });
});

describe('drawing', () => {
  test.each([
    [0, '░░░░'],
    [50, '██░░'],
    [100, '████'],
    [170, '████'],
  ])('%i %% is %s', (percent, drawn) => expect(bar(percent, 4, plain)).toBe(drawn));

  test('cuts lines, not colours', () => {
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('abcd', 4)).toBe('abcd');
    expect(cut('\u001b[31mabcdef\u001b[39m', 4)).toBe('\u001b[31mabc…\u001b[39m');
  });
});
