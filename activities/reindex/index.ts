import { AsyncResource } from 'node:async_hooks';
import type { ReindexActivities } from '../../contracts/reindex';
import type { Clusters } from '../elasticsearch/cluster';
import { changedBy, unchanged } from '../outcome';
import { checkNodes, readNodeSettings } from './allowed';
import { planReindexParts } from './plan-parts';
import { reindexPart } from './reindex-part';
import { markOf, rateOf } from './request';
import { findTasks, rethrottle } from './tasks';

/** `method: remote-reindex`: the target's own `_reindex` fetches the documents. */
export function createReindexActivities({ clusters }: { clusters: Clusters }): ReindexActivities {
  // where no activity is: requests made there are not given up when one is cancelled
  const outside = new AsyncResource('shardlift-outside-of-activities');
  return {
    /** Reads only. */
    async checkRemoteAllowed({ runbook }) {
      const target = await clusters.connect(runbook, 'target');
      return checkNodes(runbook, target.version, await readNodeSettings(target));
    },

    /** May run twice: it changes nothing but for a refresh, and answers with the source as it is then. */
    async planReindexParts({ runbook, indices }) {
      const source = await clusters.connect(runbook, 'source');
      return planReindexParts(source, indices, runbook.reindex?.parts.maxDocuments ?? Infinity);
    },

    /** Twice: see reindex-part.ts. */
    async reindexPart(input) {
      const [source, target] = await Promise.all([
        clusters.connect(input.runbook, 'source'),
        clusters.connect(input.runbook, 'target'),
      ]);
      return reindexPart(input, { source, target, regardless: (act) => outside.runInAsyncScope(act) });
    },

    /**
     * Twice: the same rate again. Faster counts at once; slower, from each task's next batch on, since the search that it
     * reads by would run out otherwise. Held to next to nothing a task stands still and keeps its place: a pause.
     */
    async throttleReindex({ runbook, owner, step, requestsPerSecond }) {
      const target = await clusters.connect(runbook, 'target');
      const rate = rateOf(requestsPerSecond ?? undefined);
      let tasks = 0;
      for (const { id } of await findTasks(target, markOf(owner))) {
        if (await rethrottle(target, id, rate)) tasks++;
      }
      if (tasks === 0) return { ...unchanged('no _reindex task runs at the moment'), tasks };
      const after = requestsPerSecond === null ? 'no limit' : `${requestsPerSecond} documents a second`;
      return {
        ...changedBy(step, `${tasks} _reindex tasks: ${after}`, {
          where: 'target cluster',
          what: 'requests_per_second of _reindex',
          before: 'as it was',
          after,
        }),
        tasks,
      };
    },
  };
}
