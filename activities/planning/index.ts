import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { Clusters } from '../elasticsearch/cluster';
import { inspect, select } from './inspect';
import { makePlan } from './make-plan';
import { readSettings } from './read-cluster';

export function createPlanningActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'inspectClusters' | 'readSelection' | 'planMigration'> {
  return {
    /** May run twice: it only reads, and looks anew each time, so that what was mended in between is seen as mended. */
    async inspectClusters(input) {
      return inspect(clusters, input);
    },

    /** May run twice: it only reads, and answers with what there is at that moment. */
    async readSelection(input) {
      return select(clusters, input);
    },

    /** May run twice: it only reads, and the same facts make the same plan, batch for batch. */
    async planMigration(input) {
      const hasTarget = input.clusters.target !== undefined && input.clusters.indices.length > 0;
      const settings = hasTarget ? await readSettings(await clusters.connect(input.runbook, 'target')) : {};
      const limit = settings['indices.recovery.max_bytes_per_sec'];
      return makePlan({ ...input, ...(limit === undefined ? {} : { targetRecoveryLimit: limit }) });
    },
  };
}
