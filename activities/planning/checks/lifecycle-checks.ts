import type { Check } from '../../../contracts/status';
import type { ClusterView, SelectedIndex } from '../view';
import { nameOf } from './cluster-checks';
import { listed, noneOf, notApplicable, passed, failed, type CheckSubject } from './make-check';

/** Whether index lifecycle management deletes what moves: on the source before it has moved, on the target after. */
export function checkLifecycle(
  source: ClusterView,
  target: ClusterView,
  selected: SelectedIndex[],
  nowMs: number,
): Check[] {
  return [deletes(source, selected, nowMs), deletes(target, selected, nowMs), policies(target, selected)];
}

/** Longer than a run takes, with its gates; what goes later is as its owner wants it. */
const horizonDays = 7;

function deletes(view: ClusterView, selected: SelectedIndex[], nowMs: number): Check {
  const onSource = view.facts.side === 'source';
  const subject: CheckSubject = {
    id: 'ilm.deletes',
    level: 'warning',
    where: nameOf(view),
    wanted: `no lifecycle policy that deletes what ${onSource ? 'moves' : 'has moved'} within ${horizonDays} days`,
  };
  const { lifecycle } = view;
  if (!lifecycle) return notApplicable(subject, 'no ILM here, or it is not ours to see');
  if (!lifecycle.isRunning) return notApplicable(subject, 'ILM is stopped');
  const doomed: { text: string; at: number }[] = [];
  for (const index of selected) {
    const policy = policyOf(index);
    const after = policy === undefined ? undefined : lifecycle.policies[policy]?.deleteAfter;
    if (policy === undefined || after === undefined) continue;
    const origin = Number(
      index.settings['index.lifecycle.origination_date'] ?? index.lifecycleDateMs ?? index.creationDateMs,
    );
    const at = origin + (durationMs(after) ?? 0);
    if (at > nowMs + horizonDays * 86_400_000) continue;
    doomed.push({ text: `${index.name} (policy ${policy}, from ${new Date(at).toISOString()})`, at });
  }
  const next = doomed.sort((a, b) => a.at - b.at).map(({ text }) => text);
  return noneOf(subject, next, {
    good: 'none',
    bad: onSource ? 'would be deleted' : 'the target has the policy and would delete',
    remedy: onSource
      ? 'an index that goes while it is snapshotted makes the batch stuck: POST /_ilm/stop for the length of the run, or exclude what is about to go'
      : 'its age counts on from the source: POST /_ilm/stop on the target until verification is done, or take the policy off (index.lifecycle.name) on the source first',
  });
}

/** An index whose policy is not there shows errors of ILM on the target, and is not managed. */
function policies(target: ClusterView, selected: SelectedIndex[]): Check {
  const subject: CheckSubject = {
    id: 'ilm.policy',
    level: 'warning',
    where: nameOf(target),
    wanted: 'every lifecycle policy that an index names',
  };
  const named = [...new Set(selected.map(policyOf).filter((name) => name !== undefined))].sort();
  if (named.length === 0) return notApplicable(subject, 'no index has a policy');
  if (!target.lifecycle)
    return failed(
      subject,
      `the target shows no ILM; named: ${listed(named)}`,
      'without ILM these indices are not managed there: see to their ends by hand',
    );
  const missing = named.filter((name) => !(name in (target.lifecycle?.policies ?? {})));
  return missing.length === 0
    ? passed(subject, listed(named))
    : failed(
        subject,
        `missing: ${listed(missing)}`,
        'PUT /_ilm/policy on the target before the run, with the definitions of the source',
      );
}

function policyOf({ settings }: SelectedIndex): string | undefined {
  const name = settings['index.lifecycle.name'];
  return typeof name === 'string' && name !== '' ? name : undefined;
}

const unitsMs: Record<string, number> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  micros: 1e-3,
  nanos: 1e-6,
};

/** "30d" in milliseconds. */
function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(d|h|m|s|ms|micros|nanos)?$/.exec(text);
  return match ? Number(match[1]) * (unitsMs[match[2] ?? 'ms'] ?? 1) : undefined;
}
