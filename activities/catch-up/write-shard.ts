import path from 'node:path';
import type { CatchUpRound, CatchUpRoundInput } from '../../contracts/catch-up';
import type { CopyTotals } from '../../contracts/document-activities';
import type { RefusalCause } from '../../contracts/status';
import { settleConflicts, settlingConflicts } from '../copy/conflicts';
import { wantsType } from '../copy/documents';
import { failedDocuments, partFileName } from '../copy/failed-documents';
import { readingOf, type PartRange, type Reading } from '../copy/part-reader';
import { pump, type PumpOptions } from '../copy/pump';
import type { RefusalBound } from '../copy/refusal-bound';
import type { Place } from '../copy/requests';
import type { PartRates } from '../copy/worker-rates';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import type { RefusedIn } from './refused-ranges';

/** Both clusters, as an activity has them. */
export interface CatchUpSides {
  source: Cluster;
  target: Cluster;
  reader: ByteClient;
  writer: ByteClient;
  /** What this round shares with the parts of its worker. */
  rates: PartRates;
  allowed: Record<RefusedIn, RefusalBound>;
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
  input: Pick<CatchUpRoundInput, 'runbook' | 'limits'>,
  sides: CatchUpSides,
  onProgress: (documents: number) => void,
): Promise<ShardWritten> {
  const { index, target, shard, afterSeqNo, toSeqNo } = operations;
  const reading = readingOf(sides.source.version);
  const chosen: Chosen = {
    index,
    target,
    part: { index, shard, afterSeqNo, toSeqNo },
    reading: toSeqNo - afterSeqNo <= withoutPit ? 'sequence' : reading,
    refusedAs: { refusedIn: 'sequence', name: partFileName(target, shard, afterSeqNo) },
  };
  return writeChosen(chosen, input, sides, onProgress);
}

/**
 * Brings documents above the checkpoint that the round began with, too, so far as a later checkpoint covers them. One that is
 * written to all the time is above the earlier checkpoint in every round, and would come only once it is left alone.
 * No position moves over them, since not all of them can be seen: the next round has them again, and counts and tells them.
 */
export async function writeAhead(
  operations: ShardOperations,
  input: Pick<CatchUpRoundInput, 'runbook' | 'limits'>,
  sides: CatchUpSides,
): Promise<void> {
  const { index, target, shard, afterSeqNo, toSeqNo } = operations;
  const part = { index, shard, afterSeqNo, toSeqNo };
  await writeChosen({ index, target, part, reading: 'sequence' }, input, sides, () => undefined);
}

/** Which documents of an index are read, and how. */
interface Chosen extends Pick<ShardOperations, 'index' | 'target'>, Pick<PumpOptions, 'scrollDocuments'> {
  part: PartRange;
  reading: Reading;
  query?: Record<string, unknown>;
  /** Where those that the target refuses are counted, and the name of their file; left out, they are met with again. */
  refusedAs?: { refusedIn: RefusedIn; name: string };
}

/** Reads the chosen documents and writes them, conflicts settled. */
export async function writeChosen(
  { index, target: onTarget, part, reading, query, refusedAs, scrollDocuments }: Chosen,
  { runbook, limits }: Pick<CatchUpRoundInput, 'runbook' | 'limits'>,
  sides: CatchUpSides,
  onProgress: (documents: number) => void,
): Promise<ShardWritten> {
  const { source, target } = placesOf(sides, { index, target: onTarget });
  const { version } = sides.target;
  const { copy } = runbook;
  const failed = refusedAs && failedDocuments(sides.failedDirectory, `catch-up-${refusedAs.name}`, onTarget);
  let replaced = 0;
  const writer = settlingConflicts(sides.writer, async (documents) => {
    // added only then, since bulks go side by side
    const settled = await settleConflicts(documents, { source, target, version });
    replaced += settled;
  });
  const done = await pump({
    part,
    source: { client: sides.reader, reading },
    target: {
      client: writer,
      index: onTarget,
      versionType: 'external_gte',
      ...(copy?.pipeline === undefined ? {} : { pipeline: copy.pipeline }),
      ...(wantsType(version) ? { type: '_doc' } : {}),
    },
    choice: {
      ...(query === undefined ? {} : { query }),
      ...(copy?.dropFields.length ? { dropFields: copy.dropFields } : {}),
    },
    ...(scrollDocuments === undefined ? {} : { scrollDocuments }),
    batchBytes: limits.bulkBytes,
    mostInFlight: limits.bulksInFlight,
    gates: sides.rates,
    ...(limits.docsPerSec === undefined ? {} : { docsPerSec: limits.docsPerSec }),
    ...(limits.bytesPerSec === undefined ? {} : { bytesPerSec: limits.bytesPerSec }),
    ...(sides.signal ? { signal: sides.signal } : {}),
    onProgress: ({ written, superseded, refused }) => onProgress(written + superseded + refused),
    onRefused: (document) => {
      if (!refusedAs) return;
      failed?.add(document);
      sides.allowed[refusedAs.refusedIn](document, onTarget);
    },
    // what was refused is what whoever looks for the cause needs
  }).finally(() => failed?.written());
  return {
    written: done.written + replaced,
    superseded: done.superseded - replaced,
    refused: done.refused,
    bytes: done.bytes,
    replaced,
    causes: failed?.causes() ?? [],
  };
}

/** Limits are the whole round's, and several shards or indices go at once. */
export function shared(limits: CatchUpRoundInput['limits'], among: number): CatchUpRoundInput['limits'] {
  const part = (value: number) => value / Math.max(1, among);
  return {
    ...limits,
    ...(limits.docsPerSec === undefined ? {} : { docsPerSec: part(limits.docsPerSec) }),
    ...(limits.bytesPerSec === undefined ? {} : { bytesPerSec: part(limits.bytesPerSec) }),
  };
}

export function addWritten(round: CatchUpRound, done: ShardWritten): void {
  round.written += done.written;
  round.superseded += done.superseded;
  round.refused += done.refused;
  round.bytes += done.bytes;
  round.replaced += done.replaced;
  round.causes.push(...done.causes);
}

export function failedDirectoryOf(directory: string, owner: string): string {
  return path.join(directory, owner);
}
