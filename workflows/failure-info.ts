import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/workflow';
import type { FailureInfo, FailureType } from '../contracts/failures';

/** What an operator is told of a failed step. Activities give it themselves; the rest is put into words here. */
export function failureInfoOf(error: unknown, step: string): FailureInfo {
  const cause =
    error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? (error.cause ?? error) : error;
  if (cause instanceof ApplicationFailure) {
    const info = cause.details?.[0] as Partial<FailureInfo> | undefined;
    if (info?.message && info.remedy) return info as FailureInfo;
    return {
      type: 'Unexpected',
      message: cause.message || 'an unexpected error',
      where: step,
      why: (cause.stack ?? '').slice(0, 2000),
      remedy:
        "this is most likely a defect of Shardlift: keep the worker's log; retry tries once more, skip goes on without this step",
    };
  }
  if (cause instanceof TimeoutFailure) {
    const last =
      cause.cause instanceof ApplicationFailure ? (cause.cause.details?.[0] as FailureInfo | undefined) : undefined;
    return {
      type: last?.type ?? 'Unexpected',
      message: last?.message ?? 'it did not end in time, in any attempt',
      where: last?.where ?? step,
      why: last?.why ?? `${cause.timeoutType} timeout`,
      remedy: last?.remedy ?? 'is a worker running, and does the host or cluster answer? then retry',
    };
  }
  return {
    type: 'Unexpected',
    message: cause instanceof Error ? cause.message : String(cause),
    where: step,
    remedy: "keep the worker's log; retry tries once more",
  };
}

/** A failure found by the workflow itself, such as a verification with differences: never retried without a person. */
export function workflowFailure(info: FailureInfo & { type: FailureType }): ApplicationFailure {
  return ApplicationFailure.create({ type: info.type, message: info.message, nonRetryable: true, details: [info] });
}
