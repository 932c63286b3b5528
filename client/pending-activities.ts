import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { FailureInfo } from '../contracts/failures';
import type { Progress } from '../contracts/status';
import type { PendingActivity, Retrying } from './live-status';
import { decodePayload } from './payloads';

type Raw = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];
type RawFailure = NonNullable<Raw['lastFailure']>;

/** PENDING_ACTIVITY_STATE_STARTED: the enum itself would load all of Temporal's protocol. */
const started: number = 2;

/** Reads what a run's description says of its activities under way. */
export async function pendingActivities(
  client: Client,
  description: WorkflowExecutionDescription,
): Promise<PendingActivity[]> {
  return Promise.all(
    (description.raw.pendingActivities ?? []).map(async (raw) => ({
      step: stepOf(raw.activityId ?? ''),
      progress: progressOf(await decodePayload(client, raw.heartbeatDetails?.payloads?.[0])),
      retrying: await retryingOf(client, raw),
    })),
  );
}

/** An activity's id is its step's, with `#n` behind it where a step runs several. */
export function stepOf(activityId: string): string {
  return activityId.split('#', 1)[0] ?? activityId;
}

async function retryingOf(client: Client, raw: Raw): Promise<Retrying | undefined> {
  const attempt = raw.attempt ?? 1;
  if (attempt < 2 || !raw.lastFailure) return undefined;
  const waits = Number(raw.state) !== started && raw.nextAttemptScheduleTime;
  return {
    attempt,
    lastFailure: words(raw.lastFailure),
    failure: await failureInfo(client, raw.lastFailure),
    ...(waits
      ? { nextAttemptAt: new Date(Number(raw.nextAttemptScheduleTime?.seconds ?? 0) * 1000).toISOString() }
      : {}),
  };
}

/** The outer failure often only says that an activity failed; the cause says why. */
function words(failure: RawFailure): string {
  const messages: string[] = [];
  for (let each: RawFailure | null | undefined = failure; each && messages.length < 5; each = each.cause) {
    if (each.message && !messages.includes(each.message)) messages.push(each.message);
  }
  return messages.join(': ') || 'failed without a message';
}

async function failureInfo(client: Client, failure: RawFailure): Promise<FailureInfo | undefined> {
  const info = await decodePayload(client, failure.applicationFailureInfo?.details?.payloads?.[0]);
  return isRecord(info) && typeof info['remedy'] === 'string' && typeof info['where'] === 'string'
    ? (info as unknown as FailureInfo)
    : undefined;
}

/** Heartbeats come from whatever worker version runs: what does not look like progress is left out, not shown wrong. */
function progressOf(details: unknown): Progress | undefined {
  if (!isRecord(details)) return undefined;
  const { done, total, unit } = details;
  return typeof done === 'number' && typeof total === 'number' && typeof unit === 'string'
    ? (details as unknown as Progress)
    : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
