import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { JoinedIndices } from '../contracts/catch-up';
import { catchUpWorkflowId } from '../contracts/ids';
import { workflowTypes } from '../contracts/messages';
import type { CatchUpStatus } from '../contracts/status';
import type { CatchUpAnswer, CatchUpInput } from '../contracts/workflow-inputs';
import { decideSignal, drainSignal, handOverSignal, indicesJoinedSignal, retryFailedSignal } from './messages';
import type { RunBoard } from './run-board';

type Child = ChildWorkflowHandle<(input: CatchUpInput) => Promise<CatchUpAnswer>>;

/** The workflow that follows the source, as its run sees it: one after the other, if one is ended from outside. */
export class CatchUpChild {
  /** Has started: from here on it can be told. */
  isFollowing = false;
  isOver = false;
  /** It ended before its time. */
  hasFailed: Error | undefined;
  /** What the next one begins with: it stopped because it was asked to. */
  handedOver: CatchUpInput | undefined;
  private child?: Child;
  private answered?: Promise<CatchUpStatus>;
  /** Refused documents are to be driven again, and no child has heard of that. */
  private wantsRetry = false;

  constructor(private readonly board: RunBoard) {}

  async start(input: CatchUpInput): Promise<void> {
    const { board } = this;
    this.hasFailed = undefined;
    this.handedOver = undefined;
    const begun = board.steering;
    const { wantsRetry } = this;
    const child = await startChild<(input: CatchUpInput) => Promise<CatchUpAnswer>>(workflowTypes.catchUp, {
      workflowId: catchUpWorkflowId(board.run),
      args: [{ ...input, wantsRetry: input.wantsRetry === true || wantsRetry }],
      staticSummary: 'keeps the target in step with the source',
    });
    this.child = child;
    this.isFollowing = true;
    this.isOver = false;
    this.answered = child
      .result()
      .finally(() => (this.isOver = true))
      .then(({ next, ...last }) => {
        board.catchUp = last;
        this.handedOver = next;
        // somebody cancelled it: it answers all the same
        if (last.state !== 'drained' && !next) this.hasFailed = new Error('catch-up was ended before it was drained');
        return last;
      });
    // Ended from outside: who waits for it is told, and a retry begins it anew from where the batches left off.
    this.answered.catch((error: unknown) => {
      if (!isCancellation(error)) this.failedWith(error);
    });
    await board.tellSince(begun, (message) => child.signal(decideSignal, message));
    // asked for while it was starting, it has not heard of it
    if (wantsRetry) this.wantsRetry = false;
    else if (this.wantsRetry) await this.retryRefused();
  }

  /** One that has ended does not mind: the next one is told. */
  async tellJoined(joined: JoinedIndices): Promise<void> {
    await this.child?.signal(indicesJoinedSignal, joined).catch(unlessCancelled);
  }

  /** In its next round; or in the first one of the next child, where none goes on at present. */
  async retryRefused(): Promise<void> {
    this.wantsRetry = true;
    const send = () => getExternalWorkflowHandle(catchUpWorkflowId(this.board.run)).signal(retryFailedSignal);
    await send().then(
      () => (this.wantsRetry = false),
      () => undefined,
    );
  }

  /** It could not be begun: the same as if it had ended. */
  failedWith(error: unknown): void {
    if (isCancellation(error)) throw error;
    this.hasFailed = error instanceof Error ? error : new Error(String(error));
  }

  /** Answers with its last status, drained. @throws why it has ended before. */
  async drain(): Promise<CatchUpStatus> {
    if (this.board.catchUp?.state !== 'drained') await this.child?.signal(drainSignal);
    // not the child's answer itself: an abort must not have to wait for that here
    await condition(() => this.isOver);
    const last = await this.answered;
    if (last?.state !== 'drained') throw this.hasFailed ?? new Error('catch-up ended before it was drained');
    return last;
  }

  /** Has it stop after its round. false where it ended without saying how it goes on. */
  async handOver(): Promise<boolean> {
    await this.child?.signal(handOverSignal).catch(unlessCancelled);
    await condition(() => this.isOver);
    await this.answered?.catch(() => undefined);
    return this.handedOver !== undefined;
  }

  /** What goes into the next execution of the run, and into the next child with it. */
  get next(): CatchUpInput | undefined {
    const { handedOver, wantsRetry } = this;
    return handedOver && { ...handedOver, wantsRetry: handedOver.wantsRetry === true || wantsRetry };
  }

  async pause(isPaused: boolean): Promise<void> {
    await this.child?.signal(decideSignal, {
      verb: isPaused ? 'pause' : 'resume',
      decision: { by: this.board.run, reason: 'refused documents are driven again' },
    });
  }

  /**
   * After an abort: what it still writes must be over before anything is undone. Cancelling a child reaches its first
   * execution only, and that has ended once it has continued as new: so the one that runs is cancelled by its id, again and
   * again, as one that is just beginning would not hear it.
   */
  async ended(): Promise<void> {
    const { answered, board } = this;
    if (!answered) return;
    await CancellationScope.nonCancellable(async () => {
      while (!this.isOver) {
        await getExternalWorkflowHandle(catchUpWorkflowId(board.run))
          .cancel()
          .catch(() => undefined);
        await condition(() => this.isOver, '5s');
      }
      await answered.catch(() => undefined);
    });
  }
}

function unlessCancelled(error: unknown): void {
  if (isCancellation(error)) throw error;
}
