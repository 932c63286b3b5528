import type { ClusterConnection } from './runbook';
import type { RefusalCause } from './status';

/** Inputs and results of dumps into files and loads from them. */

export const compressions = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof compressions)[number];

/** An index as it is chosen for a dump. */
export interface DumpedIndex {
  name: string;
  uuid: string;
}

export interface DumpIndexInput {
  source: ClusterConnection;
  index: DumpedIndex;
  /** On the machine that carries it out. */
  directory: string;
  compression: Compression;
  /** In Elasticsearch's own form; all documents unless given. */
  query?: Record<string, unknown>;
}

export interface DumpProgress {
  documents: number;
  /** What the index held when the dump began, about. */
  total: number;
  /** Of the file. */
  bytes: number;
}

export interface DumpIndexResult extends DumpProgress {
  file: string;
  /** false when it was told to stop: the same again goes on from there. */
  isDone: boolean;
}

export interface LoadFileInput {
  target: ClusterConnection;
  file: string;
  /** Where all of its documents go; by default the index that each line names. */
  index?: string;
  /** Bytes of a bulk request, about. */
  bulkBytes?: number;
  bulksInFlight?: number;
}

export interface LoadProgress {
  written: number;
  /** The target has a newer version. */
  superseded: number;
  refused: number;
  /** Of the text, decompressed, that is on the target or refused for good. */
  textBytes: number;
}

export interface LoadFileResult extends LoadProgress {
  /** false when it was told to stop: the same again goes on from there. */
  isDone: boolean;
  causes: RefusalCause[];
  /** Where the documents are that the target refused; left out where there are none. */
  refusedFile?: string;
}

export interface DumpActivities {
  /** Open indices of the source by names and patterns; read-only. */
  listDumpIndices(input: { source: ClusterConnection; patterns: string[] }): Promise<DumpedIndex[]>;
  dumpIndex(input: DumpIndexInput): Promise<DumpIndexResult>;
  loadFile(input: LoadFileInput): Promise<LoadFileResult>;
  /** Takes the checkpoints away, once all of a dump or a load is done. */
  endDump(input: { directory: string }): Promise<void>;
}
