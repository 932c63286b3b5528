import { CancellationScope, condition, isCancellation, startChild } from '@temporalio/workflow';
import { catchUpWorkflowId, targetName } from '../contracts/ids';
import { workflowTypes } from '../contracts/messages';
import type { BatchPlan, MigrationPlan } from '../contracts/plan';
import type { CatchUpStatus } from '../contracts/status';
import type { CatchUpInput } from '../contracts/workflow-inputs';
import { decideSignal, drainSignal } from './messages';
import type { RunBoard } from './run-board';
import type { StepContext } from './step-runner';

/** A run's side of its catch-up: begins it, waits until little is left, and has it drained for the cutover. */
export class SourceFollower {
  /** Its child has started: from here on it can be told. */
  isFollowing = false;
  private drained?: Promise<CatchUpStatus>;
  private tellToDrain: () => Promise<void> = async () => undefined;

  constructor(
    private readonly board: RunBoard,
    private readonly plan: MigrationPlan,
  ) {}

  /** Returns once no more is left than the runbook allows at the cutover. The child goes on. */
  async begin(): Promise<void> {
    const { board } = this;
    const { catchUp } = board.runbook;
    if (!catchUp) return;
    await board.runner.run(
      { id: 'catch-up/begin', phase: 'catch-up', title: 'catch up with the source', isSkippable: false },
      async (step) => {
        const positions = await this.positions(step);
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
          const input = { run: board.run, runbook: board.runbook, step: step.id };
          for (const { number, indices } of plan.batches) {
            const batch = board.batches[number - 1];
            const names = indices.map(({ name }) => name);
            const unblocked = await step.activities.listUnblocked({ ...input, indices: names });
            // known before it is set, so that an abort in between takes it off
            if (batch) batch.writeBlocked = [...new Set([...batch.writeBlocked, ...unblocked])];
            await step.activities.setWriteBlock({ ...input, indices: unblocked });
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
    for (const { indices } of this.plan.batches) {
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

  private async positions(step: StepContext) {
    const begun = this.plan.batches.map(async (batch: BatchPlan) => {
      const { positions = [], refused = [] } = this.board.batches[batch.number - 1] ?? {};
      const indices = batch.indices.filter(({ name }) => positions.some(({ index }) => index === name));
      if (indices.length === 0) return [];
      const begun = await step.activities.beginCatchUp({ ...this.input(step), indices, positions });
      // of an index that lacks documents counts say nothing of deletes
      const isPartial = (name: string) => refused.some(({ index }) => index === targetName(this.board.runbook, name));
      return begun.positions.map((each) => (isPartial(each.index) ? { ...each, isPartial: true } : each));
    });
    return (await Promise.all(begun)).flat();
  }

  private async start(positions: CatchUpInput['positions']): Promise<void> {
    const { board } = this;
    const { catchUp } = board.runbook;
    if (!catchUp) return;
    this.hasFailed = undefined;
    delete board.catchUp;
    const input: CatchUpInput = {
      run: board.run,
      runbook: board.runbook,
      owner: board.owner,
      catchUp,
      positions,
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
    this.drained = child.result().then((last) => {
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

  /** After an abort: what it still writes must be over before anything is undone. */
  async ended(): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      await this.drained?.catch(() => undefined);
    });
  }
}
