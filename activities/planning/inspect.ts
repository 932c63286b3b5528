import { ApplicationFailure } from '@temporalio/common';
import type { ClustersInspection, KnownIndex, RunInput, SelectionNow } from '../../contracts/cluster-activities';
import type { FailureInfo } from '../../contracts/failures';
import { targetName } from '../../contracts/ids';
import type { IndexFacts } from '../../contracts/plan';
import type { MigrationRunbook, Side } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import { heartbeat, pause } from '../context';
import { askingAgain } from '../elasticsearch/asking-again';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { reporting } from '../elasticsearch/reporting';
import { aliasActions } from './alias-actions';
import { runChecks } from './checks/all-checks';
import { checkReachable, reachable } from './checks/cluster-checks';
import { blocksRemedy, blocksSubject, checkSelection, mostIndices } from './checks/index-checks';
import { failed, type CheckSubject } from './checks/make-check';
import { dependentChecks } from './checks/dependent-checks';
import { streamsAsAliases } from './data-streams';
import { readCluster, readNames } from './read-cluster';
import { readIndices, readSelectable, readSelected, readTaken } from './read-indices';
import { selectIndices } from './select-indices';
import type { ClusterView, IndexView } from './view';

/**
 * A blip must not fail a preflight that a person waits for; what lasts longer is a finding, and is told as one. A cluster that
 * has answered is asked for longer (`askingAgain`): before a proxy that loses one request in five, some of many always fail.
 */
const connectAttempts = 5;
const betweenAttemptsMs = 1_000;

/** Reads both clusters and runs the checks. A cluster that cannot be reached is a failed check, not a failure. */
export async function inspect(
  clusters: Clusters,
  { run, runbook, owner }: RunInput & { owner?: string },
): Promise<ClustersInspection> {
  const stage = { done: 0, detail: 'reading both clusters' };
  const report = () => heartbeat({ ...stage, total: 3, unit: 'checks' });
  const [source, target] = await Promise.all([
    open(clusters, runbook, 'source', report),
    open(clusters, runbook, 'target', report),
  ]);
  const checks = [source.check, target.check];
  const result: ClustersInspection = { checks, indices: [], aliases: [] };
  if (source.view) result.source = source.view.facts;
  if (target.view) result.target = target.view.facts;
  if (!source.view || !source.cluster || !target.view || !target.cluster) {
    const missing = [source, target].filter(({ view }) => !view).map(({ side }) => side);
    checks.push(...dependentChecks(missing));
    return result;
  }
  source.view.names = streamsAsAliases(source.view.names);
  Object.assign(stage, { done: 1, detail: 'both clusters read' });
  const selection = selectIndices(runbook.select, await readIndices(source.cluster, source.view.names));
  if (selection.selected.length > mostIndices) {
    // Their facts would not fit into the answer; the check says what to do instead.
    checks.push(...checkSelection(source.view, selection));
    return result;
  }
  const watchWrites = runbook.freeze === 'none' && !runbook.catchUp;
  const { field } = runbook.catchUp ?? {};
  const selected = await readSelected(source.cluster, selection.selected, {
    watchWrites,
    ...(field === undefined ? {} : { field }),
  });
  Object.assign(stage, { done: 2, detail: `${selected.length} indices read` });
  const called = (name: string) => targetName(runbook, name);
  const present = selected.map(({ name }) => called(name)).filter((name) => name in (target.view?.names.indices ?? {}));
  const ours = { run, ...(owner === undefined ? {} : { owner }) };
  const taken = await readTaken(target.cluster, ours, present);
  checks.push(
    ...checkSelection(source.view, selection),
    ...runChecks({ ...ours, runbook, source: source.view, target: target.view, selected, taken, nowMs: Date.now() }),
  );
  result.indices = selected.map(factsOf);
  result.aliases = runbook.cutover.aliases
    ? aliasActions(
        source.view.names,
        selected.map(({ name }) => name),
        called,
      )
    : [];
  return result;
}

/** The choice made once more, on the source as it is now. Reads only. */
export async function select(
  clusters: Clusters,
  { runbook, planned }: RunInput & { planned: KnownIndex[] },
): Promise<SelectionNow> {
  const report = () => heartbeat({ done: 0, total: 1, unit: 'checks', detail: 'reading the names of the source' });
  const source = askingAgain(reporting(await clusters.connect(runbook, 'source'), report));
  const names = streamsAsAliases(await readNames(source));
  const present = await readSelectable(source, names);
  const { selected } = selectIndices(runbook.select, present);
  const known = new Map(planned.map(({ name, uuid }) => [name, uuid]));
  return {
    unplanned: selected.map(({ name }) => name).filter((name) => !known.has(name)),
    createdAgain: present
      .filter(({ name, uuid }) => known.has(name) && known.get(name) !== uuid)
      .map(({ name, uuid }) => ({ name, uuid })),
    aliases: runbook.cutover.aliases ? aliasActions(names, [...known.keys()], (name) => targetName(runbook, name)) : [],
  };
}

interface Opened {
  side: Side;
  check: Check;
  cluster?: Cluster;
  view?: ClusterView;
}

async function open(clusters: Clusters, runbook: MigrationRunbook, side: Side, report: () => void): Promise<Opened> {
  const subject = (view?: ClusterView) => reachable(side, runbook[side].urls, view);
  try {
    const cluster = askingAgain(reporting(await connect(clusters, runbook, side), report));
    const view = await readCluster(cluster);
    return { side, check: checkReachable(subject(view), { version: view.facts.version }), cluster, view };
  } catch (error) {
    const failure = infoOf(error);
    if (!failure) throw error;
    return { side, check: checkOf(failure, subject()) };
  }
}

async function connect(clusters: Clusters, runbook: MigrationRunbook, side: Side): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await clusters.connect(runbook, side);
    } catch (error) {
      if (attempt >= connectAttempts || (error as { nonRetryable?: boolean | null }).nonRetryable !== false)
        throw error;
    }
    await pause(betweenAttemptsMs);
  }
}

/** One index with a metadata block makes a cluster refuse to tell of any of them. */
function checkOf(failure: FailureInfo, subject: CheckSubject): Check {
  const blocked = /index \[([^\]]+)\] blocked by: \[FORBIDDEN\/9/.exec(failure.why ?? '')?.[1];
  if (blocked === undefined) return checkReachable(subject, { failure });
  return failed(
    blocksSubject(subject.where),
    `${blocked} (metadata), and with it nothing can be read of any index`,
    blocksRemedy,
  );
}

/** What our own failures carry; anything else is a fault of the program, and no check. */
function infoOf(error: unknown): FailureInfo | undefined {
  if (!(error instanceof ApplicationFailure)) return undefined;
  return (error.details as FailureInfo[] | undefined)?.[0];
}

/** Only what the contract names: the rest of the view is large and stays here. */
export function factsOf(index: IndexView): IndexFacts {
  const { name, uuid, status, hidden, primaryShards, replicas, sizeBytes, documents, createdVersion } = index;
  return { name, uuid, status, hidden, primaryShards, replicas, sizeBytes, documents, createdVersion };
}
