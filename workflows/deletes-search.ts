import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import { deletesStep, type CatchUpPositions } from '../contracts/catch-up';
import type { PartLimits } from '../contracts/document-activities';
import type { CatchUpInput } from '../contracts/workflow-inputs';
import { now } from './clock';
import { orStopped } from './or-stopped';
import type { StepRunner } from './step-runner';

/**
 * Between two searches there is as long as a search took: half of the time, at most, a large index has its ids read. More
 * rest would have more to be searched for.
 */
const restAfterSearch = 1;
/** And no more: a search has perhaps waited for a cluster in need, and what was deleted meanwhile keeps the lag above what is wanted. */
const mostRestMs = 15 * 60_000;

export interface DeletesSearched {
  deleted: number;
  /** ISO 8601: everything that the source had acknowledged before is on the target; left out where that cannot be said. */
  inStepAt?: string;
}

/**
 * Looks for deleted documents beside the rounds, in the shards whose counts say that the target has too many: ids of large
 * shards take longer to compare than adds and updates should wait. It may be stopped at any moment: what it has not found
 * the next one does.
 */
export class DeletesSearch {
  /** When the last one ended, or the catch-up began; and how long it took. */
  endedAt: string;
  tookMs: number;
  /** By index: what the last one began with that searched every shard of it that was wanted. */
  private readonly searched = new Map<string, CatchUpPositions>();
  private scope: CancellationScope | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(
    private readonly input: CatchUpInput,
    private readonly runner: StepRunner,
    private readonly hooks: {
      limits(): PartLimits;
      onFound(found: DeletesSearched): void;
      /** It has ended, however it did. */
      onRest(): void;
    },
  ) {
    this.endedAt = input.comparedAt ?? now();
    this.tookMs = input.searchMs ?? 0;
  }

  /** Stuck is under way, too. */
  get isUnderWay(): boolean {
    return this.scope !== undefined;
  }

  get isAtWork(): boolean {
    return this.isUnderWay && !this.isStuck;
  }

  private get isStuck(): boolean {
    return this.runner.refusal('retry', deletesStep) === undefined;
  }

  /**
   * After a round, if there is something to be searched, and it is due. @param positions of what that round has followed.
   * @param inStepAt ISO 8601: adds and updates that were acknowledged before are on the target, by that round.
   */
  beginIfDue(positions: readonly CatchUpPositions[], inStepAt?: string): void {
    const wanted = positions.filter(({ toSearch = [] }) => toSearch.length > 0);
    const restMs = Math.min(this.tookMs * restAfterSearch, mostRestMs);
    if (this.isUnderWay || wanted.length === 0 || Date.parse(now()) - Date.parse(this.endedAt) < restMs) return;
    const isAll = positions.every(({ owed = [], toSearch = [] }) => owed.every((shard) => toSearch.includes(shard)));
    const scope = new CancellationScope();
    this.scope = scope;
    this.ended = this.search(scope, wanted, isAll ? inStepAt : undefined).finally(() => {
      this.scope = undefined;
      this.hooks.onRest();
    });
    // waited for by `stop`, whoever ends
    this.ended.catch(() => undefined);
  }

  /** With what has been searched. A round that was under way meanwhile does not know of it. */
  noted(positions: readonly CatchUpPositions[]): CatchUpPositions[] {
    return positions.map((position) => {
      const { uuid, seqNos = [], toSearch = [] } = this.searched.get(position.index) ?? {};
      if (uuid !== position.uuid) return position;
      const reached = Object.fromEntries(toSearch.map((shard) => [shard, seqNos[shard] ?? -1]));
      return { ...position, searched: { ...position.searched, ...reached } };
    });
  }

  /** Told to stop it ends soon; one that is stuck waits for an operator. */
  cancel(): void {
    this.scope?.cancel();
  }

  /** Comes back once nothing is searched any more, stuck or not. */
  async stop(): Promise<void> {
    this.cancel();
    // one that has failed in this very moment is about to be stuck
    await condition(() => !this.isUnderWay || this.isStuck);
    const decision = { by: 'the catch-up', reason: 'it is searched anew' };
    if (this.isStuck) this.runner.decide('skip', decision, deletesStep);
    await this.ended.catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  }

  private async search(scope: CancellationScope, positions: CatchUpPositions[], inStepAt?: string): Promise<void> {
    const beganMs = Date.parse(now());
    await this.runner.run(
      { id: deletesStep, phase: 'catch-up', title: 'look for deleted documents', isSkippable: false },
      async (step) => {
        const { run, owner, runbook } = this.input;
        const input = { run, runbook, owner, step: step.id, positions, limits: this.hooks.limits() };
        const found = await orStopped(scope, () => step.activities.searchDeletes(input));
        if (!found) return { changed: false, summary: 'stopped, and begun anew later' };
        const { deleted, searched } = found;
        this.endedAt = now();
        this.tookMs = Date.parse(this.endedAt) - beganMs;
        const whole = positions.filter(({ index }) => searched.includes(index));
        for (const position of whole) this.searched.set(position.index, position);
        const isInStep = inStepAt !== undefined && whole.length === positions.length;
        this.hooks.onFound({ deleted, ...(isInStep ? { inStepAt } : {}) });
        return { changed: deleted > 0, summary: `${deleted} deleted` };
      },
    );
  }
}
