import { formatBytes } from '../../contracts/bytes';
import type { Progress } from '../../contracts/status';
import { isEnd } from '../exit-codes';
import { formatCount, formatSeconds, percent, shellWord } from '../format';
import { allSteps, type LiveStatus, type LiveStep, type Retrying } from '../live-status';
import type { Paint } from '../session';

/** Words and colours of states, the same in every view. */

export function paintState(state: string, paint: Paint): string {
  switch (state) {
    case 'completed':
    case 'done':
    case 'approved':
      return paint.green(state);
    case 'stuck':
    case 'failed':
    case 'rejected':
      return paint.red(state);
    case 'waiting':
    case 'paused':
    case 'open':
    case 'completed with differences':
    case 'done with differences':
    case 'skipped':
    case 'aborted':
    case 'undoing':
      return paint.yellow(state);
    case 'running':
      return paint.cyan(state);
    default:
      return state;
  }
}

/** "3.1 GiB of 12 GiB, 25 %, 280 MiB/s, 32 s to go". */
function progressWords(progress: Progress): string {
  const amount = (value: number) => (progress.unit === 'bytes' ? formatBytes(value) : formatCount(value));
  const unit = progress.unit === 'bytes' ? '' : ` ${progress.unit}`;
  const parts = [
    `${amount(progress.done)} of ${amount(progress.total)}${unit}`,
    `${percent(progress.done, progress.total)} %`,
  ];
  if (progress.rate !== undefined && progress.rate > 0) {
    parts.push(
      progress.unit === 'bytes' ? `${formatBytes(progress.rate)}/s` : `${progress.rate.toFixed(1)} ${progress.unit}/s`,
    );
  }
  if (progress.etaSeconds !== undefined && progress.done < progress.total)
    parts.push(`${formatSeconds(progress.etaSeconds)} to go`);
  if (progress.detail !== undefined && progress.detail !== '') parts.push(progress.detail);
  return parts.join(', ');
}

/** "attempt 4, last failure: …, next try in 12 s". */
export function retryingWords(retrying: Retrying, now: Date): string {
  const words = [`attempt ${retrying.attempt}`, `last failure: ${firstLine(retrying.lastFailure)}`];
  if (retrying.nextAttemptAt !== undefined) {
    const seconds = (Date.parse(retrying.nextAttemptAt) - now.getTime()) / 1000;
    words.push(seconds > 0 ? `next try in ${formatSeconds(seconds)}` : 'next try is due');
  }
  return words.join(', ');
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

/** What one step is about just now, in a line. */
export function stepWords(step: LiveStep, now: Date): string {
  if (step.state === 'stuck' && step.failure) return firstLine(step.failure.message);
  const parts: string[] = [];
  if (step.state === 'running' && step.progress) parts.push(progressWords(step.progress));
  if (step.retrying) parts.push(retryingWords(step.retrying, now));
  return parts.length > 0 ? parts.join('; ') : (step.summary ?? '');
}

/** One cause often stops many batches: the first few tell it. */
const mostStuckShown = 3;

/** What waits for a person, and the exact commands that move it on. */
export function whatWaits(status: LiveStatus, now: Date, paint: Paint): string[] {
  const run = shellWord(status.run);
  const lines: string[] = [];
  for (const gate of status.gates.filter((each) => each.state === 'open' || each.state === 'rejected')) {
    const since =
      gate.openedAt === undefined ? '' : `, for ${formatSeconds((now.getTime() - Date.parse(gate.openedAt)) / 1000)}`;
    lines.push(
      paint.yellow(`Waits for a person at the gate "${gate.gate}"${since}`),
      ...(gate.state === 'rejected' && gate.decision
        ? [`  rejected by ${gate.decision.by}: ${gate.decision.reason}; it may still be approved`]
        : []),
      `  when approved: ${gate.asks}`,
      `  yes: ${paint.bold(`shardlift approve ${run} ${gate.gate} --reason '…'`)}`,
      ...(gate.state === 'open' ? [`  no:  shardlift reject ${run} ${gate.gate} --reason '…'`] : []),
      ...(gate.state === 'rejected' && gate.gate !== 'finish'
        ? [`  undo and end: shardlift abort ${run} --reason '…'`]
        : []),
    );
  }
  const stuck = allSteps(status).filter((step) => step.state === 'stuck');
  lines.push(...stuck.slice(0, mostStuckShown).flatMap((step) => stuckWords(step, run, paint)));
  if (stuck.length > 1) {
    const more = stuck.length - mostStuckShown;
    if (more > 0)
      lines.push(
        `… and ${more} more: ${stuck
          .slice(mostStuckShown, mostStuckShown + 10)
          .map((step) => step.id)
          .join(', ')}`,
      );
    lines.push(`All ${stuck.length} stuck steps again: ${paint.bold(`shardlift retry ${run}`)}`);
  }
  if (status.isPaused && !isEnd(status.state)) {
    lines.push(paint.yellow('Paused: no new step is begun'), `  go on: ${paint.bold(`shardlift resume ${run}`)}`);
  }
  return lines;
}

function stuckWords(step: LiveStep, run: string, paint: Paint): string[] {
  const lines = [paint.red(`Stuck: ${step.id}${step.attempt > 1 ? ` (attempt ${step.attempt})` : ''}`)];
  if (step.failure) {
    const { type, message, where, why, remedy } = step.failure;
    lines.push(`  what:   ${message} [${type}]`, `  where:  ${where}`);
    if (why !== undefined && why !== '')
      lines.push(
        ...why
          .trimEnd()
          .split('\n')
          .map((line, index) => `  ${index === 0 ? 'why:   ' : '       '} ${line}`),
      );
    lines.push(`  remedy: ${remedy}`);
  }
  lines.push(
    `  try again:        ${paint.bold(`shardlift retry ${run} ${shellWord(step.id)}`)}`,
    ...(step.isUnskippable ? [] : [`  go on without it: shardlift skip ${run} ${shellWord(step.id)} --reason '…'`]),
    `  undo and end:     shardlift abort ${run} --reason '…'`,
  );
  return lines;
}
