import { targetName } from '../../../contracts/ids';
import type { MigrationRunbook } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import type { ClusterView, SelectedIndex, TakenIndex } from '../view';
import { checkAliases } from './alias-checks';
import { checkClusters } from './cluster-checks';
import { checkCatchUp, checkDocuments } from './document-checks';
import { checkIndices } from './index-checks';
import { checkLifecycle } from './lifecycle-checks';
import { checkNames } from './name-checks';
import { checkNeededPlugins } from './plugin-checks';
import { checkRepositories } from './repository-checks';
import { checkAllocation, checkRoom } from './room-checks';
import { checkSnapshotWork } from './snapshot-checks';

export interface CheckFacts {
  run: string;
  /** Of the execution that asks; without one every execution of the run counts as ours. */
  owner?: string;
  runbook: MigrationRunbook;
  source: ClusterView;
  target: ClusterView;
  selected: SelectedIndex[];
  taken: TakenIndex[];
  nowMs: number;
}

/** Every check of the two clusters, in the order in which an operator would ask. */
export function runChecks(facts: CheckFacts): Check[] {
  const { runbook, source, target, selected, taken, nowMs } = facts;
  const isSnapshot = runbook.method === 'snapshot';
  return [
    ...checkClusters(source, target, runbook.method),
    ...checkIndices(runbook, source, target, selected),
    checkNames(target, selected, taken, (name) => targetName(runbook, name)),
    ...checkAliases(runbook, source, target, selected),
    checkNeededPlugins(target, selected),
    ...checkRoom(target, selected, taken),
    checkAllocation(target, selected),
    ...(isSnapshot ? [...checkRepositories(runbook, source, target), ...checkSnapshotWork(facts, source, target)] : []),
    ...(isSnapshot ? [] : checkDocuments(source, selected)),
    ...checkCatchUp(runbook, source, selected),
    ...checkLifecycle(source, target, selected, nowMs),
  ];
}
