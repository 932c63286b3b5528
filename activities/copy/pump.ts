import { setMaxListeners } from 'node:events';
import type { SequenceRange } from '../../contracts/document-activities';
import { withRefused } from '../../contracts/refusals';
import { bulkBodies, type BulkBody, type BulkOptions } from './bulk-body';
import { pacer } from './pacer';
import { bulkWriter, type BodyWritten, type RefusedDocument, type Written } from './bulk-writer';
import type { ByteClient } from '../elasticsearch/byte-client';
import { buffers } from '../elasticsearch/reused-buffers';
import { part as places, stride, type Page } from './cut-hits';
import { nextWithin, workerMemory, type HeldPage, type PageMemory, type Reader } from './page-memory';
import { gated, rateGate, type RateGate } from './rate-gate';
import {
  documentsOfScroll,
  type PartRange,
  type PartReader,
  type Reached,
  type ReadChoice,
  type Reading,
  type ReadLimits,
  type WindowPlace,
} from './part-reader';
import { bytesNow, type Rate } from './rate';
import { scrollReader } from './scroll-reader';
import { sequenceReader } from './sequence-reader';

/** How far a part has come, its checkpoint: everything up to there is acknowledged by the target, and counted here. */
export interface PumpProgress extends Written, Reached {
  /** Of bulk bodies that were acknowledged. */
  bytes: number;
  /** Of the pages up to there those with documents that were refused, or the windows that they are of. */
  refusedRanges: readonly SequenceRange[];
  /** Times that the target said that it has too much. */
  pushedBack: number;
  /** What it said the last time. */
  reason?: string;
}

export interface PumpOptions {
  part: PartRange;
  source: { client: ByteClient; reading: Reading };
  target: { client: ByteClient; index: string; pipeline?: string } & Omit<BulkOptions, 'index'>;
  choice?: ReadChoice;
  /** See ReadLimits. */
  windowPages?: number;
  within?: WindowPlace;
  /** Of a page of a scroll, which cannot be told their size; by what a document takes on disk unless given. */
  scrollDocuments?: number;
  /** Bytes of a page, and so of a bulk, about; the largest bulk has not more than twice as many, or one document. */
  batchBytes?: number;
  /** Most bulk requests under way. */
  mostInFlight?: number;
  /** What it shares with other parts of this worker; its own unless given. */
  gates?: { source: RateGate; target: RateGate };
  /** Most bytes of bulk bodies under way; one body is always let through. */
  mostBytesInFlight?: number;
  /** Of documents that were read and are not written yet; shared with all parts of the worker unless given. */
  memory?: PageMemory;
  docsPerSec?: number;
  bytesPerSec?: number;
  patienceMs?: number;
  signal?: AbortSignal;
  /** Called for each acknowledged bulk. Cheap: it is up to the caller when a heartbeat is made of it. */
  onProgress?(progress: PumpProgress): void;
  /** Called whenever the checkpoint stands at the end of a window, before anything above is counted. */
  onWhole?(progress: PumpProgress): void;
  onRefused?(document: RefusedDocument): void;
}

const defaults = {
  batchBytes: 5 << 20,
  mostInFlight: 3,
  mostBytesInFlight: 64 << 20,
  memory: workerMemory,
  patienceMs: 300_000,
};
const requestTimeoutMs = 120_000;

/**
 * Moves one part: pages are read one ahead, while bulks of earlier ones are written, several at a time. When the target
 * holds back, bodies under way reach their limit, and reading waits with them.
 *
 * It may run again after any crash: documents carry the source's version, so that what was written already is found or
 * written the same. The checkpoint moves over the bulks in the order in which they were read, whatever order they are
 * acknowledged in.
 */
export async function pump(given: PumpOptions): Promise<PumpProgress> {
  const options = { ...defaults, ...given };
  const { part, target, signal } = options;
  const gates = options.gates ?? {
    source: rateGate({ first: 1, most: 1 }),
    target: rateGate({ first: 2, most: options.mostInFlight }),
  };
  const { rate } = gates.target;
  const progress: PumpProgress = {
    throughSeqNo: part.afterSeqNo,
    // said before the first page is through: who goes on from there must not begin the window that it has counted
    ...(options.within ? { within: options.within } : {}),
    written: 0,
    superseded: 0,
    refused: 0,
    bytes: 0,
    refusedRanges: [],
    pushedBack: 0,
  };
  // one failure ends the requests that are still under way: nobody would look at their answers
  const stop = new AbortController();
  const stopSignal = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  // every request under way listens: Node would warn of a leak at 11
  setMaxListeners(0, stopSignal);
  const source = gated(options.source.client, gates.source);
  const limits = { ...readLimits(options, rate), signal: stopSignal };
  const reader = readerOf(options, source, limits);
  const turn = {
    async open(until: AbortSignal) {
      await gates.source.open(until);
      await gates.target.open(until);
    },
    isStopped: () => (gates.source.stopped ?? gates.target.stopped) !== undefined,
  };
  const who = { mostBytes: limits.mostBytes, signal: stopSignal, holder: gates.target, turn };
  const ahead = () => readAhead(options.memory, reader, who);
  const write = bulkWriter({
    client: target.client,
    index: target.index,
    ...(target.pipeline === undefined ? {} : { pipeline: target.pipeline }),
    rate,
    open: gates.target.open,
    patienceMs: options.patienceMs,
    timeoutMs: requestTimeoutMs,
    signal: stopSignal,
    onPushedBack: (why) => {
      progress.pushedBack++;
      progress.reason = why;
      // waiting is progress too: a target that is held back on purpose must not cost a heartbeat timeout
      options.onProgress?.({ ...progress });
    },
  });
  const makeBody = bulkBodies({ versionType: target.versionType, ...(target.type ? { type: target.type } : {}) });
  const pace = pacer(options);
  const order = inOrder(pass);
  const underWay = new Set<Promise<void>>();
  let bytesUnderWay = 0;
  let failure: { error: unknown } | undefined;
  let wake: () => void = () => undefined;

  /** What bulks have written counts from the moment that the checkpoint has passed them. */
  function pass(bodies: readonly Settled[], { throughSeqNo, within }: Reached): void {
    // a window whose last page was full is known to be over by the next one only
    if (within && throughSeqNo > progress.throughSeqNo) standAt({ throughSeqNo });
    const isRefused = bodies.some(({ refused }) => refused > 0);
    const range = within
      ? { afterSeqNo: throughSeqNo, toSeqNo: within.through }
      : { afterSeqNo: progress.throughSeqNo, toSeqNo: throughSeqNo };
    // a page of a scroll has no place among the numbers
    if (isRefused && range.toSeqNo > range.afterSeqNo)
      progress.refusedRanges = withRefused(progress.refusedRanges, range);
    for (const each of bodies) {
      progress.written += each.written;
      progress.superseded += each.superseded;
      progress.refused += each.refused;
      progress.bytes += each.bytes;
      for (const document of each.refusals) options.onRefused?.(document);
    }
    standAt({ throughSeqNo, ...(within ? { within } : {}) });
  }

  function standAt({ throughSeqNo, within }: Reached): void {
    progress.throughSeqNo = throughSeqNo;
    delete progress.within;
    if (within) progress.within = within;
    else options.onWhole?.({ ...progress });
  }

  function launch(body: BulkBody, reached: Reached | undefined, letGo: (isRead: boolean) => void): void {
    const settled = order.next(reached);
    bytesUnderWay += body.bytes;
    let isRead = false;
    const sending = write(body)
      .then((done) => {
        isRead = true;
        if (body.memory) buffers.giveBack(body.memory);
        settled({ ...done, bytes: body.bytes });
        options.onProgress?.({ ...progress });
      })
      .catch((error: unknown) => {
        failure ??= { error };
        stop.abort();
      })
      .finally(() => {
        letGo(isRead);
        gates.target.leave();
        bytesUnderWay -= body.bytes;
        underWay.delete(sending);
        wake();
      });
    underWay.add(sending);
  }

  async function room(bytes: number): Promise<void> {
    const isFull = () =>
      underWay.size >= options.mostInFlight || (underWay.size > 0 && bytesUnderWay + bytes > options.mostBytesInFlight);
    while (failure === undefined && isFull()) await new Promise<void>((resolve) => (wake = resolve));
  }

  let reading = ahead();
  try {
    for (;;) {
      const read = await reading;
      if (read === undefined || failure !== undefined) break;
      reading = ahead();
      try {
        for (const { from, to } of cuts(read.page, bytesNow(rate, options.batchBytes) * 2)) {
          await room(bytesOf(read.page, from, to));
          if (failure !== undefined) break;
          const body = makeBody(read.page, from, to);
          await pace(body.count, body.bytes, stopSignal);
          await gates.target.enter(stopSignal);
          launch(body, to === read.page.count ? read : undefined, read.holdForBody(body.borrows));
        }
      } finally {
        read.done();
      }
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure.error;
    // what lies above the last document, a hole, is done too
    progress.throughSeqNo = part.toSeqNo;
    delete progress.within;
    return progress;
  } catch (error) {
    // of two failures the one that came first is the cause; what is aborted for its sake is none
    failure ??= { error };
    stop.abort();
    await Promise.all(underWay);
    throw failure.error;
  } finally {
    // what was read ahead and is not written any more
    void reading.then((read) => read?.done()).catch(() => undefined);
    await reader.close();
  }
}

/** The next page is asked for before the present one is written; its failure is seen when it is waited for. */
function readAhead(memory: PageMemory, reader: PartReader, who: Reader): Promise<HeldPage | undefined> {
  const reading = nextWithin(memory, reader, who);
  reading.catch(() => undefined);
  return reading;
}

/** Slow parts go in small steps, a second's worth each: progress is seen, and a stop is heard. */
function readLimits(
  { batchBytes, docsPerSec, bytesPerSec = Infinity, choice, windowPages, within }: typeof defaults & PumpOptions,
  rate: Rate,
): ReadLimits {
  return {
    targetBytes: () => Math.max(1, Math.min(bytesNow(rate, batchBytes), bytesPerSec)),
    mostBytes: batchBytes * 6,
    ...(docsPerSec === undefined ? {} : { mostDocuments: Math.max(1, Math.ceil(docsPerSec)) }),
    timeoutMs: requestTimeoutMs,
    ...(choice === undefined ? {} : { choice }),
    ...(windowPages === undefined ? {} : { windowPages }),
    ...(within === undefined ? {} : { within }),
  };
}

function readerOf(
  { source: { reading }, part, batchBytes, scrollDocuments }: typeof defaults & PumpOptions,
  client: ByteClient,
  limits: ReadLimits,
): PartReader {
  return reading === 'scroll'
    ? scrollReader(client, part, scrollDocuments ?? documentsOfScroll(part.documentBytes, batchBytes), limits)
    : sequenceReader(client, part, reading, limits);
}

/** Pages whose documents turned out larger than those before are written in several bulks. */
function* cuts(page: Page, mostBytes: number): Generator<{ from: number; to: number }> {
  let from = 0;
  let bytes = 0;
  for (let hit = 0; hit < page.count; hit++) {
    const size = bytesOf(page, hit, hit + 1);
    if (hit > from && bytes + size > mostBytes) {
      yield { from, to: hit };
      [from, bytes] = [hit, 0];
    }
    bytes += size;
  }
  yield { from, to: page.count };
}

/** Of the documents; near enough to what a bulk of them has. */
function bytesOf({ places: numbers }: Page, from: number, to: number): number {
  let bytes = 0;
  for (let hit = from; hit < to; hit++) {
    const base = hit * stride + places.source;
    bytes += (numbers[base + 1] as number) - (numbers[base] as number);
  }
  return bytes;
}

interface Settled extends BodyWritten {
  bytes: number;
}

/**
 * Bulks are acknowledged in any order; the checkpoint is that of the last one before which none is missing. `pass` is called
 * for each in the order in which they were read, with those that count from then on: an attempt that goes on from there counts
 * what lies above by itself, so nothing is counted twice, and no document is told as refused twice.
 */
function inOrder(pass: (bodies: readonly Settled[], at: Reached) => void): {
  next(at: Reached | undefined): (done: Settled) => void;
} {
  const waiting: { at: Reached | undefined; done?: Settled }[] = [];
  /** Of pages of which not every bulk is there yet. */
  let held: Settled[] = [];
  return {
    next(at) {
      const entry: (typeof waiting)[number] = { at };
      waiting.push(entry);
      return (done) => {
        entry.done = done;
        for (let head = waiting[0]; head?.done !== undefined; head = waiting[0]) {
          waiting.shift();
          held.push(head.done);
          if (head.at === undefined) continue;
          const bodies = held;
          held = [];
          pass(bodies, head.at);
        }
      };
    },
  };
}
