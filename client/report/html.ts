import { formatBytes } from '../../contracts/bytes';
import type { Check } from '../../contracts/status';
import { isEnd } from '../exit-codes';
import { formatCount, formatSeconds, formatTime, plural } from '../format';
import { lazy } from '../lazy';
import { allChanges, allSteps, type LiveStep } from '../live-status';
import { batchesSection, catchUpSection, seriesSection } from './batches';
import { changesSection } from './changes';
import type { ReportData } from './data';
import { html, Markup, type Content } from './markup';
import { style } from './style';
import { grid, lasted, section, tone } from './tables';
import { renderTimeline, timelineOf } from './timeline';

/** One page that proves what happened: no script, nothing loaded from anywhere, every text escaped. */
export function renderReport(data: ReportData): string {
  const { status } = data;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <title>${data.run}: ${status.state}</title>
        <style>
          ${new Markup(style)}
        </style>
      </head>
      <body>
        <main>
          ${header(data)} ${warnings(data)} ${stuckSection(allSteps(status))} ${differencesSection(data)}
          ${clustersSection(data)} ${timelineSection(data)} ${batchesSection(data)} ${seriesSection(data)}
          ${catchUpSection(status)} ${decisionsSection(data)} ${checksSection(status.checks)}
          ${changesSection(allChanges(status))} ${stepsSection(allSteps(status))} ${runbookSection(data)}
          <footer>
            Report of ${formatTime(data.generatedAt)}, written by shardlift report. Times are UTC. Secrets appear as
            references only.
          </footer>
        </main>
      </body>
    </html> `;
  return page.text;
}

function header({ run, status, generatedAt }: ReportData): Markup {
  const end = status.endedAt ?? generatedAt;
  const { totals } = status;
  const figures: [string, string][] = [
    [
      formatSeconds((Date.parse(end) - Date.parse(status.startedAt)) / 1000),
      isEnd(status.state) ? 'from start to end' : 'since its start',
    ],
    [`${formatCount(totals.indicesDone)} of ${formatCount(totals.indices)}`, 'indices moved and verified'],
    [`${formatBytes(totals.bytesDone)} of ${formatBytes(totals.bytes)}`, 'primary data'],
    [
      `${formatCount(totals.documentsDone)} of ${formatCount(totals.documents)}`,
      status.catchUp ? 'documents of the plan' : 'documents',
    ],
    [formatCount(status.differences.length), status.differences.length === 1 ? 'difference' : 'differences'],
  ];
  return html`<h1>${run}</h1>
    <p><span class="state ${tone(status.state)}">${status.state}</span> ${status.kind}, phase ${status.phase}</p>
    ${status.now === status.state ? '' : html`<p>${status.now}</p>`}
    <p class="soft">
      started
      ${formatTime(status.startedAt)}${status.endedAt === undefined ? '' : `, ended ${formatTime(status.endedAt)}`}
    </p>
    <div class="figures">${figures.map(([figure, what]) => html`<div><b>${figure}</b><span>${what}</span></div>`)}</div>
    ${status.cutover === undefined ? '' : html`<div class="panel"><b>After the cutover:</b> ${status.cutover}</div>`}`;
}

function warnings({ status }: ReportData): Content {
  return status.warnings.map((each) => html`<div class="panel alarm">${each}</div>`);
}

function stuckSection(steps: readonly LiveStep[]): Content {
  return steps
    .filter((step) => step.state === 'stuck' && step.failure)
    .map(({ id, failure }) => {
      if (!failure) return '';
      const why = failure.why === undefined ? '' : html`<pre>${failure.why}</pre>`;
      return html`<div class="panel alarm">
        <b class="bad">Stuck: ${id}</b>
        <p>${failure.message} (${failure.where})</p>
        ${why}
        <p>${failure.remedy}</p>
      </div>`;
    });
}

function differencesSection({ status }: ReportData): Content {
  if (status.differences.length === 0)
    return isEnd(status.state) && status.state === 'completed' ? html`<p class="good">No differences.</p>` : '';
  return section(
    'Differences',
    grid(
      ['Where', 'What'],
      status.differences.map(({ where, what }) => [where, what]),
    ),
  );
}

function clustersSection({ plan, runbook }: ReportData): Content {
  if (!plan)
    return runbook
      ? section(
          'Clusters',
          grid(
            ['Side', 'Addresses'],
            [
              ['source', runbook.source.urls.join(', ')],
              ['target', runbook.target.urls.join(', ')],
            ],
          ),
        )
      : '';
  const rows = [plan.source, plan.target].map((each) => [
    each.side,
    each.name,
    `${each.distribution} ${each.version}`,
    each.nodes.map(({ name }) => name).join(', '),
    html`<code>${each.uuid}</code>`,
  ]);
  return section('Clusters', grid(['Side', 'Cluster', 'Version', 'Nodes', 'UUID'], rows));
}

function timelineSection({ status, generatedAt }: ReportData): Content {
  const timeline = timelineOf(status, new Date(generatedAt));
  return timeline.rows.length === 0 ? '' : section('Timeline', renderTimeline(timeline));
}

function decisionsSection({ status }: ReportData): Content {
  const open = status.gates
    .filter((gate) => gate.state === 'open')
    .map(
      (gate) =>
        html`<p class="care">
          The gate ${gate.gate} waits for a person since ${formatTime(gate.openedAt)}: ${gate.asks}
        </p>`,
    );
  if (status.decisions.length === 0) return open.length === 0 ? '' : section('Decisions', open);
  const rows = status.decisions.map((each) => [
    formatTime(each.at),
    each.by,
    each.verb,
    each.subject ?? 'the run',
    each.reason === '' ? html`<span class="soft">no reason given</span>` : each.reason,
  ]);
  return section('Decisions', [...open, grid(['When', 'Who', 'What', 'About', 'Why'], rows)]);
}

function checksSection(checks: readonly Check[]): Content {
  if (checks.length === 0) return '';
  const order = ['failed', 'passed', 'not applicable'];
  const sorted = [...checks].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const failed = checks.filter((check) => check.state === 'failed').length;
  const rows = sorted.map((check) => [
    html`<span class="${check.state === 'failed' && check.level === 'warning' ? 'care' : tone(check.state)}"
      >${check.state === 'failed' && check.level === 'warning' ? 'warning' : check.state}</span
    >`,
    html`<code>${check.id}</code>`,
    check.where,
    check.seen,
    [check.wanted, check.remedy === undefined ? '' : html`<br /><b>Remedy:</b> ${check.remedy}`],
  ]);
  const body = grid(['Result', 'Check', 'Where', 'Seen', 'Wanted'], rows);
  const summary = `${plural(checks.length, 'check')}, ${failed === 0 ? 'none failed' : `${formatCount(failed)} failed or warned`}`;
  return section(
    'Checks',
    html`<details ${new Markup(failed > 0 ? 'open' : '')}>
      <summary>${summary}</summary>
      ${body}
    </details>`,
  );
}

function stepsSection(steps: readonly LiveStep[]): Content {
  if (steps.length === 0) return '';
  const rows = steps.map((step) => [
    html`<code>${step.id}</code>`,
    html`<span class="${tone(step.state)}">${step.state}</span>${step.attempt > 1 ? ` (attempt ${step.attempt})` : ''}`,
    formatTime(step.startedAt),
    lasted(step),
    step.changed === undefined ? '' : step.changed ? 'changed' : 'was so already',
    step.summary ?? step.failure?.message ?? step.title,
  ]);
  const body = grid(['Step', 'State', 'Started', 'Time', '', 'What'], rows, [3]);
  return section(
    'Steps',
    html`<details>
      <summary>${plural(steps.length, 'step')}, each with its time and result</summary>
      ${body}
    </details>`,
  );
}

function runbookSection({ runbook }: ReportData): Content {
  if (!runbook) return '';
  const text = lazy.yaml().stringify(runbook, { lineWidth: 0 });
  return section(
    'What was asked',
    html`<details>
      <summary>The runbook, with its defaults filled in</summary>
      <pre>${text}</pre>
    </details>`,
  );
}
