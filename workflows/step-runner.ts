import { CancelledFailure, condition, isCancellation } from '@temporalio/workflow';
import type { Decision } from '../contracts/decisions';
import type { FailureInfo } from '../contracts/failures';
import type { StepOutcome } from '../contracts/host-activities';
import type { Change, Difference, Phase, Progress, StepStatus, Undo } from '../contracts/status';
import { activitiesOf } from './activities';
import { now } from './clock';
import { failureInfoOf } from './failure-info';

/** What a step's body works with. */
export interface StepContext {
  id: string;
  /** 1, and one more for each retry by an operator. */
  attempt: number;
  /** Why the attempt before this one failed. */
  previousFailure?: FailureInfo;
  /** What an answer says was changed is kept as evidence by itself, also of a body that fails later. */
  activities: ReturnType<typeof activitiesOf>;
  /** Has what an activity changed undone by an abort, unless that is settled before. Call it at once. */
  record<T extends StepOutcome>(outcome: T): T;
  /**
   * Has a change undone from before it is asked for: an answer may be lost with its worker, and an undo of what was never
   * done does no harm. The evidence of the activity that makes it takes its place. Asked for again, it is the same one.
   */
  intend(change: Omit<Change, 'step' | 'at'>): Change;
  /** Of a step that is many activities: what those that have ended have done. Told to nobody by itself. */
  show(progress: Progress): void;
}

export interface StepDefinition {
  id: string;
  phase: Phase;
  title: string;
  /** false where everything behind stands on it: a skip is refused. */
  isSkippable?: boolean;
}

type StepDecisionVerb = 'retry' | 'skip';

/**
 * The one step runner, of a run and of each of its batches: shows the step, runs it, keeps its evidence; a step that fails
 * becomes stuck and waits for retry or skip, and nothing else stops with it.
 */
export class StepRunner {
  readonly steps: StepStatus[] = [];
  readonly changes: Change[] = [];
  readonly differences: Difference[] = [];
  isPaused = false;
  private readonly decisions = new Map<string, { verb: StepDecisionVerb; decision: Decision }>();
  /** Intended changes that no activity has answered for yet. */
  private readonly intended = new Set<Change>();
  private activityCount = 0;

  /** @param onChange called whenever a step's state changes: a batch tells its run, a run its memo. */
  constructor(private readonly onChange: () => void) {}

  get stuck(): StepStatus[] {
    return this.steps.filter((step) => step.state === 'stuck');
  }

  /** @returns why the decision must be refused; nothing when it may be taken. */
  refusal(verb: StepDecisionVerb, id?: string): string | undefined {
    if (id === undefined) return this.stuck.length > 0 ? undefined : 'no step is stuck';
    const step = this.steps.find((each) => each.id === id);
    if (!step) return `there is no step ${id}`;
    if (step.state !== 'stuck') return `the step ${id} is not stuck, it is ${step.state}`;
    if (verb === 'skip' && step.isUnskippable === true)
      return `the step ${id} cannot be skipped: what follows needs its result`;
    return undefined;
  }

  /** Call only when refusal() has none. Without an id: every stuck step. */
  decide(verb: StepDecisionVerb, decision: Decision, id?: string): void {
    for (const step of id === undefined ? this.stuck : this.steps.filter((each) => each.id === id)) {
      this.decisions.set(step.id, { verb, decision });
    }
  }

  /**
   * Runs a step to its end. Answers with nothing when an operator skipped it.
   * @throws CancelledFailure when the run is aborted meanwhile.
   */
  async run<T extends Partial<StepOutcome>>(
    definition: StepDefinition,
    body: (context: StepContext) => Promise<T>,
  ): Promise<T | undefined> {
    const { id, phase, title, isSkippable = true } = definition;
    const unskippable = isSkippable ? {} : { isUnskippable: true };
    const step: StepStatus = this.begin({ id, phase, title, state: 'pending', attempt: 0, ...unskippable });
    let previousFailure: FailureInfo | undefined;
    for (;;) {
      await condition(() => !this.isPaused);
      step.attempt += 1;
      step.state = 'running';
      step.startedAt ??= now();
      delete step.failure;
      this.onChange();
      const changesBefore = this.changes.length;
      const undos = new Map<Change, Undo>();
      try {
        const outcome = await body({
          id,
          attempt: step.attempt,
          ...(previousFailure ? { previousFailure } : {}),
          activities: activitiesOf(id, {
            nextNumber: () => (this.activityCount += 1),
            onAnswer: (answer) => this.keepEvidence(answer, undos),
          }),
          record: (result) => {
            for (const change of result.changes) {
              const undo = undos.get(change);
              if (undo) change.undo = undo;
            }
            return result;
          },
          intend: (change) => this.intend({ step: id, at: now(), ...change }),
          show: (progress) => (step.progress = progress),
        });
        const changed = outcome.changed ?? this.changes.length > changesBefore;
        this.finish(step, 'done', { changed, ...(outcome.summary ? { summary: outcome.summary } : {}) });
        return outcome;
      } catch (error) {
        if (isCancellation(error)) {
          this.finish(step, 'undone', { summary: 'cut short by an abort' });
          throw error;
        }
        previousFailure = failureInfoOf(error, id);
      }
      const verdict = await this.waitForDecision(step, previousFailure).catch((error: unknown) => {
        this.finish(step, 'undone', { summary: 'was stuck when the run was aborted' });
        throw error;
      });
      if (verdict.verb === 'skip') {
        this.finish(step, 'skipped', { summary: `skipped by ${verdict.decision.by}: ${verdict.decision.reason}` });
        this.differences.push({
          where: id,
          what: `skipped by ${verdict.decision.by}: ${verdict.decision.reason}; it had failed: ${previousFailure.message}`,
        });
        return undefined;
      }
    }
  }

  /** Without its undo, which only `record` puts back: what takes a change back must not be taken back itself. */
  private keepEvidence(answer: unknown, undos: Map<Change, Undo>): void {
    const { changes } = (answer ?? {}) as Partial<StepOutcome>;
    for (const change of Array.isArray(changes) ? changes : []) {
      if (change.undo) undos.set(change, change.undo);
      delete change.undo;
      const intended = [...this.intended].find((each) => isSame(each, change));
      if (intended) Object.assign(intended, change);
      else this.changes.push(change);
      if (intended) this.intended.delete(intended);
    }
  }

  private intend(change: Change): Change {
    const known = this.changes.find((each) => isSame(each, change) && each.undo !== undefined);
    // Never answered for: what was found this time is nearer to what was there before.
    if (known) return this.intended.has(known) ? Object.assign(known, change) : known;
    this.changes.push(change);
    this.intended.add(change);
    return change;
  }

  private begin(step: StepStatus): StepStatus {
    const known = this.steps.find((each) => each.id === step.id);
    if (!known) {
      this.steps.push(step);
      return step;
    }
    // A step that is run anew, as a batch that is moved again: its last run is what status shows.
    delete known.endedAt;
    return Object.assign(known, { state: 'pending' });
  }

  private async waitForDecision(step: StepStatus, failure: FailureInfo) {
    step.state = 'stuck';
    step.failure = failure;
    this.decisions.delete(step.id);
    this.onChange();
    await condition(() => this.decisions.has(step.id));
    const verdict = this.decisions.get(step.id);
    this.decisions.delete(step.id);
    if (!verdict) throw new CancelledFailure('cancelled while stuck');
    return verdict;
  }

  private finish(step: StepStatus, state: StepStatus['state'], rest: Partial<StepStatus>): void {
    Object.assign(step, { state, endedAt: now(), ...rest });
    delete step.progress;
    this.onChange();
  }
}

/** Whether both are about the same thing, changed by the same step. */
function isSame(a: Change, b: Change): boolean {
  return a.step === b.step && a.where === b.where && a.what === b.what;
}
