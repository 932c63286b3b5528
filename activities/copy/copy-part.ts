import type { CopyPartInput, CopyPartResult, CopyTotals } from '../../contracts/document-activities';
import { targetName } from '../../contracts/ids';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import { cancellationSignal, heartbeat, lastHeartbeat } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent, transient } from '../failure';
import type { ByteClient } from '../elasticsearch/byte-client';
import { durableIndex, type Durable } from './durable';
import type { FailedDocuments } from './failed-documents';
import { readingOf } from './part-reader';
import { pump, type PumpProgress } from './pump';
import { refusalBound } from './refusal-bound';
import type { PartRates } from './worker-rates';

/** What a heartbeat carries besides progress: where the next attempt goes on. */
export interface PartCheckpoint extends CopyTotals {
  throughSeqNo: number;
  causes: RefusalCause[];
  /** With an async translog: the target's primary terms before the first of these documents was written. */
  terms?: string;
}

export interface CopySides {
  source: Cluster;
  target: Cluster;
  reader: ByteClient;
  writer: ByteClient;
  /** Joins the rates of this worker; `onChange` when there is something new to be said of them. */
  rates(onChange: () => void): PartRates;
}

/**
 * Copies a part, or what is left of it. Killed at any moment, the next attempt goes on from the last heartbeat, which is
 * behind what was acknowledged by a second at most: those documents are written again, as the same versions. Told to
 * stop, it ends with what is acknowledged, and answers how far that is.
 */
export async function copyPart(
  { part, limits, runbook }: CopyPartInput,
  { source, target, reader, writer, rates }: CopySides,
  failed: FailedDocuments,
): Promise<CopyPartResult> {
  await refuseOtherIndex(source, part);
  const { copy } = runbook;
  const reading = readingOf(source.version);
  const nothing: PartCheckpoint = {
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
  const durable = copy?.load.translog === 'async' ? durableIndex(target, writer, index) : undefined;
  const terms = await durable?.terms();
  const before = (canGoOn ? checkpointOf(lastHeartbeat(), terms) : undefined) ?? nothing;
  const signal = cancellationSignal();
  let isOver = false;
  let latest: PartCheckpoint = before;
  const startedAt = performance.now();

  function told(progress: PumpProgress): PartCheckpoint {
    return {
      throughSeqNo: progress.throughSeqNo,
      written: before.written + progress.written,
      superseded: before.superseded + progress.superseded,
      refused: before.refused + progress.refused,
      bytes: before.bytes + progress.bytes,
      causes: mergeCauses([...before.causes, ...failed.causes()]),
      ...(terms === undefined ? {} : { terms }),
    };
  }

  let lastMade: PumpProgress | undefined;

  async function report(progress: PumpProgress): Promise<void> {
    lastMade = progress;
    const reached = told(progress);
    if (progress.refused > 0) await failed.written();
    // a write of lines that took its time must not move the checkpoint back
    if (isOver || reached.throughSeqNo < latest.throughSeqNo) return;
    latest = reached;
    const done = reached.written + reached.superseded + reached.refused;
    const seconds = (performance.now() - startedAt) / 1000;
    heartbeat({
      done: Math.min(done, part.documents),
      total: part.documents,
      unit: 'documents',
      rate: (done - before.written - before.superseded - before.refused) / seconds,
      detail: `${part.index}: ${gates.words(limits.bulkBytes)}`,
      checkpoint: reached,
    });
  }

  let reportFailure: Error | undefined;
  const note = (made: PumpProgress) => void report(made).catch((error: unknown) => (reportFailure ??= error as Error));
  const gates = rates(() => note(lastMade ?? noneYet(before.throughSeqNo)));
  const allowed = refusalBound(limits.mostRefused, before.refused);
  try {
    const progress = await pump({
      part: { ...part, afterSeqNo: before.throughSeqNo },
      source: { client: reader, reading },
      target: {
        client: writer,
        index,
        versionType: 'external',
        ...(copy?.pipeline === undefined ? {} : { pipeline: copy.pipeline }),
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
      ...(signal ? { signal } : {}),
      onProgress: note,
      onRefused: (document) => {
        failed.add(document);
        allowed(document, index);
      },
    });
    isOver = true;
    await failed.written();
    if (reportFailure !== undefined) throw reportFailure;
    if (!(await isOnDisk(durable, terms))) throw lost(index);
    return { isDone: true, ...resultOf(told(progress)) };
  } catch (error) {
    isOver = true;
    if (signal?.aborted !== true) {
      await failed.written().catch(() => undefined);
      throw error;
    }
    // a target that does not answer now is, as likely as not, why it was told to stop
    const isKept = canGoOn && (await isOnDisk(durable, terms).catch(() => false));
    return { isDone: false, ...resultOf(isKept ? latest : nothing) };
  } finally {
    gates.leave();
  }
}

function resultOf({ terms: _own, ...result }: PartCheckpoint): PartCheckpoint {
  return result;
}

function noneYet(throughSeqNo: number): PumpProgress {
  return { throughSeqNo, written: 0, superseded: 0, refused: 0, bytes: 0, pushedBack: 0 };
}

/** Whether all that was acknowledged since the terms were read will outlive a crash of the target. */
async function isOnDisk(durable: Durable | undefined, terms: string | undefined): Promise<boolean> {
  if (durable === undefined) return true;
  await durable.flush();
  return (await durable.terms()) === terms;
}

/** The next attempt finds other terms than its checkpoint has, and begins at the beginning. */
function lost(index: string): Error {
  return transient({
    type: 'ClusterUnavailable',
    message:
      'a primary shard of the target began anew meanwhile: with an async translog its last documents may be lost',
    where: `target cluster: ${index}`,
    remedy: 'nothing: the part is read once more; what is there is found by its version',
  });
}

/** An index that was deleted and made anew has other documents under the same numbers. */
async function refuseOtherIndex(source: Cluster, { index, uuid }: CopyPartInput['part']): Promise<void> {
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

function checkpointOf(details: unknown, terms: string | undefined): PartCheckpoint | undefined {
  const found = (details as { checkpoint?: PartCheckpoint } | undefined)?.checkpoint;
  return found?.terms === terms ? found : undefined;
}
