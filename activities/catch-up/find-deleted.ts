import { heartbeat } from '../context';
import type { Page } from '../copy/cut-hits';
import { getDocuments, type DocumentKey } from '../copy/documents';
import { ask, pathOf, type Place } from '../copy/requests';
import type { Cluster } from '../elasticsearch/cluster';
import { deleteAbsent } from './delete-documents';
import { bucketOf, bucketsFor, idDigest, type IdDigest } from './id-digest';
import { idOf, keyOfHit, readIds, wholePage } from './read-ids';
import { refresh } from './read-shards';
import { differingRanges, type SeqNoRange } from './restored-ranges';

/** Shards of an index that hold the same documents on both sides: one and one, or all and all where routing differs. */
export interface ShardGroup {
  source: Place;
  target: Place;
  /** With the last sequence number that counts: all that has been written to the target, or that the source has. */
  sourceShards: { shard: number; through: number }[];
  /** With the last sequence number that each has given. */
  targetShards: { shard: number; through: number }[];
  /** Of one and one: where catch-up began after a restore; both sides have the same numbers up to here. */
  restoredThrough?: number;
}

interface ToRead {
  shard: number;
  ranges: SeqNoRange[];
}

/** `busy`: too much was written above the checkpoint meanwhile for the counts to say anything. */
export type Surplus = 'busy' | number;

/** Documents above the checkpoint that are looked up on the target one by one; more of them are no quiet point. */
const mostAbove = 5_000;

/**
 * How many documents the target has that the source has no more. Everything up to the checkpoint is on the target, so it
 * holds what the source holds up to there, what was deleted, and the earlier version of what was written again above:
 * the last is looked up, and the rest is a difference of counts. Nothing is read but counts as long as it is 0.
 */
export async function countSurplus(
  { source, target, sourceShards, targetShards }: ShardGroup,
  targetCluster: Cluster,
): Promise<Surplus> {
  let expected = 0;
  const above: DocumentKey[] = [];
  for (const { shard, through } of sourceShards) {
    const view = await lookAround(source, shard, through);
    expected += view.below;
    if (view.isBusy) return 'busy';
    above.push(...view.above);
    if (above.length > mostAbove) return 'busy';
  }
  const earlier = (await getDocuments(target, above)).filter(({ isThere }) => isThere).length;
  // what a round that was given up still writes meanwhile is to be counted as it was looked up: the count would be too low
  if (above.length > 0) await refresh(targetCluster, [target.index]);
  let found = 0;
  for (const { shard } of targetShards) found += await countOf(target, shard);
  return found - expected - earlier;
}

/** One request, so one view of the shard: how many lie at or below the number, and which above. */
function lookAround(
  place: Place,
  shard: number,
  through: number,
): Promise<{ below: number; isBusy: boolean; above: DocumentKey[] }> {
  const body = {
    size: mostAbove,
    _source: false,
    track_total_hits: false,
    post_filter: { range: { _seq_no: { gt: through } } },
    aggs: { below: { filter: { range: { _seq_no: { lte: through } } } } },
  };
  const request = {
    path: pathOf(place, `_search?preference=_shards:${shard}`),
    body: [Buffer.from(JSON.stringify(body))],
  };
  return ask(place, request, (text) => {
    const page = wholePage(place, shard, text);
    const above = Array.from({ length: page.count }, (_, hit) => keyOfHit(page, hit));
    const counted = /"below":\{[^{}]*"doc_count":(\d+)/.exec(text.toString('latin1', Math.max(0, text.length - 1_000)));
    if (!counted) throw new SyntaxError('the answer has no count');
    return { below: Number(counted[1]), isBusy: page.count >= mostAbove, above };
  });
}

async function countOf(place: Place, shard: number): Promise<number> {
  const answer = await ask(
    place,
    { path: pathOf(place, `_count?preference=_shards:${shard}`) },
    (text) => JSON.parse(text.toString()) as { count: number; _shards: { failed: number } },
  );
  if (answer._shards.failed > 0) throw new Error(`${place.where}, ${place.index}: not every shard counted`);
  return answer.count;
}

/** Of both sides; everything that lies on the target and not on the source is deleted there. Answers how much that was. */
export async function deleteSuspects(
  group: ShardGroup,
  uuid: string,
  { source: sourceCluster, target: targetCluster }: { source: Cluster; target: Cluster },
): Promise<number> {
  const { source, target } = group;
  let deleted = 0;
  for await (const found of suspects(group))
    deleted += await deleteAbsent({ uuid, source, target, sourceCluster, targetCluster }, found);
  return deleted;
}

/** Documents looked up at once; the buckets of a digest are taken in portions of about so many. */
const mostCandidates = 50_000;

/**
 * Documents of the target that may be gone from the source, in portions: those of the buckets in which the ids differ.
 * Each is to be asked for at the source before anything is done about it. Memory is that of the digests and of a portion,
 * whatever the shards' size; the ids are read once on the source, and on the target once and again for each portion.
 */
async function* suspects(group: ShardGroup): AsyncGenerator<DocumentKey[]> {
  let documents = 0;
  for (const { shard } of group.targetShards) documents += await countOf(group.target, shard);
  const buckets = bucketsFor(documents);
  const [ofSource, ofTarget] = [idDigest(buckets), idDigest(buckets)];
  const toRead = await rangesOf(group);
  await Promise.all([
    digest(group.source, toRead.source, ofSource, documents),
    digest(group.target, toRead.target, ofTarget, documents),
  ]);
  // a bucket with nothing in it on the target has nothing that could be deleted there
  const differing = ofSource.differing(ofTarget).filter((bucket) => ofTarget.count(bucket) > 0);
  for (let from = 0; from < differing.length;) {
    const wanted = new Set<number>();
    for (let size = 0; from < differing.length && (size === 0 || size < mostCandidates); from++) {
      const bucket = differing[from] as number;
      wanted.add(bucket);
      size += ofTarget.count(bucket);
    }
    const found: DocumentKey[] = [];
    for await (const page of pagesOf(group.target, toRead.target))
      for (let hit = 0; hit < page.count; hit++)
        if (wanted.has(bucketOf(idOf(page, hit), buckets))) found.push(keyOfHit(page, hit));
    yield found;
  }
}

/** All of both sides; of restored shards what was written since, and the ranges below in which they differ. */
async function rangesOf(group: ShardGroup): Promise<{ source: ToRead[]; target: ToRead[] }> {
  const { source, target, sourceShards, targetShards, restoredThrough = -1 } = group;
  const [first] = sourceShards;
  const below =
    restoredThrough < 0 || !first ? [] : await differingRanges(source, target, first.shard, restoredThrough);
  const ranges = ({ shard, through }: { shard: number; through: number }): ToRead => ({
    shard,
    ranges: [...below, { after: restoredThrough, through }],
  });
  return { source: sourceShards.map(ranges), target: targetShards.map(ranges) };
}

async function digest(place: Place, shards: readonly ToRead[], into: IdDigest, total: number): Promise<void> {
  let done = 0;
  for await (const page of pagesOf(place, shards)) {
    for (let hit = 0; hit < page.count; hit++) into.add(idOf(page, hit));
    done += page.count;
    const detail = `${place.index}: looking for deleted documents, ${place.where}`;
    heartbeat({ done: Math.min(done, total), total, unit: 'documents', detail });
  }
}

async function* pagesOf(place: Place, shards: readonly ToRead[]): AsyncGenerator<Page> {
  for (const { shard, ranges } of shards) for (const range of ranges) yield* readIds(place, shard, range);
}
