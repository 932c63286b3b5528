import { successOf, type ByteClient } from './byte-client';
import { cutHits } from './cut-hits';
import { post, refusal } from './sequence-reader';
import type { CopyPart, PartReader, ReadLimits, ReadPage } from './part-reader';

/**
 * For sources older than 6.0, whose documents have no sequence numbers. A scroll that is lost cannot be taken up: the part
 * is read again from its beginning, and its checkpoint moves only at its end.
 */
export function scrollReader(
  client: ByteClient,
  part: CopyPart,
  documents: number,
  limits: Omit<ReadLimits, 'mostBytes'>,
): PartReader {
  const where = `source cluster, ${part.index}, shard ${part.shard}`;
  const unbounded = { ...limits, mostBytes: Infinity };
  let scrollId: string | undefined;
  return {
    async next(): Promise<ReadPage | undefined> {
      const query = `scroll=${keepAlive}&preference=_shards:${part.shard}`;
      const answer =
        scrollId === undefined
          ? await post(
              client,
              `/${encodeURIComponent(part.index)}/_search?${query}`,
              { size: documents, version: true, sort: ['_doc'] },
              unbounded,
            )
          : await post(client, '/_search/scroll', { scroll: keepAlive, scroll_id: scrollId }, unbounded);
      const page = answer.status < 300 ? cutHits(answer.body) : undefined;
      if (page === undefined || page.error !== undefined || page.failedShards > 0 || page.timedOut)
        throw refusal(where, answer, page);
      scrollId = page.scrollId;
      return page.count === 0 ? undefined : { page, throughSeqNo: part.afterSeqNo };
    },
    async close() {
      if (scrollId === undefined) return;
      const body = Buffer.from(JSON.stringify({ scroll_id: [scrollId] }));
      scrollId = undefined;
      await client
        .send({ method: 'DELETE', path: '/_search/scroll', body: [body], timeoutMs: 10_000 })
        .then((answer) => successOf(where, answer))
        .catch(() => undefined);
    },
  };
}

const keepAlive = '5m';
