import { parseBytes } from '../contracts/bytes';
import { positionsOfParts } from '../contracts/catch-up';
import type { CopyPart, CopyPartResult, PartLimits, ShardPositions } from '../contracts/document-activities';
import { MoveByDocuments, type PartPlan } from './move-by-documents';
import type { StepContext } from './step-runner';

/** Documents pass through the workers, part by part; any worker of the queue takes the next. */
export class MoveByCopy extends MoveByDocuments<CopyPart, CopyPartResult> {
  /** Parts among which limits were divided last. */
  private sharedBy = 1;

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

  /** The last parts of a batch get what those before them have left, by halves: each time they are begun anew. */
  protected override ended(): void {
    const { docsPerSec, bytesPerSec } = this.batch.input.runbook.copy?.limits ?? {};
    if ((docsPerSec ?? bytesPerSec) !== undefined && this.atOnce > 0 && this.atOnce * 2 <= this.sharedBy)
      this.steered();
  }

  protected rest(part: CopyPart, { throughSeqNo }: CopyPartResult): CopyPart {
    return { ...part, afterSeqNo: throughSeqNo };
  }

  protected covered(part: CopyPart, { throughSeqNo }: CopyPartResult): CopyPart {
    return { ...part, toSeqNo: throughSeqNo };
  }

  /** A source without sequence numbers cannot tell; the comparison does. */
  protected since(part: CopyPart, positions: ShardPositions): CopyPart | undefined {
    if (part.slice) return undefined;
    const afterSeqNo = Math.max(part.afterSeqNo, positions.seqNos[part.shard] ?? -1);
    return afterSeqNo < part.toSeqNo ? { ...part, afterSeqNo } : undefined;
  }

  /** Limits are of the whole run: each batch that moves has its share, and each part under way of that. */
  private limits(): PartLimits {
    const { copy } = this.batch.input.runbook;
    const { docsPerSec, bytesPerSec, bulkBytes = '5mb', bulksInFlight = 4, pauseAbove } = copy?.limits ?? {};
    const most = copy?.failedDocuments.most ?? undefined;
    this.sharedBy = this.atOnce;
    const shares = this.atOnce * (this.batch.input.sharedBy ?? 1);
    return {
      bulkBytes: parseBytes(bulkBytes),
      bulksInFlight,
      ...(pauseAbove ? { pauseAbove } : {}),
      ...(most === undefined ? {} : { mostRefused: Math.max(0, most - this.refusedSoFar) }),
      ...(docsPerSec === undefined ? {} : { docsPerSec: docsPerSec / shares }),
      ...(bytesPerSec === undefined ? {} : { bytesPerSec: parseBytes(bytesPerSec) / shares }),
    };
  }
}
