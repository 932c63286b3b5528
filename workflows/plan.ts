import type { PlanAnswer } from '../contracts/plan';
import type { PlanInput } from '../contracts/workflow-inputs';
import { activitiesOf } from './activities';

/** Checks and plan, changing nothing: what `shardlift plan` and `shardlift doctor` show. */
export async function planWorkflow({ runbook }: PlanInput): Promise<PlanAnswer> {
  let count = 0;
  const activities = activitiesOf('plan', { nextNumber: () => (count += 1) });
  const run = runbook.name;
  const [clusters, hosts] = await Promise.all([
    activities.inspectClusters({ run, runbook }),
    activities.inspectHosts({ run, runbook }),
  ]);
  const planned = await activities.planMigration({ run, runbook, clusters, hosts: hosts.facts });
  const remote = runbook.method === 'remote-reindex' ? await activities.checkRemoteAllowed({ run, runbook }) : [];
  const hostChanges = planned.plan
    ? await activities.previewHostChanges({ run, runbook, shares: planned.plan.shares })
    : [];
  return {
    checks: [...clusters.checks, ...hosts.checks, ...planned.checks, ...remote],
    ...(planned.plan ? { plan: planned.plan } : {}),
    hostChanges: [...hostChanges, ...planned.hostChanges],
  };
}
