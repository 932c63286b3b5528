import { CancellationScope, condition, isCancellation, workflowInfo } from '@temporalio/workflow';
import { batchName } from '../contracts/ids';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import { now } from './clock';
import { moveBatch, waitingBatch } from './move';
import { isUnderWay, type RunBoard } from './run-board';
import type { StepContext } from './step-runner';

/** Temporal ends a run at 51,200 events. While a stuck batch keeps it from continuing as new, it must not come near that. */
const mostHistory = 30_000;

/**
 * A run's side of a time series: indices that appear while it is followed are further batches, moved as all others are. So
 * whatever counts, compares, undoes or tells of batches knows of them.
 */
export class AppearedIndices {
  /** From here on what appears gets a write block before it is moved: the source is being drained. */
  isBlocking = false;
  private readonly queue: BatchPlan[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private isServing = false;

  constructor(
    private readonly board: RunBoard,
    private readonly plan: MigrationPlan,
    private readonly follow: (batch: BatchPlan) => Promise<void>,
    /** The run is to continue as new once nothing is under way: its next execution moves what waits. */
    private readonly isHeldBack: () => boolean,
  ) {}

  /** At once: from here on an abort knows of them. */
  add(batches: readonly BatchPlan[]): BatchPlan[] {
    const { board, plan } = this;
    return batches.map((batch) => {
      const added = { ...batch, number: plan.batches.length + 1, appearedAt: now() };
      plan.batches.push(added);
      board.batches.push(waitingBatch(added));
      return added;
    });
  }

  /**
   * A catch-up that is begun anew finds once more what the one before had told of in its last moment: an index is of one
   * batch only, and the child hears of it when that has ended.
   */
  enqueue(batches: readonly BatchPlan[]): void {
    const known = new Set(this.plan.batches.flatMap(({ indices }) => indices.map(({ name }) => name)));
    const fresh = batches.flatMap((batch) => {
      const indices = batch.indices.filter(({ name }) => !known.has(name));
      const sum = (key: 'sizeBytes' | 'documents') => indices.reduce((total, index) => total + index[key], 0);
      return indices.length > 0
        ? [{ ...batch, indices, sizeBytes: sum('sizeBytes'), documents: sum('documents') }]
        : [];
    });
    this.queue.push(...this.add(fresh));
  }

  /** Of the execution before this one: what it had not begun to move. */
  resume(): void {
    const waits = ({ number }: BatchPlan) => this.board.batches[number - 1]?.state === 'waiting';
    this.queue.push(...this.plan.batches.filter((batch) => batch.appearedAt !== undefined && waits(batch)));
  }

  get isAtRest(): boolean {
    return this.underWay.size === 0;
  }

  /** Moves what is added, until the run is over: to be called within what an abort cancels. */
  serve(): void {
    if (this.isServing) return;
    this.isServing = true;
    const serving = async () => {
      for (;;) {
        await condition(() => this.canAdmit());
        const batch = this.queue.shift();
        if (batch) this.begin(batch);
      }
    };
    serving().catch(() => undefined); // ends by an abort alone
  }

  /** After an abort: what is under way must be over before anything is undone. */
  async ended(): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => this.underWay.size === 0));
  }

  /** Found by the run itself, after its drain: each is moved before this returns. */
  async take(batches: readonly BatchPlan[]): Promise<void> {
    for (const batch of this.add(batches)) await this.move(batch);
  }

  /** Blocks writes to indices of the source, so that an abort in any moment takes the block off. */
  async block(step: StepContext, { number, indices }: BatchPlan): Promise<void> {
    const { board } = this;
    const input = { run: board.run, runbook: board.runbook, step: step.id };
    const batch = board.batches[number - 1];
    const deleted = new Set(board.catchUp?.series?.deleted.map(({ index }) => index));
    const names = indices.map(({ name }) => name).filter((name) => !deleted.has(name));
    const unblocked = names.length === 0 ? [] : await step.activities.listUnblocked({ ...input, indices: names });
    // known before it is set
    if (batch) batch.writeBlocked = [...new Set([...batch.writeBlocked, ...unblocked])];
    await step.activities.setWriteBlock({ ...input, indices: unblocked });
  }

  private canAdmit(): boolean {
    const { board, queue } = this;
    if (queue.length === 0 || board.runner.isPaused) return false;
    // where what is under way waits for a person, the others do not
    const isStuck = board.runner.stuck.length > 0 || board.batches.some(({ state }) => state === 'stuck');
    if (this.isHeldBack() && (this.isAtRest || !isStuck || workflowInfo().historyLength > mostHistory)) return false;
    // as many as the runbook lets move at once; a stuck one makes room
    const moving = this.plan.batches.filter(
      ({ number, appearedAt }) => appearedAt !== undefined && board.batches[number - 1]?.state === 'running',
    );
    return moving.length < board.runbook.batches.inFlight;
  }

  private begin(batch: BatchPlan): void {
    // counted from this moment on
    this.status(batch).state = 'running';
    const work: Promise<void> = this.moveAndFollow(batch)
      .catch((error: unknown) => {
        // A batch does not fail: it is stuck until somebody decides. What is left are aborts.
        if (!isCancellation(error)) throw error;
      })
      .finally(() => this.underWay.delete(work));
    this.underWay.add(work);
  }

  private async moveAndFollow(batch: BatchPlan): Promise<void> {
    await this.move(batch);
    // a batch answers an abort, too, with how far it came
    if (!CancellationScope.current().consideredCancelled) await this.follow(batch);
  }

  private async move(batch: BatchPlan): Promise<void> {
    const { board, plan } = this;
    // before its block: an abort passes over batches that wait
    this.status(batch).state = 'running';
    if (this.isBlocking) {
      const id = `cutover/write-block/${batchName(batch.number)}`;
      await board.runner.run({ id, phase: 'cutover', title: 'write block on what has appeared' }, async (step) => {
        await this.block(step, batch);
        return { changed: true, summary: 'nothing is written to it any more', changes: [] };
      });
    }
    await moveBatch(board, plan, batch);
  }

  private status({ number }: BatchPlan) {
    return this.board.batches[number - 1]!;
  }
}

/** A batch that is being moved keeps a status of its own: what the run adds to it must wait until it has ended. */
export async function atRest(board: RunBoard, { number }: BatchPlan): Promise<void> {
  await condition(() => {
    const batch = board.batches[number - 1];
    return batch === undefined || !isUnderWay(batch);
  });
}
