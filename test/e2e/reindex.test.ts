import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { classifyAnswer, classifyTransport, readErrorAnswer } from '../../activities/elasticsearch/classify-error';
import {
  createClusters,
  type Cluster,
  type Clusters,
  type RequestParams,
} from '../../activities/elasticsearch/cluster';
import { parseVersion } from '../../activities/elasticsearch/version';
import { createReindexActivities } from '../../activities/reindex';
import { ownerOf } from '../../contracts/ids';
import type { IndexFacts } from '../../contracts/plan';
import type { ReindexActivities, ReindexPart, ReindexPartResult, ReindexPlan } from '../../contracts/reindex';
import type { MigrationRunbook, Side } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import { differences, digestIndices } from '../../lab/digest';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { startCluster, type ElasticsearchCluster } from '../../lab/elasticsearch/cluster';
import { dismantle, guard } from '../../lab/guard';
import { indexOf, runbookOf } from '../support/fixtures';
import { countOf, http, makeIndex, sharedPair } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(300_000);

/**
 * The lab's 8.x and 9.x have no _reindex, as Maven has no such module of them: 7.17 and OpenSearch 2.19 stand for all
 * targets. What the shared pair's 8.19 target shows is that this is found and said.
 */
const targets = [
  { version: '7.17.29', setting: 'reindex.remote.whitelist' },
  { version: '2.19.6', setting: 'reindex.remote.allowlist' },
];

/** That an activity fails is what these tests are about: it need not be logged. */
const quiet = { logger: new DefaultLogger('ERROR') };

let clusters: Clusters;
let activities: ReindexActivities;
beforeAll(() => {
  clusters = createClusters();
  activities = createReindexActivities({ clusters: { ...clusters, connect } });
});
afterAll(() => clusters.close());

/** The official clients refuse OpenSearch: what is asked of it is asked by fetch. */
async function connect(runbook: MigrationRunbook, side: Side): Promise<Cluster> {
  const [url = ''] = runbook[side].urls;
  const { body: root } = await http<{ cluster_uuid: string; version: { number: string; distribution?: string } }>(
    url,
  ).catch((error: unknown) => {
    throw classifyTransport(side, error);
  });
  if (root.version.distribution !== 'opensearch') return clusters.connect(runbook, side);
  return {
    side,
    uuid: root.cluster_uuid,
    version: { text: root.version.number, ...parseVersion(root.version.number), distribution: 'opensearch' },
    async request<T>({ method, path, query = {}, body, allow = [] }: RequestParams) {
      const words = new URLSearchParams(
        Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
      );
      const answer = await http<T>(`${url}${path}?${words.toString()}`, method, body).catch((error: unknown) => {
        throw classifyTransport(side, error);
      });
      if (answer.status < 300 || allow.includes(answer.status)) return answer;
      throw classifyAnswer(side, readErrorAnswer(answer.status, answer.body));
    },
  };
}

function inputOf(name: string, urls: { source: string; target: string }, reindex: object = {}) {
  const runbook: MigrationRunbook = runbookOf(name, {
    source: { urls: [urls.source] },
    target: { urls: [urls.target] },
    method: 'remote-reindex',
    snapshot: undefined,
    select: { include: [`${name}*`] },
    reindex,
  });
  return { run: name, runbook, owner: ownerOf(name, '00000000-0123abcd'), step: 'move' };
}

function inActivity<T>(act: () => Promise<T>, env = new MockActivityEnvironment({}, quiet)): Promise<T> {
  return env.run<[], T, () => Promise<T>>(act);
}

it('says of a target without the module, and without the address, what is missing', async () => {
  const pair = sharedPair();
  const checks = await inActivity(() => activities.checkRemoteAllowed(inputOf('reindex-none', pair)));
  const of = (id: string) => checks.find((check) => check.id === id) as Check;
  expect(of('reindex.module')).toMatchObject({ state: 'failed' });
  expect(of('reindex.allowlist')).toMatchObject({ state: 'failed' });
  expect(of('reindex.allowlist').remedy).toContain(`reindex.remote.whitelist: ["${new URL(pair.source).host}"]`);
});

describe.each(targets)('from 7.17 into $version', ({ version, setting }) => {
  const directory = makeLabDirectory(`reindex-${newLabName()}`);
  let target: ElasticsearchCluster;
  let urls: { source: string; target: string };
  beforeAll(async () => {
    guard(directory);
    target = await startCluster({
      version,
      name: 'target',
      labDirectory: directory,
      nodes: 1,
      heap: '512m',
      settings: { [setting]: ['127.0.0.1:*'] },
    });
    urls = { source: sharedPair().source, target: target.url };
  });
  afterAll(() => dismantle(directory));

  const nameOf = (what: string) => `reindex-${what}-${version.replaceAll('.', '-')}`;

  async function prepare(
    name: string,
    documents: number,
    mappings: object = {},
    settings: object = {},
  ): Promise<IndexFacts> {
    await makeIndex(urls.source, name, documents, { number_of_shards: 2 });
    const made = await http(`${urls.target}/${name}`, 'PUT', {
      settings: { number_of_shards: 1, number_of_replicas: 0, ...settings },
      mappings,
    });
    expect(made.status).toBe(200);
    const { body } = await http<Record<string, { settings: { index: { uuid: string } } }>>(
      `${urls.source}/${name}/_settings`,
    );
    return indexOf(name, { uuid: body[name]?.settings.index.uuid ?? '', primaryShards: 2, documents });
  }

  const plan = (input: ReturnType<typeof inputOf>, index: IndexFacts): Promise<ReindexPlan> =>
    inActivity(() => activities.planReindexParts({ ...input, indices: [index] }));
  const move = (
    input: ReturnType<typeof inputOf>,
    part: ReindexPart,
    more: { requestsPerSecond?: number } = {},
    env = new MockActivityEnvironment({}, quiet),
  ): Promise<ReindexPartResult> => inActivity(() => activities.reindexPart({ ...input, part, ...more }), env);

  async function tasksUnderWay(): Promise<string[]> {
    const { body } = await http<{ nodes: Record<string, { tasks: Record<string, { parent_task_id?: string }> }> }>(
      `${urls.target}/_tasks?actions=*reindex&detailed`,
    );
    return Object.values(body.nodes ?? {}).flatMap(({ tasks }) => Object.keys(tasks));
  }

  async function arrived(name: string): Promise<number> {
    await http(`${urls.target}/${name}/_refresh`, 'POST');
    return countOf(urls.target, name);
  }

  async function expectEqual(name: string): Promise<void> {
    await http(`${urls.target}/${name}/_refresh`, 'POST');
    const [source, target] = await Promise.all(
      [urls.source, urls.target].map((url) => digestIndices({ url, indices: [name] })),
    );
    expect(differences(source ?? {}, target ?? {}, { versions: true })).toEqual([]);
  }

  it('finds that it is allowed', async () => {
    const checks = await inActivity(() => activities.checkRemoteAllowed(inputOf('reindex-ok', urls)));
    expect(checks.map(({ id, state }) => [id, state])).toEqual([
      ['reindex.module', 'passed'],
      ['reindex.allowlist', 'passed'],
    ]);
  });

  it('as a source gives positions to follow from', async () => {
    const name = nameOf('numbered');
    await makeIndex(urls.target, name, 10);
    const input = inputOf(name, { source: urls.target, target: urls.target });
    const { parts, positions } = await plan(input, indexOf(name, { documents: 10 }));
    expect(parts).toMatchObject([{ range: { afterSeqNo: -1, toSeqNo: 9 }, documents: 10 }]);
    expect(positions).toMatchObject([{ index: name, seqNos: [9] }]);
  });

  it('moves every document once, in parts of all shards, with routing and versions', async () => {
    const name = nameOf('parts');
    const index = await prepare(name, 2500);
    await http(`${urls.source}/${name}/_doc/7`, 'PUT', { n: 7, again: true });
    await http(`${urls.source}/${name}/_doc/routed?routing=r&refresh=true`, 'PUT', { n: -1 });
    await http(`${urls.source}/${name}/_doc/8`, 'DELETE');
    const input = inputOf(name, urls, { parts: { maxDocuments: 1000 } });
    const { parts, positions } = await plan(input, index);
    expect(parts.length).toBeGreaterThan(1);
    expect(positions[0]?.seqNos).toHaveLength(2);
    const results: ReindexPartResult[] = [];
    for (const part of parts) results.push(await move(input, part));
    const sum = (key: 'written' | 'superseded' | 'tasks') => results.reduce((total, each) => total + each[key], 0);
    expect([sum('written'), sum('superseded'), sum('tasks')]).toEqual([2500, 0, parts.length]);
    await expectEqual(name);
    const { body } = await http<{ _version: number }>(`${urls.target}/${name}/_doc/7`);
    expect(body._version).toBe(2);
    // once more: everything is there
    expect(await move(input, parts[0] as ReindexPart)).toMatchObject({ written: 0, isDone: true });
  });

  it('goes on past documents that the target refuses, and tells why', async () => {
    const name = nameOf('refused');
    const index = await prepare(name, 3000, { properties: { n: { type: 'byte' } } });
    const input = inputOf(name, urls, { size: 1000 });
    const { parts } = await plan(input, index);
    // 128 to 2999 do not fit a byte; of these _reindex ends at each batch
    const few = runbookWithQuery(input, { range: { n: { lte: 160 } } });
    const result = await move(few, parts[0] as ReindexPart);
    expect(result).toMatchObject({ isDone: true, written: 128, refused: 33 });
    expect(result.causes).toEqual([expect.objectContaining({ count: 33, index: name })]);
    expect(await arrived(name)).toBe(128);
  });

  it('is held back and let go while it runs; another attempt follows the same task', async () => {
    const name = nameOf('throttled');
    const index = await prepare(name, 3000);
    const input = inputOf(name, urls, { size: 100, requestsPerSecond: 100 });
    const { parts } = await plan(input, index);
    const part = parts[0] as ReindexPart;
    const first = new MockActivityEnvironment({}, quiet);
    const lost = move(input, part, { requestsPerSecond: 100 }, first).catch((error: unknown) => error);
    const running = await waitUntil(tasksUnderWay, (tasks) => tasks.length === 1, { what: 'a task under way' });
    first.cancel('WORKER_SHUTDOWN');
    await lost;
    expect(await tasksUnderWay()).toEqual(running);
    const second = move(input, part, { requestsPerSecond: 100 });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await tasksUnderWay()).toEqual(running);
    const { tasks } = await inActivity(() => activities.throttleReindex({ ...input, requestsPerSecond: null }));
    expect(tasks).toBe(1);
    const started = Date.now();
    expect(await second).toMatchObject({ isDone: true, written: 3000, superseded: 0, tasks: 1 });
    expect(Date.now() - started).toBeLessThan(15_000);
    await expectEqual(name);
  });

  it('cancelled, it cancels the task and says how far it was', async () => {
    const name = nameOf('cancelled');
    const index = await prepare(name, 3000);
    const input = inputOf(name, urls, { size: 100 });
    const { parts } = await plan(input, index);
    const part = parts[0] as ReindexPart;
    const env = new MockActivityEnvironment({}, quiet);
    const result = move(input, part, { requestsPerSecond: 200 }, env);
    await waitUntil(
      () => arrived(name),
      (count) => count > 100,
      { what: 'that documents come' },
    );
    env.cancel();
    const { isDone, written } = await result;
    expect(await tasksUnderWay()).toEqual([]);
    expect([isDone, written]).toEqual([false, await arrived(name)]);
    expect(await move(input, part)).toMatchObject({ isDone: true, written: 3000 - written, superseded: written });
    await expectEqual(name);
  });

  it('makes nothing anew where its index is deleted under it', async () => {
    const name = nameOf('deleted');
    const index = await prepare(name, 3000);
    const input = inputOf(name, urls, { size: 100 });
    const { parts } = await plan(input, index);
    const moving = move(input, parts[0] as ReindexPart, { requestsPerSecond: 200 }).catch((error: unknown) => error);
    await waitUntil(
      () => arrived(name),
      (count) => count > 100,
      { what: 'that documents come' },
    );
    expect((await http(`${urls.target}/${name}`, 'DELETE')).status).toBe(200);
    expect(await moving).toMatchObject({ type: 'IndexMissing', nonRetryable: true });
    expect(await tasksUnderWay()).toEqual([]);
    expect((await http(`${urls.target}/${name}`)).status).toBe(404);
  });

  it('begins a task again that went down with its node', async () => {
    const name = nameOf('lost');
    const index = await prepare(name, 3000);
    const input = inputOf(name, urls, { size: 100 });
    const { parts } = await plan(input, index);
    const part = parts[0] as ReindexPart;
    const env = new MockActivityEnvironment({}, quiet);
    let details: unknown;
    env.on('heartbeat', (each: unknown) => (details = each));
    const first = move(input, part, { requestsPerSecond: 300 }, env).catch((error: unknown) => error);
    await waitUntil(
      () => arrived(name),
      (count) => count > 100,
      { what: 'that documents come' },
    );
    const node = target.nodes[0];
    await node?.kill9();
    // as Temporal would: it failed for now, and is tried again
    expect(await first).toMatchObject({ nonRetryable: false });
    await node?.start();
    await target.waitGreen();
    const again = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: details }, quiet);
    const result = await move(input, part, {}, again);
    expect(result).toMatchObject({ isDone: true, tasks: 2 });
    expect(result.written + result.superseded).toBe(3000);
    await expectEqual(name);
  });

  it('with an async translog, loses nothing that it has called done to a node that dies', async () => {
    const name = nameOf('async');
    const translog = { 'translog.durability': 'async', 'translog.sync_interval': '10m' };
    const index = await prepare(name, 2500, {}, translog);
    const input = inputOf(name, urls, { parts: { maxDocuments: 1250 }, load: { translog: 'async' } });
    const [first, second] = (await plan(input, index)).parts as [ReindexPart, ReindexPart];
    const { written } = await move(input, first);
    // the other's worker is lost while the task goes on to its end
    const env = new MockActivityEnvironment({}, quiet);
    let details: unknown;
    env.on('heartbeat', (each: unknown) => {
      details = each;
      env.cancel('WORKER_SHUTDOWN');
    });
    await move(input, second, {}, env).catch(() => undefined);
    await waitUntil(tasksUnderWay, (tasks) => tasks.length === 0, { what: 'the end of the task' });
    expect(await arrived(name)).toBe(2500);
    await target.nodes[0]?.kill9();
    await target.nodes[0]?.start();
    await target.waitGreen();
    expect(await arrived(name)).toBe(written);
    const again = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: details }, quiet);
    expect(await move(input, second, {}, again)).toMatchObject({ isDone: true, written: 2500 - written });
    await expectEqual(name);
  });

  it('shows the password of the source nowhere: not in tasks, not in stored results, not in heartbeats', async () => {
    process.env['REINDEX_TEST_PASSWORD'] = 's3cret-of-anna';
    const name = nameOf('password');
    const index = await prepare(name, 1000);
    const input = inputWithPassword(name, urls);
    const part = (await plan(inputOf(name, urls), index)).parts[0] as ReindexPart;
    const env = new MockActivityEnvironment({}, quiet);
    const heard: unknown[] = [];
    env.on('heartbeat', (each: unknown) => heard.push(each));
    const moving = move(input, part, { requestsPerSecond: 500 }, env);
    await waitUntil(tasksUnderWay, (tasks) => tasks.length === 1, { what: 'a task under way' });
    const task = JSON.stringify((await http(`${urls.target}/_tasks?actions=*reindex&detailed`)).body);
    expect(task).toContain('anna password=<<>>');
    const result = await moving;
    await http(`${urls.target}/.tasks/_refresh`, 'POST');
    const stored = JSON.stringify((await http(`${urls.target}/.tasks/_search?size=100`)).body);
    expect(stored).toContain('password=<<>>');
    for (const text of [task, stored, JSON.stringify([heard, result])]) expect(text).not.toContain('s3cret');
    delete process.env['REINDEX_TEST_PASSWORD'];
  });

  it('keeps values, and prints bodies anew: what the bytes become', async () => {
    const name = nameOf('bytes');
    const index = await prepare(name, 0, { dynamic: false });
    const source = '{"b":1.0, "a":9007199254740993,"c":1e3,"d":0.12345678901234567890123,"s":"\\u00e9"}';
    await fetch(`${urls.source}/${name}/_doc/1?refresh=true`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: source,
    });
    const input = inputOf(name, urls);
    const { parts } = await plan(input, index);
    await move(input, parts[0] as ReindexPart);
    const text = await (await fetch(`${urls.target}/${name}/_source/1`)).text();
    process.stdout.write(`remote-reindex into ${version}: ${source} becomes ${text}\n`);
    expect(text).toContain('"a":9007199254740993');
    expect(text).toContain('"b":1.0');
    expect(text).not.toBe(source);
  });
});

/** A source without security takes any user; what matters is where the password can be read. */
function inputWithPassword(name: string, urls: { source: string; target: string }): ReturnType<typeof inputOf> {
  const input = inputOf(name, urls, { size: 100 });
  const auth = { basic: { username: 'anna', password: '${env:REINDEX_TEST_PASSWORD}' } };
  return { ...input, runbook: { ...input.runbook, source: { ...input.runbook.source, auth } } };
}

function runbookWithQuery(
  input: ReturnType<typeof inputOf>,
  query: Record<string, unknown>,
): ReturnType<typeof inputOf> {
  const { runbook } = input;
  if (!runbook.reindex) throw new Error('no reindex');
  return { ...input, runbook: { ...runbook, reindex: { ...runbook.reindex, query } } };
}
