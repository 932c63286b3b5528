import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { AliasAction } from '../../contracts/status';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { changedBy, unchanged } from '../outcome';

export function createAliasActivities({ clusters }: { clusters: Clusters }): Pick<ClusterActivities, 'applyAliases'> {
  return {
    /**
     * Puts the aliases on in one request, so that no reader ever sees half of them. Twice: adding an alias that is there
     * with the same options changes nothing. They have no undo: once they are there applications may write through them, and
     * an abort is refused.
     */
    async applyAliases({ runbook, step, actions }) {
      if (actions.length === 0) return unchanged('no aliases to put on');
      const cluster = await clusters.connect(runbook, 'target');
      const taken = await indicesNamedLikeAliases(cluster, actions);
      if (taken.length > 0) {
        throw permanent({
          type: 'AliasConflict',
          message: 'an index on the target has the name of an alias',
          where: `target cluster: ${taken.join(', ')}`,
          remedy: 'delete that index if nobody needs it, then retry; or skip, and put the alias on by hand',
        });
      }
      await cluster.request({ method: 'POST', path: '/_aliases', body: { actions } });
      const names = [...new Set(actions.map((action) => action.add?.alias ?? ''))];
      return changedBy(step, `put on ${names.length} aliases: ${names.slice(0, 10).join(', ')}`, {
        where: 'target cluster',
        what: `aliases ${names.slice(0, 20).join(', ')}`,
        before: 'absent on the moved indices',
        after: `${actions.length} actions in one request`,
      });
    },
  };
}

async function indicesNamedLikeAliases(cluster: Cluster, actions: AliasAction[]): Promise<string[]> {
  const { body } = await cluster.request<{ index: string }[]>({
    method: 'GET',
    path: '/_cat/indices',
    query: { format: 'json', h: 'index', expand_wildcards: 'all' },
  });
  const names = new Set(body.map((row) => row.index));
  return [...new Set(actions.map((action) => action.add?.alias ?? '').filter((alias) => names.has(alias)))];
}
