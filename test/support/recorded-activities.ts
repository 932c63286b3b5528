import { ApplicationFailure } from '@temporalio/common';
import type { CatchUpActivities } from '../../contracts/catch-up';
import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { CopyPart, CopyPartResult, CopyPartsInput, DocumentActivities } from '../../contracts/document-activities';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import type { FailureInfo } from '../../contracts/failures';
import type { HostActivities } from '../../contracts/host-activities';
import type { MetadataActivities } from '../../contracts/metadata';
import type { MigrationPlan } from '../../contracts/plan';
import type { ReindexActivities } from '../../contracts/reindex';

type All = CatchUpActivities &
  ClusterActivities &
  DocumentActivities &
  HostActivities &
  MetadataActivities &
  ReindexActivities;

export type OnePart = Omit<CopyPartsInput, 'parts'> & { part: CopyPart };

/** `copyParts`, made of what becomes of one part. */
export function partByPart(
  copy: (input: OnePart) => Promise<CopyPartResult & { causes: RefusalCause[] }>,
): DocumentActivities['copyParts'] {
  return async ({ parts, ...rest }) => {
    const results: CopyPartResult[] = [];
    let causes: RefusalCause[] = [];
    for (const part of parts) {
      const { causes: found, ...result } = await copy({ ...rest, part });
      results.push(result);
      causes = mergeCauses([...causes, ...found]);
      if (!result.isDone) break;
    }
    return { parts: results, causes };
  };
}

/** Activities that do nothing but note that they were called: for tests of what the workflows ask for, in which order. */
export function recordedActivities(plan: MigrationPlan, over: Partial<All> = {}) {
  const calls: string[] = [];
  const unchanged = { changed: false, summary: 'as it was', changes: [] };
  const defaults: Partial<Record<keyof All, (input: never) => unknown>> = {
    inspectClusters: () => ({ checks: [], source: plan.source, target: plan.target, indices: [], aliases: [] }),
    inspectHosts: () => ({ checks: [], facts: [] }),
    planMigration: () => ({ checks: [], plan, hostChanges: [] }),
    previewHostChanges: () => [],
    readNodes: ({ side }: { side: 'source' | 'target' }) => plan[side].nodes,
    readClusterSettings: () => ({}),
    readRepository: () => null,
    readSelection: () => ({ unplanned: [], createdAgain: [], aliases: plan.aliases }),
    evaluateMetadata: () => ({ items: [], same: 0, planned: [], digests: {} }),
    readDrift: () => ({ differences: [], digests: {} }),
    listHostRecords: () => [],
    listUnblocked: ({ indices }: { indices: string[] }) => indices,
    readSeries: () => ({ appeared: [], deleted: [], differences: [] }),
    waitForHealth: () => ({ ...unchanged, status: 'green' }),
    takeSnapshot: () => ({ ...unchanged, state: 'SUCCESS', failures: [], bytes: 10, files: 1 }),
    restoreIndices: () => ({ ...unchanged, bytes: 10 }),
    copySnapshotFiles: () => ({ ...unchanged, bytes: 10, files: 1, seconds: 1 }),
    verifyIndices: () => ({ ...unchanged, differences: [], behind: [], adapted: [], indices: 1, documents: 1 }),
    readNodeService: () => ({ active: true, activeState: 'active', startedAfterConfigChange: true, startedAtMs: 1 }),
  };
  const names: (keyof All)[] = [
    'inspectClusters',
    'inspectHosts',
    'planMigration',
    'previewHostChanges',
    'readNodes',
    'readClusterSettings',
    'putClusterSettings',
    'flushIndices',
    'waitForNode',
    'waitForHealth',
    'readSelection',
    'readRepository',
    'registerRepository',
    'putRepositoryBack',
    'verifyRepository',
    'unregisterRepository',
    'listUnblocked',
    'setWriteBlock',
    'removeWriteBlock',
    'takeSnapshot',
    'deleteSnapshot',
    'restoreIndices',
    'finalizeIndices',
    'unmarkIndices',
    'deleteRestoredIndices',
    'evaluateMetadata',
    'applyMetadata',
    'undoMetadata',
    'readDrift',
    'createIndices',
    'endLoad',
    'planParts',
    'copyParts',
    'readPositions',
    'beginCatchUp',
    'catchUpRound',
    'searchDeletes',
    'readSeries',
    'endCatchUp',
    'checkRemoteAllowed',
    'planReindexParts',
    'reindexPart',
    'verifyIndices',
    'applyAliases',
    'installPackage',
    'ensureShareDirectory',
    'ensureExport',
    'ensureNfsService',
    'ensureFirewall',
    'ensureMount',
    'checkShare',
    'ensurePathRepo',
    'setRemoteAllowlist',
    'readNodeService',
    'restartNodeService',
    'copySnapshotFiles',
    'removeCopiedSnapshot',
    'removeCopyDirectory',
    'listHostRecords',
    'undoHostChange',
    'undoPathRepo',
  ];
  const activities = Object.fromEntries(
    names.map((name) => [
      name,
      async (input: { host?: string; step?: string }) => {
        const act = (over[name] ?? defaults[name] ?? (() => unchanged)) as (input: unknown) => unknown;
        calls.push([name, input.host ?? input.step].filter(Boolean).join(' '));
        return act(input);
      },
    ]),
  );
  return { activities, calls };
}

export function stuckBecause(info: Partial<FailureInfo>): ApplicationFailure {
  const whole = {
    type: 'CommandFailed',
    message: 'it failed',
    where: 'here',
    remedy: 'mend it',
    ...info,
  };
  return ApplicationFailure.create({ type: whole.type, message: whole.message, nonRetryable: true, details: [whole] });
}
