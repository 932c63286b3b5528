import {
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
  CancellationScope,
} from '@temporalio/workflow';
import type { MoveBatchInput } from '../contracts/workflow-inputs';
import { batchName } from '../contracts/ids';
import type { BatchStage, BatchStatus, Difference } from '../contracts/status';
import { batchChangedSignal, decideSignal } from './messages';
import { MoveByCopy } from './move-by-copy';
import { MoveByReindex } from './move-by-reindex';
import { MoveBySnapshot } from './move-by-snapshot';
import { StepRunner, type StepContext } from './step-runner';
import { isRetakeSafe, verificationFailed } from './verification';

/** How a batch's indices get there: all that a method has to say. */
export interface MoveMethod {
  /** false when an operator skipped what everything behind it stands on: then nothing of the batch is on the target. */
  bring(): Promise<boolean>;
  /** Once more, within the step that has found differences; only where that can lose nothing. */
  bringAgain(step: StepContext): Promise<void>;
  /** What the method itself leaves behind, once the batch is verified. */
  cleanUp(): Promise<void>;
  /** The run was paused or goes on, or its limits were changed. */
  steered?(): void;
  /** The same limits are divided among another number of batches. */
  sharedAnew?(): void;
}

/**
 * Moves one batch: freeze, bring it there by the runbook's method, finalize, verify, clean up. A child of the run: it
 * tells the run of each step, and gets the operator's decisions from it. Its answer is its last status.
 */
export async function moveBatchWorkflow(input: MoveBatchInput): Promise<BatchStatus> {
  const batch = new MoveBatch(input);
  setHandler(decideSignal, (message) => {
    const { sharedBy } = batch.input;
    if (message.sharedBy !== undefined) batch.input.sharedBy = message.sharedBy;
    if (message.verb === 'tune') {
      if (message.runbook) batch.input.runbook = message.runbook;
      if (message.runbook) batch.method.steered?.();
      else if (batch.input.sharedBy !== sharedBy) batch.method.sharedAnew?.();
      return;
    }
    if (message.verb === 'pause' || message.verb === 'resume') {
      batch.runner.isPaused = message.verb === 'pause';
      batch.method.steered?.();
    } else if (!batch.runner.refusal(message.verb, message.step)) {
      batch.runner.decide(message.verb, message.decision, message.step);
    }
  });
  try {
    await batch.move();
  } catch (error) {
    // Aborted: the run undoes what this batch did, and needs to know how far it came.
    if (!isCancellation(error)) throw error;
    batch.status.state = 'running';
  }
  await CancellationScope.nonCancellable(() => batch.told);
  return batch.status;
}

const methods = { snapshot: MoveBySnapshot, copy: MoveByCopy, 'remote-reindex': MoveByReindex };

/** What is the same for every method: state, freeze, verification, and the way to the run. */
export class MoveBatch {
  readonly runner: StepRunner;
  readonly status: BatchStatus;
  readonly indices: string[];
  readonly method: MoveMethod;
  /** Settles when the run has been told of every change so far. */
  told: Promise<void> = Promise.resolve();
  /** What the last comparison found. */
  private seen: Difference[] = [];

  constructor(readonly input: MoveBatchInput) {
    const { batch } = input;
    this.runner = new StepRunner(() => this.tell());
    this.runner.isPaused = input.isPaused;
    this.runner.changes.push(...input.changes);
    this.indices = batch.indices.map((index) => index.name);
    this.status = {
      number: batch.number,
      indices: batch.indices.length,
      sizeBytes: batch.sizeBytes,
      documents: batch.documents,
      state: 'running',
      steps: this.runner.steps,
      snapshots: [...input.snapshots],
      writeBlocked: [...input.writeBlocked],
      differences: this.runner.differences,
      accepted: [],
      refused: [],
      refusedParts: [],
      positions: [...input.positions],
      changes: this.runner.changes,
    };
    this.method = new methods[input.runbook.method](this);
  }

  async move(): Promise<void> {
    const { runbook } = this.input;
    if (runbook.freeze === 'beforeMove')
      await this.step('freeze', 'write block on the source', (step) => this.freeze(step));
    if (!(await this.method.bring())) {
      if (this.status.writeBlocked.length > 0)
        await this.step('freeze', 'write block off again, as nothing of it moves', (step) => this.unfreeze(step));
      return this.end();
    }
    await this.step('finalize', 'replicas and allocation', (step) => this.finalize(step));
    // A source that is followed is written to: it is compared once it is drained.
    if (!runbook.catchUp) {
      const verified = await this.step('verify', 'verify', (step) => this.verify(step));
      if (!verified) this.status.accepted.push(...this.seen);
    }
    await this.method.cleanUp();
    this.end();
  }

  /** What is gone from a time series: the run hears of that from its catch-up. */
  leaveOut(gone: string[]): void {
    const { input, status } = this;
    if (gone.length === 0) return;
    input.batch = { ...input.batch, indices: input.batch.indices.filter(({ name }) => !gone.includes(name)) };
    status.positions = status.positions.filter(({ index }) => !gone.includes(index));
  }

  base(step: StepContext) {
    const { run, runbook, owner } = this.input;
    return { run, runbook, owner, step: step.id };
  }

  step<T extends { changed?: boolean; summary?: string }>(
    stage: BatchStage,
    title: string,
    body: (step: StepContext) => Promise<T>,
  ) {
    return this.runner.run({ id: `${batchName(this.input.batch.number)}/${stage}`, phase: 'move', title }, body);
  }

  async compare(step: StepContext) {
    const found = await step.activities.verifyIndices({
      ...this.base(step),
      indices: this.input.batch.indices,
      refused: this.status.refused,
      ...(this.input.runbook.catchUp ? {} : { positions: this.status.positions }),
    });
    this.seen = found.differences;
    return { ...found, isRetakeSafe: isRetakeSafe(found) };
  }

  private end(): void {
    const differs = this.runner.differences.length > 0 || this.status.refused.length > 0;
    this.status.state = differs ? 'done with differences' : 'done';
    this.tell();
  }

  private async freeze(step: StepContext) {
    const unblocked = await step.activities.listUnblocked({ ...this.base(step), indices: this.indices });
    // Known to the run before the block is set, so that an abort in between takes it off.
    this.status.writeBlocked = [...new Set([...this.status.writeBlocked, ...unblocked])];
    this.tell();
    return step.activities.setWriteBlock({ ...this.base(step), indices: unblocked });
  }

  private async unfreeze(step: StepContext) {
    const outcome = await step.activities.removeWriteBlock({ ...this.base(step), indices: this.status.writeBlocked });
    this.status.writeBlocked = [];
    return outcome;
  }

  private async finalize(step: StepContext) {
    return step.activities.finalizeIndices({ ...this.base(step), indices: this.input.batch.indices });
  }

  private async verify(step: StepContext) {
    const first = await this.compare(step);
    if (first.differences.length === 0) return first;
    // Only after a comparison that an operator has seen: the batch is then taken once more, if that can lose nothing.
    if (step.previousFailure?.type !== 'VerificationFailed' || !first.isRetakeSafe) throw verificationFailed(first);
    await this.method.bringAgain(step);
    await this.finalize(step);
    const second = await this.compare(step);
    if (second.differences.length > 0) throw verificationFailed(second);
    return second;
  }

  /** Tells the run, one message after the other, so that an older status never overtakes a newer one. */
  tell(): void {
    const { parent } = workflowInfo();
    if (this.status.state === 'running' || this.status.state === 'stuck')
      this.status.state = this.runner.stuck.length > 0 ? 'stuck' : 'running';
    if (!parent) return;
    // A copy: the message must say how it was now, not when it is sent.
    const status = JSON.parse(JSON.stringify(this.status)) as BatchStatus;
    const send = () => getExternalWorkflowHandle(parent.workflowId).signal(batchChangedSignal, status);
    this.told = this.told.then(() => CancellationScope.nonCancellable(send)).catch(() => undefined);
  }
}
