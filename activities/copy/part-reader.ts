import type { CopyPart } from '../../contracts/document-activities';
import type { Version } from '../elasticsearch/version';
import { isAtLeast } from '../elasticsearch/version';
import type { Page } from './cut-hits';

/** In place of a shard's number: a scroll over all of them. */
export const allShards = -1;

/** What of a part a reader looks at. */
export type PartRange = Pick<CopyPart, 'index' | 'shard' | 'afterSeqNo' | 'toSeqNo' | 'slice' | 'documentBytes'>;

/** How far documents have come. */
export interface Reached {
  /** Every document of the part up to this sequence number is in this page or in an earlier one. */
  throughSeqNo: number;
  /** And some above, of a window that is read in the order in which the source has its documents. */
  within?: WindowPlace;
}

/** A place in a window of sequence numbers; it is of use as long as its point in time is there. */
export interface WindowPlace {
  pit: string;
  /** The `_shard_doc` of the last document before it. */
  after: number;
  /** Where the window ends. */
  through: number;
}

export interface ReadPage extends Reached {
  page: Page;
}

export interface PartReader {
  /** The next page with documents in it; nothing at the end. */
  next(): Promise<ReadPage | undefined>;
  close(): Promise<void>;
}

export interface ReadLimits {
  /** What a page should have, about. */
  targetBytes(): number;
  /** No answer above is held in memory, unless it is a single document. */
  mostBytes: number;
  /** No more documents than these in a page, however small they are. */
  mostDocuments?: number;
  timeoutMs: number;
  signal?: AbortSignal;
  /** Which documents, and which of their fields; all unless given. */
  choice?: ReadChoice;
  /** Pages that a window of sequence numbers has room for; 1 unless given, and where the source has no `_shard_doc`. */
  windowPages?: number;
  /** Where an attempt before this one was, in the window above `afterSeqNo`. */
  within?: WindowPlace;
}

export interface ReadChoice {
  /** In Elasticsearch's own form. */
  query?: Record<string, unknown>;
  /** Left out of `_source`: the source then parses bodies, and prints them anew. */
  dropFields?: string[];
  /** Ids, routings and versions, and no documents; only by scroll. */
  withoutSource?: boolean;
}

/** How a source can be read; see sequence-reader.ts and scroll-reader.ts. */
export type Reading = 'sequence with pit' | 'sequence with OpenSearch pit' | 'sequence' | 'scroll';

export function readingOf(version: Version): Reading {
  if (version.distribution === 'opensearch') {
    return isAtLeast(version, '2.4.0') ? 'sequence with OpenSearch pit' : 'sequence';
  }
  if (isAtLeast(version, '7.12.0')) return 'sequence with pit';
  return isAtLeast(version, '6.0.0') ? 'sequence' : 'scroll';
}

/** Elasticsearch's default of `index.max_result_window`. */
const mostDocuments = 10_000;

/** An answer has so many times what its documents take on disk, where they are packed, at most as a rule. */
const packed = 4;
/** Of a first page. A node holds an answer whole, whoever asks for it: 200 documents of a few megabytes end one of a small heap. */
const firstPage = { unknown: 10, most: 200 };
/** Of each page of a scroll, which has one size for all. */
const scrollPage = { least: 10, most: 1_000 };

export function firstDocuments(documentBytes: number | undefined, targetBytes: number): number {
  if (!documentBytes) return firstPage.unknown;
  return Math.max(1, Math.min(firstPage.most, Math.floor(targetBytes / (documentBytes * packed))));
}

export function documentsOfScroll(documentBytes: number | undefined, targetBytes: number): number {
  const fitting = Math.floor(targetBytes / Math.max(1, documentBytes ?? 0));
  return Math.max(scrollPage.least, Math.min(scrollPage.most, fitting));
}

/** How many documents to ask for, so that an answer has about the wanted bytes: by the size of the documents that came. */
export interface PageSize {
  readonly documents: number;
  came(documents: number, bytes: number): void;
  /** Answers whether fewer can be asked for. */
  wasTooLarge(): boolean;
}

/** @param first before any came; see `firstDocuments`. */
export function pageSize(targetBytes: () => number, first: number, most = mostDocuments): PageSize {
  let documents = Math.min(first, most);
  return {
    get documents() {
      return documents;
    },
    came(count, bytes) {
      const fitting = Math.floor(targetBytes() / (bytes / count));
      documents = Math.max(1, Math.min(fitting, documents * 4, most));
    },
    wasTooLarge() {
      if (documents === 1) return false;
      documents = Math.max(1, Math.floor(documents / 4));
      return true;
    },
  };
}
