import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  startChild,
} from '@temporalio/workflow';
import type { JoinedIndices } from '../contracts/catch-up';
import { batchName, catchUpWorkflowId, targetName } from '../contracts/ids';
import { workflowTypes } from '../contracts/messages';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { CatchUpStatus, SeriesStatus } from '../contracts/status';
import type { CatchUpInput } from '../contracts/workflow-inputs';
import { AppearedIndices, atRest } from './appeared-indices';
import { decideSignal, drainSignal, indicesJoinedSignal } from './messages';
import { isUnderWay, type RunBoard } from './run-board';
import type { StepContext } from './step-runner';

/** A run's side of its catch-up: begins it, waits until little is left, and has it drained for the cutover. */
export class SourceFollower {
  /** Its child has started: from here on it can be told. */
  isFollowing = false;
  private drained?: Promise<CatchUpStatus>;
  private isOver = false;
  private tellToDrain: () => Promise<void> = async () => undefined;
  private tellToPause: (isPaused: boolean) => Promise<void> = async () => undefined;
  private tellJoined: (joined: JoinedIndices) => Promise<void> = async () => undefined;
  private readonly appeared: AppearedIndices;
  /** Everything that was told as joined: a child that is begun anew meanwhile hears it again. */
  private readonly joined: JoinedIndices[] = [];

  constructor(
    private readonly board: RunBoard,
    private readonly plan: MigrationPlan,
  ) {
    this.appeared = new AppearedIndices(board, plan, (batch) => this.join(batch));
  }

  /** From the catch-up: batches that were not in the plan. */
  hasAppeared(batches: BatchPlan[]): void {
    this.appeared.enqueue(batches);
  }

  /** Returns once no more is left than the runbook allows at the cutover. The child goes on. */
  async begin(): Promise<void> {
    const { board } = this;
    const { catchUp } = board.runbook;
    if (!catchUp) return;
    await board.runner.run(
      { id: 'catch-up/begin', phase: 'catch-up', title: 'catch up with the source', isSkippable: false },
      async (step) => {
        const positions = await this.positions(step);
        this.appeared.serve();
        await this.start(positions);
        await condition(() => this.isNear() || this.hasFailed !== undefined);
        if (this.hasFailed !== undefined) throw this.hasFailed;
        return {
          changed: true,
          summary: `${board.catchUp?.lag ?? 0} operations behind after ${board.catchUp?.rounds ?? 0} rounds`,
          changes: [],
        };
      },
    );
  }

  /** Writes to the source end by a write block, unless the runbook sees to it by other means; then nothing may be left. */
  async drain(): Promise<void> {
    const { board, plan } = this;
    if (board.runbook.freeze === 'atCutover') {
      await board.runner.run(
        { id: 'cutover/write-block', phase: 'cutover', title: 'write block on the source' },
        async (step) => {
          this.appeared.isBlocking = true;
          // what appears meanwhile is among them, too, and blocked by itself
          for (const batch of plan.batches) {
            await atRest(board, batch);
            if (board.batches[batch.number - 1]?.state !== 'waiting') await this.appeared.block(step, batch);
          }
          return { changed: true, summary: 'nothing is written to the source any more', changes: [] };
        },
      );
    }
    await board.runner.run(
      {
        id: 'cutover/drain',
        phase: 'cutover',
        title: 'the last of what was written to the source',
        isSkippable: false,
      },
      async (step) => {
        if (this.hasFailed !== undefined) await this.start(await this.positions(step));
        if (board.catchUp?.state !== 'drained') await this.tellToDrain();
        // not the child's answer itself: an abort must not have to wait for that here
        await condition(() => this.isOver);
        const last = await this.drained;
        if (last?.state !== 'drained') throw this.hasFailed ?? new Error('catch-up ended before it was drained');
        await this.settle(step);
        return {
          changed: true,
          summary: `drained: ${last.written} written and ${last.deleted} deleted in all`,
          changes: [],
        };
      },
    );
  }

  /** What the indices were kept from while something was still being written to them. */
  private async settle(step: StepContext): Promise<void> {
    const { catchUp: _over, ...runbook } = this.board.runbook;
    for (const { number, indices: planned } of this.plan.batches) {
      // what an operator left out, or the source deleted before, is not there
      const { positions = [] } = this.board.batches[number - 1] ?? {};
      const indices = planned.filter(({ name }) => positions.some(({ index }) => index === name));
      if (indices.length === 0) continue;
      const input = { ...this.input(step), indices };
      await step.activities.endCatchUp(input);
      if (runbook.method !== 'snapshot') await step.activities.endLoad({ ...input, runbook });
    }
  }

  private hasFailed: Error | undefined;

  private isNear(): boolean {
    const { lag, state } = this.board.catchUp ?? { lag: null, state: 'running' };
    return state !== 'stuck' && lag !== null && lag <= (this.board.runbook.catchUp?.lagBelow ?? 0);
  }

  private input(step: StepContext) {
    const { run, runbook, owner } = this.board;
    return { run, runbook, owner, step: step.id };
  }

  /**
   * After the drain and before the comparison: an index that has come in between, such as tomorrow's at midnight. Nothing
   * follows any more, so it is blocked, as the others are, and moved.
   */
  async takeLate(step: StepContext): Promise<void> {
    const { board, plan } = this;
    if (board.runbook.catchUp?.kind !== 'time-series') return;
    const names = plan.batches.flatMap(({ indices }) => indices.map(({ name }) => name));
    const input = { ...this.input(step), followed: [], unfollowed: [], joining: names, deleted: [] };
    const { appeared } = await step.activities.readSeries(input);
    await this.appeared.take(appeared);
  }

  /** What appeared has been moved: the child follows it from where that left off. */
  private async join(batch: BatchPlan): Promise<void> {
    const { board } = this;
    const indices = batch.indices.map(({ name }) => name);
    const joined = await board.runner.run(
      { id: `catch-up/begin/${batchName(batch.number)}`, phase: 'catch-up', title: 'follow what has appeared' },
      async (step) => {
        const positions = await this.positionsOf(step, batch);
        const summary = `${positions.length} of ${indices.length} are followed: ${indices.slice(0, 5).join(', ')}`;
        return { changed: true, summary, positions };
      },
    );
    const message = { indices, positions: joined?.positions ?? [] };
    this.joined.push(message);
    // one that has ended hears nothing: the next one does
    await this.tellJoined(message).catch((error: unknown) => {
      if (isCancellation(error)) throw error;
    });
  }

  private async positions(step: StepContext) {
    const moved = this.plan.batches.filter(({ number }) => {
      const batch = this.board.batches[number - 1];
      return batch !== undefined && batch.state !== 'waiting' && !isUnderWay(batch);
    });
    return (await Promise.all(moved.map((batch) => this.positionsOf(step, batch)))).flat();
  }

  private async positionsOf(step: StepContext, batch: BatchPlan) {
    const { positions = [], refused = [] } = this.board.batches[batch.number - 1] ?? {};
    const indices = batch.indices.filter(({ name }) => positions.some(({ index }) => index === name));
    if (indices.length === 0) return [];
    const begun = await step.activities.beginCatchUp({ ...this.input(step), indices, positions });
    // of an index that lacks documents counts say nothing of deletes
    const isPartial = (name: string) => refused.some(({ index }) => index === targetName(this.board.runbook, name));
    return begun.positions.map((each) => (isPartial(each.index) ? { ...each, isPartial: true } : each));
  }

  /** What of the plan the child does not follow: on its way to be, or left out. */
  private series(positions: CatchUpInput['positions'], known: SeriesStatus | undefined) {
    const { board, plan } = this;
    const followed = new Set(positions.map(({ index }) => index));
    const isOnItsWay = ({ number }: BatchPlan) => {
      const batch = board.batches[number - 1];
      return batch !== undefined && (batch.state === 'waiting' || isUnderWay(batch));
    };
    const others = (batches: BatchPlan[]) =>
      batches.flatMap(({ indices }) => indices).filter(({ name }) => !followed.has(name));
    const joining = others(plan.batches.filter(isOnItsWay)).map(({ name, documents }) => ({ index: name, documents }));
    const unfollowed = others(plan.batches.filter((batch) => !isOnItsWay(batch))).map(({ name }) => name);
    return { joining, unfollowed, ...(known ? { status: known } : {}) };
  }

  private async start(positions: CatchUpInput['positions']): Promise<void> {
    const { board } = this;
    const { catchUp } = board.runbook;
    if (!catchUp) return;
    this.hasFailed = undefined;
    const known = board.catchUp?.series;
    const deleted = new Set(known?.deleted.map(({ index }) => index));
    delete board.catchUp;
    const series = catchUp.kind === 'time-series' ? this.series(positions, known) : undefined;
    const input: CatchUpInput = {
      run: board.run,
      runbook: board.runbook,
      owner: board.owner,
      catchUp,
      positions: positions.filter(({ index }) => !deleted.has(index)),
      ...(series ? { series } : {}),
      isPaused: board.runner.isPaused,
      isDraining: false,
    };
    const begun = board.steering;
    const child = await startChild<(input: CatchUpInput) => Promise<CatchUpStatus>>(workflowTypes.catchUp, {
      workflowId: catchUpWorkflowId(board.run),
      args: [input],
      staticSummary: 'keeps the target in step with the source',
    });
    this.isFollowing = true;
    await board.tellSince(begun, (message) => child.signal(decideSignal, message));
    this.tellToDrain = () => child.signal(drainSignal);
    this.tellToPause = (isPaused) =>
      child.signal(decideSignal, {
        verb: isPaused ? 'pause' : 'resume',
        decision: { by: board.run, reason: 'refused documents are driven again' },
      });
    this.tellJoined = (joined) => child.signal(indicesJoinedSignal, joined);
    const isAwaited = ({ indices }: JoinedIndices) =>
      series?.joining.some(({ index }) => indices.includes(index)) === true;
    for (const joined of this.joined.filter(isAwaited)) await this.tellJoined(joined);
    this.isOver = false;
    this.drained = child
      .result()
      .finally(() => (this.isOver = true))
      .then((last) => {
        board.catchUp = last;
        // somebody cancelled it: it answers all the same
        if (last.state !== 'drained') this.hasFailed = new Error('catch-up was ended before it was drained');
        return last;
      });
    // Ended from outside: who waits for it is told, and a retry begins it anew from where the batches left off.
    this.drained.catch((error: unknown) => {
      if (!isCancellation(error)) this.hasFailed = error instanceof Error ? error : new Error(String(error));
    });
  }

  /**
   * While documents are copied again no round goes on: one would take a position past a document that was deleted and
   * created anew, of which the copy still holds the earlier life, with a higher version. Rounds that come after the copy meet
   * it as a conflict, and settle it.
   */
  async held(act: () => Promise<void>): Promise<void> {
    const { board } = this;
    const isHeld = () => this.isOver || board.catchUp?.state === 'paused' || board.catchUp?.state === 'stuck';
    if (!this.isFollowing || this.isOver || board.catchUp?.state === 'drained') return act();
    await this.tellToPause(true);
    await condition(isHeld);
    try {
      await act();
    } finally {
      if (!board.runner.isPaused && !this.isOver)
        await CancellationScope.nonCancellable(() => this.tellToPause(false)).catch(() => undefined);
    }
  }

  /**
   * After an abort: what it still writes must be over before anything is undone. Cancelling a child reaches its first
   * execution only, and that has ended once it has continued as new: so the one that runs is cancelled by its id, again and
   * again, as one that is just beginning would not hear it.
   */
  async ended(): Promise<void> {
    const { drained, board } = this;
    if (drained)
      await CancellationScope.nonCancellable(async () => {
        while (!this.isOver) {
          await getExternalWorkflowHandle(catchUpWorkflowId(board.run))
            .cancel()
            .catch(() => undefined);
          await condition(() => this.isOver, '5s');
        }
        await drained.catch(() => undefined);
      });
    await this.appeared.ended();
  }
}
