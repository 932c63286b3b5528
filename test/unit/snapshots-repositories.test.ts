import type { RegisteredRepository } from '../../contracts/cluster-activities';
import type { RepositoryPlan } from '../../contracts/plan';
import type { Side } from '../../contracts/runbook';
import type { Cluster, RequestParams } from '../../activities/elasticsearch/cluster';
import { createRepositoryActivities } from '../../activities/snapshots/repositories';
import { runbookOf } from '../support/fixtures';

const location = '/srv/repository/run';
const name = 'shardlift-run';

/** A cluster with at most one repository; it keeps what was put. */
function fakeCluster(side: Side, registered: RegisteredRepository | null) {
  const state = { registered, puts: 0 };
  const cluster: Cluster = {
    side,
    uuid: side,
    version: { text: '7.17.29', major: 7, minor: 17, patch: 29, distribution: 'elasticsearch' },
    request: async <T>({ method, body }: RequestParams) => {
      if (method === 'PUT') {
        state.registered = body as RegisteredRepository;
        state.puts += 1;
      }
      if (!state.registered) return { status: 404, body: {} as T };
      return { status: 200, body: { [name]: state.registered } as T };
    },
  };
  const activities = createRepositoryActivities({
    clusters: { connect: async () => cluster, close: async () => undefined },
  });
  return { state, activities };
}

const limits = { maxSnapshotBytesPerSec: '200mb', maxRestoreBytesPerSec: '300mb' };
const run = (over: Record<string, unknown> = limits) => ({
  run: 'run',
  step: 's',
  runbook: runbookOf('run', { snapshot: { repository: { existing: { location } }, ...over } }),
});
const plan = (side: Side): RepositoryPlan => ({ side, name, register: true, location, readonly: side === 'target' });
const fs = (settings: Record<string, string>): RegisteredRepository => ({ type: 'fs', settings });

describe('registerRepository', () => {
  it.each(['source', 'target'] as const)(
    'makes a new one on the %s, and finds it after a lost answer',
    async (side) => {
      const { state, activities } = fakeCluster(side, null);
      for (let times = 0; times < 2; times += 1) {
        const outcome = await activities.registerRepository({ ...run(), repository: plan(side), before: null });
        expect(outcome.changes[0]).toMatchObject({
          before: 'not registered',
          undo: { kind: 'repository', side, repository: name },
        });
      }
      expect(state.puts).toBe(1);
      expect(state.registered?.settings['readonly']).toBe(side === 'target' ? 'true' : undefined);
    },
  );

  it('takes the limits off its own when the runbook names none any more', async () => {
    const { state, activities } = fakeCluster('source', null);
    await activities.registerRepository({ ...run(), repository: plan('source'), before: null });
    await activities.registerRepository({ ...run({}), repository: plan('source'), before: null });
    expect(state.registered?.settings).toEqual({ location, compress: 'true' });
  });

  it('lays only the limits over one that was there, and its undo puts them back, also after a lost answer', async () => {
    const before = fs({ location, compress: 'false', chunk_size: '1gb', max_snapshot_bytes_per_sec: '5mb' });
    const { state, activities } = fakeCluster('source', before);
    for (let times = 0; times < 2; times += 1) {
      const outcome = await activities.registerRepository({ ...run(), repository: plan('source'), before });
      expect(outcome).toMatchObject({ changed: true, changes: [{ before: JSON.stringify(before.settings) }] });
      expect(outcome.changes[0]?.undo).toMatchObject({
        kind: 'repositorySettings',
        side: 'source',
        registered: before,
      });
    }
    expect(state.puts).toBe(1);
    expect(state.registered?.settings).toEqual({
      ...before.settings,
      max_snapshot_bytes_per_sec: '200mb',
      max_restore_bytes_per_sec: '300mb',
    });
  });

  it('leaves one that was there alone where the runbook names no limits, or these', async () => {
    const before = fs({ location, max_snapshot_bytes_per_sec: '200mb', max_restore_bytes_per_sec: '300mb' });
    for (const over of [{}, limits]) {
      const { state, activities } = fakeCluster('target', before);
      const outcome = await activities.registerRepository({ ...run(over), repository: plan('target'), before });
      expect(outcome).toMatchObject({ changed: false, changes: [] });
      expect(state.puts).toBe(0);
    }
  });

  it.each<[string, Side, RegisteredRepository]>([
    ['another place', 'source', fs({ location: '/else' })],
    ['another type', 'source', { type: 'url', settings: { location } }],
    ['no place', 'target', { type: 's3', settings: { bucket: 'b' } }],
    ['read-only on the source', 'source', fs({ location, readonly: 'true' })],
  ])('refuses one that was there: %s', async (_, side, before) => {
    const { state, activities } = fakeCluster(side, before);
    for (const known of [before, null]) {
      await expect(
        activities.registerRepository({ ...run(), repository: plan(side), before: known }),
      ).rejects.toMatchObject({ type: 'RepositoryConflict', nonRetryable: true });
    }
    expect(state.puts).toBe(0);
  });

  it('takes a writable one on the target, as it was there before', async () => {
    const { activities } = fakeCluster('target', fs({ location }));
    const outcome = await activities.registerRepository({
      ...run({}),
      repository: plan('target'),
      before: fs({ location }),
    });
    expect(outcome.changed).toBe(false);
  });
});

describe('putRepositoryBack', () => {
  const registered = fs({ location, compress: 'false' });
  const back = { ...run(), side: 'source' as const, repository: name, registered };

  it('puts it back, once', async () => {
    const { state, activities } = fakeCluster(
      'source',
      fs({ ...registered.settings, max_snapshot_bytes_per_sec: '1mb' }),
    );
    expect((await activities.putRepositoryBack(back)).changed).toBe(true);
    expect(state.registered).toEqual(registered);
    expect((await activities.putRepositoryBack(back)).changed).toBe(false);
    expect(state.puts).toBe(1);
  });

  it('leaves one alone that somebody registered elsewhere since', async () => {
    const { state, activities } = fakeCluster('source', fs({ location: '/else' }));
    expect(await activities.putRepositoryBack(back)).toMatchObject({
      changed: false,
      summary: expect.stringContaining('left alone') as string,
    });
    expect(state.puts).toBe(0);
  });
});
