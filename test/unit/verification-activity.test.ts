import { MockActivityEnvironment } from '@temporalio/testing';
import { createVerificationActivities } from '../../activities/verification';
import type { Cluster, Clusters, RequestParams } from '../../activities/elasticsearch/cluster';
import { indexOf, runbookOf } from '../support/fixtures';

interface FakeIndex {
  documents: number;
  settings?: Record<string, string>;
}

/** Answers for whatever indices a path names, and keeps the requests. */
function fakeCluster(
  side: 'source' | 'target',
  indices: Record<string, FakeIndex>,
): Cluster & { seen: RequestParams[] } {
  const seen: RequestParams[] = [];
  const named = (path: string) =>
    (/^\/(?:_cat\/indices\/)?([^/]+)/.exec(path)?.[1] ?? '')
      .split(',')
      .map(decodeURIComponent)
      .filter((name) => name in indices);
  const each = <T>(path: string, make: (index: FakeIndex) => T) =>
    Object.fromEntries(named(path).map((name) => [name, make(indices[name]!)]));
  const answer = (path: string): unknown => {
    if (path.endsWith('/_settings')) {
      return each(path, ({ settings = {} }) => ({ settings: { 'index.number_of_shards': '1', ...settings } }));
    }
    if (path.endsWith('/_mapping')) return each(path, () => ({ mappings: {} }));
    if (path.endsWith('/_count')) return { count: indices[named(path)[0] ?? '']?.documents, _shards: { failed: 0 } };
    if (path.startsWith('/_cat/indices')) {
      return named(path).map((name) => ({ index: name, status: 'open', health: 'green' }));
    }
    if (path.includes('/_stats')) {
      const shard = (count: number, primary: boolean) => ({
        routing: { primary, state: 'STARTED' },
        docs: { count },
        seq_no: { max_seq_no: 1 },
      });
      // where a relocating primary goes to
      const moving = () => ({ routing: { primary: true, state: 'INITIALIZING' }, docs: { count: 0 } });
      // the replica first, and with another count: only the started primary may be read
      return {
        indices: each(path, ({ documents }) => ({
          shards: { 0: [shard(999, false), moving(), shard(documents, true)] },
        })),
      };
    }
    return {};
  };
  return {
    side,
    uuid: side,
    version: { text: '7.17.29', major: 7, minor: 17, patch: 29, distribution: 'elasticsearch' },
    seen,
    request: async <T>(params: RequestParams) => {
      seen.push(params);
      return { status: 200, body: answer(params.path) as T };
    },
  };
}

describe('verifyIndices', () => {
  const verify = (source: Cluster, target: Cluster, names: string[]) => {
    const clusters: Clusters = {
      connect: async (_, side) => (side === 'source' ? source : target),
      close: async () => undefined,
    };
    return createVerificationActivities({ clusters }).verifyIndices({
      run: 'move',
      runbook: runbookOf('move'),
      step: 'verify',
      indices: names.map((name) => indexOf(name)),
    });
  };

  it('compares equal clusters, odd names included, and refreshes both first', async () => {
    const indices = { a: { documents: 3 }, 'odd+é%"$(x)': { documents: 4 } };
    const [source, target] = [fakeCluster('source', indices), fakeCluster('target', indices)];
    expect(await verify(source, target, Object.keys(indices))).toEqual({
      changed: false,
      changes: [],
      summary: '2 indices, 7 documents compared: no difference',
      differences: [],
      behind: [],
      adapted: [],
      indices: 2,
      documents: 7,
    });
    for (const cluster of [source, target]) {
      const paths = cluster.seen.map(({ path }) => path);
      const refresh = paths.findIndex((path) => path.endsWith('/_refresh'));
      expect(refresh).toBeGreaterThan(-1);
      expect(refresh).toBeLessThan(paths.findIndex((path) => path.endsWith('/_count')));
    }
  });

  it('gives a heartbeat for each answer, so that one slow request is all that a heartbeat timeout has to bear', async () => {
    const indices = { a: { documents: 3 } };
    const [source, target] = [fakeCluster('source', indices), fakeCluster('target', indices)];
    const environment = new MockActivityEnvironment();
    const heartbeats: unknown[] = [];
    environment.on('heartbeat', (details) => heartbeats.push(details));
    await environment.run(() => verify(source, target, ['a']));
    expect(heartbeats).toHaveLength(source.seen.length + target.seen.length + 1);
    expect(heartbeats.at(-1)).toEqual({ done: 1, total: 1, unit: 'indices' });
  });

  it('changes nothing but for the refresh', async () => {
    const source = fakeCluster('source', { a: { documents: 3 } });
    await verify(source, fakeCluster('target', {}), ['a']);
    const writes = source.seen.filter(({ method }) => method !== 'GET').map(({ path }) => path);
    expect(writes).toEqual(['/a/_refresh']);
  });

  it('waits for copies that a restarted node has yet to take, also where they are neither delayed nor on their way', async () => {
    const indices = { a: { documents: 3 } };
    const target = fakeCluster('target', indices);
    const { request } = target;
    const states = ['yellow', 'green'];
    target.request = async <T>(params: RequestParams) => {
      if (!params.path.startsWith('/_cluster/health')) return request<T>(params);
      const a = { status: states.shift(), number_of_replicas: 1 };
      return { status: 200, body: { number_of_data_nodes: 2, delayed_unassigned_shards: 0, indices: { a } } as T };
    };
    expect((await verify(fakeCluster('source', indices), target, ['a'])).differences).toEqual([]);
    expect(states).toEqual([]);
  });

  it('names what is missing and what differs', async () => {
    const source = fakeCluster('source', { a: { documents: 3 }, b: { documents: 1 } });
    const target = fakeCluster('target', { a: { documents: 2 } });
    const result = await verify(source, target, ['a', 'b']);
    expect(result.summary).toBe('2 indices, 2 documents compared: 3 differences in 2 of them');
    expect(result.differences.map(({ where }) => where)).toEqual(['index a', 'index a', 'index b']);
    // of both the source has it all
    expect(result.behind).toEqual(['a', 'b']);
  });

  it('asks in pieces that fit into a request line, and joins what was adapted', async () => {
    const names = Array.from({ length: 300 }, (_, number) => `an-index-of-a-rather-long-name-${number}`);
    const settings = { 'index.routing.allocation.require.box': 'hot' };
    const source = fakeCluster('source', Object.fromEntries(names.map((name) => [name, { documents: 1, settings }])));
    const target = fakeCluster('target', Object.fromEntries(names.map((name) => [name, { documents: 1 }])));
    const result = await verify(source, target, names);
    expect(result.documents).toBe(300);
    expect(result.adapted).toEqual([
      `setting index.routing.allocation.require.box: allocation rules name the source's nodes and are left behind (${names.slice(0, 3).join(', ')} and 297 more)`,
    ]);
    expect(Math.max(...source.seen.map(({ path }) => path.length))).toBeLessThan(4_000);
  });

  it('lists no more differences than a history should carry', async () => {
    const names = Array.from({ length: 250 }, (_, number) => `i-${number}`);
    const source = fakeCluster('source', Object.fromEntries(names.map((name) => [name, { documents: 1 }])));
    const result = await verify(source, fakeCluster('target', {}), names);
    expect(result.differences).toHaveLength(201);
    expect(result.differences.at(-1)).toEqual({ where: 'verification', what: '50 more differences' });
    expect(result.summary).toContain('250 differences');
  });
});
