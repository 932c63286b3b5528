import { ApplicationFailure } from '@temporalio/common';
import type { FailureInfo } from '../contracts/failures';

/**
 * A failure that trying again cannot mend: the step becomes stuck at once and a person decides.
 * Thrown at an activity's boundary; the info is what status, watch and the report show.
 */
export function permanent(info: FailureInfo, cause?: unknown): ApplicationFailure {
  return ApplicationFailure.create({
    type: info.type,
    message: info.message,
    nonRetryable: true,
    details: [info],
    ...causeOf(cause),
  });
}

/** A failure that may pass by itself: Temporal retries it with backoff, bounded by the activity's options. */
export function transient(info: FailureInfo, cause?: unknown): ApplicationFailure {
  return ApplicationFailure.create({
    type: info.type,
    message: info.message,
    nonRetryable: false,
    details: [info],
    ...causeOf(cause),
  });
}

/** Whether trying again would end the same. */
export function isPermanent(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.nonRetryable === true;
}

function causeOf(cause: unknown): { cause?: Error } {
  return cause instanceof Error ? { cause } : {};
}
