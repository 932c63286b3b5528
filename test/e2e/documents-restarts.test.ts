import { allSteps, type LiveStatus } from '../../client/live-status';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { startCluster, type ElasticsearchCluster } from '../../lab/elasticsearch/cluster';
import { DEFAULT_SOURCE, DEFAULT_TARGET } from '../../lab/elasticsearch/versions';
import { dismantle, guard } from '../../lab/guard';
import { reasonsOf } from '../support/fault-run';
import { faultTable } from '../support/fault-table';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { http } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';

/**
 * Whole runs of method copy with catchUp sequence while nodes restart, fail over, refuse work and fill up. The small form
 * is for every day; SHARDLIFT_FAULTS=all has all of them.
 */
const isLong = process.env['SHARDLIFT_FAULTS'] === 'all';
const long = isLong ? test : test.skip;

jest.setTimeout(isLong ? 600_000 : 300_000);

const directory = makeLabDirectory(`faults-${newLabName()}`);
const table = faultTable();
let operator: PairOperator;
let source: ElasticsearchCluster;
let target: ElasticsearchCluster;

function cluster(name: string, version: string, nodes = 1, settings = {}): Promise<ElasticsearchCluster> {
  return startCluster({ version, name, nodes, settings, labDirectory: directory, heap: '400m' });
}

beforeAll(async () => {
  guard(directory);
  [operator, source, target] = await Promise.all([
    startPairOperator(),
    cluster('source', DEFAULT_SOURCE),
    cluster('target', DEFAULT_TARGET),
  ]);
});
afterAll(async () => {
  await operator?.stop();
  await dismantle(directory);
  table.print();
});

const documents = isLong ? 8_000 : 4_000;
const docsPerSec = isLong ? 1_000 : 1_500;

type Way = 'kill -9' | 'stop';

async function restart({ nodes: [node] }: ElasticsearchCluster, way: Way): Promise<void> {
  await (way === 'stop' ? node?.stop() : node?.kill9());
  await node?.start();
}

test('both sides are killed and start again', async () => {
  await table.endsEqual(operator, 'restarts of both', () => 'target kill -9 in the copy, source in the catch-up', {
    name: 'both-restart',
    source: source.url,
    target: target.url,
    documents,
    docsPerSec,
    seed: 21,
    copying: () => restart(target, 'kill -9'),
    following: () => restart(source, 'kill -9'),
  });
});

test('the source is killed while a copy reads windows of several pages: it goes on with new points in time', async () => {
  const name = 'windows';
  const copied = (status: LiveStatus) =>
    allSteps(status).find(({ id }) => id.endsWith('/documents'))?.progress?.done ?? 0;
  await table.endsEqual(operator, 'restart of the source', () => 'kill -9 in the copy, which has no limit', {
    name,
    source: source.url,
    target: target.url,
    documents: 60_000,
    // under a limit a window has one page
    copy: { parts: { maxDocuments: 100_000 }, limits: { bulkBytes: '20kb', bulksInFlight: 1 } },
    docsPerSec: 1,
    seed: 25,
    isQuiet: true,
    async copying() {
      const isInMidst = (status: LiveStatus) => copied(status) > 5_000;
      const { batches } = await operator.reach(name, 'the midst of the copy', isInMidst);
      expect(batches[0]?.steps.find(({ id }) => id.endsWith('/documents'))?.state).toBe('running');
      await restart(source, 'kill -9');
    },
  });
  const { moved } = (await operator.status(name)).batches[0]!;
  expect(moved).toMatchObject({ parts: 3, partsDone: 3 });
  // of the windows that were begun anew, too, each document counts once
  expect(moved!.written + moved!.superseded).toBe(72_000);
});

long.each<['source' | 'target', Way]>([
  ['source', 'kill -9'],
  ['source', 'stop'],
  ['target', 'kill -9'],
  ['target', 'stop'],
])('the %s restarts by %s in the copy, in the catch-up and in the drain', async (side, way) => {
  const again = () => restart(side === 'source' ? source : target, way);
  await table.endsEqual(operator, `restart of the ${side}`, () => `${way} in copy, catch-up, drain`, {
    name: `${side}-${way === 'stop' ? 'stops' : 'dies'}`,
    source: source.url,
    target: target.url,
    documents,
    docsPerSec,
    seed: 23,
    copying: again,
    following: again,
    draining: again,
  });
});

describe('a primary fails over to its replica', () => {
  let pairOfNodes: ElasticsearchCluster;

  long.each(['copying', 'following'] as const)('while %s, with writes under way', async (when) => {
    pairOfNodes ??= await cluster('two', DEFAULT_SOURCE, 2);
    const name = `failover-${when}`;
    const { victim, survivor } = await roles(pairOfNodes);
    const terms = async () =>
      JSON.stringify(
        (await http(`${survivor.url}/_cluster/state/metadata/${name}-*?filter_path=**.primary_terms`)).body,
      );
    let told = '';
    const failOver = async () => {
      const before = await terms();
      await victim.kill9();
      await waitUntil(
        () => http<{ status: string }>(`${survivor.url}/_cluster/health/${name}-*`).then(({ body }) => body.status),
        (status) => status === 'yellow',
        { timeoutMs: 90_000, what: 'replicas to become primaries' },
      );
      const after = await terms();
      expect(after).not.toBe(before);
      told = `${before.match(/\d+(?=[,}])/g)?.join(' ')} to ${after.match(/\d+(?=[,}])/g)?.join(' ')}`;
      await victim.start();
      await pairOfNodes.waitGreen();
    };
    await table.endsEqual(
      operator,
      'failover on the source',
      () => `node killed while ${when}, primary terms ${told}`,
      {
        name,
        source: survivor.url,
        target: target.url,
        over: { source: { urls: [victim.url, survivor.url] } },
        documents,
        docsPerSec,
        seed: 29,
        // primaries on the node that will die; replicas beside them before it does
        settings: { 'index.routing.allocation.require._name': victim.name },
        async prepare() {
          await must(`${survivor.url}/${name}-*/_settings`, 'PUT', {
            'index.routing.allocation.require._name': null,
            'index.number_of_replicas': 1,
          });
          await pairOfNodes.waitGreen();
        },
        [when]: failOver,
      },
    );
  });

  /** Of two master-eligible nodes the cluster goes on without the one that has no vote. */
  async function roles({ nodes }: ElasticsearchCluster) {
    const path = '_cluster/state/metadata?filter_path=metadata.cluster_coordination.last_committed_config';
    const [{ body }, ids] = await Promise.all([
      http<{ metadata: { cluster_coordination: { last_committed_config: string[] } } }>(`${nodes[0]?.url}/${path}`),
      http<{ id: string; name: string }[]>(`${nodes[0]?.url}/_cat/nodes?format=json&full_id=true&h=id,name`),
    ]);
    const [voter, ...others] = body.metadata.cluster_coordination.last_committed_config;
    expect(others).toEqual([]);
    const voting = ids.body.find(({ id }) => id === voter)?.name;
    const victim = nodes.find((node) => node.name !== voting);
    const survivor = nodes.find((node) => node.name === voting);
    if (!victim || !survivor) throw new Error(`no node votes: ${JSON.stringify(ids.body)}`);
    return { victim, survivor };
  }
});

long('both sides refuse work: full queues, small requests only, a circuit breaker', async () => {
  const small = { 'thread_pool.write.size': 1, 'thread_pool.write.queue_size': 1, 'http.max_content_length': '64kb' };
  const [from, to] = await Promise.all([
    cluster('busy-source', DEFAULT_SOURCE, 1, { 'thread_pool.search.size': 1, 'thread_pool.search.queue_size': 3 }),
    cluster('busy-target', DEFAULT_TARGET, 1, small),
  ]);
  const breaker = (limit: string | null) =>
    must(`${to.url}/_cluster/settings`, 'PUT', { persistent: { 'network.breaker.inflight_requests.limit': limit } });
  const trip = async () => {
    await breaker('8kb');
    await waitUntil(
      async () => (await refusals(to)).tripped,
      (tripped) => tripped > 0,
      { what: 'the circuit breaker' },
    ).finally(() => breaker(null));
  };
  let told = '';
  await table.endsEqual(operator, '429 and 413 on both sides', () => told, {
    name: 'storm',
    source: from.url,
    target: to.url,
    documents: 30_000,
    docsPerSec: 50_000,
    seed: 31,
    copy: {
      parts: { maxDocuments: 2_000, inFlight: 12 },
      limits: { bulkBytes: '200kb', bulksInFlight: 8 },
    },
    copying: trip,
    async following() {
      await trip();
      const [ofSource, ofTarget] = [await refusals(from), await refusals(to)];
      told = `searches rejected ${ofSource.search}, writes rejected ${ofTarget.write}, breaker tripped ${ofTarget.tripped} times`;
      expect(ofTarget.write).toBeGreaterThan(0);
      expect(ofSource.search).toBeGreaterThan(0);
    },
  });
  for (const each of [from, to]) await each.nodes[0]?.stop();
});

async function refusals({ url }: ElasticsearchCluster) {
  const { body } = await http<{
    nodes: Record<
      string,
      { thread_pool: Record<string, { rejected: number }>; breakers: Record<string, { tripped: number }> }
    >;
  }>(`${url}/_nodes/stats/thread_pool,breaker`);
  const [node] = Object.values(body.nodes);
  return {
    write: node?.thread_pool['write']?.rejected ?? 0,
    search: node?.thread_pool['search']?.rejected ?? 0,
    tripped: node?.breakers['inflight_requests']?.tripped ?? 0,
  };
}

long('the disk of the target goes over its flood stage, and is mended', async () => {
  const flood = (size: string | null) => {
    const mark = (name: string) => `cluster.routing.allocation.disk.watermark.${name}`;
    const persistent = {
      [mark('low')]: size,
      [mark('high')]: size,
      [mark('flood_stage')]: size,
      'cluster.info.update.interval': size === null ? null : '10s',
    };
    return must(`${target.url}/_cluster/settings`, 'PUT', { persistent });
  };
  const isBlocked = async () => {
    const path = 'flood-*/_settings/index.blocks.read_only_allow_delete';
    return Object.keys((await http(`${target.url}/${path}`)).body).length > 0;
  };
  let seen = '';
  const fill = async () => {
    await flood('900tb');
    await waitUntil(isBlocked, Boolean, { timeoutMs: 90_000, what: 'the flood stage' });
    seen = await waitUntil(
      async () => reasonsOf(await operator.status('flood')),
      (reasons) => /flood.stage/.test(reasons),
      { timeoutMs: 60_000, what: 'the reason in the status' },
    );
    await flood(null);
    await waitUntil(isBlocked, (blocked) => !blocked, { timeoutMs: 90_000, what: 'the end of the flood stage' });
  };
  await table.endsEqual(operator, 'flood stage on the target', () => 'once in the copy, once in the catch-up', {
    name: 'flood',
    source: source.url,
    target: target.url,
    documents: 20_000,
    docsPerSec: 300,
    seed: 37,
    // else the copy pauses by itself before, and the block is never met
    copy: { limits: { bulkBytes: '20kb', docsPerSec: 300, pauseAbove: { diskWatermark: 'none' } } },
    copying: fill,
    following: fill,
  });
  process.stdout.write(`${seen.slice(0, 1_500)}\n`);
});
