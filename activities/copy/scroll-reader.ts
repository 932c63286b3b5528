import { successOf, type ByteClient } from '../elasticsearch/byte-client';
import { cutHits } from './cut-hits';
import { post, refusal } from './sequence-reader';
import { allShards, type PartRange, type PartReader, type ReadLimits, type ReadPage } from './part-reader';

/**
 * For sources older than 6.0, whose documents have no sequence numbers, and where a query chooses the documents. A scroll
 * that is lost cannot be taken up: the part is read again from its beginning, and its checkpoint moves only at its end.
 */
export function scrollReader(
  client: ByteClient,
  part: PartRange,
  documents: number,
  limits: Omit<ReadLimits, 'mostBytes'>,
  cluster = 'source cluster',
): PartReader {
  const where = `${cluster}, ${part.index}${part.shard === allShards ? '' : `, shard ${part.shard}`}`;
  const unbounded = { ...limits, mostBytes: Infinity };
  const { query, dropFields = [], withoutSource } = limits.choice ?? {};
  const firstPage = {
    size: Math.min(documents, limits.mostDocuments ?? documents),
    version: true,
    sort: ['_doc'],
    ...(part.slice ? { slice: part.slice } : {}),
    ...(query === undefined ? {} : { query }),
    ...(dropFields.length > 0 ? { _source: { excludes: dropFields } } : {}),
    ...(withoutSource ? { _source: false } : {}),
  };
  let scrollId: string | undefined;
  return {
    async next(): Promise<ReadPage | undefined> {
      // a slice finds its shard by itself, and would find nothing on another one
      const preference = part.slice || part.shard === allShards ? '' : `&preference=_shards:${part.shard}`;
      const answer =
        scrollId === undefined
          ? await post(
              client,
              `/${encodeURIComponent(part.index)}/_search?scroll=${keepAlive}${preference}`,
              firstPage,
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
