import type { ClustersInspection } from '../contracts/cluster-activities';
import type { HostFacts } from '../contracts/host-activities';
import type { MetadataEvaluation, MetadataSettings } from '../contracts/metadata';
import { nodeOfHost } from '../contracts/nodes';
import type { HostChange, MigrationPlan } from '../contracts/plan';
import type { MigrationRunbook } from '../contracts/runbook';
import type { Check } from '../contracts/status';
import type { activitiesOf } from './activities';

/** Everything that is looked at before anything is changed: the same for `plan`, `doctor` and the start of a run. */
export interface Preflight {
  checks: Check[];
  plan?: MigrationPlan;
  facts: HostFacts[];
  hostChanges: HostChange[];
}

/** Reads only. @param owner of the execution that asks; `plan` and `doctor` have none. */
export async function lookAtAll(
  activities: ReturnType<typeof activitiesOf>,
  runbook: MigrationRunbook,
  owner?: string,
): Promise<Preflight> {
  const run = runbook.name;
  const [clusters, hosts] = await Promise.all([
    activities.inspectClusters({ run, runbook, ...(owner === undefined ? {} : { owner }) }),
    activities.inspectHosts({ run, runbook }),
  ]);
  const planned = await activities.planMigration({ run, runbook, clusters, hosts: hosts.facts });
  const set = setByRun(runbook, clusters);
  const remote =
    runbook.method === 'remote-reindex' ? (await activities.checkRemoteAllowed({ run, runbook })).map(set) : [];
  const metadata = planned.plan ? await evaluate(activities, runbook, clusters) : undefined;
  return {
    checks: [
      ...clusters.checks,
      ...hosts.checks,
      ...planned.checks,
      ...remote,
      ...(metadata ? [checkBridged(metadata, planned.plan?.target.name ?? '')] : []),
    ],
    ...(planned.plan ? { plan: { ...planned.plan, ...(metadata ? { metadata } : {}) } } : {}),
    facts: hosts.facts,
    hostChanges: planned.hostChanges,
  };
}

/** What the run itself mends need not be there before: where the host of each of the target's nodes is given. */
function setByRun({ hosts }: MigrationRunbook, { target }: ClustersInspection): (check: Check) => Check {
  const nodes = target?.nodes ?? [];
  const given = hosts.filter(({ role }) => role === 'target').map((host) => nodeOfHost(host, nodes)?.name);
  const isOurs = given.length > 0 && nodes.every(({ name }) => given.includes(name));
  return (check) => {
    if (!isOurs || check.id !== 'reindex.allowlist' || check.state !== 'failed') return check;
    return {
      ...check,
      level: 'warning',
      remedy: 'nothing: the run sets it on the hosts, and restarts the nodes one by one',
    };
  };
}

/** Indices are made anew by every method but a restore, so what becomes of them is told even where nothing else goes along. */
async function evaluate(
  activities: ReturnType<typeof activitiesOf>,
  runbook: MigrationRunbook,
  { indices }: ClustersInspection,
): Promise<MetadataEvaluation | undefined> {
  if (runbook.method === 'snapshot' && !runbook.metadata) return undefined;
  return activities.evaluateMetadata({
    run: runbook.name,
    runbook,
    indices: runbook.method === 'snapshot' ? [] : indices,
    metadata: metadataOf(runbook),
  });
}

export function metadataOf({ metadata }: MigrationRunbook): MetadataSettings {
  return metadata ?? { include: [], exclude: [], onConflict: 'keep' };
}

/** Templates and the like that cannot be bridged are differences at the end; an index that cannot be made stops the run. */
function checkBridged({ items }: MetadataEvaluation, target: string): Check {
  const refused = items.filter(
    ({ kind, result }) => result === 'refused' && (kind === 'index-settings' || kind === 'mappings'),
  );
  const subject = {
    id: 'index.bridged',
    level: 'mandatory',
    where: `target cluster ${target}`,
    wanted: 'settings and mappings that the target’s version can have, as they are or changed in a well-defined way',
  } as const;
  if (refused.length === 0) return { ...subject, state: 'passed', seen: 'every index can be made' };
  const words = refused.slice(0, 10).map(({ kind, name, why }) => `${name} (${kind}): ${why ?? ''}`);
  return {
    ...subject,
    state: 'failed',
    seen: `${words.join('; ')}${refused.length > 10 ? ` and ${refused.length - 10} more` : ''}`,
    remedy: refused.find(({ remedy }) => remedy !== undefined)?.remedy ?? 'leave the index out by select.exclude',
  };
}
