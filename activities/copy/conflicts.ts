import { pause, throwIfCancelled } from '../context';
import type { ByteClient, ByteRequest } from '../elasticsearch/byte-client';
import type { Version } from '../elasticsearch/version';
import { transient } from '../failure';
import { deletion, getDocuments, sendBulk, throwIfRefused, type DocumentKey, type Stored } from './documents';
import type { Place } from './requests';

/** A document as it stood in a bulk request. */
export interface BulkDocument {
  action: Buffer;
  source: Buffer;
}

/**
 * A client of the target that looks into every 409 of a bulk before it hands the answer on. So a bulk only counts as
 * acknowledged, and a checkpoint only moves over it, when its conflicts are settled; and no more of them are held at once
 * than there are in the bulks under way.
 */
export function settlingConflicts(
  client: ByteClient,
  settle: (documents: BulkDocument[]) => Promise<void>,
): ByteClient {
  return {
    async send(request) {
      const answer = await client.send(request);
      if (request.contentType !== 'application/x-ndjson' || answer.status >= 300) return answer;
      const positions = conflictsIn(answer.body);
      if (positions.length > 0) await settle(documentsOf(request, positions));
      return answer;
    },
    close: () => client.close(),
  };
}

const conflictMark = '"status":409';

/** Of an answer that is not whole nothing is believed: whoever sent the bulk sees that for himself, and sends it again. */
function conflictsIn(body: Buffer): number[] {
  if (!body.includes(conflictMark)) return [];
  try {
    const { items } = JSON.parse(body.toString()) as { items: Record<string, { status?: number }>[] };
    return items.flatMap((item, position) => (Object.values(item)[0]?.status === 409 ? [position] : []));
  } catch {
    return [];
  }
}

const newline = 0x0a;

/** Two lines each: documents in bulks have no line feeds. */
function documentsOf({ body = [] }: ByteRequest, positions: readonly number[]): BulkDocument[] {
  const wanted = new Set(positions);
  const text = Buffer.concat(body);
  const documents: BulkDocument[] = [];
  let at = 0;
  for (let position = 0; at < text.length; position++) {
    const middle = text.indexOf(newline, at);
    const end = text.indexOf(newline, middle + 1);
    if (wanted.has(position)) {
      const [action, source] = [text.subarray(at, middle), text.subarray(middle + 1, end)];
      documents.push({ action: Buffer.from(action), source: Buffer.from(source) });
    }
    at = end + 1;
  }
  return documents;
}

export function keyOf(action: Buffer): DocumentKey {
  const { index } = JSON.parse(action.toString()) as { index: { _id: string; routing?: string } };
  return { id: index._id, ...(index.routing === undefined ? {} : { routing: index.routing }) };
}

/** Tombstones are passed over by the cluster's coarse clock, which ticks every 200 ms. */
const waitMs = 300;
const mostTries = 40;

/**
 * A document that was deleted at the source and created again, once `index.gc_deletes` had passed, begins at version 1
 * again, while the target still has a higher one: the write is answered 409, as if the target were ahead. Both sides are
 * asked in real time: where the source has a lower version now, the target's document is of an earlier life; it is deleted,
 * if it is still the one that was seen, and the new one written with its own version. A delete on the target that is still
 * remembered (`index.gc_deletes`, 0s there) has the same effect, and is waited for.
 *
 * Killed after the delete: the target lacks the document, and the same round, given the same positions, writes it.
 * Answers how many documents were written.
 */
export async function settleConflicts(
  documents: readonly BulkDocument[],
  { source, target, version, pipeline }: { source: Place; target: Place; version: Version; pipeline?: string },
): Promise<number> {
  let left = documents.map((document) => ({ ...document, key: keyOf(document.action) }));
  let written = 0;
  for (let attempt = 1; ; attempt++) {
    const keys = left.map(({ key }) => key);
    const [there, here] = await Promise.all([getDocuments(source, keys), getDocuments(target, keys)]);
    const besides = await livingBesides(source, keys, here);
    const deletions: Buffer[][] = [];
    left = left.filter(({ key }, index) => {
      const [ofSource, ofTarget] = [there[index], here[index]];
      // deleted since: that has a number of its own, above the checkpoint, and is found from there
      if (ofSource?.isThere !== true) return false;
      if (ofTarget?.isThere !== true) return true;
      // The source has moved on: what it has now is above the checkpoint and comes in a later round, or is here already,
      // written by an attempt that was taken over from us. What we hold is old, and must not replace it.
      if (ofSource.version >= ofTarget.version) return false;
      // which of two that live side by side stays must not alternate
      if (besides.has(key)) return false;
      deletions.push([deletion(key, ofTarget, version)]);
      return true;
    });
    if (left.length === 0) return written;
    if (deletions.length > 0) await sendBulk(target, version, deletions);
    const answers = await sendBulk(
      target,
      version,
      left.map(({ action, source: body }) => [action, body]),
      pipeline,
    );
    throwIfRefused(target, answers, [409]);
    const before = left.length;
    left = left.filter((_, index) => answers[index]?.status === 409);
    written += before - left.length;
    if (left.length === 0) return written;
    if (attempt >= mostTries) {
      throw transient({
        type: 'ClusterRequestFailed',
        message: 'documents that were deleted and created again cannot be written anew',
        where: `target cluster: ${target.index}`,
        why: `${left.length} documents are answered 409 for longer than a deleted document should be remembered, such as ${left[0]?.key.id ?? ''}`,
        remedy: 'set index.gc_deletes of that index to 0s, and see that nothing else writes to it; it is tried again',
      });
    }
    throwIfCancelled(target.signal);
    await pause(waitMs);
  }
}

/**
 * Keys whose place on the target is taken by another document of the same id, under another routing, which the source has as
 * well: only on the target they fall on one shard.
 */
async function livingBesides(
  source: Place,
  keys: readonly DocumentKey[],
  here: readonly Stored[],
): Promise<Set<DocumentKey>> {
  const others = keys.flatMap((key, index) => {
    const found = here[index];
    if (found?.isThere !== true || found.routing === key.routing) return [];
    return [{ key, other: { id: key.id, ...(found.routing === undefined ? {} : { routing: found.routing }) } }];
  });
  if (others.length === 0) return new Set();
  const stored = await getDocuments(
    source,
    others.map(({ other }) => other),
  );
  const isOther = (index: number) => {
    const found = stored[index];
    return found?.isThere === true && found.routing === others[index]?.other.routing;
  };
  return new Set(others.filter((_, index) => isOther(index)).map(({ key }) => key));
}
