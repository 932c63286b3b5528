import type { ReindexPart, ReindexPartResult } from '../contracts/reindex';
import { MoveByDocuments, type PartPlan } from './move-by-documents';
import type { StepContext } from './step-runner';

/** The target fetches the documents by its own `_reindex`, a task for each part. */
export class MoveByReindex extends MoveByDocuments<ReindexPart, ReindexPartResult> {
  protected get inFlight(): number {
    return this.batch.input.runbook.reindex?.parts.inFlight ?? 1;
  }

  protected planParts(step: StepContext): Promise<PartPlan<ReindexPart>> {
    return step.activities.planReindexParts(this.input(step));
  }

  protected move(step: StepContext, part: ReindexPart): Promise<ReindexPartResult> {
    const requestsPerSecond = this.batch.input.runbook.reindex?.requestsPerSecond;
    return step.activities.reindexPart({
      ...this.batch.base(step),
      part,
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    });
  }

  /** A task that was cancelled cannot be taken up: what it wrote is found by its versions. */
  protected rest(part: ReindexPart): ReindexPart {
    return part;
  }
}
