import { targetName } from '../../contracts/ids';
import type { ReindexPart, ReindexPartInput } from '../../contracts/reindex';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Cluster } from '../elasticsearch/cluster';

/**
 * Finds our tasks among all that run: an id that no document has, in the part of the query that leaves documents out. A
 * task's description shows its query, in every version and distribution, so whose task it is can be read from there, by a
 * second attempt too that never heard the task's id. It costs the search one look into each segment's ids.
 */
export function markOf(owner: string, part?: ReindexPart): string {
  if (part === undefined) return `shardlift-reindex ${owner} `;
  const { index, uuid, range, replaces } = part;
  const which = `${range ? `${range.afterSeqNo}-${range.toSeqNo}` : 'all'}${replaces === true ? ' anew' : ''}`;
  return `shardlift-reindex ${owner} ${index} ${uuid} ${which} `;
}

/** What differs from one task of a part to the next. */
export interface Attempt {
  size: number;
  /** `_id`s of documents that the target refuses: a task ends at the first batch that has one. */
  excluded: readonly string[];
  /** What it writes to in place of the index. */
  alias?: string;
}

/** The body of `_reindex` but for the remote's secret. */
export function reindexBody(
  { runbook, owner, part }: Pick<ReindexPartInput, 'runbook' | 'owner' | 'part'>,
  target: Cluster,
  remote: Record<string, unknown>,
  { size, excluded, alias }: Attempt,
): object {
  const settings = runbook.reindex;
  return {
    conflicts: 'proceed',
    source: {
      remote,
      index: part.index,
      size,
      query: queryOf(part, settings?.query, [`${markOf(owner, part)}${excluded.length}`, ...excluded]),
    },
    dest: {
      index: alias ?? targetName(runbook, part.index),
      version_type: part.replaces === true ? 'external_gte' : 'external',
      op_type: 'index',
      ...(settings?.pipeline === undefined ? {} : { pipeline: settings.pipeline }),
      ...(wantsType(target) ? { type: '_doc' } : {}),
    },
  };
}

/** Where it is not told otherwise a 7.x target keeps the source's type, and refuses it in an index that has `_doc`. */
function wantsType({ version }: Cluster): boolean {
  return version.major === (version.distribution === 'opensearch' ? 1 : 7);
}

function queryOf(part: ReindexPart, query: object | undefined, without: readonly string[]): object {
  const { range } = part;
  const filter = [
    ...(range ? [{ range: { _seq_no: { gt: range.afterSeqNo, lte: range.toSeqNo } } }] : []),
    ...(query ? [query] : []),
  ];
  return { bool: { ...(filter.length > 0 ? { filter } : {}), must_not: [{ ids: { values: without } }] } };
}

/** -1 is no limit. */
export function rateOf(requestsPerSecond: number | undefined): number {
  return requestsPerSecond ?? -1;
}

/** For the failures: which documents. */
export function placeOf(runbook: MigrationRunbook, { index, range }: ReindexPart): string {
  const which = range ? `, _seq_no ${range.afterSeqNo + 1} to ${range.toSeqNo}` : '';
  return `target cluster, _reindex of ${index} into ${targetName(runbook, index)}${which}`;
}
