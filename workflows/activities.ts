import { proxyActivities, type ActivityInterfaceFor, type ActivityOptions } from '@temporalio/workflow';
import type { CatchUpActivities } from '../contracts/catch-up';
import type { ClusterActivities } from '../contracts/cluster-activities';
import type { DocumentActivities } from '../contracts/document-activities';
import type { HostActivities } from '../contracts/host-activities';
import type { MetadataActivities } from '../contracts/metadata';
import type { ReindexActivities } from '../contracts/reindex';
import { documents, follow, hostSurvey, install, short, survey } from './activity-options';

type All = ActivityInterfaceFor<
  CatchUpActivities & ClusterActivities & DocumentActivities & HostActivities & MetadataActivities & ReindexActivities
>;

/** Which activity has which time class; what is not named here is short. */
const presets: Partial<Record<keyof All, ActivityOptions>> = {
  inspectClusters: survey,
  inspectHosts: hostSurvey,
  planMigration: survey,
  previewHostChanges: hostSurvey,
  verifyIndices: survey,
  readSelection: survey,
  // of many indices, each waits for the writes that were let in before it
  listUnblocked: survey,
  setWriteBlock: survey,
  removeWriteBlock: survey,
  installPackage: install,
  waitForNode: follow,
  waitForHealth: follow,
  takeSnapshot: follow,
  copySnapshotFiles: follow,
  restoreIndices: follow,
  evaluateMetadata: survey,
  applyMetadata: survey,
  readDrift: survey,
  createIndices: survey,
  endLoad: survey,
  planParts: survey,
  copyParts: documents,
  planReindexParts: survey,
  reindexPart: documents,
  // may wait for the window that the runbook names
  readPositions: documents,
  beginCatchUp: survey,
  catchUpRound: documents,
  searchDeletes: documents,
  readSeries: survey,
  endCatchUp: survey,
  finalizeIndices: follow,
  deleteSnapshot: follow,
  removeCopyDirectory: { ...short, startToCloseTimeout: '31m' },
  removeCopiedSnapshot: { ...short, startToCloseTimeout: '11m' },
  verifyRepository: { ...short, startToCloseTimeout: '3m' },
};

/**
 * The activities, their ids beginning with the step's: `restore#2` of `batch-0003` is found by `status` among the pending
 * activities, and in the Temporal UI. The counter keeps ids unique within a run.
 */
export function activitiesOf(
  step: string,
  { nextNumber, onAnswer }: { nextNumber: () => number; onAnswer?: (answer: unknown) => void },
): All {
  return new Proxy({} as All, {
    get(_target, name: string) {
      const options = presets[name as keyof All] ?? short;
      return async (input: unknown) => {
        const proxies = proxyActivities<Record<string, (input: unknown) => Promise<unknown>>>({
          ...options,
          activityId: `${step}#${nextNumber()}`,
        });
        const answer = await proxies[name]!(input);
        onAnswer?.(answer);
        return answer;
      };
    },
  });
}
