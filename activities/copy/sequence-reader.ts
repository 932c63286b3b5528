import { setTimeout as sleep } from 'node:timers/promises';
import { classifyAnswer, readErrorAnswer } from '../elasticsearch/classify-error';
import {
  AnswerTooLarge,
  brokenAnswer,
  looselyParsed,
  successOf,
  type ByteAnswer,
  type ByteClient,
} from '../elasticsearch/byte-client';
import { cutHits, numberIn, type Page } from './cut-hits';
import { transient } from '../failure';
import { BrokenJson } from './json-bytes';
import {
  firstDocuments,
  pageSize,
  type PartRange,
  type PartReader,
  type Reading,
  type ReadLimits,
} from './part-reader';

/**
 * Reads a shard by windows of sequence numbers, a page each. A window holds at most so many documents as it is wide, so the server
 * collects a few thousand of them and sorts those, however large the shard is; a plain `search_after` by `_seq_no` has
 * older servers go through the whole shard for every page.
 *
 * The cursor is a number: a PIT that was lost is opened again and the reader goes on where it was, and an attempt after a
 * crash begins at the last checkpoint. The PIT only keeps the view still; without one a document that is updated meanwhile
 * comes again, in a later window or in the catch-up, under its new number.
 *
 * With `windowPages` a window has room for several pages, read in the order in which the source has the documents
 * (`_shard_doc`). Pages by number are scattered over segments, and each document costs the source the unpacking of the
 * block that it is stored in; neighbours are unpacked once, for a third of its processor time (docs/copy-performance.md). Within a window
 * the cursor is a place in the PIT, which another attempt can go on from as well; if the PIT is lost, the attempt fails,
 * and the next one begins that window anew. Where there are so many holes that 16 pages of numbers have not even one of
 * documents, pages go by number.
 */
export function sequenceReader(
  client: ByteClient,
  part: PartRange,
  reading: Exclude<Reading, 'scroll'>,
  limits: ReadLimits,
): PartReader {
  const where = `source cluster, ${part.index}, shard ${part.shard}`;
  const pit = pitOf(client, part, reading, where, limits);
  const size = pageSize(
    limits.targetBytes,
    firstDocuments(part.documentBytes, limits.targetBytes()),
    limits.mostDocuments,
  );
  const { query, dropFields = [] } = limits.choice ?? {};
  const { windowPages = 1 } = reading === 'sequence with pit' ? limits : {};
  let after = part.afterSeqNo;
  let wider = 1;
  /** In the order of their places, and not by number. */
  let isInPlaces = false;
  /** A window that is not read to its end. Of one that another attempt has begun it is not known how many documents it had. */
  let begun: { through: number; after: number; documents: number; isResumed: boolean } | undefined;
  if (limits.within && windowPages > 1) {
    begun = { ...limits.within, documents: 0, isResumed: true };
    pit.renew(limits.within.pit);
  }

  const range = (through: number) => ({ range: { _seq_no: { gt: after, lte: through } } });

  /** Asks again for what passes by itself; a lost answer, too, since a search changes nothing. */
  async function ask(through: number): Promise<Page> {
    for (let attempt = 1; ; attempt++) {
      const asked = await askOnce(through);
      if ('page' in asked) return asked.page;
      if (asked.isTooLarge && size.wasTooLarge()) continue;
      if (asked.isTooMuch) size.wasTooLarge();
      if (asked.isLost) {
        pit.forget();
        // its order is not that of another one
        if (begun) throw lostPlace(where, asked.failure);
      }
      if (attempt >= mostAttempts || !(asked.isLost || asked.isPassing)) throw asked.failure;
      await sleep(retryMs * (attempt - 1), undefined, limits.signal ? { signal: limits.signal } : {});
    }
  }

  async function askOnce(through: number): Promise<{ page: Page } | Refused> {
    try {
      const pitId = await pit.id();
      const body = {
        size: size.documents,
        version: true,
        track_total_hits: false,
        query: query === undefined ? range(through) : { bool: { filter: [range(through), query] } },
        ...(dropFields.length > 0 ? { _source: { excludes: dropFields } } : {}),
        sort: [isInPlaces ? { _shard_doc: 'asc' } : { _seq_no: 'asc' }],
        ...(begun ? { search_after: [begun.after] } : {}),
        ...(pitId === undefined ? {} : { pit: { id: pitId, keep_alive: keepAlive } }),
      };
      // never with filter_path: it would have the server parse the documents and print them again
      const path = pitId === undefined ? `${indexOf(part)}/_search?preference=_shards:${part.shard}` : '/_search';
      const answer = await post(client, path, body, limits, size.documents === 1 ? Infinity : limits.mostBytes);
      const page = answer.status < 300 ? cutHits(answer.body) : undefined;
      if (page !== undefined && page.error === undefined && page.failedShards === 0 && !page.timedOut) return { page };
      return {
        failure: refusal(where, answer, page),
        // a PIT that ran out, or whose node is gone
        isLost: pitId !== undefined && answer.body.includes('search_context_missing_exception'),
        isPassing: answer.status < 300 || answer.status === 429 || answer.status >= 500,
        isTooMuch: answer.status === 429 && answer.body.includes('circuit_breaking_exception'),
      };
    } catch (error) {
      if (limits.signal?.aborted === true) throw error;
      if (error instanceof AnswerTooLarge) return { failure: error, isTooLarge: true };
      // a proxy that cuts an answer short gives it a length that fits
      if (error instanceof BrokenJson) return { failure: brokenAnswer(where, error), isPassing: true };
      if ((error as { nonRetryable?: boolean | null }).nonRetryable === false)
        return { failure: error as Error, isPassing: true };
      throw error;
    }
  }

  return {
    async next() {
      while (after < part.toSeqNo) {
        // no number has more than one document, so such a window has no more pages than that, however dense it turns out to be
        isInPlaces = begun !== undefined || wider < windowPages;
        const width = Math.ceil(size.documents * (isInPlaces ? windowPages : wider));
        const { through, documents, isResumed } = begun ?? {
          through: Math.min(part.toSeqNo, after + width),
          documents: 0,
          isResumed: false,
        };
        const page = await ask(through);
        if (page.pitId !== undefined) pit.renew(page.pitId);
        const last = page.count === 0 ? undefined : numberIn(page, page.count - 1, 'sort');
        if (page.count > 0 && last === undefined) throw new Error(`${where}: a hit came without its sort value`);
        const lastOfFull = page.count >= size.documents ? last : undefined;
        const found = documents + page.count;
        const from = after;
        begun =
          isInPlaces && lastOfFull !== undefined && found < through - after
            ? { through, after: lastOfFull, documents: found, isResumed }
            : undefined;
        // by number a full page may end before its window does
        if (!begun) after = isInPlaces ? through : (lastOfFull ?? through);
        // where updates and deletes have left holes windows are made so wide that pages are full again
        if (!begun && !isResumed) wider = found === 0 ? wider * 8 : Math.max(1, (after - from) / found);
        if (page.count === 0) continue;
        size.came(page.count, page.text.length);
        const pitId = begun && (await pit.id());
        if (!begun || pitId === undefined) return { page, throughSeqNo: after };
        return { page, throughSeqNo: after, within: { pit: pitId, after: begun.after, through } };
      }
      return undefined;
    },
    close: () => pit.close(),
  };
}

const keepAlive = '5m';
const mostAttempts = 8;
const retryMs = 500;

function indexOf(part: PartRange): string {
  return `/${encodeURIComponent(part.index)}`;
}

export function post(
  client: ByteClient,
  path: string,
  body: unknown,
  limits: ReadLimits,
  mostBytes = limits.mostBytes,
): Promise<ByteAnswer> {
  return client.send({
    method: 'POST',
    path,
    ...(body === undefined ? {} : { body: [Buffer.from(JSON.stringify(body))] }),
    timeoutMs: limits.timeoutMs,
    mostBytes,
    ...(limits.signal ? { signal: limits.signal } : {}),
  });
}

interface Refused {
  failure: Error;
  isTooLarge?: boolean;
  isLost?: boolean;
  /** The source has no memory for such an answer at the moment: documents are larger than those before, as likely as not. */
  isTooMuch?: boolean;
  /** Full queues, circuit breakers, shards on their way to another node, a lost connection. */
  isPassing?: boolean;
}

export function refusal(where: string, { status, body }: ByteAnswer, page: Page | undefined): Error {
  if (page === undefined) return classifyAnswer(where, readErrorAnswer(status, looselyParsed(body)));
  if (page.error !== undefined) return classifyAnswer(where, readErrorAnswer(status, page.error));
  const why = page.timedOut ? 'the search timed out' : JSON.stringify(page.failures).slice(0, 1000);
  return classifyAnswer(where, { status: 503, type: 'shard_failure', reason: why });
}

function lostPlace(where: string, { message }: Error): Error {
  return transient({
    type: 'ClusterUnavailable',
    message: 'the point in time that the source was read in is gone',
    where,
    why: message,
    remedy: 'see whether a node of the source has restarted; the next attempt begins its last window anew',
  });
}

/** @throws BrokenJson: half an answer is asked for again like any other, and leaves a point in time to its time limit. */
function pitIdIn(answer: Buffer): string {
  try {
    const { id, pit_id: older } = JSON.parse(answer.toString()) as { id?: string; pit_id?: string };
    const found = id ?? older;
    if (found !== undefined) return found;
  } catch (error) {
    throw new BrokenJson((error as Error).message);
  }
  throw new BrokenJson('a point in time was opened and has no id');
}

/** Whether a point in time that another attempt has opened can be searched. */
export async function isOpen(client: ByteClient, pit: string): Promise<boolean> {
  const body = Buffer.from(
    JSON.stringify({ size: 0, track_total_hits: false, pit: { id: pit, keep_alive: keepAlive } }),
  );
  try {
    const answer = await client.send({ method: 'POST', path: '/_search', body: [body], timeoutMs: 30_000 });
    const { error, failedShards } = cutHits(answer.body);
    return answer.status < 300 && error === undefined && failedShards === 0;
  } catch {
    return false;
  }
}

interface Pit {
  /** Opens one when there is none; nothing where the server has no PIT. */
  id(): Promise<string | undefined>;
  renew(id: string): void;
  forget(): void;
  close(): Promise<void>;
}

function pitOf(client: ByteClient, part: PartRange, reading: Reading, where: string, limits: ReadLimits): Pit {
  const isOpenSearch = reading === 'sequence with OpenSearch pit';
  const endpoint = isOpenSearch ? '_search/point_in_time' : '_pit';
  let id: string | undefined;
  return {
    async id() {
      if (reading === 'sequence') return undefined;
      if (id === undefined) {
        const path = `${indexOf(part)}/${endpoint}?keep_alive=${keepAlive}&preference=_shards:${part.shard}`;
        const answer = successOf(where, await post(client, path, undefined, limits));
        id = pitIdIn(answer);
      }
      return id;
    },
    renew: (renewed) => (id = renewed),
    forget: () => (id = undefined),
    async close() {
      if (id === undefined) return;
      const body = Buffer.from(JSON.stringify(isOpenSearch ? { pit_id: [id] } : { id }));
      id = undefined;
      // it ends by itself; that it cannot be closed now must not spoil a part that is done
      await client
        .send({ method: 'DELETE', path: `/${endpoint}`, body: [body], timeoutMs: 10_000 })
        .catch(() => undefined);
    },
  };
}
