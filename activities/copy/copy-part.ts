import type {
  CopyPart,
  CopyPartResult,
  CopyPartsInput,
  CopyTotals,
  SequenceRange,
} from '../../contracts/document-activities';
import { targetName } from '../../contracts/ids';
import { mergeCauses, withRefused } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import { cancellationSignal } from '../context';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { settleConflicts, settlingConflicts } from './conflicts';
import { durableIndex, isOnDisk, lostWrites } from './durable';
import type { FailedDocuments } from './failed-documents';
import { readingOf, type WindowPlace } from './part-reader';
import { pump, type PumpProgress } from './pump';
import { refusalBound } from './refusal-bound';
import type { Place } from './requests';
import { isOpen } from './sequence-reader';
import type { PartRates } from './worker-rates';

/** Where the next attempt goes on. */
export interface PartCheckpoint extends CopyTotals {
  throughSeqNo: number;
  causes: RefusalCause[];
  /** Of the result, for what lies up to here. */
  refusedRanges?: SequenceRange[];
  /** With an async translog: the target's primary terms before the first of these documents was written. */
  terms?: string;
  /** In the midst of a window of the source's; `whole` is what counted where it began, for when its point in time is lost. */
  within?: WindowPlace & { whole: WholeCheckpoint };
}

/** Between two windows: it depends on nothing that the source may lose. */
type WholeCheckpoint = Omit<PartCheckpoint, 'within' | 'terms'>;

export interface CopySides {
  source: Cluster;
  target: Cluster;
  reader: ByteClient;
  writer: ByteClient;
  /** Joins the rates of this worker; `onChange` when there is something new to be said of them. */
  rates(onChange: () => void): PartRates;
}

/** One part, in the activity that copies it. */
export interface PartTurn {
  part: CopyPart;
  limits: CopyPartsInput['limits'];
  runbook: CopyPartsInput['runbook'];
  /** What an attempt before this one said last of the part. */
  before: PartCheckpoint | undefined;
  failed: FailedDocuments;
  /** The next attempt begins there. `words` say how hard the clusters are worked. */
  reached(checkpoint: PartCheckpoint, words: string): void;
}

export type CopiedPart = CopyPartResult & { causes: RefusalCause[] };

/**
 * Copies a part, or what is left of it. Killed at any moment, the next attempt goes on from the last heartbeat, which is
 * behind what was acknowledged by a second at most: those documents are written again, as the same versions. Told to
 * stop, it ends with what is acknowledged, and answers how far that is.
 *
 * Within a window of the source's it goes on in the same point in time; where that is gone, with a node of the source, from where
 * the window began: what of it was written is found so, and counted anew with what counted there. Told to stop, it answers
 * with that as well.
 *
 * Where documents were refused is known of the same operations as how many were: killed before the heartbeat that says so,
 * the next attempt reads them again, and is refused them again; killed after it, it goes on above, with the ranges that it said.
 */
export async function copyPart(
  { part, limits, runbook, failed, ...turn }: PartTurn,
  { source, target, reader, writer, rates }: CopySides,
): Promise<CopiedPart> {
  await refuseOtherIndex(source, part);
  const { copy } = runbook;
  const { pipeline } = copy ?? {};
  const reading = readingOf(source.version);
  const nothing: WholeCheckpoint = {
    throughSeqNo: part.afterSeqNo,
    written: 0,
    superseded: 0,
    refused: 0,
    bytes: 0,
    causes: [],
  };
  // Without sequence numbers there is nowhere to go on from: the part is read, and counted, from its beginning.
  const canGoOn = reading !== 'scroll';
  const index = targetName(runbook, part.index);
  const durable = copy?.load.translog === 'async' ? durableIndex(target, index, writer) : undefined;
  const terms = await durable?.terms();
  const known: PartCheckpoint = canGoOn && turn.before && turn.before.terms === terms ? turn.before : nothing;
  // whatever is the matter with the point in time, a new one serves as well
  const isPlaceLost = known.within !== undefined && !(await isOpen(reader, known.within.pit));
  const before: PartCheckpoint =
    known.within && isPlaceLost ? { ...known.within.whole, ...(terms === undefined ? {} : { terms }) } : known;
  const signal = cancellationSignal();
  let isOver = false;
  let latest: PartCheckpoint = before;
  let whole: WholeCheckpoint = before.within?.whole ?? wholeOf(before);

  function told(progress: PumpProgress): PartCheckpoint {
    const refusedRanges = progress.refusedRanges.reduce(
      (ranges, range) => withRefused(ranges, range),
      rangesOf(part, before),
    );
    return {
      throughSeqNo: progress.throughSeqNo,
      written: before.written + progress.written,
      superseded: before.superseded + progress.superseded,
      refused: before.refused + progress.refused,
      bytes: before.bytes + progress.bytes,
      causes: mergeCauses([...before.causes, ...failed.causes()]),
      ...(refusedRanges.length === 0 ? {} : { refusedRanges }),
      ...(terms === undefined ? {} : { terms }),
      ...(progress.within ? { within: { ...progress.within, whole } } : {}),
    };
  }

  let lastMade: PumpProgress | undefined;

  async function report(progress: PumpProgress): Promise<void> {
    lastMade = progress;
    const reached = told(progress);
    if (progress.refused > 0) await failed.written();
    // a write of lines that took its time must not move the checkpoint back
    if (isOver || reached.throughSeqNo < latest.throughSeqNo || countOf(reached) < countOf(latest)) return;
    latest = reached;
    turn.reached(reached, gates.words(limits.bulkBytes));
  }

  let reportFailure: Error | undefined;
  const note = (made: PumpProgress) => void report(made).catch((error: unknown) => (reportFailure ??= error as Error));
  // Windows have one page where several would be too much to be read again: under a limit, which makes minutes of work of them;
  // and where a target may be so slow that points in time run out between two pages, which would begin one window for ever.
  const isLimited = limits.docsPerSec !== undefined || limits.bytesPerSec !== undefined;
  const gates = rates(() => note(lastMade ?? noneYet(before)));
  const stopped = signal ? { signal } : {};
  const onSource: Place = { client: reader, where: 'source cluster', index: part.index, ...stopped };
  const onTarget: Place = { client: writer, where: 'target cluster', index, ...stopped };
  const settling = settlingConflicts(writer, async (documents) => {
    // counted as what was there already: the target had something, and a checkpoint goes by bulks
    const { version } = target;
    await settleConflicts(documents, {
      source: onSource,
      target: onTarget,
      version,
      ...(pipeline ? { pipeline } : {}),
    });
  });
  const allowed = refusalBound(limits.mostRefused, before.refused);
  try {
    const progress = await pump({
      part: { ...part, afterSeqNo: before.throughSeqNo },
      source: { client: reader, reading },
      target: {
        index,
        ...(part.replaces === true
          ? { client: settling, versionType: 'external_gte' }
          : { client: writer, versionType: 'external' }),
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(target.version.major < 7 && target.version.distribution === 'elasticsearch' ? { type: '_doc' } : {}),
      },
      choice: {
        ...(copy?.query === undefined ? {} : { query: copy.query }),
        ...(copy?.dropFields.length ? { dropFields: copy.dropFields } : {}),
      },
      batchBytes: limits.bulkBytes,
      mostInFlight: limits.bulksInFlight,
      ...(limits.docsPerSec === undefined ? {} : { docsPerSec: limits.docsPerSec }),
      ...(limits.bytesPerSec === undefined ? {} : { bytesPerSec: limits.bytesPerSec }),
      gates,
      ...(isLimited || isPlaceLost ? {} : { windowPages }),
      ...(before.within ? { within: placeOf(before.within) } : {}),
      ...stopped,
      onProgress: note,
      onWhole: (made) => (whole = wholeOf(told(made))),
      onRefused: (document) => {
        failed.add(document);
        allowed(document, index);
      },
    });
    isOver = true;
    await failed.written();
    if (reportFailure !== undefined) throw reportFailure;
    if (!(await isOnDisk(durable, terms))) throw lostWrites(index);
    return { isDone: true, ...wholeOf(told(progress)) };
  } catch (error) {
    isOver = true;
    if (signal?.aborted !== true) {
      await failed.written().catch(() => undefined);
      throw error;
    }
    // a target that does not answer now is, as likely as not, why it was told to stop
    const isWritten = () => failed.written().then(() => isOnDisk(durable, terms));
    const isKept = canGoOn && (await isWritten().catch(() => false));
    return { isDone: false, ...(isKept ? whole : nothing) };
  } finally {
    gates.leave();
  }
}

/** A worker of an earlier version said how many were refused, and not where: in what it has gone through. */
function rangesOf({ afterSeqNo }: CopyPart, { refused, refusedRanges, throughSeqNo }: PartCheckpoint): SequenceRange[] {
  return refusedRanges ?? (refused > 0 ? [{ afterSeqNo, toSeqNo: throughSeqNo }] : []);
}

/** Pages of 5 MB: what a lost point in time has read again stays below a hundred megabytes. */
const windowPages = 16;

function wholeOf({ terms: _terms, within: _within, ...whole }: PartCheckpoint): WholeCheckpoint {
  return whole;
}

function placeOf({ whole: _whole, ...place }: NonNullable<PartCheckpoint['within']>): WindowPlace {
  return place;
}

/** Documents that are settled, one way or another. */
export function countOf({ written, superseded, refused }: CopyTotals): number {
  return written + superseded + refused;
}

function noneYet({ throughSeqNo, within }: PartCheckpoint): PumpProgress {
  const nothing = { written: 0, superseded: 0, refused: 0, bytes: 0, refusedRanges: [], pushedBack: 0 };
  return { throughSeqNo, ...(within ? { within: placeOf(within) } : {}), ...nothing };
}

/** An index that was deleted and made anew has other documents under the same numbers. */
async function refuseOtherIndex(source: Cluster, { index, uuid }: CopyPart): Promise<void> {
  const { status, body } = await source.request<Record<string, { settings?: { index?: { uuid?: string } } }>>({
    method: 'GET',
    path: `/${encodeURIComponent(index)}/_settings/index.uuid`,
    allow: [404],
  });
  const found = body[index]?.settings?.index?.uuid;
  if (status < 300 && (uuid === '' || found === uuid)) return;
  throw permanent({
    type: 'IndexMissing',
    message:
      status < 300 ? 'the index was deleted and made anew since its copy began' : 'the index is gone from the source',
    where: `source cluster: ${index}`,
    remedy:
      'abort this run and start a new one, or skip the step, which leaves the index as far as it was copied and says so in the report',
  });
}
