import { CancellationScope, isCancellation } from '@temporalio/workflow';
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
  /** By index: what the last one began with that could search every shard. */
  private readonly searched = new Map<string, CatchUpPositions>();
  private scope: CancellationScope | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(
    private readonly input: CatchUpInput,
    private readonly runner: StepRunner,
    private readonly limits: () => PartLimits,
    private readonly onFound: (found: DeletesSearched) => void,
  ) {
    this.endedAt = input.comparedAt ?? now();
    this.tookMs = input.searchMs ?? 0;
  }

  get isUnderWay(): boolean {
    return this.scope !== undefined;
  }

  /** After a round, if one is owed, and due. @param inStepAt what is true of adds and updates by that round. */
  beginIfDue(positions: readonly CatchUpPositions[], inStepAt?: string): void {
    const owing = positions.filter(({ field, owed = [] }) => field === undefined && owed.length > 0);
    const restMs = Math.min(this.tookMs * restAfterSearch, mostRestMs);
    if (this.isUnderWay || owing.length === 0 || Date.parse(now()) - Date.parse(this.endedAt) < restMs) return;
    const scope = new CancellationScope();
    this.scope = scope;
    this.ended = this.search(scope, owing, inStepAt).finally(() => (this.scope = undefined));
    // waited for by `stop`, whoever ends
    this.ended.catch(() => undefined);
  }

  /** With what has been searched. A round that was under way meanwhile does not know of it. */
  noted(positions: readonly CatchUpPositions[]): CatchUpPositions[] {
    return positions.map((position) => {
      const { uuid, seqNos = [], owed = [] } = this.searched.get(position.index) ?? {};
      if (uuid !== position.uuid || owed.length === 0) return position;
      const reached = Object.fromEntries(owed.map((shard) => [shard, seqNos[shard] ?? -1]));
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
    const decision = { by: 'the catch-up', reason: 'it is searched anew' };
    if (this.runner.refusal('retry', deletesStep) === undefined) this.runner.decide('skip', decision, deletesStep);
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
        const input = { run, runbook, owner, step: step.id, positions, limits: this.limits() };
        const found = await orStopped(scope, () => step.activities.searchDeletes(input));
        if (!found) return { changed: false, summary: 'stopped, and begun anew later' };
        const { deleted, isWhole } = found;
        this.endedAt = now();
        this.tookMs = Date.parse(this.endedAt) - beganMs;
        if (isWhole) for (const position of positions) this.searched.set(position.index, position);
        this.onFound({ deleted, ...(isWhole && inStepAt !== undefined ? { inStepAt } : {}) });
        return { changed: deleted > 0, summary: `${deleted} deleted` };
      },
    );
  }
}
