import { checkClusters, checkReachable, reachable } from '../../activities/planning/checks/cluster-checks';
import { checkRepositories } from '../../activities/planning/checks/repository-checks';
import { checkSnapshotWork } from '../../activities/planning/checks/snapshot-checks';
import { runbookOf, siteRunbookOf } from '../support/fixtures';
import { checkOf, clusterView, nodeFacts, nodeView, withVersion } from './planning-fixtures';

const source = clusterView('source');
const target = clusterView('target');

describe('cluster.reachable', () => {
  it('passes with the version', () => {
    const check = checkReachable(reachable('source', ['http://a'], source), { version: '7.17.29' });
    expect(check).toMatchObject({ state: 'passed', where: 'source cluster old', seen: 'answers as version 7.17.29' });
  });

  it('fails with the cause and the remedy of the failure', () => {
    const check = checkReachable(reachable('target', ['http://a:1', 'http://b:1']), {
      failure: {
        type: 'ClusterUnreachable',
        message: 'no node answers',
        where: 'x',
        why: 'ECONNREFUSED',
        remedy: 'start it',
      },
    });
    expect(check).toEqual({
      id: 'cluster.reachable',
      level: 'mandatory',
      state: 'failed',
      where: 'target cluster at http://a:1, http://b:1',
      seen: 'no node answers: ECONNREFUSED',
      wanted: 'a node that answers and lets us in',
      remedy: 'start it',
    });
  });
});

describe('checkClusters', () => {
  it('finds nothing wrong with two healthy clusters', () => {
    expect(checkClusters(source, target).filter(({ state }) => state === 'failed')).toEqual([]);
  });

  it('refuses one cluster as both sides', () => {
    const same = clusterView('target', { facts: { ...target.facts, uuid: 'uuid-s' } });
    const check = checkOf(checkClusters(source, same), 'cluster.different');
    expect(check).toMatchObject({ level: 'mandatory', state: 'failed', seen: 'both are uuid-s' });
    expect(check.remedy).toContain('source.urls and target.urls');
  });

  it('refuses a cluster that never formed', () => {
    const forming = clusterView('target', { facts: { ...target.facts, uuid: '_na_' } });
    expect(checkOf(checkClusters(source, forming), 'cluster.different').state).toBe('failed');
  });

  it.each([
    ['green', 'mandatory', 'passed'],
    ['yellow', 'warning', 'failed'],
    ['red', 'mandatory', 'failed'],
  ] as const)('health %s: %s, %s', (status, level, state) => {
    const sick = clusterView('target', { health: { ...target.health, status, unassignedShards: 3 } });
    expect(checkOf(checkClusters(source, sick), 'cluster.health', 'target')).toMatchObject({
      level,
      state,
      seen: `${status}, 3 unassigned shards`,
    });
  });

  it('warns of a master that is behind', () => {
    const busy = clusterView('source', { health: { ...source.health, longestPendingTaskMs: 45_000 } });
    expect(checkOf(checkClusters(busy, target), 'cluster.pending-tasks', 'source')).toMatchObject({
      level: 'warning',
      state: 'failed',
      seen: 'longest wait 45 s',
    });
  });

  it('refuses a read-only cluster', () => {
    const blocked = clusterView('target', { settings: { 'cluster.blocks.read_only': 'true' } });
    expect(checkOf(checkClusters(source, blocked), 'cluster.blocks', 'target')).toMatchObject({
      state: 'failed',
      seen: 'cluster.blocks.read_only true',
    });
  });

  it.each<[string, 'opensearch' | undefined, string, 'opensearch' | undefined, string | undefined]>([
    ['7.17.29', undefined, '8.19.21', undefined, undefined],
    ['7.17.29', undefined, '7.17.29', undefined, undefined],
    ['6.8.23', undefined, '7.10.2', undefined, undefined],
    ['8.19.21', undefined, '9.5.3', undefined, undefined],
    ['7.10.2', undefined, '1.3.14', 'opensearch', undefined],
    ['7.10.2', undefined, '2.19.6', 'opensearch', undefined],
    ['1.3.14', 'opensearch', '2.19.6', 'opensearch', undefined],
    ['8.19.21', undefined, '7.17.29', undefined, 'newer version'],
    ['7.17.29', undefined, '7.17.20', undefined, 'newer version'],
    ['6.8.23', undefined, '8.19.21', undefined, 'upgrade the source to 7.x first'],
    ['7.17.29', undefined, '9.5.3', undefined, 'upgrade the source to 8.x first'],
    ['7.17.29', undefined, '2.19.6', 'opensearch', 'up to 7.10 only'],
    ['6.8.23', undefined, '2.19.6', 'opensearch', 'OpenSearch 1 first'],
    ['1.3.14', 'opensearch', '8.19.21', undefined, 'no snapshot of OpenSearch'],
    ['1.3.14', 'opensearch', '3.6.0', 'opensearch', 'upgrade the source to 2.x first'],
  ])('versions %s %s to %s %s: %s', (from, fromKind, to, toKind, remedy) => {
    const checks = checkClusters(withVersion(source, from, fromKind), withVersion(target, to, toKind));
    const check = checkOf(checks, 'cluster.versions');
    expect(check.state).toBe(remedy === undefined ? 'passed' : 'failed');
    if (remedy !== undefined) expect(check.remedy).toContain(remedy);
  });

  it.each<[string, 'opensearch' | undefined, string, 'opensearch' | undefined, string | undefined]>([
    ['5.6.16', undefined, '7.17.29', undefined, undefined],
    ['7.17.29', undefined, '7.17.20', undefined, undefined],
    ['6.8.23', undefined, '9.5.3', undefined, undefined],
    ['9.5.3', undefined, '2.19.6', 'opensearch', undefined],
    ['1.3.14', 'opensearch', '3.6.0', 'opensearch', undefined],
    ['3.6.0', 'opensearch', '2.19.6', 'opensearch', undefined],
    ['8.19.21', undefined, '7.17.29', undefined, 'so much newer'],
    ['8.19.21', undefined, '1.3.14', 'opensearch', 'so much newer'],
    ['2.19.6', 'opensearch', '1.3.14', 'opensearch', 'so much newer'],
    ['1.3.14', 'opensearch', '7.17.29', undefined, 'of that number'],
    ['2.19.6', 'opensearch', '8.19.21', undefined, 'of that number'],
  ])('of a remote reindex, versions %s %s to %s %s: %s', (from, fromKind, to, toKind, remedy) => {
    const views = [withVersion(source, from, fromKind), withVersion(target, to, toKind)] as const;
    const check = checkOf(checkClusters(...views, 'remote-reindex'), 'cluster.versions');
    expect(check.state).toBe(remedy === undefined ? 'passed' : 'failed');
    expect(check.remedy ?? '').toContain(remedy ?? '');
    expect(checkOf(checkClusters(...views, 'copy'), 'cluster.versions').state).toBe('not applicable');
  });

  it('warns of plugins that the target lacks on a node', () => {
    const rich = clusterView('source', { nodes: [nodeView('s1', { plugins: ['analysis-icu', 'ingest-attachment'] })] });
    const poor = clusterView('target', {
      nodes: [
        nodeView('t1', { plugins: ['analysis-icu'], modules: ['ingest-attachment'] }),
        nodeView('t2', { modules: ['ingest-attachment'] }),
      ],
    });
    expect(checkOf(checkClusters(rich, poor), 'cluster.plugins')).toMatchObject({
      level: 'warning',
      state: 'failed',
      seen: 'not on every node: analysis-icu',
    });
  });
});

describe('checkRepositories', () => {
  const runbook = runbookOf('move', { snapshot: { repository: { existing: { location: '/srv/repository/run' } } } });
  const failedIds = (checks: ReturnType<typeof checkRepositories>) =>
    checks.filter(({ state }) => state === 'failed').map(({ id, where }) => `${id} ${where.split(' ')[0]}`);

  it('passes where the directory is below path.repo and the name is free', () => {
    expect(failedIds(checkRepositories(runbook, source, target))).toEqual([]);
  });

  it('lets a second attempt find its own registration', () => {
    const own = { 'shardlift-move': { type: 'fs', settings: { location: '/srv/repository/run' } } };
    expect(failedIds(checkRepositories(runbook, clusterView('source', { repositories: own }), target))).toEqual([]);
  });

  it('refuses a name that stands for another place', () => {
    const other = { 'shardlift-move': { type: 'fs', settings: { location: '/else' } } };
    const checks = checkRepositories(runbook, clusterView('source', { repositories: other }), target);
    expect(failedIds(checks)).toEqual(['repository.free source']);
    expect(checkOf(checks, 'repository.free', 'source').seen).toBe('shardlift-move of type fs at /else');
  });

  it('refuses a read-only registration on the source, which has to write, and takes it on the target', () => {
    const location = '/srv/repository/run';
    const repositories = { 'shardlift-move': { type: 'fs', settings: { location, readonly: 'true' } } };
    const views = (['source', 'target'] as const).map((side) => clusterView(side, { repositories }));
    const checks = checkRepositories(runbook, views[0]!, views[1]!);
    expect(failedIds(checks)).toContain('repository.free source');
    expect(checkOf(checks, 'repository.free', 'source').seen).toContain('read-only');
    expect(checkOf(checks, 'repository.free', 'target').state).toBe('passed');
  });

  it('names the nodes whose path.repo lacks the directory, and only those that use repositories', () => {
    const nodes = [
      nodeFacts('t1', { pathRepo: ['/srv/repository/'] }),
      nodeFacts('t2', { pathRepo: ['/srv/repo'] }),
      nodeFacts('t3', { pathRepo: [], roles: ['ingest'] }),
      nodeFacts('t4', { pathRepo: [], roles: ['data_hot'] }),
    ];
    const checks = checkRepositories(runbook, source, clusterView('target', { facts: { ...target.facts, nodes } }));
    expect(checkOf(checks, 'cluster.path-repo', 'target')).toMatchObject({
      state: 'failed',
      seen: 'not on: t2 (/srv/repo), t4 (empty)',
    });
  });

  it('leaves path.repo to the run with sharedFilesystem', () => {
    const checks = checkRepositories(siteRunbookOf('move'), source, target);
    expect(checkOf(checks, 'cluster.path-repo', 'source')).toMatchObject({
      state: 'not applicable',
      seen: 'the run sets path.repo',
    });
  });

  it('warns of a second registration that writes to the same directory', () => {
    const other = { backup: { type: 'fs', settings: { location: '/srv/repository/run' } } };
    const checks = checkRepositories(runbook, clusterView('source', { repositories: other }), target);
    expect(failedIds(checks)).toEqual(['repository.alone source']);
  });

  it('wants registered repositories to be there, and read-only on the target', () => {
    const registered = runbookOf('move', { snapshot: { repository: { existing: { source: 'a', target: 'b' } } } });
    const there = clusterView('source', { repositories: { a: { type: 's3', settings: {} } } });
    const writable = clusterView('target', { repositories: { b: { type: 's3', settings: {} } } });
    const readonly = clusterView('target', { repositories: { b: { type: 's3', settings: { readonly: 'true' } } } });
    expect(failedIds(checkRepositories(registered, there, readonly))).toEqual([]);
    expect(failedIds(checkRepositories(registered, source, writable))).toEqual([
      'repository.there source',
      'repository.there target',
    ]);
    expect(checkOf(checkRepositories(registered, there, writable), 'repository.there', 'target').level).toBe('warning');
  });
});

describe('checkSnapshotWork', () => {
  const work = (snapshot: string) => [{ kind: 'snapshot' as const, repository: 'r', snapshot }];
  const idle = (view: typeof source, owner?: string) =>
    checkOf(checkSnapshotWork({ run: 'move', ...(owner ? { owner } : {}) }, view, target), 'snapshot.idle', 'source');

  it.each([
    ['7.17.29', 'nightly', 'warning', 'failed'],
    ['7.8.1', 'nightly', 'mandatory', 'failed'],
    ['7.17.29', 'move-0123abcd-batch-0003-1', 'warning', 'passed'],
    ['7.8.1', 'move-0123abcd-batch-0003-2', 'mandatory', 'passed'],
    ['7.17.29', 'move-batch-0003-1', 'warning', 'failed'],
    // a run of another name that begins with ours
    ['7.17.29', 'move-batch-0123abcd-batch-0001-1', 'warning', 'failed'],
  ] as const)('on %s with %s under way: %s, %s', (version, snapshot, level, state) => {
    const view = withVersion(clusterView('source', { snapshotWork: work(snapshot) }), version);
    expect(idle(view)).toMatchObject({ level, state });
  });

  it("counts an earlier execution's snapshot as somebody's, where the execution is known", () => {
    const view = clusterView('source', { snapshotWork: work('move-0123abcd-batch-0003-1') });
    expect(idle(view, 'move-0123abcd').state).toBe('passed');
    expect(idle(view, 'move-ffffffff').state).toBe('failed');
  });

  it('warns of scheduled snapshots with their next time', () => {
    const policies = [
      { name: 'nightly', repository: 'backup', nextAtMs: Date.UTC(2026, 0, 2, 3), isInProgress: false },
      { name: 'now', repository: 'backup', isInProgress: true },
    ];
    const checks = checkSnapshotWork(
      { run: 'move' },
      clusterView('source', { slm: { isRunning: true, policies } }),
      target,
    );
    expect(checkOf(checks, 'slm')).toMatchObject({
      state: 'failed',
      seen: 'policies: nightly into backup (next at 2026-01-02T03:00:00.000Z), now into backup (running)',
    });
    const stopped = checkSnapshotWork(
      { run: 'move' },
      clusterView('source', { slm: { isRunning: false, policies } }),
      target,
    );
    expect(checkOf(stopped, 'slm').state).toBe('not applicable');
  });
});
