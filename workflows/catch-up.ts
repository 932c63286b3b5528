import {
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  isByField,
  roundStep,
  type CatchUpPositions,
  type CatchUpRound,
  type DeletesMode,
  type JoinedIndices,
} from '../contracts/catch-up';
import { parseBytes } from '../contracts/bytes';
import { mergeCauses } from '../contracts/refusals';
import type { PartLimits } from '../contracts/document-activities';
import { parseDuration } from '../contracts/durations';
import type { CatchUpStatus } from '../contracts/status';
import type { CatchUpAnswer, CatchUpInput } from '../contracts/workflow-inputs';
import { now } from './clock';
import { DeletesSearch, type DeletesSearched } from './deletes-search';
import {
  catchUpChangedSignal,
  catchUpQuery,
  decideSignal,
  drainSignal,
  handOverSignal,
  indicesJoinedSignal,
  retryFailedSignal,
} from './messages';
import { orStopped } from './or-stopped';
import { Series, seriesShown } from './series';
import { StepRunner, type StepContext } from './step-runner';

/** More of the same helps nobody. */
const mostDifferences = 100;
/** A drain ends when the source has nothing new so many times in a row: the second round compares counts once more. */
const quietRounds = 2;
/**
 * A search for deletes that is under way is not stopped for a history that has become long, unless it is longer than that: the server
 * ends a workflow at 51,200 events, or 50 MB.
 */
const mostHistory = { events: 30_000, bytes: 20_000_000 };

/**
 * Keeps the target in step with a live source, round after round, until it is told to drain; a child of the run that
 * continues as new with its positions. Its answer is its last status: drained, with everything of the source on the
 * target, provided that the source is written to no more.
 */
export async function catchUpWorkflow(input: CatchUpInput): Promise<CatchUpAnswer> {
  const catchUp = new CatchUp(input);
  setHandler(catchUpQuery, () => catchUp.status);
  setHandler(drainSignal, () => catchUp.drain());
  setHandler(indicesJoinedSignal, (joined) => catchUp.join(joined));
  setHandler(handOverSignal, () => catchUp.handOver());
  setHandler(retryFailedSignal, () => catchUp.retryRefused());
  setHandler(decideSignal, (message) => {
    if (message.verb === 'tune') catchUp.tune(message.runbook);
    else if (message.verb === 'pause' || message.verb === 'resume') catchUp.pause(message.verb === 'pause');
    else if (!catchUp.runner.refusal(message.verb, message.step))
      catchUp.runner.decide(message.verb, message.decision, message.step);
  });
  try {
    return await catchUp.follow();
  } catch (error) {
    // an abort of the run: what was written stays where it is until the run deletes it
    if (!isCancellation(error)) throw error;
    return catchUp.status;
  } finally {
    await CancellationScope.nonCancellable(() => catchUp.ended());
  }
}

class CatchUp {
  readonly runner: StepRunner;
  readonly status: CatchUpStatus;
  readonly series?: Series;
  told: Promise<void> = Promise.resolve();
  private positions: CatchUpPositions[];
  private isDraining: boolean;
  /** The run continues as new: this ends, and says how the next one goes on. */
  private isHandedOver = false;
  private wantsRetry: boolean;
  /** Rounds that drove refused documents again: the run hears what came of it. */
  private retries = 0;
  /** Told to pause it is not at rest before its round has ended. */
  private isRounding = false;
  /** Of the round under way, where that may pause by itself. */
  private pausable: CancellationScope | undefined;
  /** What the run was told last: rounds without news are not told. */
  private shown = '';
  /** By a field: when both sides were compared last, as only that shows what was deleted; or when this began. */
  private comparedAt: string;
  /** By sequence number. */
  private readonly search: DeletesSearch;

  constructor(private readonly input: CatchUpInput) {
    this.runner = new StepRunner(() => this.tell());
    this.runner.isPaused = input.isPaused;
    this.positions = input.positions;
    this.isDraining = input.isDraining;
    this.comparedAt = input.comparedAt ?? now();
    this.search = new DeletesSearch(input, this.runner, {
      limits: () => limitsOf(input.runbook, this.isDraining),
      onFound: (found) => this.takeSearched(found),
      onRest: () => this.tell(),
    });
    this.wantsRetry = input.wantsRetry ?? false;
    this.status = input.carried ?? {
      kind: input.catchUp.kind,
      state: 'running',
      rounds: 0,
      lag: null,
      written: 0,
      deleted: 0,
      refused: [],
      differences: [],
      steps: [],
    };
    this.status.steps = this.runner.steps;
    if (!input.series) return;
    this.series = new Series(input, input.series, this.status.series);
    this.status.series = this.series.status;
  }

  drain(): void {
    this.isDraining = true;
    this.tell();
    this.pausable?.cancel();
    this.search.cancel();
  }

  handOver(): void {
    this.isHandedOver = true;
  }

  join(joined: JoinedIndices): void {
    this.series?.join(joined, this.positions);
  }

  /** In the next round, which then begins at once. */
  retryRefused(): void {
    this.wantsRetry = true;
  }

  /** Counts from the next round on. */
  tune(runbook: CatchUpInput['runbook'] | undefined): void {
    if (runbook) this.input.runbook = runbook;
    this.search.cancel();
  }

  pause(isPaused: boolean): void {
    this.runner.isPaused = isPaused;
    if (isPaused) this.search.cancel();
    this.tell();
  }

  /** Nothing of it goes on any more, and the run has heard all. */
  async ended(): Promise<void> {
    await this.search.stop();
    await this.told;
  }

  async follow(): Promise<CatchUpAnswer> {
    let quiet = 0;
    for (;;) {
      if (this.isHandedOver) {
        await this.search.stop();
        await this.heard();
        return { ...this.status, next: this.next() };
      }
      const startedAt = now();
      const wasDraining = this.isDraining;
      // it compares, and counts must not change under it
      if (wasDraining) await this.search.stop();
      const deletes = wasDraining ? 'compare' : this.deletesNow(startedAt);
      const round = await this.round(deletes);
      this.take(round, startedAt);
      // counted from its end: one that takes longer than the pause between two must not be all that is done
      if (deletes !== 'defer') this.comparedAt = now();
      const isWhole = this.series?.isWhole ?? true;
      const isQuiet = isWhole && round.lag === 0 && round.written + round.deleted === 0 && round.unread.length === 0;
      quiet = wasDraining && isQuiet ? quiet + 1 : 0;
      if (quiet >= quietRounds) {
        this.status.state = 'drained';
        this.status.positions = this.positions;
        this.tell();
        return this.status;
      }
      const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
      const isTooLong = historyLength > mostHistory.events || historySize > mostHistory.bytes;
      if (continueAsNewSuggested && (isTooLong || !this.search.isUnderWay)) {
        await this.search.stop();
        await this.heard();
        if (this.isHandedOver) continue;
        return continueAsNew<typeof catchUpWorkflow>(this.next());
      }
      await this.pauseBetween();
    }
  }

  /** What the run answers to what it was told last must not come after the next one's arguments were made. */
  private async heard(): Promise<void> {
    for (let seen: Promise<void> | undefined; seen !== this.told;) {
      seen = this.told;
      await seen;
    }
    // the next execution would not hear of it
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('aborted');
  }

  /** None in a drain, but for what is still being moved; what has just been moved is followed at once. */
  private async pauseBetween(): Promise<void> {
    const { series, input } = this;
    const isAwaiting = () => series !== undefined && series.state.joining.length > 0;
    if (this.isDraining && !isAwaiting()) return;
    const wasDraining = this.isDraining;
    const isNews = () =>
      (wasDraining ? !isAwaiting() : this.isDraining) ||
      series?.hasJoined === true ||
      this.wantsRetry ||
      this.isHandedOver;
    await condition(isNews, input.catchUp.interval);
  }

  /** By a field both sides are compared for them, if asked. By sequence number they show as holes, and are searched for beside the rounds. */
  private deletesNow(at: string): DeletesMode {
    const { compareDeletesEvery } = this.input.catchUp;
    if (!isByField(this.input.catchUp) || compareDeletesEvery === undefined) return 'defer';
    const sinceMs = Date.parse(at) - Date.parse(this.comparedAt);
    return sinceMs >= parseDuration(compareDeletesEvery) ? 'search' : 'defer';
  }

  private async round(deletes: DeletesMode): Promise<CatchUpRound> {
    const retryRefused = this.wantsRetry;
    this.wantsRetry = false;
    const round = await this.runner.run(
      { id: roundStep, phase: 'catch-up', title: 'catch up with the source', isSkippable: false },
      async (step) => {
        this.isRounding = true;
        try {
          return await this.bringRound(step, deletes, retryRefused);
        } finally {
          this.isRounding = false;
        }
      },
    );
    if (!round) throw new Error('a round cannot be skipped');
    if (retryRefused) this.retries += 1;
    return round;
  }

  private async bringRound(step: StepContext, deletes: DeletesMode, retryRefused: boolean) {
    const { run, owner } = this.input;
    if (this.series) this.positions = await this.series.look(step, this.positions, workflowInfo().parent?.workflowId);
    // of each attempt: who retries a round that was stuck may have changed its limits
    const { runbook } = this.input;
    for (;;) {
      const limits = limitsOf(runbook, this.isDraining);
      const bring = () =>
        step.activities.catchUpRound({
          run,
          runbook,
          owner,
          step: step.id,
          positions: this.positions,
          limits,
          deletes,
          ...(this.search.isUnderWay ? { isSearching: true } : {}),
          ...(retryRefused ? { retryRefused } : {}),
        });
      const done = limits.pauseAbove ? await this.untilDrain(bring) : await bring();
      if (done) return { ...done, changed: done.written + done.deleted > 0, summary: summaryOf(done) };
    }
  }

  /**
   * A round that may pause by itself, perhaps for as long as a disk is full: where the drain begins meanwhile writers wait for
   * it, and nobody knows here whether it has paused. So it is told to stop, and answers nothing: it is begun anew from the same
   * positions, without such limits.
   */
  private async untilDrain<Answer>(bring: () => Promise<Answer>): Promise<Answer | undefined> {
    const scope = new CancellationScope();
    this.pausable = scope;
    try {
      return await orStopped(scope, bring);
    } finally {
      this.pausable = undefined;
    }
  }

  private take(round: CatchUpRound, startedAt: string): void {
    const { status } = this;
    this.positions = this.search.noted(round.positions);
    status.rounds += 1;
    status.lag = round.lag + (this.series?.waiting ?? 0);
    status.written += round.written;
    status.deleted += round.deleted;
    // What was acknowledged before the round began is on the target now; deletes, too, or once a search has found them.
    const isInStep = round.unread.length === 0 && round.isWhole !== false && (this.series?.isWhole ?? true);
    const { unfollowed = [] } = round;
    const followed = this.positions.filter(({ index }) => !unfollowed.includes(index));
    if (isInStep && !followed.some(({ owed = [] }) => owed.length > 0)) status.inStepAt = startedAt;
    const seconds = (Date.parse(now()) - Date.parse(startedAt)) / 1000;
    const rate = seconds > 0 ? (round.written + round.deleted) / seconds : 0;
    if (rate > 0) status.rate = rate;
    status.refused = round.refusedNow ?? mergeCauses([...status.refused, ...round.causes]);
    // of this round: what is over does not come again
    status.differences = [...(this.series?.told ?? []), ...round.differences].slice(0, mostDifferences);
    status.unread = round.unread;
    this.tell();
    const isEnding = this.isDraining || this.isHandedOver || workflowInfo().continueAsNewSuggested;
    if (!isEnding && !this.runner.isPaused) this.search.beginIfDue(followed, isInStep ? startedAt : undefined);
  }

  private takeSearched({ deleted, inStepAt = '' }: DeletesSearched): void {
    this.status.deleted += deleted;
    this.positions = this.search.noted(this.positions);
    if (inStepAt > (this.status.inStepAt ?? '')) this.status.inStepAt = inStepAt;
  }

  private next(): CatchUpInput {
    return {
      ...this.input,
      positions: this.series?.withJoined(this.positions) ?? this.positions,
      ...(this.series ? { series: this.series.state } : {}),
      isPaused: this.runner.isPaused,
      isDraining: this.isDraining,
      comparedAt: isByField(this.input.catchUp) ? this.comparedAt : this.search.endedAt,
      searchMs: this.search.tookMs,
      wantsRetry: this.wantsRetry,
      carried: { ...this.status, steps: [] },
    };
  }

  /** The run hears what changes its state; who looks closer asks this workflow itself. */
  private tell(): void {
    const { status, runner } = this;
    if (status.state !== 'drained') {
      // a search that is stuck stops no round
      if (runner.stuck.some(({ id }) => id === roundStep)) status.state = 'stuck';
      else if (runner.isPaused && !this.isRounding && !this.search.isAtWork) status.state = 'paused';
      else status.state = this.isDraining ? 'draining' : 'running';
    }
    const isSmall = status.lag !== null && status.lag <= this.input.catchUp.lagBelow;
    const told = [status.differences.length, status.refused.length, this.retries, runner.stuck.length];
    const counts = [...told, ...seriesShown(status)];
    const shown = JSON.stringify([status.state, isSmall, ...counts]);
    const { parent } = workflowInfo();
    if (shown === this.shown || !parent) return;
    this.shown = shown;
    const copy = JSON.parse(JSON.stringify(status)) as CatchUpStatus;
    const send = () => getExternalWorkflowHandle(parent.workflowId).signal(catchUpChangedSignal, copy);
    this.told = this.told.then(() => CancellationScope.nonCancellable(send)).catch(() => undefined);
  }
}

/**
 * Where nothing is copied they are what a copy would have; but refused documents have no bound, and nothing has a round pause
 * by itself, as nobody could change that. Nor in a drain: writers stand still until it ends. `untilDrain` is for the one before.
 */
function limitsOf({ copy }: CatchUpInput['runbook'], isDraining: boolean): PartLimits {
  const most = copy?.failedDocuments.most ?? undefined;
  const pauseAbove = isDraining ? undefined : copy?.limits.pauseAbove;
  return {
    bulkBytes: parseBytes(copy?.limits.bulkBytes ?? '5mb'),
    bulksInFlight: copy?.limits.bulksInFlight ?? 3,
    ...(pauseAbove ? { pauseAbove } : {}),
    ...(most === undefined ? {} : { mostRefused: most }),
  };
}

function summaryOf({ written, deleted, lag }: CatchUpRound): string {
  return `${written} written, ${deleted} deleted, ${lag} left`;
}
