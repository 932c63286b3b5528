import { createHash } from 'node:crypto';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { isAtLeast } from '../elasticsearch/version';

/**
 * The name that a task writes to. An index that is missing `_reindex` makes by itself, with mappings of its own guess; so
 * an index that is deleted under its task, by an abort or by somebody, would be there again under its own name, as if it had
 * been moved. `require_alias` (from 7.10 on) is looked at when a task begins, and not for its bulks: what it makes then has
 * the name of the alias, by which it is known, and deleted.
 */
const prefix = 'shardlift-reindex-';

export function knowsWriteAlias({ version }: Cluster): boolean {
  return version.distribution === 'opensearch' || isAtLeast(version, '7.10.0');
}

/**
 * Puts the alias on the index, or finds it there. Nothing where the target does not know `require_alias`: then the index is
 * only looked at. @throws where the index is not there.
 */
export async function giveWriteAlias(target: Cluster, owner: string, index: string): Promise<string | undefined> {
  const path = `/${encodeURIComponent(index)}`;
  if (!knowsWriteAlias(target)) {
    await target.request({ method: 'GET', path: `${path}/_settings/index.uuid` });
    return undefined;
  }
  const alias = aliasOf(owner, index);
  await target.request({ method: 'PUT', path: `${path}/_alias/${alias}` });
  return alias;
}

/** An index name may be as long as an alias may. */
function aliasOf(owner: string, index: string): string {
  return `${prefix}${owner}-${createHash('sha256').update(index).digest('hex').slice(0, 16)}`;
}

/** Whether the alias still leads to the index: else what the task wrote last went elsewhere. */
export async function isWrittenTo(target: Cluster, owner: string, index: string): Promise<boolean> {
  const { status, body } = await target.request<Record<string, unknown>>({
    method: 'GET',
    path: `/_alias/${aliasOf(owner, index)}`,
    allow: [404],
  });
  return status < 300 && index in body;
}

/** What tasks of this run made under the name of an alias whose index was deleted. Twice: there is none. */
export async function deleteStrays(target: Cluster, owner: string): Promise<void> {
  const own = `${prefix}${owner}-`;
  const { status, body } = await target.request<Record<string, unknown>>({
    method: 'GET',
    path: `/${own}*/_settings/index.uuid`,
    query: { expand_wildcards: 'all', allow_no_indices: true },
    allow: [404],
  });
  // an alias leads to an index of another name, which is none of these
  const strays = status < 300 ? Object.keys(body).filter((name) => name.startsWith(own)) : [];
  for (const chunk of chunkNames(strays))
    await target.request({
      method: 'DELETE',
      path: `/${indexPath(chunk)}`,
      query: { ignore_unavailable: true },
      allow: [404],
    });
}

/** Twice: where none is left nothing is to be done. */
export async function takeWriteAliases(target: Cluster, indices: readonly string[]): Promise<void> {
  for (const chunk of chunkNames(indices))
    await target.request({ method: 'DELETE', path: `/${indexPath(chunk)}/_alias/${prefix}*`, allow: [404] });
}
