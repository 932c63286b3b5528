import {
  condition,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  ApplicationFailure,
} from '@temporalio/workflow';
import {
  decisionRefused,
  type Decision,
  type GateDecision,
  type RecordedDecision,
  type StepDecision,
  type TuneDecision,
} from '../contracts/decisions';
import { deletesStep, roundStep } from '../contracts/catch-up';
import { batchName, batchWorkflowId, catchUpWorkflowId } from '../contracts/ids';
import type { SelectionNow } from '../contracts/cluster-activities';
import type { MigrationPlan } from '../contracts/plan';
import type { GateName, MigrationRunbook } from '../contracts/runbook';
import type {
  AliasAction,
  BatchStatus,
  CatchUpStatus,
  Check,
  Difference,
  GateStatus,
  Phase,
  RefusalCause,
  RunState,
  RunStatus,
  StepStatus,
} from '../contracts/status';
import type { MigrationInput } from '../contracts/workflow-inputs';
import { now } from './clock';
import type { SourceFollower } from './follow-source';
import * as messages from './messages';
import { StepRunner } from './step-runner';
import { tuned, tuneRefusal } from './tune';

/** Titles of at most so many running steps make up the one sentence of what a run does now. */
const fewTitles = 3;

/**
 * Everything that a run knows of itself: its steps, batches, gates and decisions. Answers the status query, takes the
 * operator's Updates, and refuses those that do not fit with words for the operator.
 */
export class RunBoard {
  readonly runner = new StepRunner(() => this.changed());
  readonly gates: GateStatus[];
  batches: BatchStatus[] = [];
  checks: Check[] = [];
  plan?: MigrationPlan;
  /** Aliases of the moved indices as last read from the source. */
  aliases?: AliasAction[];
  /** What the source held of the selection, beside what was planned, when both sides were compared last. */
  selection?: Omit<SelectionNow, 'aliases'>;
  /** What verification of the whole run found and an operator accepted. */
  accepted: Difference[] = [];
  cutover?: string;
  /** From here on applications may write to the target: nothing is deleted there any more. */
  isCutOver = false;
  /** The run's side of its catch-up, and what that says of itself. */
  follower?: SourceFollower;
  catchUp?: CatchUpStatus;
  abort?: Decision;
  /** Batches with documents that the target refused are to be moved again. */
  wantsRetry = false;
  end?: RunState;
  isUndoing = false;
  /** Counts pauses, resumes and new limits. */
  steering = 0;
  /** Among so many batches the run's limits were divided last. */
  private sharedBy = 1;
  phase: Phase = 'preflight';
  private readonly decisions: RecordedDecision[] = [];
  private startedAt = now();
  private endedAt?: string;
  private shown = '';

  constructor(
    readonly run: string,
    /** Marks what this execution makes: `ownerOf` in ids.ts. */
    readonly owner: string,
    /** With the limits that an operator has set since. */
    public runbook: MigrationRunbook,
    private readonly onAbort: () => void,
    carried?: MigrationInput['carried'],
  ) {
    this.gates = carried?.status.gates ?? runbook.gates.map((gate) => ({ gate, state: 'closed', asks: '' }));
    if (!carried) return;
    const { status, plan, differences, wantsRetry = false } = carried;
    if (status.catchUp) this.catchUp = status.catchUp;
    this.wantsRetry = wantsRetry;
    this.plan = plan;
    this.batches = status.batches;
    this.checks = status.checks;
    this.phase = status.phase;
    this.startedAt = status.startedAt;
    this.decisions.push(...status.decisions);
    this.runner.steps.push(...status.steps);
    this.runner.changes.push(...status.changes);
    this.runner.differences.push(...differences);
    this.runner.isPaused = status.isPaused;
  }

  /** Registers the handlers: call once, before anything is awaited. */
  listen(): void {
    setHandler(messages.statusQuery, () => this.status());
    setHandler(messages.planQuery, () => this.plan);
    setHandler(messages.batchChangedSignal, (batch) => this.batchChanged(batch));
    setHandler(messages.catchUpChangedSignal, (catchUp) => {
      this.catchUp = catchUp;
      this.changed();
    });
    setHandler(messages.indicesAppearedSignal, (batches) => {
      this.follower?.hasAppeared(batches);
      this.changed();
    });
    setHandler(messages.approveUpdate, (decision) => this.decideGate('approve', decision), {
      validator: (decision: GateDecision) => refuse(this.gateRefusal('approve', decision)),
    });
    setHandler(messages.rejectUpdate, (decision) => this.decideGate('reject', decision), {
      validator: (decision: GateDecision) => refuse(this.gateRefusal('reject', decision)),
    });
    setHandler(messages.pauseUpdate, (decision) => this.setPaused(true, decision), {
      validator: (decision: Decision) =>
        refuse(this.refusal(decision) ?? (this.runner.isPaused ? 'the run is paused already' : undefined)),
    });
    setHandler(messages.resumeUpdate, (decision) => this.setPaused(false, decision), {
      validator: (decision: Decision) =>
        refuse(this.refusal(decision) ?? (this.runner.isPaused ? undefined : 'the run is not paused')),
    });
    setHandler(messages.retryUpdate, (decision) => this.decideStep('retry', decision), {
      validator: (decision: StepDecision) => refuse(this.refusal(decision) ?? this.stepRefusal('retry', decision.step)),
    });
    setHandler(messages.skipUpdate, (decision) => this.decideStep('skip', decision), {
      validator: (decision: StepDecision) =>
        refuse(
          this.refusal(decision) ??
            (decision.step === undefined ? 'name the step to skip' : this.stepRefusal('skip', decision.step)),
        ),
    });
    setHandler(messages.retryFailedUpdate, (decision) => this.retryFailed(decision), {
      validator: (decision: Decision) => refuse(this.refusal(decision) ?? this.retryFailedRefusal()),
    });
    setHandler(messages.tuneUpdate, (decision) => this.tune(decision), {
      validator: (decision: TuneDecision) =>
        refuse(this.refusal(decision) ?? tuneRefusal(this.runbook, decision.limits)),
    });
    setHandler(
      messages.abortUpdate,
      (decision) => {
        this.abort = decision;
        this.record('abort', decision);
        this.onAbort();
      },
      {
        validator: (decision: Decision) => refuse(this.refusal(decision) ?? this.abortRefusal()),
      },
    );
  }

  /** Waits for a person where the runbook asks for it, or until the history has grown too long. A rejection leaves the run waiting: it may be approved later, or aborted. */
  async gate(
    name: GateName,
    asks: string,
    { meanwhile, isLong = () => false }: { meanwhile?: () => Promise<void>; isLong?: () => boolean } = {},
  ): Promise<'approved' | 'long'> {
    const gate = this.gates.find((each) => each.gate === name);
    if (!gate || gate.state === 'approved') return 'approved';
    // the execution before this one may have opened it
    if (gate.state === 'closed') Object.assign(gate, { state: 'open', asks, openedAt: now() });
    this.changed();
    const isApproved = () => gate.state === 'approved';
    for (;;) {
      await condition(() => isApproved() || (meanwhile !== undefined && this.wantsRetry) || isLong());
      if (this.wantsRetry && meanwhile) await meanwhile();
      else break;
    }
    this.changed();
    return isApproved() ? 'approved' : 'long';
  }

  enter(phase: Phase): void {
    this.phase = phase;
    this.changed();
  }

  finish(state: RunState): void {
    this.end = state;
    this.endedAt = now();
    this.changed();
  }

  get differences(): Difference[] {
    return [
      ...this.runner.differences,
      ...this.batches.flatMap((batch) => [...batch.differences, ...batch.refused.map(differenceOf)]),
      ...(this.catchUp?.differences ?? []),
      ...(this.catchUp?.refused ?? []).map(differenceOf),
    ];
  }

  /** Once its source is drained nothing follows any more: a batch that is moved again then gets its own settings at its end. */
  get runbookNow(): MigrationRunbook {
    if (this.catchUp?.state !== 'drained') return this.runbook;
    const { catchUp: _over, ...settled } = this.runbook;
    return settled;
  }

  status(): RunStatus {
    const done = this.batches.filter((batch) => batch.state === 'done' || batch.state === 'done with differences');
    const sum = (batches: BatchStatus[], key: 'sizeBytes' | 'documents' | 'indices') =>
      batches.reduce((total, batch) => total + batch[key], 0);
    return {
      run: this.run,
      kind: 'Migration',
      state: this.state(),
      isPaused: this.runner.isPaused,
      phase: this.phase,
      now: this.sentence(),
      startedAt: this.startedAt,
      ...(this.endedAt ? { endedAt: this.endedAt } : {}),
      steps: this.runner.steps,
      batches: this.batches,
      gates: this.gates,
      decisions: this.decisions,
      totals: {
        bytes: sum(this.batches, 'sizeBytes'),
        bytesDone: sum(done, 'sizeBytes'),
        documents: sum(this.batches, 'documents'),
        documentsDone: sum(done, 'documents') - refusedIn(done),
        indices: sum(this.batches, 'indices'),
        indicesDone: sum(done, 'indices'),
      },
      differences: this.differences,
      ...(this.catchUp ? { catchUp: this.catchUp } : {}),
      ...(this.cutover ? { cutover: this.cutover } : {}),
      checks: this.checks,
      changes: this.runner.changes,
    };
  }

  private state(): RunState {
    if (this.end) return this.end;
    if (this.stuckSteps().length > 0) return 'stuck';
    if (this.isUndoing) return 'undoing';
    if (this.openGate()) return 'waiting';
    return this.runner.isPaused ? 'paused' : 'running';
  }

  private stuckSteps(): StepStatus[] {
    return [
      ...this.runner.stuck,
      ...this.batches.flatMap((batch) => batch.steps.filter((step) => step.state === 'stuck')),
      ...(this.catchUp?.steps ?? []).filter((step) => step.state === 'stuck'),
    ];
  }

  private openGate(): GateStatus | undefined {
    return this.gates.find((gate) => gate.state === 'open' || gate.state === 'rejected');
  }

  private sentence(): string {
    if (this.end) return this.end;
    const stuck = this.stuckSteps();
    if (stuck[0])
      return `stuck at ${stuck[0].id}: ${stuck[0].failure?.message ?? ''}${stuck.length > 1 ? `, and ${stuck.length - 1} more` : ''}${this.heldUp()}`;
    const gate = this.openGate();
    if (gate) {
      const rejected =
        gate.state === 'rejected' ? ` (rejected by ${gate.decision?.by ?? ''}: ${gate.decision?.reason ?? ''})` : '';
      return `waits for an approval of ${gate.gate}: ${gate.asks}${rejected}`;
    }
    if (this.runner.isPaused) return 'paused: no new step is begun';
    const running = [
      ...this.runner.steps.filter((step) => step.state === 'running').map((step) => step.title),
      ...this.batches.flatMap((batch) =>
        batch.steps
          .filter((step) => step.state === 'running')
          .map((step) => `${batchName(batch.number)}: ${step.title}`),
      ),
    ];
    return (
      running.slice(0, fewTitles).join(' · ') +
        (running.length > fewTitles ? ` · and ${running.length - fewTitles} more` : '') || this.phase
    );
  }

  /** Batches that wait only because so many others are stuck: nothing else would say why they do not begin. */
  private heldUp(): string {
    const of = (state: BatchStatus['state']) => this.batches.filter((batch) => batch.state === state).length;
    const isHeldUp = of('waiting') > 0 && of('stuck') >= this.runbook.batches.inFlight;
    return isHeldUp ? `; ${of('waiting')} batches wait for them` : '';
  }

  /** Lists and the Temporal UI see a run by its memo and its details; both only when they would say something new. */
  private changed(): void {
    const state = this.state();
    const shown = `${state} ${this.phase}`;
    if (shown === this.shown) return;
    this.shown = shown;
    upsertMemo({ kind: 'Migration', state, phase: this.phase });
    setCurrentDetails(`**${state}** in ${this.phase}: ${this.sentence()}`);
  }

  private batchChanged(batch: BatchStatus): void {
    const index = this.batches.findIndex((each) => each.number === batch.number);
    if (index >= 0) this.batches[index] = batch;
    this.shareLimits();
    this.changed();
  }

  private record(verb: RecordedDecision['verb'], { by, reason }: Decision, subject?: string): RecordedDecision {
    const recorded: RecordedDecision = { verb, by, reason, at: now(), ...(subject ? { subject } : {}) };
    this.decisions.push(recorded);
    return recorded;
  }

  private refusal(decision: Decision): string | undefined {
    if (this.end) return `the run has ended: ${this.end}`;
    if (!decision?.by) return 'it must be said who decides';
    return undefined;
  }

  private abortRefusal(): string | undefined {
    if (this.abort) return 'the run is being aborted already';
    if (!this.isCutOver) return undefined;
    return 'the cutover has begun: applications may write to the target by now, and an abort would delete what they wrote. Let the run finish, or skip what is stuck; to go back, point the applications at the source again';
  }

  private gateRefusal(verb: 'approve' | 'reject', decision: GateDecision): string | undefined {
    const refusal = this.refusal(decision);
    if (refusal) return refusal;
    if (this.abort) return 'the run is being aborted';
    const gate = this.gates.find((each) => each.gate === decision.gate);
    const open = this.openGate();
    const waiting = open ? `; the run waits at the gate ${open.gate}` : '; no gate is open';
    if (!gate) return `this run has no gate ${decision.gate}${waiting}`;
    if (gate.state === 'approved')
      return `the gate ${gate.gate} has been approved already, by ${gate.decision?.by ?? ''}`;
    if (gate.state === 'closed')
      return `the gate ${gate.gate} is not open yet: the run has not come that far${waiting}`;
    if (verb === 'reject' && gate.state === 'rejected') return `the gate ${gate.gate} has been rejected already`;
    return undefined;
  }

  private decideGate(verb: 'approve' | 'reject', decision: GateDecision): void {
    const gate = this.gates.find((each) => each.gate === decision.gate);
    if (!gate) return;
    gate.decision = this.record(verb, decision, gate.gate);
    gate.state = verb === 'approve' ? 'approved' : 'rejected';
    this.changed();
  }

  private async setPaused(isPaused: boolean, decision: Decision): Promise<void> {
    this.runner.isPaused = isPaused;
    this.steering += 1;
    const verb = isPaused ? 'pause' : 'resume';
    this.record(verb, decision);
    this.changed();
    await this.tellBatches(this.batches.filter(isUnderWay), { verb, decision });
    // it goes on by itself once nothing is copied any more
    if (isPaused || this.follower?.isHolding !== true) await this.tellCatchUp({ verb, decision });
  }

  private retryFailedRefusal(): string | undefined {
    if (this.phase === 'cutover' || this.phase === 'finish' || this.abort)
      return 'too late: the cutover has begun. Write the documents to the target by hand, from the files of failed documents';
    if (this.wantsRetry) return 'failed documents are being driven again already';
    return this.hasRefused() || (this.catchUp?.refused.length ?? 0) > 0
      ? undefined
      : 'the target has refused no document so far';
  }

  private hasRefused(): boolean {
    return this.batches.some((batch) => batch.refused.length > 0);
  }

  /** Those of batches by moving them again, those of rounds by the next round. */
  private async retryFailed(decision: Decision): Promise<void> {
    this.record('retry', decision, 'failed documents');
    this.wantsRetry = this.hasRefused();
    if ((this.catchUp?.refused.length ?? 0) > 0) await this.follower?.child.retryRefused();
  }

  private async tune(decision: TuneDecision): Promise<void> {
    this.runbook = tuned(this.runbook, decision.limits);
    this.steering += 1;
    this.record('tune', decision, JSON.stringify(decision.limits));
    const message = { verb: 'tune' as const, decision, runbook: this.runbookNow };
    this.sharedBy = this.moving().length;
    await this.tellBatches(this.batches.filter(isUnderWay), { ...message, ...this.share(this.sharedBy) });
    await this.tellCatchUp(message);
  }

  /** Batches whose documents are on their way, beside this one: what is stuck has no share of the limits. */
  private moving(beside?: BatchStatus): BatchStatus[] {
    return this.batches.filter((batch) => batch.number !== beside?.number && isBeforeCopy(batch));
  }

  /** For a batch that begins. */
  shareOf(batch: BatchStatus): { sharedBy?: number } {
    return this.share(this.moving(batch).length + 1);
  }

  private share(sharedBy: number): { sharedBy?: number } {
    const { docsPerSec, bytesPerSec } = this.runbook.copy?.limits ?? {};
    return (docsPerSec ?? bytesPerSec) === undefined ? {} : { sharedBy: Math.max(1, sharedBy) };
  }

  /** Limits are of the whole run: batches that move at once hear among how many they are divided. One that begins knows. */
  shareLimits(beginning?: BatchStatus): void {
    const length = this.moving(beginning).length + (beginning ? 1 : 0);
    const share = this.share(length);
    // with nobody left there is nobody to be told
    if (share.sharedBy === undefined || length === 0 || length === this.sharedBy) return;
    this.sharedBy = length;
    this.steering += 1;
    const decision = { by: 'the run', reason: `${length} batches move at once` };
    const others = this.batches.filter((batch) => isUnderWay(batch) && batch.number !== beginning?.number);
    void this.tellBatches(others, { verb: 'tune', decision, ...share });
  }

  private stepRefusal(verb: 'retry' | 'skip', step?: string): string | undefined {
    const batch = this.batchOf(step);
    if (batch) {
      const found = batch.steps.find((each) => each.id === step);
      if (!found) return `there is no step ${step}`;
      return found.state === 'stuck' ? undefined : `the step ${step} is not stuck, it is ${found.state}`;
    }
    if (step === undefined && this.stuckSteps().length > 0) return undefined;
    if (step !== undefined && isOfCatchUp(step)) {
      if (verb === 'skip') return `the step ${step} cannot be skipped: abort the run instead`;
      const found = this.catchUp?.steps.find(({ id }) => id === step);
      if (found) return found.state === 'stuck' ? undefined : `the step ${step} is not stuck, it is ${found.state}`;
    }
    return this.runner.refusal(verb, step);
  }

  private async decideStep(verb: 'retry' | 'skip', decision: StepDecision): Promise<void> {
    const { step, by, reason } = decision;
    this.record(verb, decision, step);
    const batch = this.batchOf(step);
    if (!batch && !(step !== undefined && isOfCatchUp(step))) this.runner.decide(verb, { by, reason }, step);
    const stuck =
      step === undefined
        ? this.batches.filter((each) => each.steps.some(({ state }) => state === 'stuck'))
        : batch
          ? [batch]
          : [];
    const message = { verb, decision: { by, reason }, ...(step ? { step } : {}) };
    // among how many they are once these go on: their first parts may be such as keep the share that they begin with
    const moving = this.moving().length + stuck.filter((each) => !isCopied(each)).length;
    await this.tellBatches(stuck, { ...message, ...this.share(moving) });
    if (step === undefined || isOfCatchUp(step)) await this.tellCatchUp(message);
  }

  private batchOf(step: string | undefined): BatchStatus | undefined {
    return step === undefined
      ? undefined
      : this.batches.find((batch) => step.startsWith(`${batchName(batch.number)}/`));
  }

  private async tellCatchUp(message: messages.BatchDecision): Promise<void> {
    if (!this.follower?.child.isFollowing || this.catchUp?.state === 'drained') return;
    await getExternalWorkflowHandle(catchUpWorkflowId(this.run))
      .signal(messages.decideSignal, message)
      .catch(() => undefined);
  }

  /**
   * What counts now, for a child that has just started, where something was decided since its input was made: no signal
   * reaches a child that has not started yet.
   */
  async tellSince(
    begun: number,
    tell: (message: messages.BatchDecision) => Promise<void>,
    now: () => Pick<messages.BatchDecision, 'runbook' | 'sharedBy'> = () => ({ runbook: this.runbook }),
  ): Promise<void> {
    const decision = { by: 'the run', reason: 'decided while this was starting' };
    // until nothing was decided while it was told
    for (let told = begun; told !== this.steering;) {
      told = this.steering;
      const verb = this.runner.isPaused ? 'pause' : 'resume';
      // one that has ended by now does not mind
      const messages = [tell({ verb: 'tune', decision, ...now() }), tell({ verb, decision })];
      await Promise.allSettled(messages);
    }
  }

  /** A batch that has just ended does not mind a message that comes too late. */
  private async tellBatches(batches: BatchStatus[], message: messages.BatchDecision): Promise<void> {
    await Promise.allSettled(
      batches.map((batch) =>
        getExternalWorkflowHandle(batchWorkflowId(this.run, batch.number)).signal(messages.decideSignal, message),
      ),
    );
  }
}

/** Steps of the child that follows the source, and not of the run itself. */
function isOfCatchUp(step: string): boolean {
  return step === roundStep || step === deletesStep;
}

export function isUnderWay(batch: BatchStatus): boolean {
  return batch.state === 'running' || batch.state === 'stuck';
}

/** Its snapshot, or its copying, has not ended: the next large batch waits for that. A stuck one does not hold up the others. */
export function isBeforeCopy(batch: BatchStatus): boolean {
  return batch.state === 'running' && !isCopied(batch);
}

function isCopied(batch: BatchStatus): boolean {
  return batch.steps.some(
    ({ id, state }) => /\/(snapshot|documents)$/.test(id) && !['pending', 'running', 'stuck'].includes(state),
  );
}

function differenceOf({ index, type, reason, count, example, remedy }: RefusalCause): Difference {
  const documents = count === 1 ? `the document ${example} was` : `${count} documents were, such as ${example},`;
  return { where: `index ${index}`, what: `${documents} refused by the target: ${type}: ${reason}; ${remedy}` };
}

function refusedIn(batches: BatchStatus[]): number {
  return batches.flatMap(({ refused }) => refused).reduce((sum, { count }) => sum + count, 0);
}

function refuse(reason: string | undefined): void {
  if (reason) throw ApplicationFailure.create({ type: decisionRefused, message: reason, nonRetryable: true });
}
