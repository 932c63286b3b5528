import {
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  sleep,
  workflowInfo,
  CancellationScope,
} from '@temporalio/workflow';
import type { MoveBatchInput } from '../contracts/workflow-inputs';
import { batchName, copyJobId, snapshotName } from '../contracts/ids';
import type { BatchStage, BatchStatus, Difference } from '../contracts/status';
import { batchChangedSignal, decideSignal } from './messages';
import { StepRunner, type StepContext } from './step-runner';
import { workflowFailure } from './failure-info';
import { isRetakeSafe, verificationFailed } from './verification';

/** A PARTIAL snapshot is deleted and taken again; a third one in a row means that a person has to look. */
const snapshotRounds = 3;
/** And once more for the second pause: what fails shards (a node that restarts, an NFS client's caches) takes a while. */
const betweenRoundsMs = 10_000;

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
  /** What the last comparison found. */
  private seen: Difference[] = [];
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
      accepted: [],
      refused: [],
      changes: this.runner.changes,
    };
  }

  async move(): Promise<void> {
    const { runbook, copy } = this.input;
    if (runbook.freeze === 'beforeSnapshot')
      await this.step('freeze', 'write block on the source', (step) => this.freeze(step));
    const taken = await this.step('snapshot', 'snapshot', (step) => this.snapshot(step));
    if (!taken) {
      if (this.status.writeBlocked.length > 0)
        await this.step('freeze', 'write block off again, as nothing of it moves', (step) => this.unfreeze(step));
      return this.end();
    }
    if (copy) await this.step('copy', 'copy the snapshot files', (step) => this.copy(step));
    if (this.input.again)
      await this.step('cleanup', 'remove what was restored before', (step) => this.removeRestored(step));
    await this.step('restore', 'restore', (step) => this.restore(step));
    await this.step('finalize', 'replicas and allocation', (step) =>
      step.activities.finalizeIndices({ ...this.base(step), indices: this.input.batch.indices }),
    );
    const verified = await this.step('verify', 'verify', (step) => this.verify(step));
    if (!verified) this.status.accepted.push(...this.seen);
    if (runbook.cleanup.snapshots === 'afterBatch')
      await this.step('cleanup', 'delete the snapshot', (step) => this.deleteSnapshots(step));
    this.end();
  }

  private base(step: StepContext) {
    const { run, runbook, owner } = this.input;
    return { run, runbook, owner, step: step.id };
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

  private async unfreeze(step: StepContext) {
    const outcome = await step.activities.removeWriteBlock({ ...this.base(step), indices: this.status.writeBlocked });
    this.status.writeBlocked = [];
    return outcome;
  }

  private async snapshot(step: StepContext) {
    const { owner, batch, repositories } = this.input;
    for (let tries = 1; ; tries += 1) {
      if (this.needsNewSnapshot)
        this.status.snapshots.push(snapshotName(owner, batch.number, this.status.snapshots.length + 1));
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
      if (tries < snapshotRounds) {
        await sleep(tries * betweenRoundsMs);
        continue;
      }
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
    return this.status.snapshots.at(-1) ?? snapshotName(this.input.owner, this.input.batch.number, 1);
  }

  private async copy(step: StepContext) {
    const { copy, owner, batch } = this.input;
    if (!copy) throw new Error('a copy step without a copy plan');
    if (step.previousFailure?.type === 'SnapshotMissing') {
      this.needsNewSnapshot = true;
      await this.snapshot(step);
    }
    return step.activities.copySnapshotFiles({
      ...this.base(step),
      host: copy.host,
      // One job for each snapshot and attempt of an operator: a failed job is not found again as "ended".
      job: copyJobId(owner, batch.number, this.status.snapshots.length * 100 + step.attempt),
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
    const { type } = step.previousFailure ?? {};
    if (type === 'BlobCorrupted' || type === 'SnapshotMissing') this.isSnapshotLost = true;
    if (this.isSnapshotLost) await this.takeAgain(step, { isDamaged: true });
    return step.activities.restoreIndices({
      ...this.base(step),
      repository: this.input.repositories.target,
      snapshot: this.snapshotName(),
      indices: this.input.batch.indices,
    });
  }

  /**
   * A new snapshot, and what was restored from the old one makes room for it. Only of a source that has it all, since what
   * is deleted here may be the only copy; and the new snapshot is there before anything goes, unless the old one's files
   * are damaged: a new one would take them over.
   */
  private async takeAgain(step: StepContext, { isDamaged }: { isDamaged: boolean }): Promise<void> {
    const compared = await this.compare(step);
    if (!compared.isRetakeSafe) throw verificationFailed(compared);
    const old = [...this.status.snapshots];
    if (isDamaged) await this.deleteSnapshots(step, old);
    this.needsNewSnapshot = true;
    await this.snapshot(step);
    await this.removeRestored(step);
    if (!isDamaged) await this.deleteSnapshots(step, old);
    if (this.input.copy) await this.copy(step);
    this.isSnapshotLost = false;
  }

  private async compare(step: StepContext) {
    const found = await step.activities.verifyIndices({ ...this.base(step), indices: this.input.batch.indices });
    this.seen = found.differences;
    return { ...found, isRetakeSafe: isRetakeSafe(found) };
  }

  private async verify(step: StepContext) {
    const first = await this.compare(step);
    if (first.differences.length === 0) return first;
    // Only after a comparison that an operator has seen: the batch is then taken once more, if that can lose nothing.
    if (step.previousFailure?.type !== 'VerificationFailed' || !first.isRetakeSafe) throw verificationFailed(first);
    await this.takeAgain(step, { isDamaged: false });
    await this.restore({ ...step, previousFailure: undefined });
    await step.activities.finalizeIndices({ ...this.base(step), indices: this.input.batch.indices });
    const second = await this.compare(step);
    if (second.differences.length > 0) throw verificationFailed(second);
    return second;
  }

  private async removeRestored(step: StepContext) {
    return step.activities.deleteRestoredIndices({ ...this.base(step), indices: this.indices });
  }

  private async deleteSnapshots(step: StepContext, snapshots = this.status.snapshots) {
    const { copy, repositories } = this.input;
    let outcome = { changed: false, summary: 'no snapshot is left', changes: [] as never[] } as Awaited<
      ReturnType<typeof step.activities.deleteSnapshot>
    >;
    for (const snapshot of snapshots) {
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
