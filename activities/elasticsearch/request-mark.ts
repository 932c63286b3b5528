/**
 * Which answer belongs to which request. On a kept connection that is told by their order alone: a proxy that answers for a
 * slow node, and passes the node's own answer on after all, has every later request read the answer of the one before it.
 * Elasticsearch and OpenSearch of every version repeat `X-Opaque-Id` in their answers, so a bulk is never taken for written
 * on the word of another.
 */
export const markHeader = 'x-opaque-id';

/** Few, since servers log a deprecation once for each id; and enough that a connection does not see one twice in a row. */
const marks = 31;

export function requestMarks(): () => string {
  let turn = 0;
  return () => `shardlift-${(turn = (turn + 1) % marks)}`;
}

/** Nothing when the answer is that of the request, or does not say whose it is, as a proxy's own. */
export function strayAnswer(mark: string, headers: Record<string, unknown> | null | undefined): Error | undefined {
  const found = headers?.[markHeader];
  if (typeof found !== 'string' || found === mark) return undefined;
  return new Error(`the answer of another request came on this connection (${found} in place of ${mark})`);
}
