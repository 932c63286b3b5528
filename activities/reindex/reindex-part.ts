import { CancelledFailure } from '@temporalio/common';
import { targetName } from '../../contracts/ids';
import type { ReindexPart, ReindexPartInput, ReindexPartResult } from '../../contracts/reindex';
import type { Progress } from '../../contracts/status';
import { cancellationSignal, heartbeat, lastHeartbeat, throwIfCancelled } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { durableIndex, isOnDisk, lostWrites } from '../copy/durable';
import { permanent } from '../failure';
import { follow } from '../follow';
import { judge, mostTasks, stalled, stallMs, tooMany } from './judge-task';
import { causesOf, sorted } from './refusals';
import { remoteOf } from './remote';
import { markOf, placeOf, rateOf, reindexBody } from './request';
import { cancelTask, endTasks, findTasks, lookAtTask, startTask, type ReindexFailure, type TaskView } from './tasks';
import { deleteStrays, giveWriteAlias, isWrittenTo, knowsWriteAlias } from './write-alias';

/** What a heartbeat carries besides progress. Results of tasks are kept by the target, so their ids are all it takes. */
interface Begun {
  /** In the order in which they were begun; only the last one may be under way. */
  tasks: string[];
  /** Documents of a batch: fewer than the runbook says, once an answer was too large for the target's buffer. */
  size: number;
  /** With an async translog: the target's primary terms before the last of these tasks, each of which reads the whole part. */
  terms?: string;
}

export interface ReindexSides {
  source: Cluster;
  target: Cluster;
  /** Runs what must go through although the activity was cancelled. */
  regardless: <T>(act: () => Promise<T>) => Promise<T>;
}

/** How long a cancelled task may take for its present batch; below the heartbeat timeout. */
const cancelMs = 20_000;

/**
 * Begins a task for the part, or finds it, and follows it to its end. A task that ended at documents which the target
 * refuses is followed by one that leaves them out, and a lost one by another: what is there already costs them a version
 * conflict each, and is not written again.
 *
 * Killed before the request: nothing was done. Killed between the request and the heartbeat with the task's id: the next
 * attempt finds the task by the mark in its query. Killed while following: the same, or by its id. Killed after its end:
 * the target keeps the result. Were a task not found, a second one beside it would only do the same writes. With an async
 * translog what a task wrote may be lost once a primary of the target has begun anew: it counts for nothing then, and is
 * ended if it still runs.
 */
export async function reindexPart(input: ReindexPartInput, sides: ReindexSides): Promise<ReindexPartResult> {
  const { part, runbook } = input;
  const { target } = sides;
  const where = placeOf(runbook, part);
  const hasAlias = knowsWriteAlias(target);
  await refuseOtherIndex(sides.source, part);
  const index = targetName(runbook, part.index);
  const durable = runbook.reindex?.load.translog === 'async' ? durableIndex(target, index) : undefined;
  const known = begunIn(lastHeartbeat());
  const goesOn = known?.terms === (await durable?.terms());
  const size = known?.size ?? runbook.reindex?.size ?? 1000;
  const begun: Begun = goesOn && known ? known : { tasks: [], size };
  const refused = new Map<string, ReindexFailure>();
  /** By tasks before the present one: to that one they are conflicts. */
  let writtenBefore = 0;
  let rate = rateOf(input.requestsPerSecond);
  let current: string | undefined;
  let last: TaskView = { state: 'lost' };

  /** Takes what a task that has ended leaves behind. */
  function settle(view: TaskView): void {
    if (view.state === 'lost') return;
    writtenBefore += view.status.created + view.status.updated;
    if (view.state !== 'ended') return;
    for (const failure of sorted(view.failures).refused) refused.set(failure.id ?? '', failure);
  }

  function result(isDone: boolean): ReindexPartResult {
    const written = last.state === 'lost' ? 0 : last.status.created + last.status.updated;
    const conflicts = last.state === 'lost' ? 0 : last.status.version_conflicts;
    return {
      isDone,
      written: written + writtenBefore,
      superseded: Math.max(0, conflicts - writtenBefore),
      refused: refused.size,
      causes: causesOf(index, [...refused.values()]),
      tasks: begun.tasks.length,
    };
  }

  function follows(id: string): Promise<TaskView> {
    let seenAtMs = Date.now();
    let seen = -1;
    const look = async () => {
      const view = await lookAtTask(target, id);
      if (view.state !== 'running') return { result: view };
      last = view;
      const { status } = view;
      rate = status.requests_per_second > 0 ? status.requests_per_second : -1;
      const progress = { ...progressOf(view, part, refused.size), reindex: begun };
      if (progress.done !== seen || (status.throttled_until_millis ?? 0) > 0) seenAtMs = Date.now();
      if (Date.now() - seenAtMs > stallMs) throw stalled(where, progress);
      seen = progress.done;
      return { progress };
    };
    // a task that is throttled to almost nothing stands still on purpose: whether it is stalled is told in `look`
    return follow<TaskView>({ look, stallMs: Infinity, stalled: (progress) => stalled(where, progress) });
  }

  /** Its index may have been deleted under the task, which then went on elsewhere. */
  async function whole(): Promise<ReindexPartResult> {
    if (!hasAlias || (await isWrittenTo(target, input.owner, index))) {
      if (!(await isOnDisk(durable, begun.terms))) throw lostWrites(index);
      return result(true);
    }
    await deleteStrays(target, input.owner);
    throw permanent({
      type: 'IndexMissing',
      message: 'the index was deleted on the target while documents were fetched into it',
      where: `target cluster: ${index}`,
      remedy: 'see who deletes there; then abort this run, and start a new one',
    });
  }

  async function begin(): Promise<string> {
    if (begun.tasks.length >= mostTasks) throw tooMany(where, result(false));
    const alias = await giveWriteAlias(target, input.owner, index);
    const attempt = { size: begun.size, excluded: [...refused.keys()], ...(alias === undefined ? {} : { alias }) };
    const body = reindexBody(input, target, await remoteOf(runbook), attempt);
    if (durable) begun.terms = await durable.terms();
    // taken over by another attempt meanwhile: a task that nobody follows must not begin
    throwIfCancelled(cancellationSignal());
    const id = await startTask(target, body, { requestsPerSecond: rate, requireAlias: alias !== undefined });
    keep(id);
    return id;
  }

  function keep(id: string): void {
    begun.tasks.push(id);
    heartbeat({ done: 0, total: part.documents, unit: 'documents', detail: part.index, reindex: begun });
  }

  try {
    for (const id of begun.tasks) {
      const view = await lookAtTask(target, id);
      if (isWhole(view)) {
        last = view;
        return await whole();
      }
      if (view.state === 'running') current = id;
      else settle(view);
    }
    if (goesOn) current ??= await unheardOf(sides, input, refused.size, keep);
    else await endTasks(target, markOf(input.owner, part));
    for (;;) {
      current ??= await begin();
      last = { state: 'lost' };
      const view = await follows(current);
      current = undefined;
      if (isWhole(view)) {
        last = view;
        return await whole();
      }
      settle(view);
      last = { state: 'lost' };
      judge(view, where, begun);
    }
  } catch (error) {
    // a worker that shuts down leaves the task running, and so does an attempt that was given up: the next one follows it
    if (!isCancelled(error) || current === undefined) throw error;
    const id = current;
    last = await sides.regardless(() => cancelled(target, id, last));
    return result(false);
  }
}

function isWhole(view: TaskView): boolean {
  return view.state === 'ended' && view.failures.length === 0 && !view.timedOut && view.cancelled === undefined;
}

/** A task of ours whose id no heartbeat has brought: followed, unless it leaves out documents that are not known here. */
async function unheardOf(
  { target }: ReindexSides,
  { owner, part }: ReindexPartInput,
  excluded: number,
  keep: (id: string) => void,
): Promise<string | undefined> {
  const found = await findTasks(target, markOf(owner, part));
  const [same, ...others] = found.filter((task) => task.excluded === excluded).map(({ id }) => id);
  const odd = found.filter((task) => task.excluded !== excluded).map(({ id }) => id);
  for (const id of [...others, ...odd]) await cancelTask(target, id);
  if (same !== undefined) keep(same);
  return same;
}

/** An index that was deleted and made anew has other documents under the same numbers. */
async function refuseOtherIndex(source: Cluster, { index, uuid }: ReindexPart): Promise<void> {
  const { body } = await source.request<Record<string, { settings?: { index?: { uuid?: string } } }>>({
    method: 'GET',
    path: `/${encodeURIComponent(index)}/_settings/index.uuid`,
  });
  if (uuid === '' || body[index]?.settings?.index?.uuid === uuid) return;
  throw permanent({
    type: 'IndexMissing',
    message: 'the index was deleted and made anew since its parts were planned',
    where: `source cluster: ${index}`,
    remedy: 'abort this run and start a new one, or skip the step, which leaves the index as far as it was fetched',
  });
}

async function cancelled(target: Cluster, id: string, last: TaskView): Promise<TaskView> {
  await cancelTask(target, id);
  const until = Date.now() + cancelMs;
  for (let view = await lookAtTask(target, id); ; view = await lookAtTask(target, id)) {
    if (view.state === 'lost') return last;
    if (view.state !== 'running' || Date.now() > until) return view;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** By an operator or an abort, and by nothing else that ends an attempt. */
function isCancelled(error: unknown): boolean {
  const reason: unknown = cancellationSignal()?.reason;
  return error instanceof CancelledFailure && (reason as Error | undefined)?.message === 'CANCELLED';
}

function progressOf(view: TaskView & { state: 'running' }, part: ReindexPart, refused: number): Progress {
  const { total, created, updated, deleted, noops, version_conflicts, requests_per_second } = view.status;
  const parts = [
    requests_per_second > 0 ? `at most ${requests_per_second} documents a second` : '',
    version_conflicts > 0 ? `${version_conflicts} were there already` : '',
    refused > 0 ? `${refused} refused` : '',
  ].filter((each) => each !== '');
  return {
    done: created + updated + deleted + noops + version_conflicts,
    total: total || part.documents,
    unit: 'documents',
    detail: [part.index, ...parts].join(', '),
  };
}

function begunIn(details: unknown): Begun | undefined {
  return (details as { reindex?: Begun } | undefined)?.reindex;
}
