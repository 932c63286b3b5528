import { phases, type StepStatus } from '../../contracts/status';
import { formatSeconds, formatTime } from '../format';
import type { LiveStatus } from '../live-status';
import { html, type Markup } from './markup';

interface TimelineBar {
  /** Stage or phase; decides the colour. */
  kind: string;
  state: StepStatus['state'];
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  title: string;
}

interface TimelineRow {
  label: string;
  bars: TimelineBar[];
}

interface Timeline {
  from: number;
  to: number;
  rows: TimelineRow[];
}

/** The times of a run: a row for each phase, then one for each batch with a bar for each stage. */
export function timelineOf(status: LiveStatus, now: Date): Timeline {
  const end = status.endedAt === undefined ? now.getTime() : Date.parse(status.endedAt);
  const bar = (step: StepStatus, kind: string): TimelineBar[] => {
    if (step.startedAt === undefined) return [];
    const from = Date.parse(step.startedAt);
    const to = Math.max(from, step.endedAt === undefined ? end : Date.parse(step.endedAt));
    const times = `${formatSeconds((to - from) / 1000)}, from ${formatTime(step.startedAt)}`;
    return [{ kind, state: step.state, from, to, title: `${step.id}: ${step.state}, ${times}` }];
  };
  const phaseRows = phases.map((phase) => ({
    label: phase,
    bars: status.steps.filter((step) => step.phase === phase).flatMap((step) => bar(step, phase)),
  }));
  const batchRows = status.batches.map((batch) => ({
    label: `batch ${batch.number}`,
    bars: batch.steps.flatMap((step) => bar(step, step.id.split('/').at(-1) ?? '')),
  }));
  const rows = [...phaseRows, ...batchRows].filter((row) => row.bars.length > 0);
  const bars = rows.flatMap((row) => row.bars);
  // Not Math.min(...): a run of thousands of batches has more bars than a call may have arguments.
  const from = bars.reduce((least, each) => Math.min(least, each.from), Date.parse(status.startedAt));
  const to = bars.reduce((most, each) => Math.max(most, each.to), end);
  return { from, to: Math.max(to, from + 1000), rows };
}

const stages = ['freeze', 'snapshot', 'copy', 'restore', 'create', 'documents', 'finalize', 'verify', 'cleanup'];

/** Bars in per cent of the width, so that the same page serves a wide screen and a phone. */
export function renderTimeline(timeline: Timeline): Markup {
  const span = timeline.to - timeline.from;
  const share = (ms: number) => ((ms / span) * 100).toFixed(3);
  const rows = timeline.rows.map(({ label, bars }) => {
    const drawn = bars.map((each) => {
      const style = `left:${share(each.from - timeline.from)}%;width:${share(each.to - each.from)}%`;
      return html`<i class="bar ${kindClass(each.kind)} is-${each.state}" style="${style}" title="${each.title}"></i>`;
    });
    return html`<div class="row"><span class="label">${label}</span><span class="track">${drawn}</span></div>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => html`<span>${formatSeconds((span * part) / 1000)}</span>`);
  const legend = ['phase', ...stages].map(
    (stage) => html`<span><i class="key ${kindClass(stage)}"></i>${stage}</span>`,
  );
  return html`<div class="timeline">
      ${rows}
      <div class="row axis"><span class="label"></span><span class="ticks">${ticks}</span></div>
    </div>
    <p class="legend">${legend}</p>`;
}

function kindClass(kind: string): string {
  return stages.includes(kind) ? `stage-${kind}` : 'stage-phase';
}
