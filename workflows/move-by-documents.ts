import { CancellationScope, CancelledFailure, condition, isCancellation } from '@temporalio/workflow';
import { isByField } from '../contracts/catch-up';
import type { CopyTotals, ShardPositions } from '../contracts/document-activities';
import { mergeCauses } from '../contracts/refusals';
import { failureInfoOf } from './failure-info';
import type { RefusalCause } from '../contracts/status';
import type { MoveBatch, MoveMethod } from './move-batch';
import type { StepContext } from './step-runner';

/** The run hears of progress so many times in a batch: each time is a signal in its history. */
const timesTold = 20;
/** They stand in the status, which every step of the batch tells. */
const mostRefusedParts = 100;

export interface PartPlan<Part> {
  parts: Part[];
  /** Where catch-up takes over. */
  positions: ShardPositions[];
}

export interface PartResult extends Omit<CopyTotals, 'bytes'> {
  isDone: boolean;
}

/** What an activity answers of the parts that it was given: of those that it began, in their order. */
export interface PartsResult<Result> {
  parts: Result[];
  causes: RefusalCause[];
}

/** A part and how far it has come, over any number of attempts, pauses and retries. */
interface PartWork<Part> {
  part: Part;
  isDone: boolean;
}

/** A batch document by document: empty indices, then their documents in parts, each part an activity, or several small ones. */
export abstract class MoveByDocuments<
  Part extends { index: string; uuid: string; documents: number; replaces?: boolean },
  Result extends PartResult,
> implements MoveMethod {
  /** Activities under way, so that a pause or new limits reach them: each ends where it can go on, and is begun again. */
  private readonly underWay = new Map<CancellationScope, Part[]>();
  private works?: PartWork<Part>[];
  /** Those that are not done, as activities take them. */
  private groups: PartWork<Part>[][] = [];
  /** Where its documents stand once all parts are done. */
  private reached?: ShardPositions[];
  /** Only these, and what was written since. Whoever asks for them names parts of this method. */
  private refusedParts: Part[] | undefined;
  /** The batch was moved before, as a whole or not. */
  private isAgain: boolean;

  constructor(protected readonly batch: MoveBatch) {
    this.refusedParts = batch.input.refusedParts as Part[] | undefined;
    this.isAgain = batch.input.again === true;
  }

  /** Most activities under way at once. */
  protected abstract get inFlight(): number;
  protected abstract planParts(step: StepContext): Promise<PartPlan<Part>>;
  protected abstract move(step: StepContext, parts: Part[]): Promise<PartsResult<Result>>;
  /** Whether a part that is told to stop goes on from there, and not from its beginning. */
  protected abstract canGoOn(part: Part): boolean;
  /** What is left of a part that was told to stop. */
  protected abstract rest(part: Part, result: Result): Part;
  /** And what of it has been gone through. */
  protected abstract covered(part: Part, result: Result): Part;
  /** Whether sequence numbers tell what of it was written later than something else. */
  protected abstract hasNumbers(part: Part): boolean;
  /** Of a part what lies above these positions, if anything does. */
  protected abstract since(part: Part, positions: ShardPositions): Part | undefined;

  async bring(): Promise<boolean> {
    const { batch } = this;
    const created = await batch.step('create', 'settings and mappings', (step) =>
      step.activities.createIndices(this.input(step)),
    );
    if (!created) return false;
    const { gone = [] } = created;
    // moved before, and perhaps not whole
    const known = new Set(batch.status.positions.map(({ index }) => index));
    if (batch.input.again) this.tellGone(gone.filter((index) => known.has(index)));
    batch.leaveOut(gone);
    if (batch.input.batch.indices.length === 0) return false;
    await batch.step('documents', 'documents', (step) => this.moveAll(step));
    return batch.input.batch.indices.length > 0;
  }

  /** Documents that are there already are found by their versions, so this only adds what is missing, and what was written since. */
  async bringAgain(step: StepContext): Promise<void> {
    delete this.works;
    this.refusedParts = undefined;
    this.isAgain = true;
    // makes nothing anew, but has indices take documents as they are once more
    await step.activities.createIndices(this.input(step));
    await this.moveAll(step);
  }

  async cleanUp(): Promise<void> {
    // it leaves nothing but the indices
  }

  /** Parts that can be taken up where they are end, and are begun again under what counts now. */
  steered(): void {
    for (const scope of this.underWay.keys()) scope.cancel();
  }

  /**
   * Only parts that lose nothing by it. What would begin from its beginning keeps the share that it began with, however often
   * other batches and parts begin and end: a large one might never come to its end otherwise. What begins beside it has its
   * share of the limits as they are divided then, so that for a while the sum may be above them; and below them once others are
   * over. A source is of one kind: some part of a group says it of all.
   */
  sharedAnew(): void {
    for (const [scope, parts] of this.underWay) if (parts.some((part) => this.canGoOn(part))) scope.cancel();
  }

  /** Activities that go at once from now on, as far as it can be told. */
  protected get atOnce(): number {
    return Math.min(this.inFlight, this.groups.filter(isLeft).length);
  }

  protected get refusedSoFar(): number {
    return this.batch.status.refused.reduce((sum, { count }) => sum + count, 0);
  }

  /** Which of these one activity takes. */
  protected grouped<Each extends { part: Part }>(works: readonly Each[]): Each[][] {
    return works.map((work) => [work]);
  }

  /** An activity has come to its end. */
  protected ended(): void {
    // of interest where limits are divided among parts
  }

  protected input(step: StepContext) {
    return { ...this.batch.base(step), indices: this.batch.input.batch.indices };
  }

  /** Where catch-up begins if it goes by a field: asked before the parts are cut, which then hold all that lies below. */
  private async positionsByField(step: StepContext): Promise<ShardPositions[] | undefined> {
    if (!isByField(this.batch.input.runbook.catchUp)) return undefined;
    return (await step.activities.readPositions(this.input(step))).positions;
  }

  private async moveAll(step: StepContext) {
    for (;;) {
      try {
        return await this.movePresent(step);
      } catch (error) {
        if (isCancellation(error) || !(await this.leavesOutGone(step, error))) throw error;
      }
    }
  }

  /** An index of a time series that retention took while it was being moved: the others go on where they are. */
  private async leavesOutGone(step: StepContext, error: unknown): Promise<boolean> {
    const { batch } = this;
    if (batch.input.runbook.catchUp?.kind !== 'time-series') return false;
    if (failureInfoOf(error, step.id).type !== 'IndexMissing') return false;
    const { gone = [] } = await step.activities.createIndices(this.input(step));
    batch.leaveOut(gone);
    this.tellGone(gone);
    for (const work of this.works ?? []) if (gone.includes(work.part.index)) work.isDone = true;
    return gone.length > 0;
  }

  private tellGone(indices: readonly string[]): void {
    this.batch.runner.differences.push(
      ...indices.map((index) => ({
        where: `index ${index}`,
        what: 'it was deleted on the source while it was being moved: the target has a part of it at most; delete it there if it is not wanted',
      })),
    );
  }

  private async movePresent(step: StepContext) {
    const { status, input } = this.batch;
    if (!this.works) {
      const ofField = await this.positionsByField(step);
      const plan = await this.planParts(step);
      const { parts } = plan;
      const positions = ofField ?? plan.positions;
      const wanted = this.refusedParts ? this.again(this.refusedParts, parts, positions) : this.movedAgain(parts);
      this.works = wanted.map((part) => ({ part, isDone: false }));
      status.refused = [];
      status.refusedParts = [];
      const before = (this.refusedParts && this.batch.input.moved) ?? {
        parts: 0,
        partsDone: 0,
        written: 0,
        superseded: 0,
      };
      status.moved = { ...before, parts: before.parts + wanted.length };
      const known = earlier(positions, status.positions);
      this.reached = input.runbook.catchUp ? known : positions;
      // What lies between is not there yet: who begins this anew must begin from where it was, and who compares must see it.
      if (!this.refusedParts) status.positions = known;
    }
    const total = { written: 0, superseded: 0, refused: 0 };
    await this.replacing(step, this.works, (works) => this.moveParts(step, works, total));
    const present = new Set(input.batch.indices.map(({ name }) => name));
    if (this.reached) status.positions = this.reached.filter(({ index }) => present.has(index));
    // Before the step counts as done: with an async translog only this puts the documents on disk.
    await step.activities.endLoad(this.input(step));
    const also = [
      total.superseded > 0 ? `, ${total.superseded} were there already` : '',
      total.refused > 0 ? `, ${total.refused} refused by the target` : '',
    ].join('');
    const parts = this.works.length === 1 ? '1 part' : `${this.works.length} parts`;
    return { changed: true, summary: `${total.written} documents written in ${parts}${also}` };
  }

  /**
   * Refused parts and what was written since, of indices that are still the same; of others all. Where every write is
   * followed, that brings the rest.
   */
  private again(refused: readonly Part[], planned: readonly Part[], now: readonly ShardPositions[]): Part[] {
    const isFollowed = this.batch.input.runbook.catchUp !== undefined;
    const before = new Map(this.batch.status.positions.map((position) => [position.index, position]));
    const uuids = new Map(now.map(({ index, uuid }) => [index, uuid]));
    const later = planned.flatMap((part) => {
      const position = before.get(part.index);
      if (position?.uuid !== part.uuid) return [isFollowed ? part : anew(part)];
      const left = isFollowed ? undefined : this.since(part, position);
      return left ? [anew(left)] : [];
    });
    const same = refused.filter(({ index, uuid }) => (uuids.get(index) ?? uuid) === uuid);
    return [...same.flatMap((part) => this.apartFrom(part, later) ?? []), ...later];
  }

  /**
   * All once more. Up to the positions of the earlier move the target has what the source has, or lacks it. Above, a document
   * may have been deleted and created again, which begins at version 1 anew: by versions the target would keep the body of the
   * earlier life, and counts would be equal. Where every write is followed the catch-up meets it.
   */
  private movedAgain(planned: readonly Part[]): Part[] {
    const { status, input } = this.batch;
    if (!this.isAgain || input.runbook.catchUp) return [...planned];
    return planned.flatMap((part) => {
      const position = status.positions.find(({ index, uuid }) => index === part.index && uuid === part.uuid);
      if (!position || !this.hasNumbers(part)) return [anew(part)];
      const later = this.since(part, position);
      if (!later) return [part];
      const below = this.apartFrom(part, [later]);
      return [...(below ? [below] : []), anew(later)];
    });
  }

  /**
   * With parts that replace the target forgets deletes at once meanwhile: what is deleted for a lower version could not be
   * written otherwise. After a failure in between the next attempt puts that back, and an abort deletes the indices.
   */
  private async replacing(
    step: StepContext,
    works: PartWork<Part>[],
    act: (works: PartWork<Part>[]) => Promise<void>,
  ): Promise<void> {
    if (!works.some(({ part }) => part.replaces === true)) return act(works);
    await step.activities.beginCatchUp({ ...this.input(step), positions: this.batch.status.positions });
    await act(works);
    await step.activities.endCatchUp(this.input(step));
  }

  /** Of what has been gone through that in which documents were refused: all of it, unless it is known better. */
  protected refusedIn(part: Part, result: Result): Part[] {
    return [result.isDone ? part : this.covered(part, result)];
  }

  /** Refused parts: no more than so many, as far as parts can be joined; what is read again for it is found to be there. */
  protected joined(parts: readonly Part[], _most: number): Part[] {
    return [...parts];
  }

  /** What of a part the others do not have: a document that is refused twice would be counted twice. */
  protected apartFrom(part: Part, _others: readonly Part[]): Part | undefined {
    return part;
  }

  private count({ written, superseded, isDone }: Result): void {
    const { moved } = this.batch.status;
    if (!moved) return;
    moved.written += written;
    moved.superseded += superseded;
    if (isDone) moved.partsDone += 1;
  }

  /** Where the target refused documents. Too many places that cannot be joined are not kept: then all is moved again. */
  private keepRefused(parts: readonly Part[]): void {
    const { status } = this.batch;
    if (!status.refusedParts) return;
    const kept = this.joined([...(status.refusedParts as Part[]), ...parts], mostRefusedParts);
    if (kept.length > mostRefusedParts) delete status.refusedParts;
    else status.refusedParts = kept;
  }

  /** An activity that fails lets those under way come to their end first: nothing that they have done is lost. */
  private async moveParts(
    step: StepContext,
    works: PartWork<Part>[],
    total: { written: number; superseded: number; refused: number },
  ): Promise<void> {
    this.groups = this.grouped(works.filter((work) => !work.isDone));
    const left = [...this.groups];
    const failures: unknown[] = [];
    const documents = works.reduce((sum, { part }) => sum + part.documents, 0);
    let told = -1;
    const report = () => {
      const done = works.reduce((sum, { part, isDone }) => sum + (isDone ? part.documents : 0), 0);
      step.show({ done, total: documents, unit: 'documents' });
      const share = Math.floor((done / Math.max(1, documents)) * timesTold);
      if (share === told) return;
      told = share;
      this.batch.tell();
    };
    report();
    let underWay = 0;
    const canBegin = () =>
      left.length > 0 && failures.length === 0 && underWay < this.inFlight && !this.batch.runner.isPaused;
    try {
      for (;;) {
        await condition(() => canBegin() || (underWay === 0 && (left.length === 0 || failures.length > 0)));
        const next = canBegin() ? left.shift() : undefined;
        if (!next) break;
        underWay += 1;
        void this.moveGroup(step, next, total)
          .catch((error: unknown) => failures.push(error))
          .finally(() => {
            underWay -= 1;
            // told to stop: it comes first when there is room again
            if (isLeft(next)) left.unshift(next);
            else this.ended();
            report();
          });
      }
    } finally {
      // also after an abort
      await CancellationScope.nonCancellable(() => condition(() => underWay === 0));
    }
    if (failures.length > 0) throw failures.find(isCancellation) ?? failures[0];
  }

  /** Until it is done, or told to stop. */
  private async moveGroup(
    step: StepContext,
    group: PartWork<Part>[],
    total: { written: number; superseded: number; refused: number },
  ): Promise<void> {
    const works = group.filter(({ isDone }) => !isDone);
    const parts = works.map(({ part }) => part);
    const answer = await this.interruptible(parts, () => this.move(step, parts));
    if (!answer) return;
    this.batch.status.refused = mergeCauses([...this.batch.status.refused, ...answer.causes]);
    for (const [at, work] of works.entries()) {
      const result = answer.parts[at];
      if (!result) break;
      for (const key of ['written', 'superseded', 'refused'] as const) total[key] += result[key];
      this.count(result);
      if (result.refused > 0) this.keepRefused(this.refusedIn(work.part, result));
      if (!result.isDone) work.part = this.rest(work.part, result);
      work.isDone = result.isDone;
    }
    // told to stop, it answers with how far it came: an abort ends here
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('aborted');
  }

  /**
   * Nothing when it was stopped before it had begun, or failed while it was: what is to stop is not tried again by Temporal,
   * so a worker that died just then would count. It is begun anew from where it was. @throws the cancellation of an abort.
   */
  private async interruptible<Answer>(parts: Part[], act: () => Promise<Answer>): Promise<Answer | undefined> {
    const scope = new CancellationScope();
    this.underWay.set(scope, parts);
    try {
      return await scope.run(act);
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      if (!isCancellation(error) && !scope.consideredCancelled) throw error;
      return undefined;
    } finally {
      this.underWay.delete(scope);
    }
  }
}

function anew<Part>(part: Part): Part {
  return { ...part, replaces: true };
}

function isLeft(group: readonly { isDone: boolean }[]): boolean {
  return group.some(({ isDone }) => !isDone);
}

/**
 * Catch-up begins where the first move of a batch did: what is moved once more is found by its version, and would hide a
 * document that was deleted meanwhile and made anew with a lower one.
 */
function earlier(found: ShardPositions[], known: readonly ShardPositions[]): ShardPositions[] {
  return found.map((each) => {
    const before = known.find(({ index, uuid }) => index === each.index && uuid === each.uuid);
    if (!before) return each;
    // read earlier, it is the lower one, whatever its values are
    if (before.field) return before;
    return { ...each, seqNos: each.seqNos.map((at, shard) => Math.min(at, before.seqNos[shard] ?? at)) };
  });
}
