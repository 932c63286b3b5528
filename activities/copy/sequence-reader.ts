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
import { BrokenJson } from './json-bytes';
import { pageSize, type PartRange, type PartReader, type Reading, type ReadLimits } from './part-reader';

/**
 * Reads a shard by windows of sequence numbers. A window holds at most so many documents as it is wide, so the server
 * collects a few thousand of them and sorts those, however large the shard is; a plain `search_after` by `_seq_no` has
 * older servers go through the whole shard for every page.
 *
 * The cursor is a number: a PIT that was lost is opened again and the reader goes on where it was, and an attempt after a
 * crash begins at the last checkpoint. The PIT only keeps the view still; without one a document that is updated meanwhile
 * comes again, in a later window or in the catch-up, under its new number.
 */
export function sequenceReader(
  client: ByteClient,
  part: PartRange,
  reading: Exclude<Reading, 'scroll'>,
  limits: ReadLimits,
): PartReader {
  const where = `source cluster, ${part.index}, shard ${part.shard}`;
  const pit = pitOf(client, part, reading, where, limits);
  const size = pageSize(limits.targetBytes, limits.mostDocuments);
  const { query, dropFields = [] } = limits.choice ?? {};
  let after = part.afterSeqNo;
  let wider = 1;

  const range = (through: number) => ({ range: { _seq_no: { gt: after, lte: through } } });

  /** Asks again for what passes by itself; a lost answer, too, since a search changes nothing. */
  async function ask(through: number): Promise<Page> {
    for (let attempt = 1; ; attempt++) {
      const asked = await askOnce(through);
      if ('page' in asked) return asked.page;
      if (asked.isTooLarge && size.wasTooLarge()) continue;
      if (asked.isTooMuch) size.wasTooLarge();
      if (asked.isLost) pit.forget();
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
        sort: [{ _seq_no: 'asc' }],
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
        const through = Math.min(part.toSeqNo, after + Math.ceil(size.documents * wider));
        const before = after;
        const page = await ask(through);
        if (page.pitId !== undefined) pit.renew(page.pitId);
        const last = page.count === 0 ? undefined : numberIn(page, page.count - 1, 'sort');
        if (page.count > 0 && last === undefined) throw new Error(`${where}: a hit came without its sort value`);
        // a full page may end before its window does
        after = page.count >= size.documents && last !== undefined ? last : through;
        // where updates and deletes have left holes windows are made so wide that pages are full again
        wider = page.count === 0 ? wider * 8 : Math.max(1, (after - before) / page.count);
        if (page.count === 0) continue;
        size.came(page.count, page.text.length);
        return { page, throughSeqNo: after };
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
