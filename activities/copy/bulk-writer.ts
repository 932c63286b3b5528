import { setTimeout as sleep } from 'node:timers/promises';
import { classifyAnswer, readErrorAnswer } from '../elasticsearch/classify-error';
import { readBulkAnswer, type FailedItem } from './bulk-answer';
import { itemOf, subsetOf, type BulkBody } from './bulk-body';
import { brokenAnswer, looselyParsed, type ByteAnswer, type ByteClient } from '../elasticsearch/byte-client';
import { buffers } from '../elasticsearch/reused-buffers';
import type { Rate } from './rate';
import { slowness } from './rate';
import { BrokenJson } from './json-bytes';

/** A document that the target refuses for good, with what was sent and what was answered. */
export interface RefusedDocument extends Omit<FailedItem, 'position'> {
  action: Buffer;
  source: Buffer;
}

export interface Written {
  written: number;
  /** The target had the same version already, or a newer one. */
  superseded: number;
  refused: number;
}

type Outcome = 'split' | { failed: FailedItem[]; failure?: Error };

/** Of one body, with the documents that were refused. */
export interface BodyWritten extends Written {
  refusals: RefusedDocument[];
}

export interface WriterOptions {
  client: ByteClient;
  index: string;
  /** Of the target, which documents go through. */
  pipeline?: string;
  rate: Rate;
  /** Returns once the target may be written to: it may be left alone for a while on purpose. */
  open?(signal?: AbortSignal): Promise<void>;
  /** How long the target may go on to say that it has too much before the part is given up. */
  patienceMs: number;
  timeoutMs: number;
  signal?: AbortSignal;
  /** The target said that it is too much, or did not answer; with the wait before the next try. */
  onPushedBack?(why: string, waitMs: number): void;
}

/**
 * Sends a body until every item of it is written or refused for good. It may be sent again whole or in part, since versions
 * are external: what is there already is found, and nothing newer is overwritten.
 */
export function bulkWriter(options: WriterOptions): (body: BulkBody) => Promise<BodyWritten> {
  const { client, rate, signal } = options;
  const latency = slowness();
  const pipeline = options.pipeline === undefined ? '' : `?pipeline=${encodeURIComponent(options.pipeline)}`;
  const path = `/${encodeURIComponent(options.index)}/_bulk${pipeline}`;
  const where = `target cluster, ${options.index}, _bulk`;

  async function write(body: BulkBody, total: BodyWritten): Promise<void> {
    let left = body;
    let waitMs = firstWaitMs;
    let progressMs = performance.now();
    for (;;) {
      const mark = rate.begin();
      const startedMs = performance.now();
      const outcome = await once(left);
      if (outcome === 'split') {
        const middle = Math.ceil(left.count / 2);
        const positions = Array.from({ length: left.count }, (_, position) => position);
        await write(subsetOf(left, positions.slice(0, middle)), total);
        return write(subsetOf(left, positions.slice(middle)), total);
      }
      const again = outcome.failure === undefined ? settle(left, outcome.failed, total) : undefined;
      if (again?.length === 0) return rate.accepted(mark, latency.came(performance.now() - startedMs, left.bytes));
      if (again !== undefined && again.length < left.count) {
        left = subsetOf(left, again);
        // something went through: the patience begins anew
        [progressMs, waitMs] = [performance.now(), firstWaitMs];
      }
      const failure = outcome.failure ?? tooMuch(where, outcome.failed);
      rate.refused(mark, reasonOf(failure));
      if (performance.now() - progressMs > options.patienceMs) throw failure;
      const wait = waitMs * (0.5 + Math.random() / 2);
      options.onPushedBack?.(failure.message, wait);
      await sleep(wait, undefined, signal ? { signal } : {});
      waitMs = Math.min(waitMs * 2, longestWaitMs);
      const closedMs = performance.now();
      await options.open?.(signal);
      // what was waited for on purpose is none of its patience
      progressMs += performance.now() - closedMs;
    }
  }

  /** The failed items of the answer; or why there is no answer to go by. */
  async function once(body: BulkBody): Promise<Outcome> {
    let answer: ByteAnswer;
    try {
      answer = await client.send({
        method: 'POST',
        path,
        body: body.buffers,
        contentType: 'application/x-ndjson',
        timeoutMs: options.timeoutMs,
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (signal?.aborted === true || !isPassing(error)) throw error;
      return { failed: [], failure: error as Error };
    }
    try {
      return outcomeOf(answer, body);
    } finally {
      // what is told of it has been copied
      buffers.giveBack(answer.body);
    }
  }

  function outcomeOf(answer: ByteAnswer, body: BulkBody): Outcome {
    if (answer.status === 413) {
      if (body.count > 1) return 'split';
      const reason = 'larger than http.max_content_length of the target';
      return { failed: [{ position: 0, status: 413, type: 'content_too_long', reason }] };
    }
    if (answer.status >= 300) {
      const failure = classifyAnswer(where, readErrorAnswer(answer.status, looselyParsed(answer.body)));
      if (answer.status === 429 || answer.status >= 500) return { failed: [], failure };
      throw failure;
    }
    try {
      return { failed: readBulkAnswer(answer.body, body.count) };
    } catch (error) {
      // of an answer that is not whole nothing is believed: all of it is sent again
      if (!(error instanceof BrokenJson)) throw error;
      return { failed: [], failure: brokenAnswer(where, error) };
    }
  }

  /** Counts what is settled, and answers the positions of what is to be sent again. */
  function settle(body: BulkBody, failed: readonly FailedItem[], total: BodyWritten): number[] {
    const again: number[] = [];
    for (const { position, ...item } of failed) {
      if (item.status === 429 || item.status >= 500) again.push(position);
      else if (item.status === 409) total.superseded++;
      else if (ofTheIndex.has(item.type) || noPipeline.test(item.reason)) throw classifyAnswer(where, item);
      else {
        total.refused++;
        total.refusals.push({ ...item, ...itemOf(body, position) });
      }
    }
    total.written += body.count - failed.length;
    return again;
  }

  return async (body) => {
    const total: BodyWritten = { written: 0, superseded: 0, refused: 0, refusals: [] };
    await write(body, total);
    return total;
  };
}

/** They say nothing about the document: every other one would meet with the same. */
const ofTheIndex = new Set([
  'cluster_block_exception',
  'index_closed_exception',
  'index_not_found_exception',
  'security_exception',
]);

/** Of the runbook's own pipeline, or of one that the index names. */
const noPipeline = /^pipeline with id \[.*\] does not exist/;

const firstWaitMs = 100;
const longestWaitMs = 10_000;

/** What was seen, in the cluster's words where there are any. */
function reasonOf(failure: Error): string {
  const [info] = (failure as { details?: { why?: string }[] | null }).details ?? [];
  return (info?.why ?? failure.message).slice(0, 160);
}

/** What the classifier holds to pass by itself. */
function isPassing(error: unknown): boolean {
  return (error as { nonRetryable?: boolean | null }).nonRetryable === false;
}

/** Of the items that are to be sent again, the reason of the first: full queues, or a disk over its flood stage. */
function tooMuch(where: string, failed: readonly FailedItem[]): Error {
  const first = failed.find(({ status }) => status === 429 || status >= 500);
  return classifyAnswer(where, first ?? { status: 429, type: '', reason: 'items of a bulk request were refused' });
}
