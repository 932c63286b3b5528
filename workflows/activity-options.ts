import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';

/**
 * Every time limit and retry bound of an activity, in one place. A preset is a time class; activities.ts says which
 * activity has which.
 *
 * All wait for a cancelled activity to end: a short change on a host is let through to its end, so that what it did is
 * known and can be undone.
 *
 * Bounds are attempts with growing pauses: about as long as a node, a share or a network takes to come back by itself.
 * After that the step is stuck and a person decides, so nothing is lost by a bound that was too small.
 */

/** Mistakes in our own code: the same again each time. */
const nonRetryableErrorTypes = ['TypeError', 'ReferenceError', 'SyntaxError', 'RangeError', 'AssertionError'];

const common = { cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED } satisfies ActivityOptions;

/** 1, 2, 4 … 30 s between attempts: 20 attempts are 8 min of pauses, more than a JVM's restart or a short network cut. */
const patient = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '30s',
  maximumAttempts: 20,
  nonRetryableErrorTypes,
} as const;

/** Reads, and changes made by one request or a few commands; 60 s is three requests that hang until their own limit. */
export const short: ActivityOptions = { ...common, startToCloseTimeout: '60s', retry: patient };

/** Activities that wait for many answers say so every 4 s (`attended`): a lost worker is noticed after this. */
const attendedTimeout = '15s';

/** Many requests in one activity, as the preflight's or a comparison's; each has its own limit, of up to some minutes. */
export const survey: ActivityOptions = {
  ...common,
  startToCloseTimeout: '60m',
  heartbeatTimeout: attendedTimeout,
  retry: patient,
};

/** Commands on every host, each with its own limit of up to some minutes; a heartbeat after each. */
export const hostSurvey: ActivityOptions = { ...survey, heartbeatTimeout: '5m' };

/** Installing a package downloads; its output is its heartbeat, and on a busy host it is silent for minutes. A failing package manager rarely mends itself: 5 attempts. */
export const install: ActivityOptions = {
  ...common,
  startToCloseTimeout: '20m',
  heartbeatTimeout: '3m',
  retry: { ...patient, maximumAttempts: 5 },
};

/**
 * Following long work that goes on by itself: a lost worker is noticed after the heartbeat timeout, and the next attempt
 * finds the work again. The heartbeat timeout is above the 20 s that one hanging request takes. Many attempts, since a
 * run of days may see many worker restarts; the follower itself gives up on work that does not move.
 */
export const follow: ActivityOptions = {
  ...common,
  startToCloseTimeout: '30d',
  heartbeatTimeout: '30s',
  retry: { ...patient, maximumAttempts: 60 },
};

/**
 * Moving documents, for as long as that takes. After the loss of a worker another one goes on from the last checkpoint; many
 * attempts, as for `follow`.
 */
export const documents: ActivityOptions = {
  ...common,
  startToCloseTimeout: '30d',
  heartbeatTimeout: attendedTimeout,
  retry: { ...patient, maximumAttempts: 60 },
};
