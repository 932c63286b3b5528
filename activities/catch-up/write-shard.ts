import path from 'node:path';
import type { CatchUpRoundInput } from '../../contracts/catch-up';
import type { CopyTotals } from '../../contracts/document-activities';
import type { RefusalCause } from '../../contracts/status';
import { failedDocuments, partFileName } from '../copy/failed-documents';
import { readingOf } from '../copy/part-reader';
import { pump } from '../copy/pump';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { settleConflicts, settlingConflicts } from './conflicts';
import { wantsType } from './documents';
import type { Place } from './requests';

/** Both clusters, as an activity has them. */
export interface CatchUpSides {
  source: Cluster;
  target: Cluster;
  reader: ByteClient;
  writer: ByteClient;
  /** Directory for documents that the target refuses. */
  failedDirectory: string;
  signal?: AbortSignal;
}

/** What came of a shard's operations above one sequence number and at or below another. */
export interface ShardOperations {
  index: string;
  target: string;
  shard: number;
  afterSeqNo: number;
  toSeqNo: number;
}

export interface ShardWritten extends CopyTotals {
  replaced: number;
  causes: RefusalCause[];
}

/** For fewer operations a point in time costs more than it is worth; no document is missed without one. */
const withoutPit = 5_000;

export function placesOf(sides: CatchUpSides, { index, target }: Pick<ShardOperations, 'index' | 'target'>) {
  const signal = sides.signal === undefined ? {} : { signal: sides.signal };
  const source: Place = { client: sides.reader, where: 'source cluster', index, ...signal };
  return {
    source,
    target: { client: sides.writer, where: 'target cluster', index: target, ...signal } satisfies Place,
  };
}

/**
 * Reads the documents that a shard has of those operations, and writes them. external_gte, and not external: a document
 * that was deleted and created again can come to the very version that the target has, with another body.
 */
export async function writeShard(
  operations: ShardOperations,
  { runbook, limits }: Pick<CatchUpRoundInput, 'runbook' | 'limits'>,
  sides: CatchUpSides,
  onProgress: (documents: number) => void,
): Promise<ShardWritten> {
  const { index, target: onTarget, shard, afterSeqNo, toSeqNo } = operations;
  const { source, target } = placesOf(sides, operations);
  const { version } = sides.target;
  const { copy } = runbook;
  const name = partFileName(onTarget, shard, afterSeqNo);
  const failed = failedDocuments(sides.failedDirectory, `catch-up-${name}`, onTarget);
  const reading = readingOf(sides.source.version);
  let replaced = 0;
  const writer = settlingConflicts(sides.writer, async (documents) => {
    replaced += await settleConflicts(documents, { source, target, version });
  });
  const done = await pump({
    part: { index, shard, afterSeqNo, toSeqNo },
    source: { client: sides.reader, reading: toSeqNo - afterSeqNo <= withoutPit ? 'sequence' : reading },
    target: {
      client: writer,
      index: onTarget,
      versionType: 'external_gte',
      ...(copy?.pipeline === undefined ? {} : { pipeline: copy.pipeline }),
      ...(wantsType(version) ? { type: '_doc' } : {}),
    },
    choice: copy?.dropFields.length ? { dropFields: copy.dropFields } : {},
    batchBytes: limits.bulkBytes,
    mostInFlight: limits.bulksInFlight,
    ...(limits.docsPerSec === undefined ? {} : { docsPerSec: limits.docsPerSec }),
    ...(limits.bytesPerSec === undefined ? {} : { bytesPerSec: limits.bytesPerSec }),
    ...(sides.signal ? { signal: sides.signal } : {}),
    onProgress: ({ written, superseded, refused }) => onProgress(written + superseded + refused),
    onRefused: (document) => failed.add(document),
  });
  await failed.written();
  return {
    written: done.written + replaced,
    superseded: done.superseded - replaced,
    refused: done.refused,
    bytes: done.bytes,
    replaced,
    causes: failed.causes(),
  };
}

export function failedDirectoryOf(directory: string, owner: string): string {
  return path.join(directory, owner);
}
