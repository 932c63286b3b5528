import { planCopy, planRepositories, planShares, takesConcurrentSnapshots } from '../../activities/planning/layout';
import { runbookOf, siteRunbookOf } from '../support/fixtures';

const share = (over: object = {}) =>
  siteRunbookOf('move', {
    snapshot: {
      repository: {
        sharedFilesystem: { server: 'h11', exportPath: '/srv/export', mountPath: '/mnt/snapshots', ...over },
      },
    },
  });

describe('a share that both read', () => {
  const runbook = share();

  it('is writable for the source, read-only for the target, and not mounted by its server', () => {
    expect(planShares(runbook)).toEqual([
      {
        id: 'share',
        server: 'h11',
        exportPath: '/srv/export',
        mountPath: '/mnt/snapshots',
        mountOptions: ['hard', '_netdev', 'lookupcache=positive'],
        clients: [
          { host: 'h12', access: 'rw' },
          { host: 'h13', access: 'rw' },
          { host: 'h21', access: 'ro' },
          { host: 'h22', access: 'ro' },
        ],
      },
    ]);
  });

  it('holds one repository, which only the source writes to', () => {
    const location = '/mnt/snapshots/shardlift-move';
    expect(planRepositories(runbook)).toEqual([
      { side: 'source', name: 'shardlift-move', register: true, location, readonly: false },
      { side: 'target', name: 'shardlift-move', register: true, location, readonly: true },
    ]);
    expect(planCopy(runbook)).toBeUndefined();
  });
});

describe('a copy of its own', () => {
  it('lies beside the share on the same server unless told otherwise', () => {
    const runbook = share({ targetReads: 'ownCopy', copy: { maxBytesPerSec: '10mb' } });
    const [shared, copy] = planShares(runbook);
    expect(shared?.clients.map(({ host }) => host)).toEqual(['h12', 'h13']);
    expect(copy).toMatchObject({
      id: 'copy',
      server: 'h11',
      exportPath: '/srv/export-copy',
      mountPath: '/mnt/snapshots-copy',
      clients: [
        { host: 'h21', access: 'rw' },
        { host: 'h22', access: 'rw' },
      ],
    });
    expect(planCopy(runbook)).toEqual({
      host: 'h11',
      from: '/srv/export/shardlift-move',
      to: '/srv/export-copy/shardlift-move',
      maxBytesPerSec: 10 * 1024 ** 2,
      verify: 'checksum',
    });
    expect(planRepositories(runbook).map(({ location }) => location)).toEqual([
      '/mnt/snapshots/shardlift-move',
      '/mnt/snapshots-copy/shardlift-move',
    ]);
  });

  it('on another server is written to through a mount of the host that copies', () => {
    const runbook = share({
      targetReads: 'ownCopy',
      copy: { server: 'h21', exportPath: '/data/copy', mountPath: '/mnt/copy', verify: 'size' },
    });
    expect(planShares(runbook)[1]).toMatchObject({
      server: 'h21',
      exportPath: '/data/copy',
      clients: [
        { host: 'h22', access: 'rw' },
        { host: 'h11', access: 'rw' },
      ],
    });
    expect(planCopy(runbook)).toMatchObject({
      host: 'h11',
      from: '/srv/export/shardlift-move',
      to: '/mnt/copy/shardlift-move',
      verify: 'size',
    });
  });
});

describe('an existing repository', () => {
  const existing = (of: object) => runbookOf('move', { hosts: [], snapshot: { repository: { existing: of } } });

  it('directory is registered as it is, without a directory of the run below it', () => {
    const runbook = existing({ location: '/srv/backup' });
    expect(planShares(runbook)).toEqual([]);
    expect(planRepositories(runbook).map(({ location, readonly }) => [location, readonly])).toEqual([
      ['/srv/backup', false],
      ['/srv/backup', true],
    ]);
  });

  it('directory may have a copy', () => {
    const runbook = runbookOf('move', {
      hosts: [{ name: 'c', address: 'c', role: 'storage', connection: 'local' }],
      snapshot: {
        repository: {
          existing: { location: '/srv/a', copyLocation: '/srv/b', copyHost: 'c', copyMaxBytesPerSec: '1mb' },
        },
      },
    });
    expect(planRepositories(runbook).map(({ location }) => location)).toEqual(['/srv/a', '/srv/b']);
    expect(planCopy(runbook)).toEqual({
      host: 'c',
      from: '/srv/a',
      to: '/srv/b',
      maxBytesPerSec: 1024 ** 2,
      verify: 'checksum',
    });
  });

  it('that is registered is left as it is', () => {
    expect(planRepositories(existing({ source: 'backup', target: 'backup-ro' }))).toEqual([
      { side: 'source', name: 'backup', register: false, readonly: false },
      { side: 'target', name: 'backup-ro', register: false, readonly: true },
    ]);
  });
});

it.each([
  ['7.8.1', 'elasticsearch', false],
  ['7.9.0', 'elasticsearch', true],
  ['7.17.29', 'elasticsearch', true],
  ['6.8.23', 'elasticsearch', false],
  ['1.3.14', 'opensearch', true],
] as const)('concurrent snapshots on %s of %s: %s', (version, distribution, expected) => {
  expect(takesConcurrentSnapshots({ version, distribution })).toBe(expected);
});
