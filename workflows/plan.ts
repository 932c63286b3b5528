import type { MigrationPlan, PlanAnswer } from '../contracts/plan';
import type { PlanInput } from '../contracts/workflow-inputs';
import { activitiesOf } from './activities';
import { lookAtAll } from './preflight';

/** Checks and plan, changing nothing: what `shardlift plan` and `shardlift doctor` show. */
export async function planWorkflow({ runbook }: PlanInput): Promise<PlanAnswer> {
  let count = 0;
  const activities = activitiesOf('plan', { nextNumber: () => (count += 1) });
  const { checks, plan, hostChanges } = await lookAtAll(activities, runbook);
  const previews = plan ? await activities.previewHostChanges({ run: runbook.name, runbook, ...changesOf(plan) }) : [];
  return { checks, ...(plan ? { plan } : {}), hostChanges: [...previews, ...hostChanges] };
}

function changesOf({ shares, remoteAllowlist }: MigrationPlan) {
  return { shares, ...(remoteAllowlist ? { remoteAllowlist } : {}) };
}
