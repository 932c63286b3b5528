import { classifyAnswer } from '../elasticsearch/classify-error';
import { permanent, transient } from '../failure';
import type { ReindexPartResult } from '../../contracts/reindex';
import type { Progress } from '../../contracts/status';
import { sorted, wordsOf } from './refusals';
import type { TaskView } from './tasks';

/** A part that needs more is one whose documents the target refuses by the thousand: `_reindex` stops at each batch of them. */
export const mostTasks = 50;
/** A task that has not moved for so long hangs on the source, and its own time limits did not help. */
export const stallMs = 30 * 60_000;
/** Returns when the part is to be begun again at once. @throws what is for Temporal's retries, or for a person. */
export function judge(view: TaskView, where: string, begun: { size: number }): void {
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

export function stalled(where: string, { done, total }: Progress): Error {
  return permanent({
    type: 'ClusterUnavailable',
    message: `the _reindex task has not moved for ${stallMs / 60_000} min`,
    where,
    why: `${done} of ${total} documents`,
    remedy: 'look at both clusters and the network between them; retry follows the same task again',
  });
}

export function tooMany(where: string, { causes, refused }: ReindexPartResult): Error {
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
