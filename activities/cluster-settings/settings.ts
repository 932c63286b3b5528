import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { Side } from '../../contracts/runbook';
import { persistentSettings, settingsText } from '../../contracts/settings-text';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { transient } from '../failure';
import { changedBy, unchanged } from '../outcome';

interface SettingsAnswer {
  persistent: Record<string, string>;
}

/** Persistent cluster settings: read first in an activity of its own, so that what was there is in the history before it changes. */
export function createSettingsActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'readClusterSettings' | 'putClusterSettings'> {
  return {
    /** Twice: reads only. */
    async readClusterSettings({ runbook, side, keys }) {
      const cluster = await clusters.connect(runbook, side);
      await requireState(cluster, side);
      const { body } = await cluster.request<SettingsAnswer>({
        method: 'GET',
        path: '/_cluster/settings',
        query: { flat_settings: true },
      });
      return Object.fromEntries(keys.map((key) => [key, body.persistent[key] ?? null]));
    },

    /**
     * Twice: the same values again change nothing. Never left out because they seem to be there already: a cluster that
     * has just elected a master answers as if nothing were set, and a hold on allocation would stay for ever. `before`
     * comes from the history for the same reason.
     */
    async putClusterSettings({ runbook, side, step, before, values }) {
      const cluster = await clusters.connect(runbook, side);
      await cluster.request({ method: 'PUT', path: '/_cluster/settings', body: { persistent: values } });
      if (settingsText(before) === settingsText(values)) return unchanged(settingsText(values));
      return changedBy(step, settingsText(values), {
        where: `${side} cluster`,
        what: persistentSettings,
        before: settingsText(before),
        after: settingsText(values),
      });
    },
  };
}

/**
 * Until a new master has recovered the cluster's state, GET _cluster/settings shows no settings at all, with 200; other
 * requests are refused by a block, which this asks for (seen with 8.19: the only master of two nodes restarted).
 */
async function requireState(cluster: Cluster, side: Side): Promise<void> {
  const { body } = await cluster.request<{ blocks?: { global?: Record<string, { description: string }> } }>({
    method: 'GET',
    path: '/_cluster/state/blocks',
    query: { filter_path: 'blocks.global' },
  });
  const block = Object.values(body.blocks?.global ?? {}).find(({ description }) =>
    /state not recovered/.test(description),
  );
  if (!block) return;
  throw transient({
    type: 'ClusterUnavailable',
    message: 'the cluster has not recovered its state yet',
    where: `${side} cluster`,
    why: block.description,
    remedy: 'look at its health and its master, then retry',
  });
}
