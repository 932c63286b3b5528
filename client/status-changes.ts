import { plural } from './format';
import { allSteps, type LiveStatus, type LiveStep } from './live-status';
import { firstLine, retryingWords } from './views/status-words';

/** What happened between two looks at a run, a line each: what `watch` prints where there is no screen. */
export function statusChanges(before: LiveStatus | undefined, after: LiveStatus, now: Date): string[] {
  const lines: string[] = [];
  if (before === undefined) {
    lines.push(`${after.run}: ${after.state}, phase ${after.phase}: ${after.now}`);
    if (after.batches.length > 0) lines.push(batchCounts(after));
  } else {
    if (before.phase !== after.phase) lines.push(`phase ${after.phase}`);
    if (before.state !== after.state || (before.now !== after.now && before.phase === after.phase)) {
      lines.push(`${after.state}: ${after.now}`);
    }
  }
  lines.push(...stepChanges(before, after, now), ...seriesChanges(before, after));
  for (const gate of after.gates) {
    const was = before?.gates.find((each) => each.gate === gate.gate);
    if (was?.state === gate.state || (was === undefined && gate.state === 'closed')) continue;
    if (gate.state === 'open') {
      lines.push(
        `gate ${gate.gate} waits for a person: ${gate.asks}`,
        `  shardlift approve ${after.run} ${gate.gate} --reason '…'`,
      );
    } else if (gate.decision && before !== undefined) {
      lines.push(`gate ${gate.gate} ${gate.state} by ${gate.decision.by}: ${gate.decision.reason}`);
    }
  }
  for (const warning of after.warnings)
    if (before?.warnings.includes(warning) !== true) lines.push(`warning: ${warning}`);
  if (before !== undefined && doneBatches(before) !== doneBatches(after)) lines.push(batchCounts(after));
  return lines;
}

/** At the first look only what comes later is told: the rest is in `status`. */
function seriesChanges(before: LiveStatus | undefined, after: LiveStatus): string[] {
  const { series } = after.catchUp ?? {};
  if (before === undefined || !series) return [];
  const was = before.catchUp?.series;
  const fresh = (key: 'newest' | 'deleted') => {
    const known = new Set(was?.[key].map(({ index }) => index));
    return series[key].map(({ index }) => index).filter((index) => !known.has(index));
  };
  return [
    ...fresh('newest').map((index) => `index ${index} has appeared on the source: it is moved, and followed`),
    ...fresh('deleted').map(
      (index) => `index ${index} was deleted on the source: what was moved of it, the target keeps`,
    ),
  ];
}

function stepChanges(before: LiveStatus | undefined, after: LiveStatus, now: Date): string[] {
  const was = new Map(before === undefined ? [] : allSteps(before).map((step) => [step.id, step]));
  return allSteps(after).flatMap((step) => {
    const known = was.get(step.id);
    // At the first look only what needs eyes: what is done already is in `status --all`.
    if (before === undefined && step.state !== 'stuck' && step.state !== 'running') return [];
    if (known?.state !== step.state || known.attempt !== step.attempt)
      return step.state === 'pending' ? [] : stateLines(step, after.run);
    const failedAgain = step.retrying && step.retrying.attempt !== known.retrying?.attempt;
    return failedAgain && step.retrying ? [`${step.id}: ${retryingWords(step.retrying, now)}`] : [];
  });
}

function stateLines(step: LiveStep, run: string): string[] {
  const about = step.state === 'stuck' && step.failure ? firstLine(step.failure.message) : (step.summary ?? step.title);
  const lines = [`${step.id}: ${step.state}: ${about}`];
  if (step.state !== 'stuck') return lines;
  if (step.failure) lines.push(`  where: ${step.failure.where}`, `  remedy: ${step.failure.remedy}`);
  lines.push(`  shardlift retry ${run} ${step.id}`);
  if (!step.isUnskippable) lines.push(`  shardlift skip ${run} ${step.id} --reason '…'`);
  return lines;
}

function doneBatches(status: LiveStatus): number {
  return status.batches.filter((batch) => batch.state === 'done' || batch.state === 'done with differences').length;
}

function batchCounts(status: LiveStatus): string {
  return `${doneBatches(status)} of ${plural(status.batches.length, 'batch', 'batches')} done`;
}
