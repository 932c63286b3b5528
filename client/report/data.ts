import { queries } from '../../contracts/messages';
import type { MigrationPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Temporal } from '../connection';
import type { LiveStatus } from '../live-status';
import { runbookOf } from '../runs';
import { readStatus } from '../status';

/** All that a report shows; `--output json` prints it as it is. */
export interface ReportData {
  /** ISO 8601. */
  generatedAt: string;
  run: string;
  status: LiveStatus;
  /** What was asked for; secrets in it are references. */
  runbook?: MigrationRunbook;
  /** Left out where the run never got as far, or no worker runs to tell. */
  plan?: MigrationPlan;
}

/** The plan adds names and versions of the clusters: not worth a long wait. */
const planTimeoutMs = 4_000;

/** @public loaded through lazy.ts, which knip cannot follow */
export async function gatherReport(temporal: Temporal, run: string, now: Date): Promise<ReportData> {
  const plan = temporal.connection
    .withDeadline(Date.now() + planTimeoutMs, () =>
      temporal.client.workflow.getHandle(run).query<MigrationPlan | undefined>(queries.plan),
    )
    .catch(() => undefined);
  const status = await readStatus(temporal, run);
  return {
    generatedAt: now.toISOString(),
    run,
    status,
    runbook: await runbookOf(temporal, run),
    plan: (await plan) ?? undefined,
  };
}
