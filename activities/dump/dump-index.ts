import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { CopyPart } from '../../contracts/document-activities';
import type { IndexFacts } from '../../contracts/plan';
import type { Compression, DumpIndexInput, DumpIndexResult, DumpProgress } from '../../contracts/dump';
import { BrokenJson } from '../copy/json-bytes';
import { planParts } from '../copy/plan-parts';
import { documentsOfScroll, readingOf, type PartReader, type Reading, type ReadLimits } from '../copy/part-reader';
import { scrollReader } from '../copy/scroll-reader';
import { sequenceReader } from '../copy/sequence-reader';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { checkCompression, extensionOf } from './compression';
import { exists, openDataFile, publish, type DataFile } from './data-file';
import { linesOf } from './lines';
import { dumpMetadata } from './metadata-files';
import { fileFailure, readState, stateFile, writeState } from './state-file';

export interface Watch<Progress> {
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
}

type DumpIndexOptions = Omit<DumpIndexInput, 'source'> & Watch<DumpProgress>;

interface DumpState {
  index: string;
  uuid: string;
  compression: Compression;
  parts: CopyPart[];
  /** The part under way, and how far: its documents up to here are in the file. */
  part: number;
  afterSeqNo: number;
  documents: number;
  bytes: number;
  /** Every document is in the file; it may not have its name yet. */
  isWhole: boolean;
}

const checkpointMs = 2_000;
const pageLimits: ReadLimits = { targetBytes: () => 4 << 20, mostBytes: 32 << 20, timeoutMs: 120_000 };

/**
 * Writes an index into a file of lines, with its settings and mapping beside it. The view is that of its beginning:
 * documents that change while it goes on may be missing or old, as in any dump of a live index.
 *
 * Killed at any moment: what is in the file behind the last checkpoint is cut off, and it goes on from there. Killed once
 * whole: the file gets its name. Done already: nothing happens. A source before 6.0 has no place to go on from within a
 * part: that part is read again from its beginning.
 */
export async function dumpIndex(
  options: DumpIndexOptions,
  source: { cluster: Cluster; reader: ByteClient },
): Promise<DumpIndexResult> {
  const { index, directory, compression, signal } = options;
  const file = path.join(directory, `${index.name}${extensionOf[compression]}`);
  const states = stateFile(directory, `dump-${index.name}`);
  await checkCompression(compression);
  await mkdir(directory, { recursive: true }).catch((error: unknown) => {
    throw fileFailure(error, directory, 'the directory cannot be made', 'choose another one, or give the right to');
  });
  const state = (await readState<DumpState>(states)) ?? (await begin(options, source.cluster, file));
  const total = state.parts.reduce((sum, { documents }) => sum + documents, 0);
  const told = (): DumpProgress => ({ documents: state.documents, total, bytes: state.bytes });
  const partial = `${file}.partial`;
  refuseOther(state, options, file);
  if (!state.isWhole) {
    const data = await openDataFile(partial, state.bytes, compression);
    try {
      const isWhole = await write(options, source, { state, data, save: () => writeState(states, state), told });
      if (!isWhole) return { file, isDone: false, ...told() };
    } finally {
      await data.close();
    }
  }
  await publish(partial, file);
  signal?.throwIfAborted();
  return { file, isDone: true, ...told() };
}

async function begin(
  { index, directory, compression }: DumpIndexOptions,
  cluster: Cluster,
  file: string,
): Promise<DumpState> {
  if (await exists(file)) {
    throw permanent({
      type: 'PathOccupied',
      message: 'the file is there already',
      where: file,
      remedy: 'take it away, or dump into another directory',
    });
  }
  if (/\.(settings|mapping|analyzer|alias|template|policy|index)$/.test(index.name)) {
    throw permanent({
      type: 'PathOccupied',
      message: `an index of this name would have the file that elasticdump keeps for another index's ${path.extname(index.name).slice(1)}`,
      where: file,
      remedy: 'reindex it under another name, and dump that',
    });
  }
  await typeOf(cluster, index.name);
  await dumpMetadata(cluster, index.name, directory, compression);
  const parts = await planParts(cluster, [index] as IndexFacts[], Infinity);
  const uuid = parts[0]?.uuid ?? index.uuid;
  return {
    index: index.name,
    uuid,
    compression,
    parts,
    part: 0,
    afterSeqNo: -1,
    documents: 0,
    bytes: 0,
    isWhole: false,
  };
}

function refuseOther(state: DumpState, { index, compression }: DumpIndexOptions, file: string): void {
  const isSame = index.uuid === '' || state.uuid === '' || state.uuid === index.uuid;
  if (isSame && state.compression === compression) return;
  throw permanent({
    type: 'PathOccupied',
    message: isSame
      ? `a dump of this index with ${state.compression} is unfinished here`
      : 'an unfinished dump is of an index that was deleted and made anew since',
    where: file,
    remedy: 'go on as it was begun, or begin anew in another directory',
  });
}

interface Work {
  state: DumpState;
  data: DataFile;
  save(): Promise<void>;
  told(): DumpProgress;
}

/** Answers false when it was told to stop. */
async function write(
  { query, signal, onProgress }: DumpIndexOptions,
  { cluster, reader: client }: { cluster: Cluster; reader: ByteClient },
  { state, data, save, told }: Work,
): Promise<boolean> {
  const reading = readingOf(cluster.version);
  const type = await typeOf(cluster, state.index);
  const line = { index: state.index, ...(type === undefined ? {} : { type }) };
  const limits = { ...pageLimits, ...(signal ? { signal } : {}), ...(query ? { choice: { query } } : {}) };
  let savedAt = Date.now();
  // of what was written since the last checkpoint, and will be part of the next one
  let documents = state.documents;

  async function checkpoint(part: number, afterSeqNo: number, isWhole = false): Promise<void> {
    await data.sync();
    Object.assign(state, { part, afterSeqNo, documents, bytes: data.bytes, isWhole });
    await save();
    savedAt = Date.now();
  }

  for (let at = state.part; at < state.parts.length; at++) {
    const part = state.parts[at] as CopyPart;
    const reader = readerOf(
      client,
      { ...part, afterSeqNo: Math.max(part.afterSeqNo, state.afterSeqNo) },
      reading,
      limits,
    );
    try {
      for (let read = await reader.next(); read !== undefined; read = await reader.next()) {
        await data.append(dumped(read.page, line));
        documents += read.page.count;
        onProgress?.({ ...told(), documents });
        const canGoOn = reading !== 'scroll';
        if (canGoOn && Date.now() - savedAt > checkpointMs) await checkpoint(at, read.throughSeqNo);
        if (signal?.aborted !== true) continue;
        if (canGoOn) await checkpoint(at, read.throughSeqNo);
        return false;
      }
    } catch (error) {
      if (signal?.aborted === true) return false;
      throw error;
    } finally {
      await reader.close();
    }
    await checkpoint(at + 1, -1);
  }
  await checkpoint(state.parts.length, -1, true);
  return true;
}

function readerOf(client: ByteClient, part: CopyPart, reading: Reading, limits: ReadLimits): PartReader {
  return reading === 'scroll'
    ? scrollReader(client, part, documentsOfScroll(part.documentBytes, limits.targetBytes()), limits)
    : sequenceReader(client, part, reading, limits);
}

function dumped(page: Parameters<typeof linesOf>[0], line: { index: string; type?: string }): Buffer {
  try {
    return linesOf(page, line);
  } catch (error) {
    if (!(error instanceof BrokenJson)) throw error;
    throw permanent({
      type: 'ClusterRequestFailed',
      message: 'a document has no _source, and cannot be dumped',
      where: `source cluster: ${line.index}`,
      why: error.message,
      remedy: 'an index whose mapping switches _source off can only be moved by snapshot',
    });
  }
}

/** What stands in each line as `_type`: clusters from 8.0 on, and OpenSearch from 2.0 on, know none. */
async function typeOf({ version, request }: Cluster, index: string): Promise<string | undefined> {
  if (version.major >= (version.distribution === 'opensearch' ? 2 : 8)) return undefined;
  if (version.distribution === 'opensearch' || version.major === 7) return '_doc';
  const { body } = await request<Record<string, { mappings?: object }>>({
    method: 'GET',
    path: `/${encodeURIComponent(index)}/_mapping`,
  });
  const types = Object.keys(body[index]?.mappings ?? {}).filter((name) => name !== '_default_');
  if (types.length <= 1) return types[0] ?? '_doc';
  throw permanent({
    type: 'ClusterRequestFailed',
    message: 'the index has more than one mapping type, which its lines could not tell apart',
    where: `source cluster: ${index}`,
    why: types.join(', '),
    remedy: 'reindex it into one index for each type, and dump those',
  });
}
