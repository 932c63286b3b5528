import type { FailureInfo } from '../../../contracts/failures';
import type { Method } from '../../../contracts/runbook-documents';
import type { Side } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import { reindexRefusal, snapshotRefusal } from '../method';
import type { ClusterView } from '../view';
import { count, failed, listed, notApplicable, passed, type CheckSubject } from './make-check';

/** A cluster's master that is so far behind would make every step wait, and time out. */
const longestPendingMs = 30_000;

export function reachable(side: Side, urls: string[], view?: ClusterView): CheckSubject & { where: string } {
  return {
    id: 'cluster.reachable',
    level: 'mandatory',
    where: view ? nameOf(view) : `${side} cluster at ${listed(urls, 3)}`,
    wanted: 'a node that answers and lets us in',
  };
}

export function checkReachable(subject: CheckSubject, outcome: { version: string } | { failure: FailureInfo }): Check {
  if ('version' in outcome) return passed(subject, `answers as version ${outcome.version}`);
  const { message, why, remedy } = outcome.failure;
  return failed(subject, why ? `${message}: ${why}` : message, remedy);
}

/** Checks of the two clusters as wholes. */
export function checkClusters(source: ClusterView, target: ClusterView, method: Method = 'snapshot'): Check[] {
  return [
    checkDifferent(source, target),
    ...[source, target].flatMap((view) => [checkHealth(view), checkPendingTasks(view), checkBlocks(view)]),
    checkVersions(source, target, method),
    checkPlugins(source, target),
  ];
}

export function nameOf(view: ClusterView): string {
  return `${view.facts.side} cluster ${view.facts.name}`;
}

function checkDifferent(source: ClusterView, target: ClusterView): Check {
  const subject: CheckSubject = {
    id: 'cluster.different',
    level: 'mandatory',
    where: `${nameOf(source)}, ${nameOf(target)}`,
    wanted: 'two clusters: different UUIDs',
  };
  const [from, to] = [source.facts.uuid, target.facts.uuid];
  // a cluster that never formed says _na_
  if ([from, to].includes('_na_')) {
    return failed(
      subject,
      'a cluster without a UUID: it has not formed',
      'see to it that it elects a master, then retry',
    );
  }
  return from === to
    ? failed(subject, `both are ${from}`, 'source.urls and target.urls lead to the same cluster: correct one of them')
    : passed(subject, `${from} and ${to}`);
}

function checkHealth(view: ClusterView): Check {
  const { status, unassignedShards } = view.health;
  const where = nameOf(view);
  const seen = `${status}, ${count(unassignedShards, 'unassigned shard')}`;
  const wanted = 'green';
  if (status === 'red') {
    return failed(
      { id: 'cluster.health', level: 'mandatory', where, wanted },
      seen,
      'a primary shard is missing: find out why by GET /_cluster/allocation/explain, mend it, then retry',
    );
  }
  const subject: CheckSubject = {
    id: 'cluster.health',
    level: status === 'yellow' ? 'warning' : 'mandatory',
    where,
    wanted,
  };
  return status === 'yellow'
    ? failed(
        subject,
        seen,
        'all documents are there, but a replica is not: the loss of one node may lose data, and a rolling restart takes the cluster to red. GET /_cluster/allocation/explain says why',
      )
    : passed(subject, seen);
}

function checkPendingTasks(view: ClusterView): Check {
  const subject: CheckSubject = {
    id: 'cluster.pending-tasks',
    level: 'warning',
    where: nameOf(view),
    wanted: `no task of the master waiting longer than ${longestPendingMs / 1000} s`,
  };
  const waiting = view.health.longestPendingTaskMs;
  const seen = `longest wait ${Math.round(waiting / 1000)} s`;
  return waiting > longestPendingMs
    ? failed(subject, seen, 'the master is behind: look at GET /_cluster/pending_tasks and let it catch up first')
    : passed(subject, seen);
}

function checkBlocks(view: ClusterView): Check {
  const subject: CheckSubject = {
    id: 'cluster.blocks',
    level: 'mandatory',
    where: nameOf(view),
    wanted: 'cluster.blocks.read_only and read_only_allow_delete not set',
  };
  const set = ['cluster.blocks.read_only', 'cluster.blocks.read_only_allow_delete'].filter(
    (key) => view.settings[key] === 'true',
  );
  return set.length === 0
    ? passed(subject, 'no block')
    : failed(
        subject,
        `${set.join(' and ')} true`,
        'set it to null by PUT /_cluster/settings if the reason for it is gone, then retry',
      );
}

/** By the clusters' own versions; index.created-version looks at each index. */
function checkVersions(source: ClusterView, target: ClusterView, method: Method): Check {
  const isFetched = method === 'remote-reindex';
  const subject: CheckSubject = {
    id: 'cluster.versions',
    level: 'mandatory',
    where: `${nameOf(source)}, ${nameOf(target)}`,
    wanted: isFetched
      ? 'a target whose _reindex understands what the source answers'
      : "a target that restores the source's snapshots: not older, and at most one major version newer",
  };
  const seen = `${spell(source)} to ${spell(target)}`;
  if (method === 'copy') return notApplicable(subject, `${seen}: documents are moved, no snapshot`);
  const why = (isFetched ? reindexRefusal : snapshotRefusal)(source.facts, target.facts);
  return why ? failed(subject, seen, why) : passed(subject, seen);
}

function spell({ facts }: ClusterView): string {
  return `${facts.distribution === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${facts.version}`;
}

/** What the source has beyond the target, whether an index needs it or not: index.plugins knows the needs it can see. */
function checkPlugins(source: ClusterView, target: ClusterView): Check {
  const subject: CheckSubject = {
    id: 'cluster.plugins',
    level: 'warning',
    where: nameOf(target),
    wanted: 'every plugin of the source on every node of the target',
  };
  const wanted = [...new Set(source.nodes.flatMap(({ plugins }) => plugins))].sort();
  if (wanted.length === 0) return notApplicable(subject, 'the source has no plugins');
  // a plugin of an older version may have become a module of the newer one
  const missing = wanted.filter(
    (plugin) => !target.nodes.every(({ plugins, modules }) => plugins.includes(plugin) || modules.includes(plugin)),
  );
  return missing.length === 0
    ? passed(subject, listed(wanted))
    : failed(
        subject,
        `not on every node: ${listed(missing)}`,
        'install what the applications use by bin/elasticsearch-plugin install on every node of the target; index.plugins says what the indices need',
      );
}
