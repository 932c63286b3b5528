import type { CopyPartInput, CopyPartResult, CopyTotals } from '../../contracts/document-activities';
import { targetName } from '../../contracts/ids';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import { cancellationSignal, heartbeat, lastHeartbeat } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { FailedDocuments } from './failed-documents';
import { readingOf } from './part-reader';
import { pump, type PumpProgress } from './pump';

/** What a heartbeat carries besides progress: where the next attempt goes on. */
export interface PartCheckpoint extends CopyTotals {
  throughSeqNo: number;
  causes: RefusalCause[];
}

export interface CopySides {
  source: Cluster;
  target: Cluster;
  reader: ByteClient;
  writer: ByteClient;
}

/**
 * Copies a part, or what is left of it. Killed at any moment, the next attempt goes on from the last heartbeat, which is
 * behind what was acknowledged by a second at most: those documents are written again, as the same versions. Told to
 * stop, it ends with what is acknowledged, and answers how far that is.
 */
export async function copyPart(
  { part, limits, runbook }: CopyPartInput,
  { source, target, reader, writer }: CopySides,
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
  const before = (canGoOn ? checkpointOf(lastHeartbeat()) : undefined) ?? nothing;
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
    };
  }

  async function report(progress: PumpProgress): Promise<void> {
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
      detail: detailOf(part.index, progress),
      checkpoint: reached,
    });
  }

  let reportFailure: Error | undefined;
  try {
    const progress = await pump({
      part: { ...part, afterSeqNo: before.throughSeqNo },
      source: { client: reader, reading },
      target: {
        client: writer,
        index: targetName(runbook, part.index),
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
      ...(signal ? { signal } : {}),
      onProgress: (made) => void report(made).catch((error: unknown) => (reportFailure ??= error as Error)),
      onRefused: (document) => failed.add(document),
    });
    isOver = true;
    await failed.written();
    if (reportFailure !== undefined) throw reportFailure;
    return { isDone: true, ...told(progress) };
  } catch (error) {
    isOver = true;
    if (signal?.aborted !== true) throw error;
    return { isDone: false, ...(canGoOn ? latest : nothing) };
  }
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

function detailOf(index: string, { concurrency, pushedBack, reason }: PumpProgress): string {
  const held = pushedBack > 0 ? `, held back ${pushedBack} times${reason === undefined ? '' : `: ${reason}`}` : '';
  return `${index}: ${concurrency} bulks at once${held}`;
}

function checkpointOf(details: unknown): PartCheckpoint | undefined {
  return (details as { checkpoint?: PartCheckpoint } | undefined)?.checkpoint;
}
