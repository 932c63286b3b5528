import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { isAtLeast } from '../elasticsearch/version';
import { changedBy, unchanged } from '../outcome';

const blockSetting = 'index.blocks.write';

export function createWriteBlockActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'listUnblocked' | 'setWriteBlock' | 'removeWriteBlock'> {
  return {
    /** Which of them take writes now; asked in an activity of its own, so that the undo knows it after any crash. */
    async listUnblocked({ runbook, indices }) {
      return unblocked(await clusters.connect(runbook, 'source'), indices);
    },

    /**
     * Blocks writes to indices of the source that listUnblocked named: a block that an operator had set before the run is
     * not this run's to take away. Twice: setting what is set changes nothing.
     */
    async setWriteBlock({ runbook, step, indices }) {
      if (indices.length === 0) return unchanged('write-blocked already');
      const source = await clusters.connect(runbook, 'source');
      await awaitWrites(source, indices);
      await putBlock(source, indices, 'true');
      return changedBy(step, `write block on ${indices.length} indices of the source`, {
        where: 'source cluster',
        what: `${blockSetting} of ${indices.slice(0, 5).join(', ')}${indices.length > 5 ? ` and ${indices.length - 5} more` : ''}`,
        before: 'unset',
        after: 'true',
      });
    },

    /** Twice: taking off what is off changes nothing; an index that is gone is passed over. */
    async removeWriteBlock({ runbook, step, indices }) {
      const cluster = await clusters.connect(runbook, 'source');
      await putBlock(cluster, indices, null);
      return changedBy(step, `write block taken off ${indices.length} indices`, {
        where: 'source cluster',
        what: blockSetting,
        before: 'true',
        after: 'unset',
      });
    },
  };
}

async function unblocked(cluster: Cluster, names: string[]): Promise<string[]> {
  const open: string[] = [];
  for (const chunk of chunkNames(names)) {
    const answer = await cluster.request<Record<string, { settings: Record<string, string> }>>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_settings`,
      // one that is gone takes no writes; whoever needs it says so
      query: { flat_settings: true, expand_wildcards: 'all', ignore_unavailable: true, allow_no_indices: true },
    });
    for (const [name, { settings }] of Object.entries(answer.body))
      if (settings[blockSetting] !== 'true') open.push(name);
  }
  return open;
}

/**
 * The setting alone does not wait for writes that were let in before it: they would come after whatever is read next. This
 * call does, and sets the same block; it came with 7.9. What it refuses, as a closed index, takes no writes anyway.
 */
async function awaitWrites(cluster: Cluster, names: string[]): Promise<void> {
  if (cluster.version.distribution === 'elasticsearch' && !isAtLeast(cluster.version, '7.9.0')) return;
  for (const name of names) {
    await cluster.request({ method: 'PUT', path: `/${indexPath([name])}/_block/write`, allow: [400, 403, 404] });
  }
}

async function putBlock(cluster: Cluster, names: string[], value: 'true' | null): Promise<void> {
  for (const chunk of chunkNames(names)) {
    await cluster.request({
      method: 'PUT',
      path: `/${indexPath(chunk)}/_settings`,
      query: { expand_wildcards: 'none', ignore_unavailable: value === null },
      body: { [blockSetting]: value },
    });
  }
}
