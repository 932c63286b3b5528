import type { RunStatus, StepStatus } from '../contracts/status';
import { segment } from '../lab/http';
import type { BenchLab } from './lab';
import { endedChildrenTicks, forgetPeak, peakRssMb, ticksPerSecond, watchCpu } from './process-use';
import type { Use } from './peers';
import { runShardlift, timeline } from './shardlift-run';

export interface ShardliftCopy {
  /** The step that moves documents: parts planned, copied with checkpoints and heartbeats, refreshed and flushed. */
  documents: Use;
  /** From the command to its end: checks, metadata, the comparison afterwards, the command line's own process. */
  run: Use;
  /** Of the Temporal server, while documents moved. */
  temporalCpuSeconds: number;
}

/** `given`: the target's indices have the source's own settings from the beginning. `raised`: what a run may raise. */
export type LoadSettings = 'given' | 'raised';

const load: Record<LoadSettings, string> = {
  given: '{ refresh: true, replicas: true, translog: request }',
  raised: '{ refresh: false, replicas: false, translog: async }',
};

export function copyRunbook(
  { pair }: BenchLab,
  name: string,
  index: string,
  settings: LoadSettings,
  more = '',
): string {
  return `kind: Migration
name: ${name}
method: copy
source: { urls: [${pair.source.urls.join(', ')}] }
target: { urls: [${pair.target.urls.join(', ')}] }
select: { include: ['${index}'] }
copy: { load: ${load[settings]} }
${more === '' ? 'gates: []\n' : more}`;
}

/** A whole run, by the built command line and the built worker; the worker's processor time and memory are the kernel's. */
export async function copyByShardlift(
  lab: BenchLab,
  name: string,
  index: string,
  settings: LoadSettings,
  showTimeline = false,
): Promise<ShardliftCopy> {
  const file = lab.runbook(name, copyRunbook(lab, name, segment(index), settings));
  const { pid } = lab.worker;
  forgetPeak(pid);
  const [worker, temporal] = await Promise.all([watchCpu(pid), watchCpu(lab.temporal.pid)]);
  const before = endedChildrenTicks();
  const startedMs = Date.now();
  try {
    const { seconds, status } = await runShardlift(lab, name, file);
    worker.stop();
    temporal.stop();
    if (showTimeline) process.stderr.write(`${timeline(status)}\n`);
    const peak = peakRssMb(pid) ?? Number.NaN;
    const [from, to] = spanOf(documentsStep(status));
    const commandCpuSeconds = (endedChildrenTicks() - before) / (await ticksPerSecond());
    return {
      documents: { seconds: (to - from) / 1000, cpuSeconds: worker.secondsBetween(from, to), peakRssMb: peak },
      run: {
        seconds,
        cpuSeconds: worker.secondsBetween(startedMs, Date.now()) + commandCpuSeconds,
        peakRssMb: peak,
      },
      temporalCpuSeconds: temporal.secondsBetween(from, to),
    };
  } finally {
    worker.stop();
    temporal.stop();
  }
}

function documentsStep({ batches }: RunStatus): StepStatus {
  const steps = batches.flatMap((batch) => batch.steps).filter(({ id }) => id.endsWith('/documents'));
  const [step] = steps;
  if (step === undefined || steps.length > 1) throw new Error(`${steps.length} steps that move documents instead of 1`);
  return step;
}

function spanOf({ startedAt, endedAt }: StepStatus): [number, number] {
  const span: [number, number] = [Date.parse(startedAt ?? ''), Date.parse(endedAt ?? '')];
  if (span.some(Number.isNaN)) throw new Error('a step without its times');
  return span;
}
