import { CancellationScope, getExternalWorkflowHandle } from '@temporalio/workflow';
import type { CatchUpPositions, JoinedIndices } from '../contracts/catch-up';
import type { BatchPlan } from '../contracts/plan';
import type { CatchUpStatus, Difference, SeriesStatus } from '../contracts/status';
import type { CatchUpInput, SeriesState } from '../contracts/workflow-inputs';
import { now } from './clock';
import { indicesAppearedSignal } from './messages';
import type { StepContext } from './step-runner';

/** The newest that have appeared are named, the others counted. */
const mostNamed = 20;

/**
 * What a catch-up knows of its time series. It finds what has appeared and tells the run, which moves it as any other batch
 * and answers with positions; from then on it is followed like the rest.
 */
export class Series {
  readonly status: SeriesStatus;
  readonly state: SeriesState;
  /** Of the last look. */
  private differences: Difference[] = [];
  private foundSome = false;
  private readonly joined: CatchUpPositions[] = [];

  constructor(
    private readonly input: CatchUpInput,
    { unfollowed, joining, status }: SeriesState,
    carried: SeriesStatus | undefined,
  ) {
    this.state = { unfollowed: [...unfollowed], joining: [...joining] };
    this.status = carried ?? status ?? { followed: 0, joining: [], appeared: 0, newest: [], deleted: [] };
    this.update(input.positions.length);
  }

  /** Before each round. Answers with the positions to follow from now on; nothing changes where it fails. */
  async look(step: StepContext, positions: CatchUpPositions[], parent: string | undefined) {
    const { run, runbook, owner } = this.input;
    const { status, state } = this;
    const joined = [...this.joined];
    const followed = [...positions, ...joined];
    const { appeared, deleted, differences } = await step.activities.readSeries({
      run,
      runbook,
      owner,
      step: step.id,
      followed: followed.map(({ index }) => index),
      unfollowed: state.unfollowed,
      joining: state.joining.map(({ index }) => index),
      deleted: status.deleted.map(({ index }) => index),
    });
    if (appeared.length > 0) await this.announce(appeared, parent);
    this.joined.splice(0, joined.length);
    const wasMoved = (index: string) => !state.unfollowed.includes(index);
    status.deleted.push(...deleted.map((index) => ({ index, at: now(), wasMoved: wasMoved(index) })));
    state.unfollowed = state.unfollowed.filter((name) => !deleted.includes(name));
    this.differences = differences;
    this.foundSome = appeared.length > 0;
    const left = followed.filter(({ index }) => !deleted.includes(index));
    this.update(left.length);
    return left;
  }

  /** From the run: what it was told of is there, or was left out. */
  join({ indices, positions }: JoinedIndices, followed: readonly CatchUpPositions[]): void {
    const { state, status } = this;
    // It may be told twice, and of what it has not seen itself: the run knows better than a catch-up that was begun anew.
    const settled = new Set([...followed, ...this.joined, ...status.deleted].map(({ index }) => index));
    const ready = positions.filter(({ index }) => !settled.has(index));
    const others = (names: string[]) => names.filter((name) => !indices.includes(name));
    const left = indices.filter((name) => !settled.has(name) && !ready.some(({ index }) => index === name));
    state.joining = state.joining.filter(({ index }) => !indices.includes(index));
    state.unfollowed = [...others(state.unfollowed), ...left];
    this.joined.push(...ready);
    this.update(status.followed);
  }

  /** What a round's positions do not have yet: for whoever carries them on. */
  withJoined(positions: CatchUpPositions[]): CatchUpPositions[] {
    return [...positions, ...this.joined];
  }

  get hasJoined(): boolean {
    return this.joined.length > 0;
  }

  /** Whether all that was there at the last look is followed. */
  get isWhole(): boolean {
    return !this.foundSome && this.state.joining.length === 0 && !this.hasJoined;
  }

  /** Documents that are on their way, as many as there were when their indices were seen. */
  get waiting(): number {
    return this.state.joining.reduce((sum, { documents }) => sum + documents, 0);
  }

  get told(): Difference[] {
    const isExpected = this.input.catchUp.deletedIndices === 'expected';
    return [...this.differences, ...(isExpected ? [] : this.status.deleted.map(differenceOf))];
  }

  /** The run must know of them before anything is made of them: it undoes what it knows. */
  private async announce(appeared: BatchPlan[], parent: string | undefined): Promise<void> {
    const { status, state } = this;
    const indices = appeared.flatMap((batch) => batch.indices);
    const before = state.joining;
    // at once: the run may answer before this hears that its message has come
    state.joining = [...before, ...indices.map(({ name, documents }) => ({ index: name, documents }))];
    try {
      if (parent !== undefined)
        await CancellationScope.nonCancellable(() =>
          getExternalWorkflowHandle(parent).signal(indicesAppearedSignal, appeared),
        );
    } catch (error) {
      state.joining = before;
      throw error;
    }
    status.appeared += indices.length;
    status.newest = [...status.newest, ...indices.map(({ name }) => ({ index: name, at: now() }))].slice(-mostNamed);
  }

  private update(followed: number): void {
    this.status.followed = followed;
    this.status.joining = this.state.joining.map(({ index }) => index);
  }
}

/** What tells the run that something came or went. */
export function seriesShown({ series }: CatchUpStatus): unknown[] {
  return series ? [series.followed, series.joining.length, series.appeared, series.deleted.length] : [];
}

function differenceOf({ index, at, wasMoved }: SeriesStatus['deleted'][number]): Difference {
  const where = `index ${index}`;
  if (!wasMoved)
    return {
      where,
      what: `it was deleted on the source before it had been moved (seen ${at})`,
    };
  return {
    where,
    what: `it was deleted on the source while it was followed (seen ${at}): the target keeps it as it was in the last round before, and nothing is left to compare it with; delete it there if it is not wanted`,
  };
}
