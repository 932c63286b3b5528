import { CancelledFailure } from '@temporalio/common';
import { targetName } from '../../contracts/ids';
import type { ReindexPart, ReindexPartInput, ReindexPartResult } from '../../contracts/reindex';
import type { Progress } from '../../contracts/status';
import { cancellationSignal, heartbeat, lastHeartbeat, throwIfCancelled } from '../context';
import { classifyAnswer } from '../elasticsearch/classify-error';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent, transient } from '../failure';
import { follow } from '../follow';
import { causesOf, sorted, wordsOf } from './refusals';
import { remoteOf } from './remote';
import { markOf, placeOf, rateOf, reindexBody } from './request';
import { cancelTask, findTasks, lookAtTask, startTask, type ReindexFailure, type TaskView } from './tasks';
import { deleteStrays, giveWriteAlias, isWrittenTo, knowsWriteAlias } from './write-alias';

/** What a heartbeat carries besides progress. Results of tasks are kept by the target, so their ids are all it takes. */
interface Begun {
  /** In the order in which they were begun; only the last one may be under way. */
  tasks: string[];
  /** Documents of a batch: fewer than the runbook says, once an answer was too large for the target's buffer. */
  size: number;
}

export interface ReindexSides {
  source: Cluster;
  target: Cluster;
  /** Runs what must go through although the activity was cancelled. */
  regardless: <T>(act: () => Promise<T>) => Promise<T>;
}

/** A part that needs more is one whose documents the target refuses by the thousand: `_reindex` stops at each batch of them. */
const mostTasks = 50;
/** A task that has not moved for so long hangs on the source, and its own time limits did not help. */
const stallMs = 30 * 60_000;
/** How long a cancelled task may take for its present batch; below the heartbeat timeout. */
const cancelMs = 20_000;

/**
 * Begins a task for the part, or finds it, and follows it to its end. A task that ended at documents which the target
 * refuses is followed by one that leaves them out, and a lost one by another: what is there already costs them a version
 * conflict each, and is not written again.
 *
 * Killed before the request: nothing was done. Killed between the request and the heartbeat with the task's id: the next
 * attempt finds the task by the mark in its query. Killed while following: the same, or by its id. Killed after its end:
 * the target keeps the result. Were a task not found, a second one beside it would only do the same writes.
 */
export async function reindexPart(input: ReindexPartInput, sides: ReindexSides): Promise<ReindexPartResult> {
  const { part, runbook } = input;
  const { target } = sides;
  const where = placeOf(runbook, part);
  const hasAlias = knowsWriteAlias(target);
  await refuseOtherIndex(sides.source, part);
  const begun = begunIn(lastHeartbeat()) ?? { tasks: [], size: runbook.reindex?.size ?? 1000 };
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
      causes: causesOf(targetName(runbook, part.index), [...refused.values()]),
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
    const index = targetName(runbook, part.index);
    if (!hasAlias || (await isWrittenTo(target, input.owner, index))) return result(true);
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
    const alias = await giveWriteAlias(target, input.owner, targetName(runbook, part.index));
    const attempt = { size: begun.size, excluded: [...refused.keys()], ...(alias === undefined ? {} : { alias }) };
    const body = reindexBody(input, target, await remoteOf(runbook), attempt);
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
    current ??= await unheardOf(sides, input, refused.size, keep);
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

/** Returns when the part is to be begun again at once. @throws what is for Temporal's retries, or for a person. */
function judge(view: TaskView, where: string, begun: Begun): void {
  if (view.state === 'ended') {
    const { refused, passing } = sorted(view.failures);
    if (passing[0] !== undefined) throw classifyAnswer(where, wordsOf(passing[0]));
    if (refused.length > 0) return;
    if (view.timedOut)
      throw classifyAnswer(where, { status: 504, type: '', reason: 'a search or a bulk of the task timed out' });
    throw permanent({
      type: 'ClusterRequestFailed',
      message: 'somebody cancelled the _reindex task',
      where,
      why: view.cancelled ?? '',
      remedy: 'retry begins the part again; pause and tune hold it back without that',
    });
  }
  if (view.state !== 'failed') return;
  if (/chunk that was too large|too long.*content|entity content is too long/i.test(view.reason) && begun.size > 1) {
    begun.size = Math.ceil(begun.size / 4);
    return;
  }
  throw taskFailed(where, view);
}

/** The source's words, as the target tells them: what passes by itself is known by them alone. */
function taskFailed(where: string, { type, reason }: { type: string; reason: string }): Error {
  const why = `${type}: ${reason}`.slice(0, 2000);
  if (/not (allow|white)listed/.test(reason)) {
    return permanent({
      type: 'ClusterRequestFailed',
      message: 'the target may not fetch from the source',
      where,
      why,
      remedy: 'put the address into the allow list of every node of the target and restart them one by one, then retry',
    });
  }
  if (/\b(401|403)\b|unauthorized|forbidden/i.test(reason)) {
    return permanent({
      type: 'ClusterPermissionDenied',
      message: 'the source does not let the target in',
      where,
      why,
      remedy:
        'correct source.auth of the runbook, or grant its user read and view_index_metadata on the index, then retry',
    });
  }
  return transient({
    type: 'ClusterUnavailable',
    message: 'the _reindex task failed',
    where,
    why,
    remedy: 'see whether the nodes of the target reach the source at that address, then retry: the part is begun again',
  });
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

function stalled(where: string, { done, total }: Progress): Error {
  return permanent({
    type: 'ClusterUnavailable',
    message: `the _reindex task has not moved for ${stallMs / 60_000} min`,
    where,
    why: `${done} of ${total} documents`,
    remedy: 'look at both clusters and the network between them; retry follows the same task again',
  });
}

function tooMany(where: string, { causes, refused }: ReindexPartResult): Error {
  const reasons = causes.map(({ count, type, reason }) => `${count} times ${type}: ${reason}`);
  return permanent({
    type: 'ClusterRequestFailed',
    message: `${mostTasks} _reindex tasks did not bring this part to its end`,
    where,
    why: (refused > 0 ? reasons.join('; ') : 'tasks were lost with their nodes').slice(0, 2000),
    remedy:
      'a task ends at every batch with a document that the target refuses: mend what the reasons name and retry, or move this index with method copy, which leaves such documents out one by one',
  });
}
