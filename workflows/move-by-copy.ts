import { parseBytes } from '../contracts/bytes';
import { positionsOfParts } from '../contracts/catch-up';
import type {
  CopyPart,
  CopyPartResult,
  CopyPartsResult,
  PartLimits,
  ShardPositions,
} from '../contracts/document-activities';
import { MoveByDocuments, type PartPlan } from './move-by-documents';
import { groupsOf } from './part-groups';
import type { StepContext } from './step-runner';

/** Small parts are not grouped below: workers take them side by side, and more of them at once where that is tuned. */
const leastGroups = 16;

/** Documents pass through the workers, part by part; any worker of the queue takes the next. */
export class MoveByCopy extends MoveByDocuments<CopyPart, CopyPartResult> {
  /** Activities among which limits were divided last. */
  private sharedBy = 1;

  protected get inFlight(): number {
    return this.batch.input.runbook.copy?.parts.inFlight ?? 1;
  }

  protected async planParts(step: StepContext): Promise<PartPlan<CopyPart>> {
    const { parts } = await step.activities.planParts(this.input(step));
    return { parts, positions: positionsOfParts(parts, this.batch.input.batch.indices) };
  }

  protected override grouped<Each extends { part: CopyPart }>(works: readonly Each[]): Each[][] {
    return groupsOf(works, this.batch.input.batch.indices, Math.max(leastGroups, this.inFlight));
  }

  protected move(step: StepContext, parts: CopyPart[]): Promise<CopyPartsResult> {
    return step.activities.copyParts({ ...this.batch.base(step), parts, limits: this.limits() });
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

  /** Limits are of the whole run: each batch that moves has its share, and each activity under way of that. */
  private limits(): PartLimits {
    const { copy } = this.batch.input.runbook;
    const { docsPerSec, bytesPerSec, bulkBytes = '5mb', bulksInFlight = 3, pauseAbove } = copy?.limits ?? {};
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
