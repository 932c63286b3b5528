import { createPlanningActivities } from '../../activities/planning';
import type { Cluster, Clusters, RequestParams } from '../../activities/elasticsearch/cluster';
import { permanent, transient } from '../../activities/failure';
import type { KnownIndex } from '../../contracts/cluster-activities';
import { runbookOf } from '../support/fixtures';

/** A cluster that answers by a table of paths; what is not in it answers as an empty cluster would. */
function fakeCluster(side: 'source' | 'target', answers: Record<string, unknown> = {}): Cluster {
  const defaults: Record<string, unknown> = {
    '/_cluster/health': {
      cluster_name: side,
      status: 'green',
      active_shards: 0,
      initializing_shards: 0,
      unassigned_shards: 0,
    },
    '/_cat/indices': [],
  };
  return {
    side,
    uuid: `uuid-${side}`,
    version: {
      text: '7.17.29',
      major: 7,
      minor: 17,
      patch: 29,
      distribution: 'elasticsearch',
      minimumIndexCompatibility: '6.0.0',
    },
    request: async <T>({ path }: RequestParams) => ({
      status: 200,
      body: (answers[path] ?? defaults[path] ?? {}) as T,
    }),
  };
}

const refused = permanent({
  type: 'ClusterAuthenticationFailed',
  message: 'user name, password or API key is refused',
  where: 'target',
  why: 'HTTP 401',
  remedy: 'correct the secret',
});

function clustersOf(make: Record<'source' | 'target', () => Cluster>): Clusters {
  return { connect: async (_, side) => make[side](), close: async () => undefined };
}

const refuse = (error: Error) => () => {
  throw error;
};

describe('readSelection', () => {
  const source = fakeCluster('source', {
    '/_cat/indices': ['b', 'a', 'c', 'shut', '.dot'].map((index) => ({
      index,
      uuid: index,
      status: index === 'shut' ? 'close' : 'open',
      health: 'green',
    })),
    '/_settings/index.hidden': { c: { settings: { 'index.hidden': 'true' } } },
    '/_alias': { a: { aliases: { all: {} } }, b: { aliases: { all: {} } }, c: {}, shut: {}, '.dot': {} },
  });
  const read = (over: Record<string, unknown>, planned: KnownIndex[]) =>
    createPlanningActivities({
      clusters: clustersOf({ source: () => source, target: refuse(new TypeError('not asked')) }),
    }).readSelection({ run: 'move', runbook: runbookOf('move', over), step: 's', planned });

  const known = (...names: string[]) => names.map((name) => ({ name, uuid: name }));

  it('names what the choice takes and the plan lacks, and the aliases of what is planned', async () => {
    expect(await read({ select: { include: ['*'] } }, known('b', 'gone'))).toEqual({
      unplanned: ['a', 'shut'],
      createdAgain: [],
      aliases: [{ add: { index: 'b', alias: 'all' } }],
    });
  });

  it('chooses as the runbook says, hidden and closed ones too, and leaves aliases out where they are not wanted', async () => {
    const select = { include: ['*'], hidden: true, closed: false };
    const now = await read({ select, cutover: { aliases: false } }, known('a', 'b'));
    expect(now).toEqual({ unplanned: ['c'], createdAgain: [], aliases: [] });
  });

  it('names what is there under another uuid, whatever the choice would say of it now', async () => {
    const select = { include: ['*'], closed: false };
    const planned = ['b', 'shut', 'gone'].map((name) => ({ name, uuid: 'earlier' }));
    expect((await read({ select }, [...planned, ...known('a')])).createdAgain).toEqual([
      { name: 'b', uuid: 'b' },
      { name: 'shut', uuid: 'shut' },
    ]);
  });
});

describe('inspectClusters', () => {
  const run = (clusters: Clusters) =>
    createPlanningActivities({ clusters }).inspectClusters({
      run: 'move',
      runbook: runbookOf('move', { freeze: 'beforeMove' }),
    });

  it('makes a failed check of a cluster that refuses us, and says what could not be looked at', async () => {
    const result = await run(clustersOf({ source: () => fakeCluster('source'), target: refuse(refused) }));
    expect(result.checks[0]).toMatchObject({ id: 'cluster.reachable', state: 'passed' });
    expect(result.checks[1]).toMatchObject({
      id: 'cluster.reachable',
      state: 'failed',
      seen: 'user name, password or API key is refused: HTTP 401',
      remedy: 'correct the secret',
    });
    const rest = result.checks.slice(2);
    expect(rest.length).toBeGreaterThan(10);
    expect(new Set(rest.map(({ state }) => state))).toEqual(new Set(['not applicable']));
    expect(result.source?.name).toBe('source');
    expect(result.target).toBeUndefined();
    expect(result.indices).toEqual([]);
  });

  it('names the index whose metadata block hides all the others', async () => {
    const blocked = permanent({
      type: 'ClusterPermissionDenied',
      message: 'no',
      where: 'x',
      why: 'HTTP 403 cluster_block_exception: index [a b] blocked by: [FORBIDDEN/9/index metadata (api)];',
      remedy: '-',
    });
    const result = await run(clustersOf({ source: refuse(blocked), target: () => fakeCluster('target') }));
    expect(result.checks[0]).toMatchObject({ id: 'index.blocks', state: 'failed' });
    expect(result.checks[0]?.seen).toContain('a b (metadata)');
  });

  describe('before a proxy that loses requests', () => {
    const lost = transient({
      type: 'ClusterUnavailable',
      message: 'a proxy before the cluster cannot reach it',
      where: 'x',
      why: 'HTTP 502',
      remedy: '-',
    });
    /** The first so many of each kind of request are lost. */
    function losing(cluster: Cluster, most: number): Cluster {
      const asked = new Map<string, number>();
      return {
        ...cluster,
        request: async (params) => {
          const count = (asked.get(params.path) ?? 0) + 1;
          asked.set(params.path, count);
          if (count <= most) throw lost;
          return cluster.request<never>(params);
        },
      };
    }
    async function inspected(connects: number, requests: number) {
      let tried = 0;
      const clusters: Clusters = {
        connect: async (_, side) => {
          if (side === 'source' && (tried += 1) <= connects) throw lost;
          return losing(fakeCluster(side), requests);
        },
        close: async () => undefined,
      };
      jest.useFakeTimers();
      try {
        let isOver = false;
        const running = run(clusters).finally(() => (isOver = true));
        running.catch(() => undefined);
        const beganAt = Date.now();
        while (!isOver) await jest.advanceTimersByTimeAsync(250);
        return { checks: (await running).checks, seconds: (Date.now() - beganAt) / 1000 };
      } finally {
        jest.useRealTimers();
      }
    }

    it('asks again, and has nothing to tell', async () => {
      const { checks } = await inspected(4, 3);
      const reached = checks.filter(({ id }) => id === 'cluster.reachable');
      expect(reached.map(({ state }) => state)).toEqual(['passed', 'passed']);
    });

    it('tells of a cluster that cannot be reached within seconds, and of one that goes on failing within a minute', async () => {
      const away = await inspected(Infinity, 0);
      expect(away.checks[0]).toMatchObject({ id: 'cluster.reachable', state: 'failed' });
      expect(away.seconds).toBeLessThan(10);
      const failing = await inspected(0, Infinity);
      expect(failing.checks[0]).toMatchObject({ id: 'cluster.reachable', state: 'failed' });
      expect(failing.seconds).toBeLessThan(60);
    });
  });

  it('does not hide a fault of the program behind a check', async () => {
    const clusters = clustersOf({ source: refuse(new TypeError('bug')), target: () => fakeCluster('target') });
    await expect(run(clusters)).rejects.toThrow('bug');
  });

  it.each([
    [undefined, 'move-0123abcd', 'passed'],
    [undefined, 'moves-0123abcd', 'failed'],
    [undefined, 'move', 'failed'],
    ['move-0123abcd', 'move-0123abcd', 'passed'],
    ['move-ffffffff', 'move-0123abcd', 'failed'],
  ])('asked by %s, takes an index with the mark of %s for ours: %s', async (owner, marked, state) => {
    const settings = { 'index.number_of_shards': '1', 'index.version.created_string': '7.10.2' };
    const mark = { 'index.routing.allocation.exclude._name': `restored-by-shardlift-${marked}` };
    const source = fakeCluster('source', {
      '/_cat/indices': [{ index: 'a', uuid: 'u', status: 'open', health: 'green' }],
      '/_settings': { a: { settings } },
      '/_alias': { a: {} },
    });
    const target = fakeCluster('target', { '/_alias': { a: {} }, '/a/_settings': { a: { settings: mark } } });
    const result = await createPlanningActivities({
      clusters: clustersOf({ source: () => source, target: () => target }),
    }).inspectClusters({ run: 'move', runbook: runbookOf('move'), ...(owner ? { owner } : {}) });
    expect(result.checks.find(({ id }) => id === 'index.name-free')?.state).toBe(state);
  });

  it('reads indices and aliases, and keeps the result small', async () => {
    const source = fakeCluster('source', {
      '/_cat/indices': [{ index: 'a', uuid: 'u', status: 'open', health: 'green' }],
      '/_settings': {
        a: {
          settings: {
            'index.number_of_shards': '3',
            'index.number_of_replicas': '2',
            'index.version.created_string': '7.10.2',
          },
        },
      },
      '/_stats/docs,store,indexing': {
        indices: { a: { primaries: { docs: { count: 7 }, store: { size_in_bytes: 70 } } } },
      },
      '/_alias': { a: { aliases: { all: { index_routing: 'r' } } } },
    });
    const result = await run(clustersOf({ source: () => source, target: () => fakeCluster('target') }));
    expect(result.indices).toEqual([
      {
        name: 'a',
        uuid: 'u',
        status: 'open',
        hidden: false,
        primaryShards: 3,
        replicas: 2,
        sizeBytes: 70,
        documents: 7,
        createdVersion: '7.10.2',
      },
    ]);
    expect(result.aliases).toEqual([{ add: { index: 'a', alias: 'all', index_routing: 'r' } }]);
    expect(result.checks.find(({ id }) => id === 'select.empty')?.state).toBe('passed');
  });
});
