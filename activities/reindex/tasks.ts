import { pause } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { transient } from '../failure';

/** `_reindex` tasks of the target. */

export interface ReindexStatus {
  total: number;
  created: number;
  updated: number;
  deleted: number;
  noops: number;
  version_conflicts: number;
  requests_per_second: number;
  throttled_until_millis?: number;
}

/** Of a bulk item, or of a search, which has no `id`. */
export interface ReindexFailure {
  index?: string;
  id?: string;
  status?: number;
  cause?: { type?: string; reason?: string; caused_by?: { reason?: string } };
  reason?: { type?: string; reason?: string };
}

interface TaskAnswer {
  completed: boolean;
  task: { description?: string; status?: ReindexStatus };
  response?: ReindexStatus & { timed_out: boolean; canceled?: string; failures: ReindexFailure[] };
  error?: { type?: string; reason?: string; caused_by?: { reason?: string } };
}

/** How a task was seen: under way, ended, ended with an error of its own, or nowhere. */
export type TaskView =
  | { state: 'running'; status: ReindexStatus }
  | { state: 'ended'; status: ReindexStatus; failures: ReindexFailure[]; timedOut: boolean; cancelled?: string }
  | { state: 'failed'; status: ReindexStatus; type: string; reason: string }
  | { state: 'lost' };

const nothing: ReindexStatus = {
  total: 0,
  created: 0,
  updated: 0,
  deleted: 0,
  noops: 0,
  version_conflicts: 0,
  requests_per_second: -1,
};

/**
 * The result of a task that has ended is kept in the index .tasks, so it is found there after any restart; of one whose
 * node went down with it nobody knows: 404.
 */
export async function lookAtTask(cluster: Cluster, id: string): Promise<TaskView> {
  const { status, body } = await cluster.request<TaskAnswer>({ method: 'GET', path: taskPath(id), allow: [404] });
  return status === 404 ? { state: 'lost' } : viewOf(body);
}

export function viewOf({ completed, task, response, error }: TaskAnswer): TaskView {
  const status = { ...nothing, ...task.status };
  if (!completed) return { state: 'running', status };
  if (response !== undefined) {
    const { failures, timed_out: timedOut, canceled } = response;
    return {
      state: 'ended',
      status: { ...status, ...numbersOf(response) },
      failures,
      timedOut,
      ...(canceled === undefined ? {} : { cancelled: canceled }),
    };
  }
  const reason = [error?.reason, error?.caused_by?.reason].filter((each) => each !== undefined).join(': ');
  return { state: 'failed', status, type: error?.type ?? '', reason: reason || 'no reason given' };
}

function numbersOf(response: ReindexStatus): Partial<ReindexStatus> {
  const { total, created, updated, deleted, noops, version_conflicts } = response;
  return { total, created, updated, deleted, noops, version_conflicts };
}

interface TasksAnswer {
  nodes?: Record<string, { tasks: Record<string, { description?: string; parent_task_id?: string }> }>;
}

export interface FoundTask {
  id: string;
  /** How many documents its query leaves out by their ids. */
  excluded: number;
}

/** Tasks under way whose query has the mark. */
export async function findTasks(cluster: Cluster, mark: string): Promise<FoundTask[]> {
  const { body } = await cluster.request<TasksAnswer>({
    method: 'GET',
    path: '/_tasks',
    query: { actions: '*reindex', detailed: true },
  });
  return Object.values(body.nodes ?? {}).flatMap(({ tasks }) =>
    Object.entries(tasks).flatMap(([id, { parent_task_id: parent, description = '' }]) => {
      const excluded = excludedIn(description, mark);
      return parent !== undefined || excluded === undefined ? [] : [{ id, excluded }];
    }),
  );
}

/** The description has the query as JSON, where quotes and the like in index names have a backslash before them. */
function excludedIn(description: string, mark: string): number | undefined {
  const text = JSON.stringify(mark).slice(1, -1);
  const at = description.indexOf(text);
  return at < 0 ? undefined : Number.parseInt(description.slice(at + text.length), 10) || 0;
}

export async function startTask(
  cluster: Cluster,
  body: object,
  { requestsPerSecond, requireAlias }: { requestsPerSecond: number; requireAlias: boolean },
): Promise<string> {
  const answer = await cluster.request<{ task: string }>({
    method: 'POST',
    path: '/_reindex',
    query: {
      wait_for_completion: false,
      requests_per_second: requestsPerSecond,
      ...(requireAlias ? { require_alias: true } : {}),
    },
    body,
  });
  return answer.body.task;
}

/** Answers false where it has ended meanwhile. */
export async function rethrottle(cluster: Cluster, id: string, requestsPerSecond: number): Promise<boolean> {
  const { status, body } = await cluster.request<{ nodes?: Record<string, unknown> }>({
    method: 'POST',
    path: `/_reindex/${encodeURIComponent(id)}/_rethrottle`,
    query: { requests_per_second: requestsPerSecond },
    allow: [404],
  });
  return status < 300 && Object.keys(body.nodes ?? {}).length > 0;
}

/** It ends after its present batch; one that has ended already is no matter. */
export async function cancelTask(cluster: Cluster, id: string): Promise<void> {
  await cluster.request({ method: 'POST', path: `${taskPath(id)}/_cancel`, allow: [404] });
}

/** A cancelled task ends after its present batch; below the 60 s that an activity of requests has. */
const endMs = 40_000;

/** Cancels the tasks whose query has the mark, and answers with how many they were once none of them is left. */
export async function endTasks(cluster: Cluster, mark: string): Promise<number> {
  const cancelled = new Set<string>();
  for (const until = Date.now() + endMs; ; await pause(200)) {
    const running = await findTasks(cluster, mark);
    if (running.length === 0) return cancelled.size;
    for (const { id } of running) {
      if (!cancelled.has(id)) await cancelTask(cluster, id);
      cancelled.add(id);
    }
    if (Date.now() > until) throw stillRunning(running);
  }
}

function stillRunning(tasks: readonly FoundTask[]): Error {
  return transient({
    type: 'ClusterUnavailable',
    message: 'a _reindex task of this run was cancelled and does not end',
    where: `target cluster: ${tasks.map(({ id }) => id).join(', ')}`,
    why: `${endMs / 1000} s after the cancellation it is still there: it waits for the source, or for its own bulk request`,
    remedy:
      'see whether the source answers the nodes of the target; they give up waiting for it after 2 min; then retry',
  });
}

function taskPath(id: string): string {
  return `/_tasks/${encodeURIComponent(id)}`;
}
