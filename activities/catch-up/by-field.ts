import type { CatchUpPositions, CatchUpRound, CatchUpRoundInput } from '../../contracts/catch-up';
import type { FieldPosition } from '../../contracts/document-activities';
import { parseDuration } from '../../contracts/durations';
import { mergeCauses } from '../../contracts/refusals';
import { heartbeat, scheduledAtMs, throwIfCancelled } from '../context';
import { partFileName } from '../copy/failed-documents';
import { allShards } from '../copy/part-reader';
import { atOnce, type Place } from '../copy/requests';
import { isDate } from '../planning/field-types';
import type { Followed } from './changed-indices';
import { compareSides } from './compare-sides';
import { allOf, countWhere, largestValue, queryOf, smallestValue } from './field-requests';
import { advanced, aged, below, cutOff, isAbove, lowerBound, within } from './field-values';
import { readOperations, refresh, type Operations } from './read-shards';
import { lacksDocuments } from './refused-ranges';
import { readAtOnce } from './round-rates';
import { addWritten, placesOf, shared, writeChosen, type CatchUpSides } from './write-shard';

/** Above what was read before, in one round: what a killed round does again is bounded. */
const mostDocuments = 250_000;

/**
 * The round of indices that are followed by a field. In this order: what the source has been asked for so far, a refresh, the
 * largest value, the documents from the lower bound on. So whatever could be seen when the largest value was read is read.
 * What becomes visible later with a smaller value is read by a later round, as each begins below what the last one came
 * to (`lowerBound`).
 *
 * An index that was asked for nothing since then has nothing to read, however many documents lie within the window.
 *
 * Answers where they stand now. Killed at any moment, the same positions are given again: documents are written as the same
 * versions.
 */
export async function followByField(
  indices: readonly Followed[],
  input: CatchUpRoundInput,
  sides: CatchUpSides,
  round: CatchUpRound,
  whileItIsThere: (followed: Followed, act: () => Promise<void>) => Promise<void>,
): Promise<Map<string, CatchUpPositions>> {
  const reached = new Map<string, CatchUpPositions>();
  const isChanged = ({ position: { field }, operations }: Followed) => field?.operations !== operations?.mark;
  const changed = indices.filter(isChanged);
  const names = indices.map(({ position }) => position.index);
  await refresh(
    sides.source,
    changed.map(({ position }) => position.index),
  );
  const limits = shared(input.limits, Math.min(readAtOnce, indices.length));
  await atOnce(readAtOnce, indices, (followed) =>
    whileItIsThere(followed, async () => {
      throwIfCancelled(sides.signal);
      const { index } = followed.position;
      const position = await readOn(followed, isChanged(followed), { ...input, limits }, sides, round);
      const isAskedFor = input.deletes !== 'defer' || (input.retryRefused === true && lacksDocuments(position));
      if (isAskedFor && position.field) {
        const compared = await compareSides({ ...followed, position }, { ...input, limits }, sides);
        addWritten(round, compared);
        round.deleted += compared.deleted;
        round.lag += compared.left;
        round.differences.push(...compared.differences);
        const { mended: _mended, equal: _equal, refused: before, ...field } = position.field;
        const { mended, equal, lacking = before } = compared;
        position.field = {
          ...field,
          ...(mended === undefined ? {} : { mended }),
          ...(equal ? { equal } : {}),
          ...(lacking?.length ? { refused: lacking } : {}),
        };
        if (compared.lacking?.length === 0) delete position.isPartial;
      }
      reached.set(index, position);
      heartbeat({ done: reached.size, total: names.length, unit: 'indices', detail: `${index} is followed` });
    }),
  );
  const after = await readOperations(sides.source, [...reached.keys()]);
  await atOnce(
    readAtOnce,
    indices.filter(({ position }) => reached.has(position.index)),
    (followed) =>
      whileItIsThere(followed, async () => {
        const { index, field } = reached.get(followed.position.index) as CatchUpPositions;
        const now = after.get(index);
        if (!field || isAtRest(field, now)) return;
        const above = field.operations === now?.mark ? 0 : await countAbove(field, followed, input, sides);
        // what is below, or under way, is in no count: a drain must not end on it
        round.lag += input.deletes === 'compare' ? Math.max(1, above) : above;
      }),
  );
  return reached;
}

/** Reads what may have become visible since the last round, up to the largest value or as far as one round goes. */
async function readOn(
  { position, target, operations }: Followed,
  isChanged: boolean,
  input: CatchUpRoundInput,
  sides: CatchUpSides,
  round: CatchUpRound,
): Promise<CatchUpPositions> {
  const windowMs = parseDuration(input.runbook.catchUp?.window ?? '60s');
  const { field, done } = aged(position.field as FieldPosition, scheduledAtMs(), windowMs);
  const stoodAt = (reached: FieldPosition, now: Operations | undefined): CatchUpPositions => {
    const { asked: _before, operations: _mark, ...others } = reached;
    if (!now) return { ...position, seqNos: [], field: others };
    const asked = now.asked.length > 0 ? { asked: now.asked } : {};
    // not the last numbers: those may be under way, and not be read yet
    const seqNos = now.numbered.map(({ checkpoint }) => checkpoint);
    return { ...position, seqNos, field: { ...others, ...asked, operations: now.mark } };
  };
  // as asked as before: whatever the checkpoints came over since was there when it was read
  if (!isChanged) return stoodAt(advanced(field, undefined, done), operations);

  const { index } = position;
  const { source } = placesOf(sides, { index, target });
  const query = queryOf(input);
  const highest = await largestValue(source, field);
  const to = await endOf(field, highest, source, query);
  const isWhole = to === highest;
  if (!isWhole) round.isWhole = false;
  const from = lowerBound(field, windowMs);
  const range = {
    ...(from === undefined ? {} : { gte: from }),
    // what lies above, in a time to come, is read each time
    ...(isWhole || to === undefined ? {} : { lte: to }),
  };
  const total = await countWhere(source, [within(field, range), query]);
  const tell = (read: number) => {
    const detail = `${index}: ${sides.rates.words(input.limits.bulkBytes)}`;
    heartbeat({ done: Math.min(read, total), total, unit: 'documents', detail });
  };
  tell(0);
  const written =
    total === 0
      ? undefined
      : await writeChosen(
          {
            index,
            target,
            part: {
              index,
              shard: allShards,
              afterSeqNo: -1,
              toSeqNo: 0,
              documentBytes: operations?.documentBytes ?? 0,
            },
            reading: 'scroll',
            query: allOf([within(field, range), query]),
            refusedAs: { refusedIn: 'field', name: `${partFileName(target, 0, 0)}-by-field` },
          },
          input,
          sides,
          tell,
        );
  if (written) addWritten(round, written);
  const refused = mergeCauses([...(field.refused ?? []), ...(written?.causes ?? [])]);
  const reached = { ...advanced(field, to, done), ...(refused.length > 0 ? { refused } : {}) };
  return stoodAt(reached, isWhole ? operations : undefined);
}

/** Nothing came since it was read, and nothing is under way. */
function isAtRest(field: FieldPosition, now: Operations | undefined): boolean {
  return field.operations === now?.mark && now?.numbered.every((shard) => shard.checkpoint >= shard.maxSeqNo) === true;
}

/** The highest value, or as far as one round goes. */
async function endOf(
  field: FieldPosition,
  highest: string | undefined,
  source: Place,
  query: Record<string, unknown> | undefined,
): Promise<string | undefined> {
  const { type, through } = field;
  if (highest === undefined || (through !== undefined && !isAbove(type, highest, through))) return highest;
  const low = through ?? below(type, (await smallestValue(source, field)) ?? highest);
  return cutOff(type, low, highest, mostDocuments, (lte) =>
    countWhere(source, [within(field, { gt: low, lte }), query]),
  );
}

/** What came since: documents above what was read, but for those in a time to come, which are read each time. */
function countAbove(
  field: FieldPosition,
  { position: { index }, target }: Followed,
  input: CatchUpRoundInput,
  sides: CatchUpSides,
): Promise<number> {
  const { source } = placesOf(sides, { index, target });
  const bounds = {
    ...(field.through === undefined ? {} : { gt: field.through }),
    ...(isDate(field.type) ? { lte: 'now' } : {}),
  };
  return countWhere(source, [within(field, bounds), queryOf(input)]);
}
