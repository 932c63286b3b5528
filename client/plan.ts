import { randomUUID } from 'node:crypto';
import { workflowTypes } from '../contracts/messages';
import type { PlanAnswer } from '../contracts/plan';
import type { MigrationRunbook } from '../contracts/runbook';
import { ClientError } from './client-error';
import { waitForWorker, type Temporal } from './connection';
import { exitCodes } from './exit-codes';
import { noWorker } from './explain-error';
import type { Session } from './session';

/** Far longer than the checks of many hosts take; a plan that nobody waits for any more shall not stay. */
const planTimeoutMs = 15 * 60_000;

/** Has a worker look at clusters and hosts, changing nothing: the worker sees what the run will see, this machine may not. */
export async function askForPlan(session: Session, temporal: Temporal, runbook: MigrationRunbook): Promise<PlanAnswer> {
  if (!(await waitForWorker(session, temporal))) {
    throw new ClientError(exitCodes.failed, `no worker polls the task queue "${temporal.taskQueue}"`, noWorker);
  }
  session.note('looking at both clusters and every host; nothing is changed …');
  const handle = await temporal.client.workflow.start<(input: { runbook: MigrationRunbook }) => Promise<PlanAnswer>>(
    workflowTypes.plan,
    {
      // Several people may look at plans of the same runbook at once.
      workflowId: `${runbook.name}/plan-${randomUUID().slice(0, 8)}`,
      taskQueue: temporal.taskQueue,
      args: [{ runbook }],
      memo: { kind: 'Plan' },
      workflowExecutionTimeout: planTimeoutMs,
    },
  );
  const unlisten = session.io.onSignal(() => {
    void handle.cancel().catch(() => undefined);
  });
  try {
    return await handle.result();
  } finally {
    unlisten();
  }
}

/** Whether the run would refuse to start. */
export function isRefused(answer: PlanAnswer): boolean {
  return answer.checks.some((check) => check.level === 'mandatory' && check.state === 'failed');
}
