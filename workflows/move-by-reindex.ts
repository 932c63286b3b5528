import type { ShardPositions } from '../contracts/document-activities';
import type { ReindexPart, ReindexPartResult } from '../contracts/reindex';
import { MoveByDocuments, type PartPlan, type PartsResult } from './move-by-documents';
import type { StepContext } from './step-runner';

/** The target fetches the documents by its own `_reindex`, a task for each part. */
export class MoveByReindex extends MoveByDocuments<ReindexPart, ReindexPartResult> {
  /** Of the parts under way. */
  private step?: StepContext;

  protected get inFlight(): number {
    return this.batch.input.runbook.reindex?.parts.inFlight ?? 1;
  }

  protected planParts(step: StepContext): Promise<PartPlan<ReindexPart>> {
    return step.activities.planReindexParts(this.input(step));
  }

  /** One at a time: what stops a group between two of its parts would be a cancellation, and that ends a task. */
  protected async move(step: StepContext, parts: ReindexPart[]): Promise<PartsResult<ReindexPartResult>> {
    const { requestsPerSecond } = this;
    this.step = step;
    const [part] = parts as [ReindexPart];
    const result = await step.activities.reindexPart({
      ...this.batch.base(step),
      part,
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    });
    if (part.replaces === true && result.superseded > 0) this.tellKept(part.index, result.superseded);
    return { parts: [result], causes: result.causes };
  }

  /** A task takes a higher version for a newer one, and has no way to look: by `external_gte` nothing else conflicts. */
  private tellKept(index: string, documents: number): void {
    const what = `${documents} documents that were written on the source after it was copied have higher versions on the target, which kept them: they were deleted on the source and created again. Delete the index on the target and move it by a run of its own, or by method copy, which replaces them`;
    const { differences } = this.batch.runner;
    const where = `index ${index}`;
    if (!differences.some((each) => each.where === where && each.what === what)) differences.push({ where, what });
  }

  /**
   * A task that is cancelled has to begin from its beginning, so none is: its rate is changed while it runs. A pause lets
   * tasks under way come to their end.
   */
  override steered(): void {
    const { step } = this;
    if (!step || this.batch.runner.isPaused) return;
    const input = { ...this.batch.base(step), requestsPerSecond: this.requestsPerSecond ?? null };
    // one that cannot be told keeps its rate; the next part has the new one
    void step.activities.throttleReindex(input).catch(() => undefined);
  }

  private get requestsPerSecond(): number | undefined {
    return this.batch.input.runbook.reindex?.requestsPerSecond;
  }

  protected canGoOn(): boolean {
    return false;
  }

  /** A task that was cancelled cannot be taken up: what it wrote is found by its versions. */
  protected rest(part: ReindexPart): ReindexPart {
    return part;
  }

  /** A task tells nothing of where in its range it was. */
  protected covered(part: ReindexPart): ReindexPart {
    return part;
  }

  protected hasNumbers({ range }: ReindexPart): boolean {
    return range !== undefined;
  }

  /** What was written since begins where the shard that was behind the others stood: in the midst of other parts. */
  protected override apartFrom(part: ReindexPart, others: readonly ReindexPart[]): ReindexPart | undefined {
    const { range } = part;
    const later = others.filter(({ index }) => index === part.index);
    if (later.length === 0) return part;
    const from = Math.min(...later.map((other) => other.range?.afterSeqNo ?? -1));
    if (!range || from <= range.afterSeqNo) return undefined;
    return { ...part, range: { ...range, toSeqNo: Math.min(range.toSeqNo, from) } };
  }

  /** A range is of all shards at once: from where the shard that was behind the others stood. */
  protected since(part: ReindexPart, positions: ShardPositions): ReindexPart | undefined {
    if (!part.range) return undefined;
    const afterSeqNo = Math.max(
      part.range.afterSeqNo,
      Math.min(...(positions.seqNos.length > 0 ? positions.seqNos : [-1]), part.range.toSeqNo),
    );
    return afterSeqNo < part.range.toSeqNo ? { ...part, range: { ...part.range, afterSeqNo } } : undefined;
  }
}
