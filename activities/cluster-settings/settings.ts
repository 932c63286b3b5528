import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { Clusters } from '../elasticsearch/cluster';
import { changedBy, unchanged } from '../outcome';

interface SettingsAnswer {
  persistent: Record<string, string>;
  transient: Record<string, string>;
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
      const { body } = await cluster.request<SettingsAnswer>({
        method: 'GET',
        path: '/_cluster/settings',
        query: { flat_settings: true },
      });
      return Object.fromEntries(keys.map((key) => [key, body.persistent[key] ?? null]));
    },

    /** Twice: the same values again change nothing. `before` comes from the history, not from what stands there now. */
    async putClusterSettings({ runbook, side, step, before, values }) {
      const cluster = await clusters.connect(runbook, side);
      const { body } = await cluster.request<SettingsAnswer>({
        method: 'GET',
        path: '/_cluster/settings',
        query: { flat_settings: true },
      });
      const words = (settings: Record<string, string | null>) =>
        Object.entries(settings)
          .map(([key, value]) => `${key}: ${value ?? 'unset'}`)
          .join(', ');
      if (Object.entries(values).every(([key, value]) => (body.persistent[key] ?? null) === value)) {
        if (words(before) === words(values)) return unchanged(words(values));
      } else {
        await cluster.request({ method: 'PUT', path: '/_cluster/settings', body: { persistent: values } });
      }
      return changedBy(step, words(values), {
        where: `${side} cluster`,
        what: 'persistent cluster settings',
        before: words(before),
        after: words(values),
        undo: { kind: 'settings', side, before, summary: `set ${words(before)} on the ${side}` },
      });
    },
  };
}
