import type { ClusterActivities } from '../contracts/cluster-activities';
import type { HostActivities } from '../contracts/host-activities';
import { createNodeActivities } from './cluster-settings/nodes';
import { createSettingsActivities } from './cluster-settings/settings';
import { createAliasActivities } from './cutover/aliases';
import { createClusters } from './elasticsearch/cluster';
import { ConnectionPool, createHostActivities } from './hosts';
import { createPlanningActivities } from './planning';
import { createFinalizeActivities } from './snapshots/finalize';
import { createRepositoryActivities } from './snapshots/repositories';
import { createRestoreActivities } from './snapshots/restore';
import { createSnapshotActivities } from './snapshots/snapshot';
import { createWriteBlockActivities } from './snapshots/write-block';
import { createVerificationActivities } from './verification';

export interface Activities {
  activities: ClusterActivities & HostActivities;
  /** Lets go of connections, once no activity runs any more. */
  close(): Promise<void>;
}

/** Everything that touches the world, with its dependencies put in. */
export function createActivities(): Activities {
  const clusters = createClusters();
  const deps = { clusters };
  const pool = new ConnectionPool();
  const hosts = createHostActivities({ pool });
  return {
    activities: {
      ...hosts,
      ...createPlanningActivities(deps),
      ...createVerificationActivities(deps),
      ...createNodeActivities(deps),
      ...createSettingsActivities(deps),
      ...createRepositoryActivities(deps),
      ...createSnapshotActivities(deps),
      ...createRestoreActivities(deps),
      ...createFinalizeActivities(deps),
      ...createWriteBlockActivities(deps),
      ...createAliasActivities(deps),
    },
    close: async () => {
      pool.close();
      await clusters.close();
    },
  };
}
