import { CancellationScope, condition, workflowInfo } from '@temporalio/workflow';
import { isByField, type CatchUpPositions, type JoinedIndices } from '../contracts/catch-up';
import { batchName, targetName } from '../contracts/ids';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { CatchUpStatus } from '../contracts/status';
import type { CatchUpInput, FollowingState } from '../contracts/workflow-inputs';
import { AppearedIndices, atRest } from './appeared-indices';
import { CatchUpChild } from './catch-up-child';
import { isUnderWay, type RunBoard } from './run-board';
import type { StepContext } from './step-runner';

/** A run's side of its catch-up: begins it, waits until little is left, and has it drained for the cutover. */
export class SourceFollower {
  readonly child: CatchUpChild;
  private readonly appeared: AppearedIndices;
  /** What was told as joined since the last child was begun: one that is just starting hears it again. */
  private joined: JoinedIndices[] = [];
  /** Once it was near, it counts as caught up with. */
  private wasNear = false;
  private isDraining = false;
  private isHandingOver = false;
  /** No round may go on, whatever an operator says meanwhile. */
  isHolding = false;

  constructor(
    private readonly board: RunBoard,
    private readonly plan: MigrationPlan,
  ) {
    this.child = new CatchUpChild(board);
    this.appeared = new AppearedIndices(
      board,
      plan,
      (batch) => this.join(batch),
      () => this.isLong || this.isHandingOver,
    );
  }

  /** From the catch-up: batches that were not in the plan. */
  hasAppeared(batches: BatchPlan[]): void {
    this.appeared.enqueue(batches);
  }

  /**
   * Returns once no more is left than the runbook allows at the cutover, and the child goes on. With false once the run is to
   * continue as new; `following` says how the next execution goes on then, which begins with that.
   */
  async begin(carried?: FollowingState): Promise<boolean> {
    const { board } = this;
    let next = carried?.next;
    this.appeared.resume();
    this.wasNear = carried?.isNear ?? false;
    if (next && this.wasNear) {
      this.appeared.serve();
      await this.goOn(next).catch((error: unknown) => this.child.failedWith(error));
      return true;
    }
    const begun = await board.runner.run(
      { id: 'catch-up/begin', phase: 'catch-up', title: 'catch up with the source', isSkippable: false },
      async (step) => {
        this.appeared.serve();
        if (next) await this.goOn(next);
        else await this.start(step);
        next = undefined;
        await condition(() => this.isNear() || this.child.hasFailed !== undefined || this.mayHandOver());
        this.wasNear = this.isNear();
        const goesOn = this.wasNear || this.child.hasFailed !== undefined || !(await this.handOver());
        if (this.child.hasFailed !== undefined) throw this.child.hasFailed;
        return {
          changed: true,
          summary: `${board.catchUp?.lag ?? 0} operations behind after ${board.catchUp?.rounds ?? 0} rounds`,
          changes: [],
          goesOn,
        };
      },
    );
    return begun?.goesOn ?? true;
  }

  /** What an operator has said since the last execution ended is not in what that left. */
  private async goOn(next: CatchUpInput): Promise<void> {
    const { board } = this;
    await this.child.start({ ...next, runbook: board.runbook, isPaused: board.runner.isPaused });
    await this.tellJoinedAgain();
  }

  /** A child that had not started did not hear of them. */
  private async tellJoinedAgain(): Promise<void> {
    for (const joined of this.joined) await this.child.tellJoined(joined);
  }

  /** The run's history has grown long, and nothing is under way that the next execution could not take up. */
  mayHandOver(): boolean {
    const { board } = this;
    return this.isLong && board.catchUp?.state === 'running' && !board.runner.isPaused && this.appeared.isAtRest;
  }

  /** false where the catch-up was ended from outside meanwhile: then the run goes on as it is. */
  async handOver(): Promise<boolean> {
    this.isHandingOver = true;
    this.isHandingOver = await this.child.handOver();
    return this.isHandingOver;
  }

  /** As long as it follows, and until it is drained, the run can continue as new. */
  private get isLong(): boolean {
    const { child } = this;
    return workflowInfo().continueAsNewSuggested && child.isFollowing && !child.isOver && !this.isDraining;
  }

  get following(): FollowingState | undefined {
    const { next } = this.child;
    return next && { next, isNear: this.wasNear };
  }

  /** Writes to the source end by a write block, unless the runbook sees to it by other means; then nothing may be left. */
  async drain(): Promise<void> {
    const { board, plan } = this;
    this.isDraining = true;
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
        if (this.child.hasFailed !== undefined) await this.start(step);
        const last = await this.untilDrained(step);
        return {
          changed: true,
          summary: `drained: ${last.written} written and ${last.deleted} deleted in all`,
          changes: [],
        };
      },
    );
  }

  /**
   * For a comparison that is made once more: what the source was written since its drain, updates and deletes too. Whoever
   * wrote it may have been let in before the write block, and have come to its end after the last round.
   */
  async drainAgain(step: StepContext): Promise<void> {
    const { runbook, catchUp } = this.board;
    if (!runbook.catchUp) return;
    await this.start(step, catchUp);
    await this.untilDrained(step);
  }

  private async untilDrained(step: StepContext): Promise<CatchUpStatus> {
    const last = await this.child.drain();
    await this.settle(step);
    return last;
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
    await this.child.tellJoined(message);
  }

  private async positions(step: StepContext, moved: BatchPlan[]) {
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

  /** What of the plan the child does not follow: of these batches what was left out, and the others, on their way to be. */
  private series(positions: CatchUpPositions[], moved: readonly BatchPlan[]) {
    const known = this.board.catchUp?.series;
    const followed = new Set(positions.map(({ index }) => index));
    const others = (batches: readonly BatchPlan[]) =>
      batches.flatMap(({ indices }) => indices).filter(({ name }) => !followed.has(name));
    const onTheirWay = others(this.plan.batches.filter((batch) => !moved.includes(batch)));
    return {
      joining: onTheirWay.map(({ name, documents }) => ({ index: name, documents })),
      unfollowed: others(moved).map(({ name }) => name),
      ...(known ? { status: known } : {}),
    };
  }

  /** From where the batches have come to; @param before or from where this one had been drained. */
  private async start(step: StepContext, before?: CatchUpStatus): Promise<void> {
    const { board, plan } = this;
    const { catchUp } = board.runbook;
    if (!catchUp) return;
    // Of this moment. A batch that ends while the positions of these are asked for counts as on its way: it tells by itself.
    this.joined = [];
    const moved = plan.batches.filter(({ number }) => {
      const batch = board.batches[number - 1];
      return batch !== undefined && batch.state !== 'waiting' && !isUnderWay(batch);
    });
    const begun = await this.positions(step, moved);
    const positions = before ? goingOn(begun, before, isByField(catchUp)) : begun;
    const series = catchUp.kind === 'time-series' ? this.series(positions, moved) : undefined;
    const deleted = new Set(board.catchUp?.series?.deleted.map(({ index }) => index));
    // where it had been drained stays known, whatever becomes of the next one
    if (before) board.catchUp = { ...before, state: 'running' };
    else delete board.catchUp;
    await this.child.start({
      run: board.run,
      runbook: board.runbook,
      owner: board.owner,
      catchUp,
      positions: positions.filter(({ index }) => !deleted.has(index)),
      ...(series ? { series } : {}),
      isPaused: board.runner.isPaused,
      isDraining: false,
      ...(before ? { carried: carriedOn(before) } : {}),
    });
    await this.tellJoinedAgain();
  }

  /**
   * While documents are copied again no round goes on: one would take a position past a document that was deleted and
   * created anew, of which the copy still holds the earlier life, with a higher version. Rounds that come after the copy meet
   * it as a conflict, and settle it.
   */
  async held(act: () => Promise<void>): Promise<void> {
    const { board, child } = this;
    const isHeld = () => child.isOver || board.catchUp?.state === 'paused' || board.catchUp?.state === 'stuck';
    if (!child.isFollowing || child.isOver || board.catchUp?.state === 'drained') return act();
    this.isHolding = true;
    try {
      await child.pause(true);
      await condition(isHeld);
      await act();
    } finally {
      this.isHolding = false;
      if (!board.runner.isPaused && !child.isOver)
        await CancellationScope.nonCancellable(() => child.pause(false)).catch(() => undefined);
    }
  }

  /** After an abort: what is under way must be over before anything is undone. */
  async ended(): Promise<void> {
    await this.child.ended();
    await this.appeared.ended();
  }
}

function goingOn(begun: CatchUpPositions[], { positions = [] }: CatchUpStatus, byField: boolean): CatchUpPositions[] {
  const known = (each: CatchUpPositions) =>
    positions.find(({ index, uuid }) => index === each.index && uuid === each.uuid);
  // what was moved after the drain was never followed, and has no field where there are no numbers
  return begun.map((each) => known(each) ?? each).filter(({ field }) => !byField || field !== undefined);
}

function carriedOn({ positions: _drained, ...status }: CatchUpStatus): CatchUpStatus {
  return { ...status, state: 'running', steps: [] };
}
