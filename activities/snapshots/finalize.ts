import type { ClusterActivities } from '../../contracts/cluster-activities';
import { targetName } from '../../contracts/ids';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { permanent } from '../failure';
import { follow } from '../follow';
import { changedBy, unchanged } from '../outcome';
import { takeWriteAliases } from '../reindex/write-alias';
import { markSetting, whyUnassigned } from './restored-indices';

type FlatSettings = Record<string, { settings: Record<string, string> }>;

/** Replicas are copied at indices.recovery.max_bytes_per_sec; nothing copied for so long means no node takes them. */
const stallMs = 20 * 60_000;

export function createFinalizeActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'finalizeIndices' | 'unmarkIndices'> {
  return {
    /**
     * Gives restored indices their replicas and their closed state, and waits until every shard that can be allocated is.
     * Twice: settings are compared first, and an index that is closed already stays so. What `_reindex` tasks wrote to goes.
     */
    async finalizeIndices({ runbook, step, indices }) {
      const target = await clusters.connect(runbook, 'target');
      const called = (name: string) => targetName(runbook, name);
      const names = indices.map((index) => called(index.name));
      if (runbook.method === 'remote-reindex') await takeWriteAliases(target, names);
      const source = await clusters.connect(runbook, 'source');
      const given = (runbook.copy ?? runbook.reindex)?.settings ?? {};
      const wanted = await readReplicaSettings(
        source,
        indices.map((index) => index.name),
        given,
      );
      const present = await readReplicaSettings(target, names);
      const groups = new Map<string, string[]>();
      for (const { name } of indices) {
        const settings = wanted.get(name);
        if (settings === undefined || settings === present.get(called(name))) continue;
        groups.set(settings, [...(groups.get(settings) ?? []), called(name)]);
      }
      for (const [settings, ofThese] of groups) {
        for (const chunk of chunkNames(ofThese)) {
          await target.request({
            method: 'PUT',
            path: `/${indexPath(chunk)}/_settings`,
            query: { expand_wildcards: 'none' },
            body: JSON.parse(settings) as unknown,
          });
        }
      }
      const lacking = await waitForAllocation(target, names);
      const closed = indices.filter((index) => index.status === 'close').map((index) => called(index.name));
      for (const chunk of chunkNames(closed)) {
        await target.request({
          method: 'POST',
          path: `/${indexPath(chunk)}/_close`,
          query: { expand_wildcards: 'none' },
        });
      }
      if (closed.length > 0) await waitForAllocation(target, closed);
      const summary =
        'replicas allocated' +
        (lacking > 0 ? `, but for ${lacking} that have no node to go to` : '') +
        (closed.length > 0 ? `; closed again: ${closed.slice(0, 5).join(', ')}` : '');
      if (groups.size === 0 && closed.length === 0) return unchanged(summary);
      return changedBy(step, summary, {
        where: 'target cluster',
        what: `replicas and state of ${indices.length} indices`,
        before: 'no replicas, open',
        after: `as on the source${lacking > 0 ? `; ${lacking} replicas unassigned` : ''}`,
      });
    },

    /** Twice: taking off what is off already changes nothing. */
    async unmarkIndices({ runbook, step, indices }) {
      const target = await clusters.connect(runbook, 'target');
      const names = indices.map((name) => targetName(runbook, name));
      // an attempt that was taken over may have put one there after they had been taken off
      if (runbook.method === 'remote-reindex') await takeWriteAliases(target, names);
      for (const chunk of chunkNames(names)) {
        await target.request({
          method: 'PUT',
          path: `/${indexPath(chunk)}/_settings`,
          query: { expand_wildcards: 'none', ignore_unavailable: true },
          body: { [markSetting]: null },
        });
      }
      return changedBy(step, `took the run's mark off ${indices.length} indices`, {
        where: 'target cluster',
        what: markSetting,
        before: 'marked as restored by this run',
        after: 'unset',
      });
    },
  };
}

/** index → its replica settings as a request body: equal text, equal settings. */
async function readReplicaSettings(
  cluster: Cluster,
  names: string[],
  /** What the runbook asks for in place of what is there. */
  given: Record<string, string | number | boolean | null> = {},
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const chunk of chunkNames(names)) {
    const answer = await cluster.request<FlatSettings>({
      method: 'GET',
      // all of them: 5.x does not know flat_settings where names are given
      path: `/${indexPath(chunk)}/_settings`,
      query: { flat_settings: true, ignore_unavailable: true, expand_wildcards: 'all' },
    });
    for (const [name, { settings: own }] of Object.entries(answer.body)) {
      const settings: Record<string, string | undefined> = { ...own };
      for (const [key, value] of Object.entries(given)) settings[key] = value === null ? undefined : String(value);
      const autoExpand = settings['index.auto_expand_replicas'];
      // With auto-expand the cluster itself sets the number, so the number must not be compared.
      found.set(
        name,
        JSON.stringify(
          autoExpand && autoExpand !== 'false'
            ? { 'index.auto_expand_replicas': autoExpand }
            : {
                'index.number_of_replicas': settings['index.number_of_replicas'] ?? '1',
                'index.auto_expand_replicas': autoExpand ?? null,
              },
        ),
      );
    }
  }
  return found;
}

interface HealthAnswer {
  status: string;
  number_of_data_nodes: number;
  active_shards: number;
  initializing_shards: number;
  relocating_shards: number;
  unassigned_shards: number;
  active_primary_shards: number;
  delayed_unassigned_shards: number;
}

/**
 * Waits until the shards of these indices are allocated. A replica that has no node left to go to (more copies wanted
 * than there are data nodes) will never be: such ones are counted and answered, anything else is waited for.
 */
async function waitForAllocation(cluster: Cluster, names: string[]): Promise<number> {
  const health = async () => {
    const total = { active: 0, unassigned: 0, moving: 0, delayed: 0, dataNodes: 0 };
    for (const chunk of chunkNames(names)) {
      const { body } = await cluster.request<HealthAnswer>({
        method: 'GET',
        path: `/_cluster/health/${indexPath(chunk)}`,
        query: { expand_wildcards: 'all' },
        allow: [408],
      });
      total.active += body.active_shards;
      total.unassigned += body.unassigned_shards;
      total.moving += body.initializing_shards;
      total.delayed += body.delayed_unassigned_shards;
      total.dataNodes = body.number_of_data_nodes;
    }
    return total;
  };
  return follow<number>({
    stallMs,
    stalled: (last) =>
      permanent({
        type: 'AllocationFailed',
        message: 'shards stay unassigned on the target',
        where: 'target cluster',
        why: `${last.total - last.done} of ${last.total} shards are not active. ${last.detail ?? ''}`,
        remedy:
          'ask _cluster/allocation/explain why (disk watermarks, filters, a node that is gone), mend it, then retry',
      }),
    look: async () => {
      const seen = await health();
      if (seen.unassigned + seen.moving === 0) return { result: 0 };
      if (
        seen.moving === 0 &&
        seen.delayed === 0 &&
        (await unplaceable(cluster, names, seen.dataNodes)) === seen.unassigned
      ) {
        return { result: seen.unassigned };
      }
      // Nothing moves: whoever looks at the run sees why at once, not only when the wait is given up.
      const why = seen.moving === 0 && seen.delayed === 0 ? await whyUnassigned(cluster, names) : undefined;
      return {
        progress: {
          done: seen.active,
          total: seen.active + seen.unassigned + seen.moving,
          unit: 'shards',
          ...(why === undefined ? {} : { detail: why }),
        },
      };
    },
  });
}

/** Replicas wanted beyond the number of data nodes. */
async function unplaceable(cluster: Cluster, names: string[], dataNodes: number): Promise<number> {
  let count = 0;
  for (const chunk of chunkNames(names)) {
    const answer = await cluster.request<FlatSettings>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_settings/index.number_of_replicas,index.number_of_shards`,
      query: { flat_settings: true, expand_wildcards: 'all' },
    });
    for (const { settings } of Object.values(answer.body)) {
      const surplus = Number(settings['index.number_of_replicas'] ?? 1) - (dataNodes - 1);
      if (surplus > 0) count += surplus * Number(settings['index.number_of_shards'] ?? 1);
    }
  }
  return count;
}
