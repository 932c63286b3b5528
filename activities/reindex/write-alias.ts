import { createHash } from 'node:crypto';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { isAtLeast } from '../elasticsearch/version';

/**
 * The name that a task writes to. An index that is missing `_reindex` makes by itself, with mappings of its own guess; an
 * alias it does not, where it must write to one (`require_alias`, from 7.10 on). So a task that outlives its run, or the
 * index, writes nothing more.
 */
const prefix = 'shardlift-reindex-';

/**
 * Puts the alias on the index, or finds it there. Nothing where the target does not know `require_alias`: then the index is
 * only looked at. @throws where the index is not there.
 */
export async function giveWriteAlias(target: Cluster, owner: string, index: string): Promise<string | undefined> {
  const { version } = target;
  const path = `/${encodeURIComponent(index)}`;
  if (version.distribution === 'elasticsearch' && !isAtLeast(version, '7.10.0')) {
    await target.request({ method: 'GET', path: `${path}/_settings/index.uuid` });
    return undefined;
  }
  // an index name may be as long as an alias may
  const alias = `${prefix}${owner}-${createHash('sha256').update(index).digest('hex').slice(0, 16)}`;
  await target.request({ method: 'PUT', path: `${path}/_alias/${alias}` });
  return alias;
}

/** Twice: where none is left nothing is to be done. */
export async function takeWriteAliases(target: Cluster, indices: readonly string[]): Promise<void> {
  for (const chunk of chunkNames(indices))
    await target.request({ method: 'DELETE', path: `/${indexPath(chunk)}/_alias/${prefix}*`, allow: [404] });
}
