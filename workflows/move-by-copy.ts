import { parseBytes } from '../contracts/bytes';
import { positionsOfParts } from '../contracts/catch-up';
import type {
  CopyPart,
  CopyPartResult,
  CopyPartsResult,
  PartLimits,
  SequenceRange,
  ShardPositions,
} from '../contracts/document-activities';
import { closestJoined } from '../contracts/refusals';
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

  /** The last parts of a batch get what those before them have left, by halves: each time those that can go on are begun anew. */
  protected override ended(): void {
    const { docsPerSec, bytesPerSec } = this.batch.input.runbook.copy?.limits ?? {};
    if ((docsPerSec ?? bytesPerSec) !== undefined && this.atOnce > 0 && this.atOnce * 2 <= this.sharedBy)
      this.sharedAnew();
  }

  /**
   * By sequence numbers. A source without them has slices, and whole indices, whose number is 0; so is that of a shard with
   * a single operation, of which there is nothing to go on with.
   */
  protected canGoOn({ slice, toSeqNo }: CopyPart): boolean {
    return slice === undefined && toSeqNo > 0;
  }

  protected rest(part: CopyPart, { throughSeqNo }: CopyPartResult): CopyPart {
    return { ...part, afterSeqNo: throughSeqNo };
  }

  protected covered(part: CopyPart, { throughSeqNo }: CopyPartResult): CopyPart {
    return { ...part, toSeqNo: throughSeqNo };
  }

  protected override refusedIn(part: CopyPart, result: CopyPartResult): CopyPart[] {
    const { refusedRanges = [] } = result;
    if (refusedRanges.length === 0) return super.refusedIn(part, result);
    return refusedRanges.map((range) => ({ ...part, ...range, documents: documentsIn(range, [part]) }));
  }

  protected override joined(parts: readonly CopyPart[], most: number): CopyPart[] {
    // what lies between two that were joined may have been under way then
    const apart = parts.filter((part, at) => !parts.slice(0, at).some((other) => holds(other, part)));
    if (apart.length <= most) return apart;
    return closestJoined(apart.sort(inOrder), most, (lower, upper) => {
      if (placeOf(lower) !== placeOf(upper)) return undefined;
      const range = { afterSeqNo: lower.afterSeqNo, toSeqNo: upper.toSeqNo };
      return { ...lower, ...range, documents: documentsIn(range, [lower, upper]) };
    });
  }

  protected hasNumbers({ slice }: CopyPart): boolean {
    return slice === undefined;
  }

  protected override apartFrom(part: CopyPart, others: readonly CopyPart[]): CopyPart | undefined {
    const above = others.filter(({ index, shard }) => index === part.index && shard === part.shard);
    const toSeqNo = Math.min(part.toSeqNo, ...above.map(({ afterSeqNo }) => afterSeqNo));
    if (part.slice !== undefined || toSeqNo === part.toSeqNo) return part;
    if (toSeqNo <= part.afterSeqNo) return undefined;
    const range = { afterSeqNo: part.afterSeqNo, toSeqNo };
    return { ...part, ...range, documents: documentsIn(range, [part]) };
  }

  /** A source without sequence numbers cannot tell; the comparison does. */
  protected since(part: CopyPart, positions: ShardPositions): CopyPart | undefined {
    if (part.slice) return undefined;
    const range = { afterSeqNo: Math.max(part.afterSeqNo, positions.seqNos[part.shard] ?? -1), toSeqNo: part.toSeqNo };
    if (range.afterSeqNo >= part.toSeqNo) return undefined;
    return { ...part, ...range, documents: documentsIn(range, [part]) };
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

/** What parts must share to be joined; a slice has nothing that it could be joined with. */
function placeOf({ index, uuid, shard, slice, replaces }: CopyPart): string {
  return JSON.stringify([index, uuid, shard, slice?.id, replaces]);
}

function holds(whole: CopyPart, part: CopyPart): boolean {
  const isWithin = whole.afterSeqNo <= part.afterSeqNo && part.toSeqNo <= whole.toSeqNo;
  return isWithin && placeOf(whole) === placeOf(part);
}

function inOrder(a: CopyPart, b: CopyPart): number {
  const [one, other] = [placeOf(a), placeOf(b)];
  return one === other ? a.afterSeqNo - b.afterSeqNo : one < other ? -1 : 1;
}

/** About: as many for each number as these parts have. No number has more than one, and one was refused. */
function documentsIn({ afterSeqNo, toSeqNo }: SequenceRange, parts: readonly CopyPart[]): number {
  const numbers = parts.reduce((sum, part) => sum + part.toSeqNo - part.afterSeqNo, 0);
  const documents = parts.reduce((sum, part) => sum + part.documents, 0);
  const width = toSeqNo - afterSeqNo;
  return Math.max(1, Math.min(width, Math.round((documents / numbers) * width)));
}
