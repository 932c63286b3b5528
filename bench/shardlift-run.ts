import type { RunStatus } from '../contracts/status';
import type { PlanAnswer } from '../contracts/plan';
import type { BenchLab } from './lab';
import type { Batch } from './by-hand';
import { secondsOf } from './statistics';

/** The batches that the product's own planner makes of a runbook. */
export async function plannedBatches({ cli }: BenchLab, runbook: string): Promise<Batch[]> {
  const { code, stdout, stderr } = await cli.run(['plan', runbook, '--output', 'json'], { capture: true });
  const answer = stdout.startsWith('{') ? (JSON.parse(stdout) as PlanAnswer) : undefined;
  const plan = code === 0 ? answer?.plan : undefined;
  if (plan === undefined) {
    const failed = answer?.checks.filter(({ level, state }) => level === 'mandatory' && state === 'failed') ?? [];
    throw new Error(`shardlift plan ended with ${code}: ${stderr}${JSON.stringify(failed, undefined, 2)}`);
  }
  return plan.batches.map((batch) => batch.indices.map(({ name }) => name));
}

export interface Run {
  /** From the command to its end, as somebody waits for it. */
  seconds: number;
  status: RunStatus;
}

/** `shardlift start --wait` to its end. @throws when that is any other than "completed". */
export async function runShardlift({ cli }: BenchLab, name: string, runbook: string): Promise<Run> {
  let answer = { code: 0, stdout: '', stderr: '' };
  const seconds = await secondsOf(async () => {
    // what is only waiting for a person never ends by itself
    answer = await cli.run(['start', runbook, '--wait', '--until-gate'], { capture: true });
  });
  const { stdout } = await cli.run(['status', name, '--output', 'json'], { capture: true });
  if (answer.code !== 0) {
    throw new Error(`shardlift start ended with ${answer.code}: ${answer.stderr}${answer.stdout.slice(-3_000)}`);
  }
  return { seconds, status: JSON.parse(stdout) as RunStatus };
}

/** Where the time of a run went: each step with when it began and how long it took, for whoever tunes. */
export function timeline({ startedAt, steps, batches }: RunStatus): string {
  const began = Date.parse(startedAt);
  const at = (time: string | undefined) => ((Date.parse(time ?? startedAt) - began) / 1000).toFixed(1).padStart(7);
  return [...steps, ...batches.flatMap((batch) => batch.steps)]
    .sort((a, b) => Date.parse(a.startedAt ?? '') - Date.parse(b.startedAt ?? ''))
    .map((step) => `${at(step.startedAt)} –${at(step.endedAt)}  ${step.id.padEnd(34)} ${step.summary ?? ''}`)
    .join('\n');
}
