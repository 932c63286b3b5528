import type { Check } from '../../../contracts/status';
import { takesConcurrentSnapshots } from '../layout';
import type { ClusterView } from '../view';
import { nameOf } from './cluster-checks';
import { isSnapshotOfRun } from './name-checks';
import { noneOf, notApplicable, type CheckSubject } from './make-check';

/** Whether something else snapshots, deletes or restores; what this run itself began does not count. */
export function checkSnapshotWork(
  run: { run: string; owner?: string },
  source: ClusterView,
  target: ClusterView,
): Check[] {
  return [idle(run, source), idle(run, target), scheduled(source)];
}

function idle(run: { run: string; owner?: string }, view: ClusterView): Check {
  const others = view.snapshotWork.filter(({ snapshot }) => !isSnapshotOfRun(run, snapshot));
  // Restores stand in nobody's way, and from 7.9 on snapshots queue; before, a second one is refused.
  const mustBeIdle = view.facts.side === 'source' && !takesConcurrentSnapshots(view.facts);
  return noneOf(
    {
      id: 'snapshot.idle',
      level: mustBeIdle ? 'mandatory' : 'warning',
      where: nameOf(view),
      wanted: 'no snapshot, deletion or restore under way but our own',
    },
    others.map(({ kind, repository, snapshot }) => `${kind} ${repository}/${snapshot}`.replace(/\/$/, '')),
    {
      good: 'none',
      bad: 'under way',
      remedy: mustBeIdle
        ? 'this version does one snapshot operation at a time: wait until it has ended, or cancel it, then retry'
        : 'ours wait for it or share its bandwidth: expect the run to take longer',
    },
  );
}

function scheduled(source: ClusterView): Check {
  const subject: CheckSubject = {
    id: 'slm',
    level: 'warning',
    where: nameOf(source),
    wanted: 'no scheduled snapshots (SLM) during the run',
  };
  const { slm } = source;
  if (!slm) return notApplicable(subject, 'no SLM here, or it is not ours to see');
  if (!slm.isRunning) return notApplicable(subject, 'SLM is stopped');
  return noneOf(
    subject,
    slm.policies.map(({ name, repository, nextAtMs, isInProgress }) => {
      const when = isInProgress
        ? 'running'
        : nextAtMs === undefined
          ? 'not scheduled'
          : `next at ${new Date(nextAtMs).toISOString()}`;
      return `${name} into ${repository || 'its repository'} (${when})`;
    }),
    {
      good: 'no policies',
      bad: 'policies',
      remedy:
        'its snapshots share bandwidth with ours, and before 7.9 one of the two is refused: POST /_slm/stop for the length of the run, /_slm/start afterwards',
    },
  );
}
