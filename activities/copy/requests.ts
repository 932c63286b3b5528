import { pause, throwIfCancelled } from '../context';
import type { ByteAnswer, ByteClient } from '../elasticsearch/byte-client';
import { brokenAnswer, looselyParsed } from '../elasticsearch/byte-client';
import { classifyAnswer, readErrorAnswer } from '../elasticsearch/classify-error';
import { BrokenJson } from './json-bytes';

/** A cluster's index, and how requests about its documents reach it. */
export interface Place {
  client: ByteClient;
  /** "source cluster" or "target cluster". */
  where: string;
  index: string;
  signal?: AbortSignal;
}

const timeoutMs = 120_000;
const mostAttempts = 8;
const firstWaitMs = 250;
const longestWaitMs = 5_000;

/**
 * Asks until there is a whole answer, as far as waiting helps. Only for requests that may be sent twice: reads, and writes
 * that name the version or the sequence number that they expect.
 */
export async function ask<Answer>(
  place: Place,
  request: { path: string; body?: readonly Buffer[]; contentType?: 'application/json' | 'application/x-ndjson' },
  read: (body: Buffer) => Answer,
): Promise<Answer> {
  const where = `${place.where}, ${place.index}`;
  for (let attempt = 1; ; attempt++) {
    throwIfCancelled(place.signal);
    const failure = await once();
    if ('answer' in failure) return failure.answer;
    if (attempt >= mostAttempts || failure.error.nonRetryable !== false) throw failure.error;
    await pause(Math.min(longestWaitMs, firstWaitMs * 2 ** (attempt - 1)));
  }

  async function once(): Promise<{ answer: Answer } | { error: Error & { nonRetryable?: boolean | null } }> {
    let answer: ByteAnswer;
    try {
      answer = await place.client.send({
        method: 'POST',
        ...request,
        timeoutMs,
        ...(place.signal ? { signal: place.signal } : {}),
      });
    } catch (error) {
      throwIfCancelled(place.signal);
      return { error: error as Error };
    }
    if (answer.status >= 300)
      return { error: classifyAnswer(where, readErrorAnswer(answer.status, looselyParsed(answer.body))) };
    try {
      return { answer: read(answer.body) };
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof BrokenJson)
        return { error: brokenAnswer(where, new BrokenJson(error.message)) };
      return { error: error as Error };
    }
  }
}

export function pathOf(place: Place, rest: string): string {
  return `/${encodeURIComponent(place.index)}/${rest}`;
}

/** As many calls at once as `most`; the first failure ends the rest when they have come to their next call. */
export async function atOnce<Item>(
  most: number,
  items: readonly Item[],
  act: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  let isFailed = false;
  async function worker(): Promise<void> {
    while (next < items.length && !isFailed) {
      try {
        await act(items[next++] as Item);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  }
  const settled = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, worker));
  for (const result of settled) if (result.status === 'rejected') throw result.reason;
}
