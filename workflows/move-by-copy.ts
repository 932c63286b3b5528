import { parseBytes } from '../contracts/bytes';
import { positionsOfParts } from '../contracts/catch-up';
import type { CopyPart, CopyPartResult, PartLimits } from '../contracts/document-activities';
import { MoveByDocuments, type PartPlan } from './move-by-documents';
import type { StepContext } from './step-runner';

/** Documents pass through the workers, part by part; any worker of the queue takes the next. */
export class MoveByCopy extends MoveByDocuments<CopyPart, CopyPartResult> {
  protected get inFlight(): number {
    return this.batch.input.runbook.copy?.parts.inFlight ?? 1;
  }

  protected async planParts(step: StepContext): Promise<PartPlan<CopyPart>> {
    const { parts } = await step.activities.planParts(this.input(step));
    return { parts, positions: positionsOfParts(parts, this.batch.input.batch.indices) };
  }

  protected move(step: StepContext, part: CopyPart): Promise<CopyPartResult> {
    return step.activities.copyPart({ ...this.batch.base(step), part, limits: this.limits() });
  }

  protected rest(part: CopyPart, { throughSeqNo }: CopyPartResult): CopyPart {
    return { ...part, afterSeqNo: throughSeqNo };
  }

  /** Limits are of the whole run: each part under way has its share. */
  private limits(): PartLimits {
    const {
      docsPerSec,
      bytesPerSec,
      bulkBytes = '5mb',
      bulksInFlight = 4,
    } = this.batch.input.runbook.copy?.limits ?? {};
    return {
      bulkBytes: parseBytes(bulkBytes),
      bulksInFlight,
      ...(docsPerSec === undefined ? {} : { docsPerSec: docsPerSec / this.inFlight }),
      ...(bytesPerSec === undefined ? {} : { bytesPerSec: parseBytes(bytesPerSec) / this.inFlight }),
    };
  }
}
