import type { WorkflowExecutionInfo } from '@temporalio/client';
import { workflowTypes } from '../contracts/messages';
import type { MigrationRunbook } from '../contracts/runbook';
import type { RunState } from '../contracts/status';
import { ClientError } from './client-error';
import type { Temporal } from './connection';
import { exitCodes } from './exit-codes';
import { decodePayload } from './payloads';
import { memo } from './status';

/** One line of `shardlift list`. */
export interface RunListing {
  run: string;
  /** As the run says, or as Temporal says of one that was ended from outside. */
  state: RunState | 'unknown';
  phase?: string;
  startedAt: string;
  endedAt?: string;
}

export interface RunFilter {
  running?: boolean;
  state?: string;
  limit: number;
}

export async function listRuns(temporal: Temporal, filter: RunFilter): Promise<RunListing[]> {
  const query = `WorkflowType = '${workflowTypes.migration}'${filter.running === true ? " AND ExecutionStatus = 'Running'" : ''}`;
  const found: RunListing[] = [];
  // The state is in the run's memo, which needs no setting up in Temporal and cannot be queried: the filter is ours.
  // The server sorts by start, the latest first.
  for await (const info of temporal.client.workflow.list({ query })) {
    if (found.length >= filter.limit) break;
    const each = listing(info);
    if (filter.state === undefined || each.state === filter.state) found.push(each);
  }
  return found;
}

function listing(info: WorkflowExecutionInfo): RunListing {
  const said = memo(info, 'state') as RunState | undefined;
  return {
    run: info.workflowId,
    state: stateOf(info.status.name, said),
    phase: memo(info, 'phase'),
    startedAt: info.startTime.toISOString(),
    ...(info.closeTime ? { endedAt: info.closeTime.toISOString() } : {}),
  };
}

function stateOf(status: string, said: RunState | undefined): RunState | 'unknown' {
  if (status === 'FAILED' || status === 'TERMINATED' || status === 'TIMED_OUT') return 'failed';
  if (status === 'CANCELLED') return 'aborted';
  return said ?? (status === 'RUNNING' ? 'running' : status === 'COMPLETED' ? 'completed' : 'unknown');
}

/** The run that is meant when none is named: the only one under way, or else the latest. */
export async function chooseRun(temporal: Temporal, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const running = await listRuns(temporal, { running: true, limit: 20 });
  if (running.length > 1) {
    const names = running.map((each) => `  ${each.run}   ${each.state}`).join('\n');
    throw new ClientError(exitCodes.inputWrong, `several runs are under way; say which:\n${names}`);
  }
  const [only] = running.length > 0 ? running : await listRuns(temporal, { limit: 1 });
  if (only === undefined) {
    throw new ClientError(
      exitCodes.noSuchRun,
      'there is no run yet',
      'start one with `shardlift start <runbook.yaml>`',
    );
  }
  return only.run;
}

/** The runbook that a run was started with, from the first event of its history: no worker has to run for it. */
export async function runbookOf(temporal: Temporal, run: string): Promise<MigrationRunbook | undefined> {
  const answer = await temporal.client.workflowService.getWorkflowExecutionHistory({
    namespace: temporal.namespace,
    execution: { workflowId: run },
    maximumPageSize: 1,
  });
  const payload = answer.history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (!payload) return undefined;
  const input = await decodePayload(temporal.client, payload);
  return (input as { runbook?: MigrationRunbook } | undefined)?.runbook;
}
