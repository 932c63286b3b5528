import {
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
  CancellationScope,
} from '@temporalio/workflow';
import type { MoveBatchInput } from '../contracts/workflow-inputs';
import { batchName, copyJobId, snapshotName } from '../contracts/ids';
import type { BatchStage, BatchStatus } from '../contracts/status';
import { batchChangedSignal, decideSignal } from './messages';
import { StepRunner, type StepContext } from './step-runner';
import { workflowFailure } from './failure-info';

/** A PARTIAL snapshot is deleted and taken again; a third one in a row means that a person has to look. */
const snapshotRounds = 3;

/**
 * Moves one batch: freeze, snapshot, copy, restore, finalize, verify, clean up. A child of the run: it tells the run of
 * each step, and gets the operator's decisions from it. Its answer is its last status.
 */
export async function moveBatchWorkflow(input: MoveBatchInput): Promise<BatchStatus> {
  const batch = new Batch(input);
  setHandler(decideSignal, (message) => {
    if (message.verb === 'pause' || message.verb === 'resume') batch.runner.isPaused = message.verb === 'pause';
    else if (!batch.runner.refusal(message.verb, message.step))
      batch.runner.decide(message.verb, message.decision, message.step);
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

class Batch {
  readonly runner: StepRunner;
  readonly status: BatchStatus;
  /** Settles when the run has been told of every change so far. */
  told: Promise<void> = Promise.resolve();
  private readonly indices: string[];
  /** Its snapshot cannot be restored: kept until a new one has taken its place, over any number of retries. */
  private isSnapshotLost = false;
  /** A retry follows the snapshot that was begun; only one that was deleted makes room for the next name. */
  private needsNewSnapshot = true;

  constructor(private readonly input: MoveBatchInput) {
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
      changes: this.runner.changes,
    };
  }

  async move(): Promise<void> {
    const { runbook, copy } = this.input;
    if (this.input.again)
      await this.step('cleanup', 'remove what was restored before', (step) => this.removeRestored(step));
    if (runbook.freeze === 'beforeSnapshot')
      await this.step('freeze', 'write block on the source', (step) => this.freeze(step));
    const taken = await this.step('snapshot', 'snapshot', (step) => this.snapshot(step));
    if (!taken) return this.end();
    if (copy) await this.step('copy', 'copy the snapshot files', (step) => this.copy(step));
    await this.step('restore', 'restore', (step) => this.restore(step));
    await this.step('finalize', 'replicas and allocation', (step) =>
      step.activities.finalizeIndices({ ...this.base(step), indices: this.input.batch.indices }),
    );
    await this.step('verify', 'verify', (step) => this.verify(step));
    if (runbook.cleanup.snapshots === 'afterBatch')
      await this.step('cleanup', 'delete the snapshot', (step) => this.deleteSnapshots(step));
    this.end();
  }

  private base(step: StepContext) {
    return { run: this.input.run, runbook: this.input.runbook, step: step.id };
  }

  private step<T extends { changed?: boolean; summary?: string }>(
    stage: BatchStage,
    title: string,
    body: (step: StepContext) => Promise<T>,
  ) {
    return this.runner.run({ id: `${batchName(this.input.batch.number)}/${stage}`, phase: 'move', title }, body);
  }

  private end(): void {
    this.status.state = this.runner.differences.length > 0 ? 'done with differences' : 'done';
    this.tell();
  }

  private async freeze(step: StepContext) {
    const unblocked = await step.activities.listUnblocked({ ...this.base(step), indices: this.indices });
    // Known to the run before the block is set, so that an abort in between takes it off.
    this.status.writeBlocked = [...new Set([...this.status.writeBlocked, ...unblocked])];
    this.tell();
    return step.activities.setWriteBlock({ ...this.base(step), indices: unblocked });
  }

  private async snapshot(step: StepContext) {
    const { run, batch, repositories } = this.input;
    for (let tries = 1; ; tries += 1) {
      if (this.needsNewSnapshot)
        this.status.snapshots.push(snapshotName(run, batch.number, this.status.snapshots.length + 1));
      this.needsNewSnapshot = false;
      const snapshot = this.snapshotName();
      this.tell();
      const result = await step.activities.takeSnapshot({
        ...this.base(step),
        repository: repositories.source,
        snapshot,
        indices: this.indices,
      });
      if (result.state === 'SUCCESS') return result;
      await step.activities.deleteSnapshot({ ...this.base(step), repository: repositories.source, snapshot });
      this.needsNewSnapshot = true;
      if (tries < snapshotRounds) continue;
      throw workflowFailure({
        type: result.state === 'PARTIAL' ? 'SnapshotPartial' : 'SnapshotFailed',
        message: `${snapshotRounds} snapshots in a row came out ${result.state}; each was deleted, none restored`,
        where: `source cluster, repository ${repositories.source}`,
        why: result.failures.join('; '),
        remedy: 'bring the nodes and shards named back, look at the share on those nodes, then retry',
      });
    }
  }

  private snapshotName(): string {
    return this.status.snapshots.at(-1) ?? snapshotName(this.input.run, this.input.batch.number, 1);
  }

  private async copy(step: StepContext) {
    const { copy, run, batch } = this.input;
    if (!copy) throw new Error('a copy step without a copy plan');
    if (step.previousFailure?.type === 'SnapshotMissing') {
      this.needsNewSnapshot = true;
      await this.snapshot(step);
    }
    return step.activities.copySnapshotFiles({
      ...this.base(step),
      host: copy.host,
      // One job for each snapshot and attempt of an operator: a failed job is not found again as "ended".
      job: copyJobId(run, batch.number, this.status.snapshots.length * 100 + step.attempt),
      from: copy.from,
      to: copy.to,
      snapshot: this.snapshotName(),
      indices: this.indices,
      ...(copy.maxBytesPerSec === undefined ? {} : { maxBytesPerSec: copy.maxBytesPerSec }),
      verify: copy.verify,
    });
  }

  private async restore(step: StepContext) {
    // Restoring damaged files again fails again: the snapshot is taken, and copied, anew.
    if (step.previousFailure?.type === 'BlobCorrupted' || step.previousFailure?.type === 'SnapshotMissing')
      this.isSnapshotLost = true;
    if (this.isSnapshotLost) await this.takeAgain(step);
    return step.activities.restoreIndices({
      ...this.base(step),
      repository: this.input.repositories.target,
      snapshot: this.snapshotName(),
      indices: this.input.batch.indices,
    });
  }

  /** Deleted first: a new snapshot would take over the old one's files, damaged ones too. */
  private async takeAgain(step: StepContext): Promise<void> {
    await this.removeRestored(step);
    await this.deleteSnapshots(step);
    this.needsNewSnapshot = true;
    await this.snapshot(step);
    if (this.input.copy) await this.copy(step);
    this.isSnapshotLost = false;
  }

  private async verify(step: StepContext) {
    const { indices } = this.input.batch;
    const first = await step.activities.verifyIndices({ ...this.base(step), indices });
    if (first.differences.length === 0) return first;
    if (step.attempt > 1) {
      // A retry compares again; if they still differ, the source has moved on: the batch is taken once more.
      await this.takeAgain(step);
      await this.restore({ ...step, previousFailure: undefined });
      await step.activities.finalizeIndices({ ...this.base(step), indices });
      const second = await step.activities.verifyIndices({ ...this.base(step), indices });
      if (second.differences.length === 0) return second;
      first.differences = second.differences;
    }
    throw workflowFailure({
      type: 'VerificationFailed',
      message: `source and target differ in ${first.differences.length} ${first.differences.length === 1 ? 'place' : 'places'}`,
      where: first.differences
        .slice(0, 5)
        .map((each) => each.where)
        .join(', '),
      why: first.differences
        .slice(0, 10)
        .map((each) => `${each.where}: ${each.what}`)
        .join('\n'),
      remedy:
        'if the source was written to after its snapshot: stop the writers, then retry, which takes this batch once more; skip accepts the differences and they stand in the report',
    });
  }

  private async removeRestored(step: StepContext) {
    return step.activities.deleteRestoredIndices({ ...this.base(step), indices: this.indices });
  }

  private async deleteSnapshots(step: StepContext) {
    const { copy, repositories } = this.input;
    let outcome = { changed: false, summary: 'no snapshot is left', changes: [] as never[] } as Awaited<
      ReturnType<typeof step.activities.deleteSnapshot>
    >;
    for (const snapshot of this.status.snapshots) {
      if (copy)
        await step.activities.removeCopiedSnapshot({
          ...this.base(step),
          host: copy.host,
          location: copy.to,
          snapshot,
        });
      const deleted = await step.activities.deleteSnapshot({
        ...this.base(step),
        repository: repositories.source,
        snapshot,
      });
      if (deleted.changed) outcome = deleted;
    }
    return outcome;
  }

  /** Tells the run, one message after the other, so that an older status never overtakes a newer one. */
  private tell(): void {
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
