import { createHash } from 'node:crypto';
import type { CatchUpRoundInput } from '../../contracts/catch-up';
import { mergeCauses } from '../../contracts/refusals';
import type { Difference, RefusalCause } from '../../contracts/status';
import { heartbeat, throwIfCancelled } from '../context';
import { bytesOf, type Page } from '../copy/cut-hits';
import type { DocumentKey } from '../copy/documents';
import { partFileName } from '../copy/failed-documents';
import { allShards, readingOf } from '../copy/part-reader';
import type { Place } from '../copy/requests';
import type { Cluster } from '../elasticsearch/cluster';
import { transient } from '../failure';
import type { Followed } from './changed-indices';
import { deleteAbsent } from './delete-documents';
import { allOf, countWhere, queryOf } from './field-requests';
import { bucketOf, bucketsFor, idDigest, type IdDigest } from './id-digest';
import { idOf, keyOfHit, nameOf, readIds, searchIds, textOf } from './read-ids';
import { readOperations, readSettings, readShards, refresh } from './read-shards';
import { lacksDocuments } from './refused-ranges';
import { placesOf, writeChosen, type CatchUpSides, type ShardWritten } from './write-shard';

interface Compared extends ShardWritten {
  deleted: number;
  /** On the target only, and not deleted: written at the source since, or since it was looked at here. */
  left: number;
  differences: Difference[];
  /** What was written or deleted, in a few characters; nothing where both sides were the same. */
  mended?: string;
  /** See FieldPosition. */
  equal?: string;
  /** What the target is without now, as it refuses it; left out where nothing was written anew. */
  lacking?: RefusalCause[];
}

/** One side's documents: ids, routings and versions, in pages. */
interface Side {
  place: Place;
  pages(): AsyncGenerator<Page>;
}

/** Documents listed at once on each side; the buckets of a digest are taken in portions of about so many. */
const mostListed = 100_000;
/** Asked for by id in one search. */
const idsAtOnce = 1_000;

/**
 * Makes the target what the source is, whatever a field says. Both sides are read by ids and versions, and summed up in
 * buckets; those that differ are listed. What only the target has is asked for at the source and deleted; what it lacks, or
 * has in another version, is read from the source and written.
 *
 * Of a source that is written to meanwhile more buckets differ than should. That costs, and does no harm: nothing is deleted
 * that the source has, and what is written is what the source has. Twice: what is mended does not differ any more.
 *
 * Sides that were found the same, and were asked for nothing since, are not read again: a drain compares large indices while
 * writes to the source are blocked.
 */
export async function compareSides(
  { position, target, operations }: Followed,
  input: CatchUpRoundInput,
  sides: CatchUpSides,
): Promise<Compared> {
  const { index, field } = position;
  const compared: Compared = { ...nothing(), deleted: 0, left: 0, differences: [] };
  const onTarget = (await readOperations(sides.target, [target])).get(target);
  const query = queryOf(input);
  // what a query chooses may change with the time
  const isMarked = operations !== undefined && onTarget !== undefined && query === undefined;
  const marks = isMarked ? `${operations.mark} ${onTarget.mark}` : undefined;
  if (marks !== undefined && marks === field?.equal) return { ...compared, equal: marks, lacking: [] };

  const places = placesOf(sides, { index, target });
  await Promise.all([refresh(sides.source, [index]), refresh(sides.target, [target])]);
  const [there, here] = await Promise.all([
    sideOf(sides.source, places.source, query),
    sideOf(sides.target, places.target),
  ]);
  const documents = Math.max(await countWhere(there.place, [query]), await countWhere(here.place, []));
  const buckets = bucketsFor(documents);
  const [ofSource, ofTarget] = [idDigest(buckets), idDigest(buckets)];
  await Promise.all([digest(there, ofSource, documents), digest(here, ofTarget, documents)]);
  const differing = ofSource.differing(ofTarget);
  if (differing.length === 0) return { ...compared, lacking: [], ...(marks === undefined ? {} : { equal: marks }) };

  // Only at rest: while documents come and go the next comparison finds others.
  if (input.deletes === 'compare') compared.mended = markOf(differing, ofSource, ofTarget);
  const isMended = compared.mended !== undefined && compared.mended === field?.mended;
  // what was refused may be taken now, somebody says
  if (isMended && input.retryRefused !== true) {
    if (!lacksDocuments(position)) {
      const what = `documents differ from the source's, in ${differing.length} of ${buckets} parts, and stay so though they were written and deleted once more: something else writes to the target, or two of the same id under different routings fall on one shard there`;
      compared.differences.push({ where: `index ${index}`, what });
    }
    return compared;
  }

  for (const wanted of portions(differing, ofSource, ofTarget)) {
    throwIfCancelled(sides.signal);
    const [listed, found] = await Promise.all([list(there, wanted, buckets), list(here, wanted, buckets)]);
    const surplus = [...found.values()].filter(({ key }) => !listed.has(nameOf(key)));
    const deleted = await deleteAbsent(
      {
        uuid: position.uuid,
        ...places,
        sourceCluster: sides.source,
        targetCluster: sides.target,
        ...(query === undefined ? {} : { query }),
      },
      surplus.map(({ key }) => key),
    );
    compared.deleted += deleted;
    compared.left += surplus.length - deleted;
    const missing = [...listed.values()].filter(({ key, version }) => found.get(nameOf(key))?.version !== version);
    await write([...new Set(missing.map(({ key }) => key.id))], { index, target, query }, input, sides, compared);
  }
  return { ...compared, lacking: mergeCauses(compared.causes) };
}

async function write(
  ids: readonly string[],
  { index, target, query }: { index: string; target: string; query: Record<string, unknown> | undefined },
  input: CatchUpRoundInput,
  sides: CatchUpSides,
  compared: Compared,
): Promise<void> {
  for (let from = 0; from < ids.length; from += idsAtOnce) {
    throwIfCancelled(sides.signal);
    const values = ids.slice(from, from + idsAtOnce);
    const written = await writeChosen(
      {
        index,
        target,
        part: { index, shard: allShards, afterSeqNo: -1, toSeqNo: 0 },
        reading: 'scroll',
        scrollDocuments: idsOfPage,
        query: allOf([{ ids: { values } }, query]),
        refusedAs: { refusedIn: 'comparison', name: `${partFileName(target, 0, 0)}-compared` },
      },
      input,
      sides,
      (documents) => {
        const done = from + documents;
        heartbeat({ done, total: ids.length, unit: 'documents', detail: `${index}: writing what differs` });
      },
    );
    for (const key of ['written', 'superseded', 'refused', 'bytes', 'replaced'] as const) compared[key] += written[key];
    compared.causes.push(...written.causes);
  }
}

/** Few, as nothing is known of their size. */
const idsOfPage = 100;

function nothing(): ShardWritten {
  return { written: 0, superseded: 0, refused: 0, bytes: 0, replaced: 0, causes: [] };
}

/** By windows of sequence numbers, each of which may be asked for again; by scroll where there are none. */
async function sideOf(cluster: Cluster, place: Place, query?: Record<string, unknown>): Promise<Side> {
  if (readingOf(cluster.version) === 'scroll') return { place, pages: () => searchIds(place, query) };
  const shards = (await readShards(cluster, [place.index])).get(place.index) ?? new Map<number, never>();
  const wanted = (await readSettings(cluster, [place.index], [shardsSetting])).get(place.index)?.[shardsSetting];
  if (shards.size < Number(wanted ?? 1)) {
    throw transient({
      type: 'ClusterUnavailable',
      message: 'not every primary shard is there, so that both sides cannot be compared',
      where: `${place.where}: ${place.index}`,
      remedy: 'GET /_cluster/allocation/explain says why; it is tried again',
    });
  }
  return {
    place,
    async *pages() {
      for (const [shard, { maxSeqNo }] of shards)
        yield* readIds(place, shard, { after: -1, through: maxSeqNo }, { version: true, ...(query ? { query } : {}) });
    },
  };
}

const shardsSetting = 'index.number_of_shards';

async function digest({ place, pages }: Side, into: IdDigest, total: number): Promise<void> {
  let done = 0;
  for await (const page of pages()) {
    for (let hit = 0; hit < page.count; hit++) into.add(idOf(page, hit), besidesOf(page, hit));
    done += page.count;
    const detail = `${place.index}: comparing ids and versions, ${place.where}`;
    heartbeat({ done: Math.min(done, total), total, unit: 'documents', detail });
  }
}

/** Version and routing, told apart by a byte that is in none of them. */
function besidesOf(page: Page, hit: number): Buffer {
  return Buffer.concat([bytesOf(page, hit, 'version') ?? none, byteOfNone, textOf(bytesOf(page, hit, 'routing'))]);
}

const none = Buffer.alloc(0);
const byteOfNone = Buffer.of(0);

function versionOf(page: Page, hit: number): string {
  return bytesOf(page, hit, 'version')?.toString() ?? '';
}

function* portions(differing: readonly number[], ofSource: IdDigest, ofTarget: IdDigest): Generator<Set<number>> {
  let wanted = new Set<number>();
  let size = 0;
  for (const bucket of differing) {
    const documents = Math.max(ofSource.count(bucket), ofTarget.count(bucket));
    if (size > 0 && size + documents > mostListed) {
      yield wanted;
      [wanted, size] = [new Set(), 0];
    }
    wanted.add(bucket);
    size += documents;
  }
  if (wanted.size > 0) yield wanted;
}

interface Listed {
  key: DocumentKey;
  version: string;
}

async function list({ pages }: Side, wanted: ReadonlySet<number>, buckets: number): Promise<Map<string, Listed>> {
  const listed = new Map<string, Listed>();
  for await (const page of pages())
    for (let hit = 0; hit < page.count; hit++)
      if (wanted.has(bucketOf(idOf(page, hit), buckets))) {
        const key = keyOfHit(page, hit);
        listed.set(nameOf(key), { key, version: versionOf(page, hit) });
      }
  return listed;
}

function markOf(differing: readonly number[], ofSource: IdDigest, ofTarget: IdDigest): string {
  const hash = createHash('sha256');
  for (const bucket of differing) hash.update(`${bucket}: ${ofSource.of(bucket)}, ${ofTarget.of(bucket)}\n`);
  return hash.digest('hex').slice(0, 16);
}
