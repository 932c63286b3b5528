import type { CatchUpRoundInput } from '../../contracts/catch-up';
import type { FieldPosition } from '../../contracts/document-activities';
import { bytesOf } from '../copy/cut-hits';
import { ask, pathOf, type Place } from '../copy/requests';
import { silentShards, type ShardsHeader } from '../elasticsearch/shards-header';
import { isDate } from '../planning/field-types';
import { valueOf, within } from './field-values';
import { wholePage } from './read-ids';

type Named = Pick<FieldPosition, 'name' | 'type'>;
type Query = Record<string, unknown>;

/**
 * The largest value of the field. Of times the largest that is not to come yet, as the source itself has the time: a client
 * with a clock in 2099 moves nothing.
 */
export function largestValue(place: Place, field: Named): Promise<string | undefined> {
  return firstBy(place, field, 'desc', isDate(field.type) ? within(field, { lte: 'now' }) : within(field, {}));
}

export function smallestValue(place: Place, field: Named): Promise<string | undefined> {
  return firstBy(place, field, 'asc', within(field, {}));
}

/** From the bytes of the answer: as a number of ours a long would lose its last digits. */
function firstBy(place: Place, field: Named, order: 'asc' | 'desc', query: Query): Promise<string | undefined> {
  const body = { size: 1, _source: false, query, sort: [{ [field.name]: { order } }] };
  return ask(place, { path: pathOf(place, '_search'), body: [Buffer.from(JSON.stringify(body))] }, (text) => {
    const page = wholePage(place, undefined, text);
    if (page.count === 0) return undefined;
    const sort = bytesOf(page, 0, 'sort')?.toString();
    if (sort === undefined) throw new SyntaxError('a hit came without its sort value');
    return valueOf(field.type, sort.slice(1, -1));
  });
}

export function countWhere(place: Place, queries: readonly (Query | undefined)[]): Promise<number> {
  const body = { query: allOf(queries) };
  return ask(place, { path: pathOf(place, '_count'), body: [Buffer.from(JSON.stringify(body))] }, (text) => {
    const { count, _shards } = JSON.parse(text.toString()) as { count: number; _shards: ShardsHeader };
    if (silentShards(_shards) > 0) throw new SyntaxError('not every shard counted');
    return count;
  });
}

export function allOf(queries: readonly (Query | undefined)[]): Query {
  return { bool: { filter: queries.filter((query) => query !== undefined) } };
}

/** Which documents of the source are moved. */
export function queryOf({ runbook }: Pick<CatchUpRoundInput, 'runbook'>): Record<string, unknown> | undefined {
  return (runbook.copy ?? runbook.reindex)?.query;
}
