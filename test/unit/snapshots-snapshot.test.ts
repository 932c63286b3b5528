import type { Cluster, RequestParams } from '../../activities/elasticsearch/cluster';
import { classifyTransport, timedOut } from '../../activities/elasticsearch/classify-error';
import { createNodeActivities } from '../../activities/cluster-settings/nodes';
import { createSnapshotDeletionActivities } from '../../activities/snapshots/delete-snapshot';
import { createSnapshotActivities } from '../../activities/snapshots/snapshot';
import { parseVersion } from '../../activities/elasticsearch/version';
import { runbookOf } from '../support/fixtures';

const snapshot = 'run-0123abcd-batch-0001-1';
const owner = 'run-0123abcd';
const path = `/_snapshot/r/${snapshot}`;

type Answer = { status?: number; body?: unknown } | Error;

/** Answers each request by the first rule that fits, and keeps what was asked. */
function fakeCluster(answer: (params: RequestParams, asked: string[]) => Answer, text = '7.17.29') {
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const cluster: Cluster = {
    side: 'source',
    uuid: 'u',
    version: { text, ...parseVersion(text), distribution: 'elasticsearch' },
    request: async <T>(params: RequestParams) => {
      asked.push(`${params.method} ${params.path}`);
      if (params.body !== undefined) bodies.push(params.body);
      const found = answer(params, asked);
      if (found instanceof Error) throw found;
      return { status: found.status ?? 200, body: (found.body ?? {}) as T };
    },
  };
  const clusters = { connect: async () => cluster, close: async () => undefined };
  const activities = { ...createSnapshotActivities({ clusters }), ...createSnapshotDeletionActivities({ clusters }) };
  return { asked, bodies, clusters, activities };
}

const base = { run: 'run', owner, runbook: runbookOf('run'), step: 's', repository: 'r', snapshot };
const info = (over: object = {}) => ({
  body: {
    snapshots: [
      {
        snapshot,
        state: 'SUCCESS',
        failures: [],
        shards: { total: 1, failed: 0, successful: 1 },
        metadata: { shardlift: { owner, run: 'run', step: 's' } },
        ...over,
      },
    ],
  },
});
const missing = { status: 404, body: { error: { type: 'snapshot_missing_exception' } } };
const timeout = () => classifyTransport('source cluster', Object.assign(new Error('slow'), { name: 'TimeoutError' }));
const size = { total: { size_in_bytes: 7, file_count: 2 }, incremental: { size_in_bytes: 7 } };
const status = { body: { snapshots: [{ shards_stats: { done: 1, total: 1 }, stats: size }] } };

describe('takeSnapshot', () => {
  const take = (fake: ReturnType<typeof fakeCluster>) => fake.activities.takeSnapshot({ ...base, indices: ['a'] });

  it('begins one that says whose it is, and reports it', async () => {
    const fake = fakeCluster(({ method, path: at }, asked) => {
      if (at.endsWith('/_status')) return status;
      return method === 'GET' && !asked.includes(`PUT ${path}`) ? missing : info();
    });
    expect(await take(fake)).toMatchObject({ state: 'SUCCESS', bytes: 7, files: 2 });
    expect(fake.bodies).toEqual([
      expect.objectContaining({ metadata: { shardlift: { owner, run: 'run', step: 's' } } }),
    ]);
  });

  it.each<[string, object]>([
    ["an earlier execution's", { metadata: { shardlift: { owner: 'run-ffffffff', run: 'run' } } }],
    ['one of before owners were noted', { metadata: { shardlift: { run: 'run' } } }],
    ["somebody's without metadata", { metadata: undefined }],
    ["somebody's that still runs", { metadata: { by: 'me' }, state: 'IN_PROGRESS' }],
  ])('takes %s for a conflict', async (_, over) => {
    const fake = fakeCluster(() => info(over));
    await expect(take(fake)).rejects.toMatchObject({ type: 'RepositoryConflict', nonRetryable: true });
    expect(fake.asked).toEqual([`GET ${path}`]);
  });

  it('goes by the name alone where there is no metadata', async () => {
    const fake = fakeCluster(
      ({ path: at }) => (at.endsWith('/_status') ? status : info({ metadata: undefined })),
      '6.8.23',
    );
    expect(await take(fake)).toMatchObject({ state: 'SUCCESS' });
    expect(fake.bodies).toEqual([]);
  });

  it('has succeeded also where its size cannot be read in time', async () => {
    const fake = fakeCluster(({ path: at }) => (at.endsWith('/_status') ? timeout() : info()));
    const result = await take(fake);
    expect(result).toMatchObject({ state: 'SUCCESS', bytes: 0, files: 0 });
    expect(result.summary).toContain('its size is not known');
  });
});

describe('deleteSnapshot', () => {
  const isDelete = ({ method }: RequestParams) => method === 'DELETE';

  it.each<[string, object]>([
    ["an earlier execution's", { metadata: { shardlift: { owner: 'run-ffffffff' } } }],
    ["somebody's without metadata", { metadata: undefined }],
  ])('leaves %s alone', async (_, over) => {
    const fake = fakeCluster(() => info(over));
    expect(await fake.activities.deleteSnapshot(base)).toEqual({
      changed: false,
      summary: `${snapshot} is left alone: not taken by this run`,
      changes: [],
    });
    expect(fake.asked).toEqual([`GET ${path}`, `GET ${path}`]);
  });

  it('is done where there is none', async () => {
    const fake = fakeCluster((params) => (params.path === path ? missing : {}));
    expect(await fake.activities.deleteSnapshot(base)).toMatchObject({ changed: false });
    expect(fake.asked.some((each) => each.startsWith('DELETE'))).toBe(false);
  });

  it('asks again while another snapshot is in its way, as before 7.9', async () => {
    let refusals = 2;
    let isGone = false;
    const fake = fakeCluster((params) => {
      if (isDelete(params)) {
        refusals -= 1;
        isGone = refusals < 0;
        if (isGone) return {};
        return { status: 503, body: { error: { type: 'concurrent_snapshot_execution_exception', reason: 'running' } } };
      }
      if (params.path === '/_snapshot/_status') return status;
      if (params.path === path) return isGone ? missing : info({ metadata: undefined });
      return {};
    }, '7.2.0');
    expect(await fake.activities.deleteSnapshot(base)).toMatchObject({ changed: true });
    expect(fake.asked.filter((each) => each.startsWith('DELETE'))).toHaveLength(3);
  });

  it('follows a deletion whose answer did not come in time, to the end of its work, and asks once', async () => {
    let looks = 0;
    const fake = fakeCluster((params) => {
      if (isDelete(params)) return timeout();
      if (params.path === '/_snapshot/_status') return { body: { snapshots: [] } };
      if (params.path === path) return looks < 3 ? info() : missing;
      looks += 1;
      const deletions = [{ repository: 'r', snapshots: [snapshot] }];
      return looks > 1 && looks < 6 ? { body: { snapshot_deletions: { snapshot_deletions: deletions } } } : {};
    });
    expect(await fake.activities.deleteSnapshot(base)).toMatchObject({ changed: true });
    expect(looks).toBe(6);
    expect(fake.asked.filter((each) => each.startsWith('DELETE'))).toHaveLength(1);
  });

  it('does not hide any other refusal', async () => {
    const fake = fakeCluster((params) => {
      if (isDelete(params)) return { status: 503, body: { error: { type: 'master_not_discovered_exception' } } };
      return params.path === path ? info() : {};
    });
    await expect(fake.activities.deleteSnapshot(base)).rejects.toMatchObject({ type: 'ClusterUnavailable' });
  });
});

describe('a flush', () => {
  const flush = (answer: Error) =>
    createNodeActivities(fakeCluster(() => answer)).flushIndices({ ...base, side: 'source' });

  it('that takes too long is not waited for', async () => {
    expect(await flush(timeout())).toMatchObject({ changed: false });
  });

  it('that reaches nobody is a failure', async () => {
    const refused = classifyTransport('x', Object.assign(new Error('refused'), { name: 'ConnectionError' }));
    expect(timedOut(refused)).toBe(false);
    await expect(flush(refused)).rejects.toBe(refused);
  });
});
