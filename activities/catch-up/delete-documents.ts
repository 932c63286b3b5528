import { pause, throwIfCancelled } from '../context';
import { bytesOf } from '../copy/cut-hits';
import { deletion, getDocuments, sendBulk, throwIfRefused, type DocumentKey, type Stored } from '../copy/documents';
import type { Place } from '../copy/requests';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent, transient } from '../failure';
import { keyOfHit, nameOf, searchIds } from './read-ids';
import { readShards, readStates, refresh } from './read-shards';

export interface DeleteSides {
  /** Of the source's index. One that was made anew under its name has none of the documents: nothing of it is concluded. */
  uuid: string;
  source: Place;
  target: Place;
  sourceCluster: Cluster;
  targetCluster: Cluster;
  /** Which documents of the source are to be on the target; what left it is gone, though the source has it. */
  query?: Record<string, unknown>;
}

const bulkDeletes = 1_000;
const mostLooks = 5;

/**
 * Deletes from the target what the source has no more. First each document is looked up on the target, then on the source,
 * in real time: what is deleted is what was seen before the source was asked, or nothing. That it is absent must be for
 * good: a delete that no replica has yet is undone when its primary fails. So the global checkpoint is waited for until it
 * has come over every number that the shards had given, under the same primaries. Before 6.0 there is no such number: a get
 * that finds nothing, before and after which the primaries are the same, is all that can be had.
 *
 * A document that is created again meanwhile has a number above the checkpoint and comes in the next round. Killed at any
 * moment: what is deleted is no suspect in the next search. Answers how many were deleted.
 */
export async function deleteAbsent(sides: DeleteSides, suspects: readonly DocumentKey[]): Promise<number> {
  const { source, target, targetCluster } = sides;
  const onTarget = await getDocuments(target, suspects);
  const absent = await absentForGood(sides, suspects);
  const deletions: Buffer[] = [];
  for (const [index, key] of suspects.entries()) {
    const seen = onTarget[index];
    if (absent.has(key) && seen?.isThere === true && isSame(seen, key))
      deletions.push(deletion(key, seen, targetCluster.version));
  }
  let deleted = 0;
  for (let from = 0; from < deletions.length; from += bulkDeletes) {
    throwIfCancelled(source.signal);
    const chunk = deletions.slice(from, from + bulkDeletes).map((line) => [line]);
    const answers = await sendBulk(target, targetCluster.version, chunk);
    // 404: gone already; 409: it was written since it was seen, so it is looked at again in a later search
    deleted += answers.filter(({ status }) => status < 300).length;
    // a block of the target's: what was not deleted must not count as searched
    throwIfRefused(target, answers, [404, 409]);
  }
  return deleted;
}

async function absentForGood(
  { uuid, source, sourceCluster, query }: DeleteSides,
  suspects: readonly DocumentKey[],
): Promise<Set<DocumentKey>> {
  for (let look = 1; look <= mostLooks; look++) {
    const before = await termsOf(sourceCluster, source.index, uuid);
    const stored = await (query === undefined
      ? getDocuments(source, suspects)
      : findDocuments(sourceCluster, source, suspects, query));
    const absent = suspects.filter((key, index) => !isSame(stored[index], key));
    if (absent.length === 0) return new Set();
    await untilReplicated(sourceCluster, source.index);
    if (before === (await termsOf(sourceCluster, source.index, uuid))) return new Set(absent);
  }
  throw transient({
    type: 'ClusterUnavailable',
    message: 'primaries of the source change again and again while deleted documents are looked up',
    where: `source cluster: ${source.index}`,
    remedy: 'see why its nodes leave; it is tried again',
  });
}

/** As `getDocuments`, of those that the query chooses. A search sees what a refresh has shown it: so that comes first. */
async function findDocuments(
  cluster: Cluster,
  place: Place,
  keys: readonly DocumentKey[],
  query: Record<string, unknown>,
): Promise<Stored[]> {
  await refresh(cluster, [place.index]);
  const found = new Map<string, Stored>();
  for (let from = 0; from < keys.length; from += bulkDeletes) {
    const ids = [...new Set(keys.slice(from, from + bulkDeletes).map(({ id }) => id))];
    // an id may be there once under each routing
    for await (const page of searchIds(place, { bool: { filter: [{ ids: { values: ids } }, query] } })) {
      for (let hit = 0; hit < page.count; hit++) {
        const { id, routing } = keyOfHit(page, hit);
        const version = BigInt(bytesOf(page, hit, 'version')?.toString() ?? 0);
        found.set(nameOf({ id, ...(routing === undefined ? {} : { routing }) }), {
          isThere: true,
          version,
          ...(routing === undefined ? {} : { routing }),
        });
      }
    }
  }
  return keys.map((key) => found.get(nameOf(key)) ?? { isThere: false });
}

/** Under another routing it is another document, which may stand on the same shard of one side only. */
function isSame(stored: Stored | undefined, { routing }: DocumentKey): boolean {
  return stored?.isThere === true && stored.routing === routing;
}

async function termsOf(cluster: Cluster, index: string, uuid: string): Promise<string> {
  const state = (await readStates(cluster, [index])).get(index);
  if (state?.uuid === uuid && state.isOpen) return JSON.stringify(state.primaryTerms);
  throw permanent({
    type: 'IndexMissing',
    message: 'the index went away, or was closed, while its deleted documents were looked for',
    where: `source cluster: ${index}`,
    remedy: 'the next round tells what became of it',
  });
}

const pollMs = 200;
const mostWaitMs = 60_000;

async function untilReplicated(cluster: Cluster, index: string): Promise<void> {
  const read = async () => (await readShards(cluster, [index])).get(index) ?? new Map<number, never>();
  const wanted = await read();
  const deadline = Date.now() + mostWaitMs;
  for (;;) {
    const now = await read();
    const isReached = [...wanted].every(([shard, { maxSeqNo }]) => (now.get(shard)?.checkpoint ?? -1) >= maxSeqNo);
    if (isReached) return;
    if (Date.now() > deadline) {
      throw transient({
        type: 'ClusterUnavailable',
        message: 'a copy of a shard does not follow its primary',
        where: `source cluster: ${index}`,
        why: 'the global checkpoint stays behind',
        remedy: 'see GET /_cat/shards of the source for copies that do not start; it is tried again',
      });
    }
    await pause(pollMs);
  }
}
