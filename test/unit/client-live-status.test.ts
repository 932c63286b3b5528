import { overlay } from '../../client/live-status';
import { statusChanges } from '../../client/status-changes';
import { stepOf } from '../../client/pending-activities';
import { endedStatus, noon, runningStatus, waitingStatus } from './client-fixtures';

test.each([
  ['batch-0003/snapshot', 'batch-0003/snapshot'],
  ['batch-0003/snapshot#17', 'batch-0003/snapshot'],
  ['prepare/share/mount/h12#2', 'prepare/share/mount/h12'],
])('the activity %s belongs to the step %s', (activity, step) => expect(stepOf(activity)).toBe(step));

describe('overlay', () => {
  const progress = { done: 1, total: 4, unit: 'files' as const };
  const retrying = { attempt: 3, lastFailure: 'no answer' };

  test('puts progress and retries on running steps only', () => {
    const live = overlay(runningStatus(), [
      { step: 'batch-0003/snapshot', progress },
      { step: 'batch-0004/snapshot', retrying },
      { step: 'batch-0001/restore', progress },
      { step: 'unknown', progress },
    ]);
    expect(live.batches[2]?.steps[0]).toMatchObject({ progress });
    expect(live.batches[3]?.steps[0]).toMatchObject({ retrying });
    expect(live.batches[0]?.steps[1]?.progress).toBeUndefined();
  });

  test('of several activities of one step shows the one that fails', () => {
    const live = overlay(runningStatus(), [
      { step: 'batch-0003/snapshot', retrying },
      { step: 'batch-0003/snapshot', progress },
    ]);
    expect(live.batches[2]?.steps[0]).toMatchObject({ retrying });
  });
});

describe('what changed', () => {
  const changes = (before: Parameters<typeof statusChanges>[0], after: Parameters<typeof statusChanges>[1]) =>
    statusChanges(before, after, noon);

  test('at the first look is where the run is, and what needs eyes', () => {
    expect(changes(undefined, runningStatus())).toEqual([
      'logs: stuck, phase move: stuck at batch-0002/restore: the target refuses to restore orders',
      '1 of 5 batches done',
      'batch-0002/restore: stuck: the target refuses to restore orders',
      '  where: new-cluster / orders',
      '  remedy: close or delete the index on the target, then retry',
      '  shardlift retry logs batch-0002/restore',
      "  shardlift skip logs batch-0002/restore --reason '…'",
      'batch-0003/snapshot: running: snapshot',
      'batch-0004/snapshot: running: snapshot',
    ]);
  });

  test('is nothing when nothing changed, and progress alone is nothing', () => {
    const before = runningStatus();
    const after = structuredClone(before);
    const step = after.batches[2]?.steps[0];
    if (step?.progress) step.progress.done += 1;
    expect(changes(before, after)).toEqual([]);
  });

  test('is a failed attempt', () => {
    const before = runningStatus();
    const after = structuredClone(before);
    const step = after.batches[3]?.steps[0];
    if (step?.retrying) step.retrying.attempt = 5;
    expect(changes(before, after)).toEqual([
      'batch-0004/snapshot: attempt 5, last failure: no node of the source answers, next try in 12 s',
    ]);
  });

  test('is a gate that opens, and one that is answered', () => {
    const closed = waitingStatus();
    closed.gates = [{ gate: 'cutover', state: 'closed', asks: '' }];
    expect(changes(closed, waitingStatus())).toEqual([
      'gate cutover waits for a person: aliases on new',
      "  shardlift approve logs cutover --reason '…'",
    ]);
    const approved = waitingStatus();
    const decision = { verb: 'approve' as const, by: 'alice', reason: 'compared', at: '' };
    approved.gates = [{ gate: 'cutover', state: 'approved', asks: 'aliases on new', decision }];
    expect(changes(waitingStatus(), approved)).toEqual(['gate cutover approved by alice: compared']);
  });

  test('is the end', () => {
    expect(changes(waitingStatus(), endedStatus({ batches: [] }))).toContain('phase finish');
  });
});
