import type { ClustersInspection, PlanResult, RunInput } from '../../contracts/cluster-activities';
import { parseBytes } from '../../contracts/bytes';
import type { HostFacts } from '../../contracts/host-activities';
import type { ClusterFacts, MigrationPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import { parseVersion } from '../elasticsearch/version';
import { allowlistSettings, remoteAddress } from '../reindex/remote';
import { planBatches } from './batches';
import { checkNodesKnown } from './checks/host-checks';
import { checkShareRoom } from './checks/share-room-check';
import { planCopy, planRepositories, planShares, takesConcurrentSnapshots } from './layout';
import { adviseMethod } from './method';
import { predict } from './predict';

export interface PlanInput extends RunInput {
  clusters: ClustersInspection;
  hosts: HostFacts[];
  /** indices.recovery.max_bytes_per_sec of the target. */
  targetRecoveryLimit?: string;
}

/** The plan, and the checks that need clusters and hosts together. Pure: the same facts make the same plan. */
export function makePlan({ runbook, clusters, hosts, targetRecoveryLimit }: PlanInput): PlanResult {
  const { source, target, indices, aliases } = clusters;
  if (!source || !target) return { checks: [], hostChanges: [] };
  const checks = [checkNodesKnown(runbook, source, hosts), checkNodesKnown(runbook, target, hosts)];
  if (indices.length === 0) return { checks, hostChanges: [] };
  const batches = planBatches(indices, {
    maxSizeBytes: parseBytes(runbook.batches.maxSize),
    maxIndices: runbook.batches.maxIndices,
  });
  const isSnapshot = runbook.method === 'snapshot';
  const copy = planCopy(runbook);
  const concurrentSnapshots = isSnapshot && takesConcurrentSnapshots(source);
  const advice = adviseMethod(runbook, source, target, indices);
  const plan: MigrationPlan = {
    method: runbook.method,
    ...(advice === undefined ? {} : { advice }),
    source,
    target,
    batches,
    shares: planShares(runbook),
    repositories: isSnapshot ? planRepositories(runbook) : [],
    ...(copy ? { copy } : {}),
    ...(runbook.method === 'remote-reindex' ? { remoteAllowlist: allowlistOf(runbook, target) } : {}),
    aliases,
    concurrentSnapshots,
    predicted: predict({
      runbook,
      batches,
      ...(copy ? { copy } : {}),
      sourceDataNodes: dataNodes(source.nodes),
      targetDataNodes: dataNodes(target.nodes),
      ...(targetRecoveryLimit === undefined ? {} : { targetRecoveryLimit }),
    }),
  };
  return { checks: [...checks, ...(isSnapshot ? checkShareRoom(runbook, plan, hosts) : [])], plan, hostChanges: [] };
}

function allowlistOf(
  runbook: MigrationRunbook,
  { version, distribution }: ClusterFacts,
): { setting: string; entries: string[] } {
  const [setting = ''] = allowlistSettings({ text: version, ...parseVersion(version), distribution });
  return { setting, entries: [remoteAddress(runbook).entry] };
}

function dataNodes(nodes: { roles: string[] }[]): number {
  return nodes.filter(({ roles }) => roles.some((role) => role.startsWith('data'))).length;
}
