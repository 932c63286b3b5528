import { beforeAndAfter } from '../../client/report/changes';
import type { ReportData } from '../../client/report/data';
import { renderReport } from '../../client/report/html';
import { escapeHtml, html } from '../../client/report/markup';
import { timelineOf } from '../../client/report/timeline';
import { siteRunbookOf } from '../support/fixtures';
import { endedStatus, followedStatus, noon, planAnswer, runningStatus } from './client-fixtures';
import { expectGolden } from './client-golden';

function reportOf(over: Partial<ReportData> = {}): ReportData {
  const { plan } = planAnswer();
  return {
    generatedAt: noon.toISOString(),
    run: 'logs',
    status: endedStatus(),
    runbook: siteRunbookOf('logs'),
    plan,
    ...over,
  };
}

test('a report of a copy that was followed, to the letter', () =>
  expectGolden('report-followed', renderReport(reportOf({ status: followedStatus() }))));

test('says of documents what matters there, and how the source was followed', () => {
  const page = renderReport(reportOf({ status: followedStatus() }));
  const cells = [...page.matchAll(/<t[hd][^>]*>([^<]*)<\/t[hd]>/g)].map(([, text]) => text?.trim());
  // written, there already, refused, parts, a second
  expect(cells.join('|')).toContain('1,200,000|34,564|3|4 of 4|1,286|16 min');
  expect(cells).not.toContain('snapshot');
  const after = (head: string) => cells[cells.lastIndexOf(head) + 1];
  expect([after('Rounds'), after('Written'), after('Deleted')]).toEqual(['214', '98,765', '432']);
  expect(page).toContain('Time of the drain');
  expect(page).toContain('index carts: it was deleted on the source');
});

test('a report, to the letter', () => expectGolden('report', renderReport(reportOf())));

test('holds what was asked, done, checked, decided and found to differ', () => {
  const page = renderReport(reportOf());
  for (const part of [
    'completed with differences',
    'skipped by alice@ops: not needed',
    '/etc/exports',
    '+ /srv/snapshots 10.0.0.12(rw)',
    'index.nameTaken',
    'index closed',
    'no reason given',
    '${file:/keys/ops}',
    'point the applications at http://new:9200',
  ]) {
    expect(page).toContain(escapeHtml(part));
  }
});

test('shows the times of each stage', () => {
  expect(renderReport(reportOf())).toMatch(/class="bar stage-restore is-done"\s+style="left:[\d.]+%;width:[\d.]+%"/);
});

test('loads nothing and runs nothing', () => {
  const page = renderReport(reportOf());
  expect(page).not.toMatch(/<script|<link|<img|<iframe|src=|@import|url\(/i);
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'`);
});

test('takes no text for markup, wherever it comes from', () => {
  const evil = `"><script>alert('x')</script>\u202e&lt;`;
  const status = runningStatus();
  const poisoned = JSON.parse(
    JSON.stringify(status, (key, value: unknown) =>
      [
        'what',
        'where',
        'seen',
        'wanted',
        'summary',
        'title',
        'before',
        'after',
        'by',
        'reason',
        'message',
        'why',
        'now',
        'remedy',
      ].includes(key) && typeof value === 'string'
        ? evil
        : value,
    ),
  ) as typeof status;
  poisoned.batches[0]?.steps.forEach((step) => (step.id = evil));
  const page = renderReport(
    reportOf({ run: evil, status: poisoned, runbook: siteRunbookOf('logs', { select: { include: [evil] } }) }),
  );
  expect(page).not.toContain('<script');
  expect(page).not.toContain('\u202e');
  expect(page).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;');
  // Every attribute still ends where it should: no attribute of ours ever holds a bare quote.
  expect(page).not.toMatch(/title="[^"]*<script/);
});

test('what batches changed stands among the changes, in the order in which it was done', () => {
  const status = runningStatus();
  const change = { step: '', where: 'target cluster', before: 'absent', after: 'restored' };
  status.changes = [{ ...change, at: '2026-01-01T00:00:02Z', what: 'later' }];
  status.batches[0]!.changes = [{ ...change, at: '2026-01-01T00:00:01Z', what: 'sooner' }];
  const page = renderReport(reportOf({ status }));
  expect(page).toContain('2 changes');
  expect(page.indexOf('sooner')).toBeLessThan(page.indexOf('later'));
});

test('of a run without runbook, plan, batches or decisions is still a page', () => {
  const status = runningStatus({ batches: [], steps: [], decisions: [], checks: [], changes: [], gates: [] });
  const page = renderReport({ generatedAt: noon.toISOString(), run: 'logs', status });
  expect(page).toContain('</html>');
  expect(page).not.toContain('undefined');
});

test('html escapes what is put in, not what is written', () => {
  expect(html`<b title="${'a"b'}">${['<', html`<i>${'&'}</i>`]}${undefined}${3}</b>`.text).toBe(
    '<b title="a&quot;b">&lt;<i>&amp;</i>3</b>',
  );
});

test('before and after is marked line by line', () => {
  const lines = beforeAndAfter('a\nb\n', 'a\nc').text.match(/<span class="\w+">[^<]*<\/span>/g);
  expect(lines).toEqual([
    '<span class="same">  a</span>',
    '<span class="del">- b</span>',
    '<span class="add">+ c</span>',
  ]);
});

describe('the timeline', () => {
  test('has a row for each phase with steps and for each batch that began', () => {
    const timeline = timelineOf(runningStatus(), noon);
    expect(timeline.rows.map((row) => row.label)).toEqual([
      'preflight',
      'prepare',
      'batch 1',
      'batch 2',
      'batch 3',
      'batch 4',
    ]);
    expect(timeline.to - timeline.from).toBe(62 * 60_000);
    expect(timeline.rows[2]?.bars.map((bar) => [bar.kind, (bar.to - bar.from) / 60_000])).toEqual([
      ['snapshot', 8],
      ['restore', 9],
      ['verify', 1],
    ]);
  });

  test('lets what has not ended last until now', () => {
    const bars = timelineOf(runningStatus(), noon).rows.at(-1)?.bars;
    expect(bars?.[0]?.to).toBe(noon.getTime());
  });

  test('takes thousands of batches', () => {
    const [batch] = runningStatus().batches;
    if (!batch) throw new Error('the fixture has batches');
    const batches = Array.from({ length: 5000 }, (_, index) => ({ ...batch, number: index }));
    expect(timelineOf(runningStatus({ batches }), noon).rows).toHaveLength(5002);
  });
});
