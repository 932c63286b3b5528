/** Names of the messages between the command line and a run, and between a run and its batches. The wire names. */

/** Updates: a validator may refuse them, with words for the operator. */
export const updates = {
  approve: 'approve',
  reject: 'reject',
  pause: 'pause',
  resume: 'resume',
  retry: 'retry',
  skip: 'skip',
  /** Documents that the target refused are driven again. */
  retryFailed: 'retryFailed',
  /** New limits for what moves documents. */
  tune: 'tune',
  abort: 'abort',
} as const;

export const queries = {
  /** RunStatus. */
  status: 'status',
  /** MigrationPlan, once made. */
  plan: 'plan',
  /** CatchUpStatus, of the child that follows the source. */
  catchUp: 'catchUp',
} as const;

export const signals = {
  /** Batch to run: BatchStatus, whenever a step of it changes. */
  batchChanged: 'batchChanged',
  /** Run to batch: a decision about one of its steps. */
  decide: 'decide',
  /** Catch-up to run: CatchUpStatus, when its state changes. */
  catchUpChanged: 'catchUpChanged',
  /** Catch-up to run: batches of indices that appeared on the source. Nothing of them is made before it is there. */
  indicesAppeared: 'indicesAppeared',
  /** Run to catch-up: what appeared has been moved, and is to be followed from these positions. */
  indicesJoined: 'indicesJoined',
  /** Run to catch-up: the source is written to no more, end when all of it is there. */
  drain: 'drain',
  /** Run to catch-up: the run continues as new. End after this round, and say how the next catch-up goes on. */
  handOver: 'handOver',
  /** Run to catch-up: the next round drives the documents again that the target refused. */
  retryFailed: 'retryFailed',
} as const;

/** Registered workflow types. Never renamed: stored runs name them. */
export const workflowTypes = {
  migration: 'migrationWorkflow',
  moveBatch: 'moveBatchWorkflow',
  /** Follows a live source: a child of the run, for days. */
  catchUp: 'catchUpWorkflow',
  /** Checks and plan, changing nothing: `shardlift plan` and `doctor`. */
  plan: 'planWorkflow',
} as const;

/** Task queue unless configured otherwise. */
export const defaultTaskQueue = 'shardlift';
