import type { NodeFacts } from '../../contracts/plan';
import type { Check } from '../../contracts/status';
import type { ClusterView, NodeView, SelectedIndex } from '../../activities/planning/view';

/** A node as the planner sees it, with plenty of room. */
export function nodeView(name: string, over: Partial<NodeView> = {}): NodeView {
  return {
    name,
    roles: ['master', 'data'],
    ip: '10.0.0.1',
    host: '10.0.0.1',
    attributes: {},
    plugins: [],
    modules: ['analysis-common', 'mapper-extras', 'parent-join', 'percolator'],
    diskFreeBytes: 1e12,
    diskTotalBytes: 2e12,
    ...over,
  };
}

export function nodeFacts(name: string, over: Partial<NodeFacts> = {}): NodeFacts {
  return {
    id: `id-${name}`,
    name,
    version: '7.17.29',
    addresses: ['10.0.0.1'],
    roles: ['master', 'data'],
    isElectedMaster: false,
    pathRepo: ['/srv/repository'],
    startedAtMs: 1,
    diskFreeBytes: 1e12,
    diskTotalBytes: 2e12,
    ...over,
  };
}

/** A healthy cluster with nothing in it; 7.17.29 as source, 8.19.21 as target. */
export function clusterView(side: 'source' | 'target', over: Partial<ClusterView> = {}): ClusterView {
  const isSource = side === 'source';
  return {
    facts: {
      side,
      name: isSource ? 'old' : 'new',
      uuid: isSource ? 'uuid-s' : 'uuid-t',
      version: isSource ? '7.17.29' : '8.19.21',
      distribution: 'elasticsearch',
      nodes: [nodeFacts(isSource ? 's1' : 't1')],
    },
    minimumIndexVersion: isSource ? '6.0.0-beta1' : '7.0.0',
    health: { status: 'green', shards: 10, unassignedShards: 0, longestPendingTaskMs: 0 },
    settings: {},
    nodes: [nodeView(isSource ? 's1' : 't1'), nodeView(isSource ? 's2' : 't2')],
    repositories: {},
    names: { indices: {}, aliases: {}, dataStreams: {} },
    snapshotWork: [],
    ...over,
  };
}

export function withVersion(view: ClusterView, version: string, distribution?: 'opensearch'): ClusterView {
  return { ...view, facts: { ...view.facts, version, ...(distribution ? { distribution } : {}) } };
}

export function selectedIndex(name: string, over: Partial<SelectedIndex> = {}): SelectedIndex {
  return {
    name,
    uuid: `uuid-${name}`,
    status: 'open',
    hidden: false,
    primaryShards: 1,
    replicas: 1,
    sizeBytes: 1024 ** 2,
    documents: 10,
    createdVersion: '7.17.29',
    health: 'green',
    isSystem: false,
    settings: {},
    creationDateMs: 1_000,
    operations: 0,
    fieldTypes: [],
    hasSource: true,
    operationsInAMoment: 0,
    ...over,
  };
}

/** The one check of that id; a table's case names it by id and place. */
export function checkOf(checks: Check[], id: string, where = ''): Check {
  const found = checks.filter((check) => check.id === id && check.where.includes(where));
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} checks ${id} in ${where || 'all'}`);
  return found[0];
}
