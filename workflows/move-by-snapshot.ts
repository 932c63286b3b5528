import { sleep } from '@temporalio/workflow';
import { copyJobId, snapshotName } from '../contracts/ids';
import type { MoveBatch, MoveMethod } from './move-batch';
import type { StepContext } from './step-runner';
import { workflowFailure } from './failure-info';
import { verificationFailed } from './verification';

/** A PARTIAL snapshot is deleted and taken again; a third one in a row means that a person has to look. */
const snapshotRounds = 3;
/** And once more for the second pause: what fails shards (a node that restarts, an NFS client's caches) takes a while. */
const betweenRoundsMs = 10_000;

/** A batch by snapshot, copied files where the target has a repository of its own, and restore. */
export class MoveBySnapshot implements MoveMethod {
  /** Its snapshot cannot be restored: kept until a new one has taken its place, over any number of retries. */
  private isSnapshotLost = false;
  /** A retry follows the snapshot that was begun; only one that was deleted makes room for the next name. */
  private needsNewSnapshot = true;

  constructor(private readonly batch: MoveBatch) {}

  async bring(): Promise<boolean> {
    const { batch } = this;
    const taken = await batch.step('snapshot', 'snapshot', (step) => this.snapshot(step));
    if (!taken) return false;
    if (batch.input.copy) await batch.step('copy', 'copy the snapshot files', (step) => this.copy(step));
    if (batch.input.again)
      await batch.step('cleanup', 'remove what was restored before', (step) => this.removeRestored(step));
    await batch.step('restore', 'restore', (step) => this.restore(step));
    return true;
  }

  async bringAgain(step: StepContext): Promise<void> {
    await this.takeAgain(step, { isDamaged: false });
    await this.restore({ ...step, previousFailure: undefined });
  }

  async cleanUp(): Promise<void> {
    if (this.batch.input.runbook.cleanup.snapshots === 'afterBatch')
      await this.batch.step('cleanup', 'delete the snapshot', (step) => this.deleteSnapshots(step));
  }

  private async snapshot(step: StepContext) {
    const { status, input } = this.batch;
    const { owner, batch, repositories } = input;
    for (let tries = 1; ; tries += 1) {
      // before it: what lies below is in the snapshot for certain
      if (this.needsNewSnapshot && (input.runbook.catchUp || status.positions.length > 0))
        status.positions = (
          await step.activities.readPositions({ ...this.batch.base(step), indices: batch.indices })
        ).positions;
      if (this.needsNewSnapshot) status.snapshots.push(snapshotName(owner, batch.number, status.snapshots.length + 1));
      this.needsNewSnapshot = false;
      const snapshot = this.snapshotName();
      this.batch.tell();
      const result = await step.activities.takeSnapshot({
        ...this.batch.base(step),
        repository: repositories.source,
        snapshot,
        indices: this.batch.indices,
      });
      if (result.state === 'SUCCESS') return result;
      await step.activities.deleteSnapshot({ ...this.batch.base(step), repository: repositories.source, snapshot });
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
    const { status, input } = this.batch;
    return status.snapshots.at(-1) ?? snapshotName(input.owner, input.batch.number, 1);
  }

  private async copy(step: StepContext) {
    const { copy, owner, batch } = this.batch.input;
    if (!copy) throw new Error('a copy step without a copy plan');
    if (step.previousFailure?.type === 'SnapshotMissing') {
      this.needsNewSnapshot = true;
      await this.snapshot(step);
    }
    return step.activities.copySnapshotFiles({
      ...this.batch.base(step),
      host: copy.host,
      // One job for each snapshot and attempt of an operator: a failed job is not found again as "ended".
      job: copyJobId(owner, batch.number, this.batch.status.snapshots.length * 100 + step.attempt),
      from: copy.from,
      to: copy.to,
      snapshot: this.snapshotName(),
      indices: this.batch.indices,
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
      ...this.batch.base(step),
      repository: this.batch.input.repositories.target,
      snapshot: this.snapshotName(),
      indices: this.batch.input.batch.indices,
    });
  }

  /**
   * A new snapshot, and what was restored from the old one makes room for it. Only of a source that has it all, since what
   * is deleted here may be the only copy; and the new snapshot is there before anything goes, unless the old one's files
   * are damaged: a new one would take them over.
   */
  private async takeAgain(step: StepContext, { isDamaged }: { isDamaged: boolean }): Promise<void> {
    const compared = await this.batch.compare(step);
    if (!compared.isRetakeSafe) throw verificationFailed(compared);
    const old = [...this.batch.status.snapshots];
    if (isDamaged) await this.deleteSnapshots(step, old);
    this.needsNewSnapshot = true;
    await this.snapshot(step);
    await this.removeRestored(step);
    if (!isDamaged) await this.deleteSnapshots(step, old);
    if (this.batch.input.copy) await this.copy(step);
    this.isSnapshotLost = false;
  }

  private async removeRestored(step: StepContext) {
    return step.activities.deleteRestoredIndices({ ...this.batch.base(step), indices: this.batch.indices });
  }

  private async deleteSnapshots(step: StepContext, snapshots = this.batch.status.snapshots) {
    const { copy, repositories } = this.batch.input;
    let outcome = { changed: false, summary: 'no snapshot is left', changes: [] as never[] } as Awaited<
      ReturnType<typeof step.activities.deleteSnapshot>
    >;
    for (const snapshot of snapshots) {
      if (copy)
        await step.activities.removeCopiedSnapshot({
          ...this.batch.base(step),
          host: copy.host,
          location: copy.to,
          snapshot,
        });
      const deleted = await step.activities.deleteSnapshot({
        ...this.batch.base(step),
        repository: repositories.source,
        snapshot,
      });
      if (deleted.changed) outcome = deleted;
    }
    return outcome;
  }
}
