import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { batchWorkflowId, catchUpWorkflowId } from '../contracts/ids';
import { queries } from '../contracts/messages';
import { phases, type CatchUpStatus, type Phase, type RunState, type RunStatus } from '../contracts/status';
import { hasWorker, type Temporal } from './connection';
import { explainError, noWorker } from './explain-error';
import { overlay, type LiveStatus, type PendingActivity } from './live-status';
import { pendingActivities } from './pending-activities';

/**
 * A query is answered from memory at once, but when a worker was killed Temporal gives the next one its runs only after
 * 10 s: until then nobody answers, though all is well.
 */
const queryTimeoutMs = 13_000;
/** Only when a query takes longer than this is it worth asking whether anybody is there. */
const usualAnswerMs = 1_000;

/**
 * The one way in which the command line learns how a run is: `status`, `watch`, the report and every decision use it.
 * @throws WorkflowNotFoundError when there is no such run.
 */
export async function readStatus(temporal: Temporal, run: string): Promise<LiveStatus> {
  const description = await temporal.client.workflow.getHandle(run).describe();
  const open = isOpen(description);
  if (!open) {
    const status = await statusAtEnd(temporal, run, description);
    if (status !== undefined) return overlay(status, []);
  }
  const answer = await askOrGiveUp(temporal, description);
  if ('error' in answer) return describedOnly(temporal, description, answer.error);
  if (!open) return overlay({ ...answer.status, ...(await endOf(temporal, run, description, answer.status)) }, []);
  const [pending, ofChildren, catchUp] = await Promise.all([
    pendingActivities(temporal.client, description),
    pendingOfChildren(temporal, run, answer.status),
    catchUpNow(temporal, run, answer.status),
  ]);
  const status = catchUp ? { ...answer.status, catchUp } : answer.status;
  return overlay(status, [...pending, ...ofChildren]);
}

/** The run hears of its catch-up only when that changes its state: how far it is, the child itself says. */
async function catchUpNow(temporal: Temporal, run: string, { catchUp }: RunStatus): Promise<CatchUpStatus | undefined> {
  if (!catchUp || catchUp.state === 'drained') return undefined;
  const { connection, client } = temporal;
  try {
    return await connection.withDeadline(Date.now() + usualAnswerMs, () =>
      client.workflow.getHandle(catchUpWorkflowId(run)).query<CatchUpStatus>(queries.catchUp),
    );
  } catch {
    // just ended, or nobody to ask: what the run was told last is shown
    return undefined;
  }
}

type Answer = { status: RunStatus } | { error: unknown };

async function askOrGiveUp(temporal: Temporal, description: WorkflowExecutionDescription): Promise<Answer> {
  const enough = new AbortController();
  const asked = askForStatus(temporal, description.workflowId, enough.signal).then(
    (status) => ({ status }),
    (error: unknown) => ({ error }),
  );
  try {
    return await Promise.race([asked, nobodyToAsk(temporal, description, enough.signal)]);
  } finally {
    // A query that nobody waits for any more would be tried again on a connection that is closed by then.
    enough.abort();
  }
}

/** Answers only when no worker is there to answer the query: then there is nothing to wait for. */
async function nobodyToAsk(
  temporal: Temporal,
  description: WorkflowExecutionDescription,
  enough: AbortSignal,
): Promise<{ error: unknown }> {
  await sleep(usualAnswerMs, undefined, { signal: enough }).catch(() => undefined);
  if (!enough.aborted && (await hasWorker(temporal, Date.now(), description.taskQueue)) === false) {
    return { error: new Error('no worker') };
  }
  return new Promise(() => undefined);
}

function isOpen(description: WorkflowExecutionDescription): boolean {
  // CONTINUED_AS_NEW can be seen for the moment between two links of the chain.
  return ['RUNNING', 'PAUSED', 'CONTINUED_AS_NEW'].includes(description.status.name);
}

async function askForStatus(temporal: Temporal, run: string, enough: AbortSignal): Promise<RunStatus> {
  const { connection, client } = temporal;
  return connection.withAbortSignal(enough, () =>
    connection.withDeadline(Date.now() + queryTimeoutMs, () =>
      client.workflow.getHandle(run).query<RunStatus>(queries.status),
    ),
  );
}

/** Batches are workflows of their own: what they do right now is in their descriptions. */
async function pendingOfChildren(temporal: Temporal, run: string, status: RunStatus): Promise<PendingActivity[]> {
  const running = status.batches.filter((batch) => batch.state === 'running');
  const children = running.map(({ number }) => batchWorkflowId(run, number));
  if (status.catchUp && status.catchUp.state !== 'drained') children.push(catchUpWorkflowId(run));
  const found = await Promise.all(
    children.map(async (child) => {
      try {
        return await pendingActivities(temporal.client, await temporal.client.workflow.getHandle(child).describe());
      } catch {
        // It ended, or is just being started: then it has no progress to show.
        return [];
      }
    }),
  );
  return found.flat();
}

/** A run that ended by itself answers its last status as its result: no worker is needed to read it. */
async function statusAtEnd(
  temporal: Temporal,
  run: string,
  description: WorkflowExecutionDescription,
): Promise<RunStatus | undefined> {
  if (description.status.name !== 'COMPLETED') return undefined;
  try {
    const result: unknown = await temporal.client.workflow.getHandle(run, description.runId).result();
    return isRunStatus(result) ? result : undefined;
  } catch {
    return undefined;
  }
}

function isRunStatus(value: unknown): value is RunStatus {
  return typeof value === 'object' && value !== null && 'run' in value && 'state' in value && 'batches' in value;
}

/** A run that was ended from outside never got to say so itself. */
async function endOf(
  temporal: Temporal,
  run: string,
  description: WorkflowExecutionDescription,
  status: RunStatus,
): Promise<Pick<RunStatus, 'state' | 'now' | 'endedAt'>> {
  const endedAt = status.endedAt ?? description.closeTime?.toISOString();
  if (description.status.name === 'COMPLETED') return { state: status.state, now: status.now, endedAt };
  return { state: stateByDescription(description), now: await whyEnded(temporal, run, description), endedAt };
}

async function whyEnded(temporal: Temporal, run: string, description: WorkflowExecutionDescription): Promise<string> {
  const how = description.status.name.toLowerCase().replaceAll('_', ' ');
  try {
    await temporal.client.workflow.getHandle(run, description.runId).result();
    return `the workflow ${how}`;
  } catch (error) {
    return `the workflow ${how} in Temporal: ${explainError(error).message}`;
  }
}

function stateByDescription(description: WorkflowExecutionDescription): RunState {
  const said = memo(description, 'state') as RunState | undefined;
  switch (description.status.name) {
    case 'COMPLETED':
      return said ?? 'completed';
    case 'CANCELLED':
      return 'aborted';
    case 'FAILED':
    case 'TERMINATED':
    case 'TIMED_OUT':
      return 'failed';
    default:
      return said ?? 'running';
  }
}

/** What a run says of itself in its memo: readable without a worker. */
export function memo(info: Pick<WorkflowExecutionDescription, 'memo'>, name: 'state' | 'phase'): string | undefined {
  const value = info.memo?.[name];
  return typeof value === 'string' ? value : undefined;
}

/** When no worker answers, Temporal itself still knows that the run is there, and how its activities fare. */
async function describedOnly(
  temporal: Temporal,
  description: WorkflowExecutionDescription,
  error: unknown,
): Promise<LiveStatus> {
  const polled = await hasWorker(temporal, Date.now(), description.taskQueue);
  const open = isOpen(description);
  const why =
    polled === true
      ? `the worker does not answer: ${explainError(error).message}`
      : `no worker polls the task queue "${description.taskQueue}": the run waits unharmed, and goes on when one does`;
  const remedy = polled === true ? "look into the worker's log" : noWorker;
  const phase = memo(description, 'phase');
  const pending = await pendingActivities(temporal.client, description);
  return {
    run: description.workflowId,
    kind: 'Migration',
    state: stateByDescription(description),
    phase: phases.find((each): each is Phase => each === phase) ?? 'preflight',
    isPaused: false,
    now: open ? why : await whyEnded(temporal, description.workflowId, description),
    startedAt: description.startTime.toISOString(),
    ...(description.closeTime ? { endedAt: description.closeTime.toISOString() } : {}),
    steps: pending.map((each) => ({
      id: each.step,
      phase: phases.find((name) => name === each.step.split('/')[0]) ?? 'move',
      title: each.step,
      state: 'running',
      attempt: 1,
      progress: each.progress,
      retrying: each.retrying,
    })),
    batches: [],
    gates: [],
    decisions: [],
    totals: { bytes: 0, bytesDone: 0, documents: 0, documentsDone: 0, indices: 0, indicesDone: 0 },
    differences: [],
    checks: [],
    changes: [],
    warnings: [`${why}. What follows is only what Temporal itself knows. Remedy: ${remedy}`],
  };
}
