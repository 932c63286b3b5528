import type { CatchUpActivities } from '../contracts/catch-up';
import type { ClusterActivities } from '../contracts/cluster-activities';
import type { DocumentActivities } from '../contracts/document-activities';
import type { HostActivities } from '../contracts/host-activities';
import type { MetadataActivities } from '../contracts/metadata';
import type { ReindexActivities } from '../contracts/reindex';
import { createNodeActivities } from './cluster-settings/nodes';
import { createSettingsActivities } from './cluster-settings/settings';
import { attended } from './context';
import { createCatchUpActivities } from './catch-up';
import { createCopyActivities } from './copy';
import { workerRates } from './copy/worker-rates';
import { createMetadataActivities } from './metadata';
import { createAliasActivities } from './cutover/aliases';
import { createClusters } from './elasticsearch/cluster';
import { watchHold, type Hold } from './hold';
import { ConnectionPool, createHostActivities } from './hosts';
import { createPlanningActivities } from './planning';
import { createFinalizeActivities } from './snapshots/finalize';
import { createRepositoryActivities } from './snapshots/repositories';
import { createReindexActivities } from './reindex';
import { createRestoreActivities } from './snapshots/restore';
import { createSnapshotDeletionActivities } from './snapshots/delete-snapshot';
import { createSnapshotActivities } from './snapshots/snapshot';
import { createWriteBlockActivities } from './snapshots/write-block';
import { createVerificationActivities } from './verification';

/** Where a worker keeps files of its own, and what it knows of itself. */
export interface ActivityPlaces {
  /** Documents that targets refuse, a folder for each run. */
  failedDocumentsDirectory: string;
  /** Whether attempts are this worker's still; without it only a standstill is seen. */
  hold?: Hold;
}

export interface Activities {
  activities: CatchUpActivities &
    ClusterActivities &
    DocumentActivities &
    HostActivities &
    MetadataActivities &
    ReindexActivities;
  /** Lets go of connections, once no activity runs any more. */
  close(): Promise<void>;
}

/** Everything that touches the world, with its dependencies put in. */
export function createActivities({ failedDocumentsDirectory, hold = watchHold() }: ActivityPlaces): Activities {
  const clusters = createClusters();
  const deps = { clusters };
  const ofDocuments = { ...deps, failedDocumentsDirectory, rates: workerRates(clusters) };
  const pool = new ConnectionPool();
  const hosts = createHostActivities({ pool });
  const activities: Activities['activities'] = {
    ...hosts,
    ...createPlanningActivities(deps),
    ...createVerificationActivities(deps),
    ...createNodeActivities(deps),
    ...createSettingsActivities(deps),
    ...createRepositoryActivities(deps),
    ...createSnapshotActivities(deps),
    ...createSnapshotDeletionActivities(deps),
    ...createRestoreActivities(deps),
    ...createFinalizeActivities(deps),
    ...createWriteBlockActivities(deps),
    ...createAliasActivities(deps),
    ...createMetadataActivities(deps),
    ...createReindexActivities(deps),
    ...createCopyActivities(ofDocuments),
    ...createCatchUpActivities(ofDocuments),
  };
  for (const name of ofRequests) attend(activities, name, hold);
  return {
    activities,
    close: async () => {
      hold.end();
      pool.close();
      await clusters.close();
    },
  };
}

/** Made of nothing but requests with time limits of their own: see `attended`. */
const ofRequests = [
  'inspectClusters',
  'planMigration',
  'readSelection',
  'listUnblocked',
  'setWriteBlock',
  'removeWriteBlock',
  'verifyIndices',
  'evaluateMetadata',
  'applyMetadata',
  'readDrift',
  'createIndices',
  'endLoad',
  'planParts',
  'copyParts',
  'planReindexParts',
  'reindexPart',
  'readPositions',
  'beginCatchUp',
  'catchUpRound',
  'searchDeletes',
  'readSeries',
  'endCatchUp',
] as const satisfies (keyof Activities['activities'])[];

function attend(activities: Activities['activities'], name: (typeof ofRequests)[number], hold: Hold): void {
  const act = activities[name] as (input: unknown) => Promise<unknown>;
  Object.assign(activities, { [name]: (input: unknown) => attended(hold, () => act(input)) });
}
