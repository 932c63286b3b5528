import { addressesOf } from '../../activities/planning/read-cluster';
import { fieldTypesOf } from '../../activities/planning/field-types';
import { makePlan } from '../../activities/planning/make-plan';
import { pipelineSeconds, predict } from '../../activities/planning/predict';
import type { HostFacts } from '../../contracts/host-activities';
import type { BatchPlan, ClusterFacts, NodeFacts } from '../../contracts/plan';
import { indexOf, nodeOf, runbookOf, siteRunbookOf } from '../support/fixtures';
import { checkOf, clusterView } from './planning-fixtures';

const gb = 1024 ** 3;
const mb = 1024 ** 2;
const batch = (number: number, sizeBytes: number): BatchPlan => ({
  number,
  indices: [indexOf(`i-${number}`, { sizeBytes, replicas: 1 })],
  sizeBytes,
  documents: 1,
});

describe('predict', () => {
  const base = { sourceDataNodes: 3, targetDataNodes: 2 };

  it('takes the limits of the runbook and the target, for each node, and says so', () => {
    const runbook = runbookOf('move', {
      snapshot: {
        repository: { existing: { location: '/r' } },
        maxSnapshotBytesPerSec: '100mb',
        maxRestoreBytesPerSec: '60mb',
      },
    });
    const { from } = predict({ ...base, runbook, batches: [batch(1, gb)], targetRecoveryLimit: '80mb' });
    expect(from).toBe(
      'snapshot 100 MiB/s a node on 3 nodes; restore 60.0 MiB/s a node on 2 nodes; one batch after the other, slowest: restore. Disks and network may be slower',
    );
  });

  it('knows the servers’ default of 40 MB/s', () => {
    const { seconds, from } = predict({ ...base, runbook: runbookOf('move'), batches: [batch(1, 2400 * mb)] });
    expect(from).toContain('restore 40.0 MiB/s a node on 2 nodes');
    // 2400/120 + 2400/80, and a moment for each of the two stages
    expect(seconds).toBe(20 + 30 + 3);
  });

  it('lets a raised recovery limit, and one of 0, count', () => {
    const raised = runbookOf('move', {
      snapshot: { repository: { existing: { location: '/r' } }, recoveryMaxBytesPerSec: '500mb' },
    });
    expect(predict({ ...base, runbook: raised, batches: [batch(1, gb)] }).from).toContain('restore 500 MiB/s');
    const unlimited = predict({ ...base, runbook: runbookOf('m'), batches: [batch(1, gb)], targetRecoveryLimit: '0b' });
    expect(unlimited.from).toContain('restore unlimited, 110 MiB/s a node assumed');
  });

  it('reckons room on the target with replicas, and on the share by what is kept', () => {
    const batches = [batch(1, gb), batch(2, 5 * gb), batch(3, 3 * gb)];
    const kept = predict({ ...base, runbook: runbookOf('move'), batches });
    expect([kept.sourceShareBytes, kept.targetDiskBytes]).toEqual([9 * gb, 18 * gb]);
    const swept = runbookOf('move', { cleanup: { snapshots: 'afterBatch' }, batches: { inFlight: 2 } });
    expect(predict({ ...base, runbook: swept, batches }).sourceShareBytes).toBe(8 * gb);
  });

  it('overlaps stages with batches in flight, down to the slowest stage', () => {
    const batches = Array.from({ length: 10 }, (_, number) => batch(number + 1, 100 * mb));
    const stages = [{ bytesPerSec: 10 * mb }, { bytesPerSec: 5 * mb }];
    const alone = pipelineSeconds(batches, stages, 1);
    const together = pipelineSeconds(batches, stages, 3);
    expect(alone).toBeCloseTo(10 * (10 + 20 + 3));
    expect(together).toBeCloseTo(10 * (20 + 1.5) + 11.5);
  });
});

describe('makePlan', () => {
  const facts = (side: 'source' | 'target', nodes: NodeFacts[]): ClusterFacts => ({
    ...clusterView(side).facts,
    nodes,
  });
  const source = facts('source', [nodeOf('s1', '10.99.0.11'), nodeOf('s2', '10.99.0.12'), nodeOf('s3', '10.99.0.13')]);
  const target = facts('target', [nodeOf('t1', '10.99.0.21'), nodeOf('t2', '10.99.0.22')]);
  const plan = (
    over: { source?: ClusterFacts; runbook?: Record<string, unknown>; hosts?: HostFacts[]; indices?: string[] } = {},
  ) =>
    makePlan({
      run: 'move',
      runbook: siteRunbookOf('move', over.runbook),
      clusters: {
        checks: [],
        source: over.source ?? source,
        target,
        indices: (over.indices ?? ['a', 'b']).map((name) => indexOf(name)),
        aliases: [],
      },
      hosts: over.hosts ?? [],
    });
  const known = (over: Parameters<typeof plan>[0]) => checkOf(plan(over).checks, 'cluster.nodes-known', 'source');

  it('is made of batches, shares and repositories, and is the same each time', () => {
    const { plan: made, checks } = plan();
    expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
    expect(made?.batches.map(({ indices }) => indices.length)).toEqual([2]);
    expect(made?.shares.map(({ id }) => id)).toEqual(['share']);
    expect(plan()).toEqual(plan());
  });

  it('is left out where nothing is selected or a cluster is unknown', () => {
    expect(plan({ indices: [] }).plan).toBeUndefined();
    expect(
      makePlan({ run: 'm', runbook: runbookOf('m'), clusters: { checks: [], indices: [], aliases: [] }, hosts: [] }),
    ).toEqual({ checks: [], hostChanges: [] });
  });

  it('compares what the share must hold with what its host has free, or says that nobody tells', () => {
    expect(checkOf(plan().checks, 'disk.share')).toMatchObject({
      state: 'not applicable',
      where: 'h11:/srv/snapshots',
      wanted: '200 MiB for the snapshots',
    });
    const withRoom = (freeBytes: number, usedBytes = 0) =>
      plan({
        hosts: [{ host: 'h11', addresses: [], room: [{ path: '/srv/snapshots', device: '1', freeBytes, usedBytes }] }],
      } as never).checks;
    expect(checkOf(withRoom(200 * mb), 'disk.share')).toMatchObject({ state: 'passed', seen: '200 MiB free' });
    expect(checkOf(withRoom(150 * mb), 'disk.share')).toMatchObject({ level: 'mandatory', state: 'failed' });
    // A run that is looked at in its midst has put some of it there already.
    expect(checkOf(withRoom(150 * mb, 50 * mb), 'disk.share')).toMatchObject({
      state: 'passed',
      seen: '150 MiB free, 50.0 MiB there already',
    });
  });

  it('counts a copy on the same file system twice, and one on another by itself', () => {
    const runbook = {
      snapshot: {
        repository: {
          sharedFilesystem: { server: 'h11', exportPath: '/srv/s', mountPath: '/mnt/s', targetReads: 'ownCopy' },
        },
      },
    };
    const room = (path: string, device: string) => ({ path, device, freeBytes: 250 * mb, usedBytes: 0 });
    const of = (device: string) =>
      plan({
        runbook,
        hosts: [{ host: 'h11', addresses: [], room: [room('/srv/s', '1'), room('/srv/s-copy', device)] }],
      } as never).checks.filter(({ id }) => id === 'disk.share');
    expect(of('1').map(({ state, where, wanted }) => [state, where, wanted])).toEqual([
      ['failed', 'h11:/srv/s and /srv/s-copy', '400 MiB for the snapshots and their copy'],
    ]);
    expect(of('2').map(({ state }) => state)).toEqual(['passed', 'passed']);
  });

  it('knows each node by its address', () => {
    expect(known({})).toMatchObject({ state: 'passed', seen: 'h11 is s1, h12 is s2, h13 is s3' });
  });

  it('names nodes without a host and hosts without a node', () => {
    const other = { ...source, nodes: [...source.nodes.slice(0, 2), nodeOf('s4', '10.99.0.14')] };
    expect(known({ source: other })).toMatchObject({
      level: 'mandatory',
      state: 'failed',
      seen: 'wrong: host h13 is no node (looked for address 10.99.0.13 and node name h13), node s4 (10.99.0.14) has no host',
    });
  });

  it('lets coordinating nodes be without a host', () => {
    const other = { ...source, nodes: [...source.nodes, nodeOf('c1', '10.99.0.19', { roles: ['ingest'] })] };
    expect(known({ source: other }).state).toBe('passed');
  });

  it('names a host that is two nodes, and a node that two hosts claim', () => {
    const doubled = { ...source, nodes: [...source.nodes, nodeOf('s1b', '10.99.0.11')] };
    expect(known({ source: doubled }).seen).toBe('wrong: host h11 may be s1, s1b');
    const host = (name: string, role: string, node?: string) => ({ name, address: `${name}.lan`, role, node });
    const hosts = [
      host('h11', 'source', 's1'),
      host('h12', 'source', 's1'),
      host('h13', 'source', 's3'),
      host('h21', 'target', 't1'),
      host('h22', 'target', 't2'),
    ];
    expect(known({ runbook: { hosts } }).seen).toBe(
      'wrong: node s1 is claimed by hosts h11, h12, node s2 (10.99.0.12) has no host',
    );
  });

  it('finds a node by the addresses of the host’s interfaces', () => {
    const hosts = ['11', '12', '13', '21', '22'].map((number) => ({
      name: `h${number}`,
      address: `h${number}.lan`,
      role: number < '20' ? 'source' : 'target',
    }));
    const inspected = hosts.map(({ name }) => ({ host: name, addresses: [`10.99.0.${name.slice(1)}`] }) as HostFacts);
    expect(known({ runbook: { hosts }, hosts: inspected }).state).toBe('passed');
    expect(known({ runbook: { hosts } }).state).toBe('failed');
  });
});

describe('what is read of answers', () => {
  it('addresses come without ports, each once', () => {
    expect(addressesOf(['10.0.0.1', 'es1', '10.0.0.1:9300', '[fe80::1]:9300', 'es1/10.0.0.2:9200', undefined])).toEqual(
      ['10.0.0.1', 'es1', 'fe80::1', '10.0.0.2'],
    );
  });

  it.each<[string, unknown, string[]]>([
    ['nothing', {}, []],
    [
      'fields, nested ones, and multi-fields',
      {
        properties: {
          a: { type: 'text', fields: { raw: { type: 'keyword' } } },
          n: { type: 'nested', properties: { x: { type: 'long' } } },
          type: { type: 'join' },
        },
      },
      ['join', 'keyword', 'long', 'nested', 'text'],
    ],
    [
      'dynamic templates, but no placeholders',
      {
        dynamic_templates: [{ a: { mapping: { type: 'murmur3' } } }, { b: { mapping: { type: '{dynamic_type}' } } }],
      },
      ['murmur3'],
    ],
    ['metadata fields that are switched on', { _size: { enabled: true }, properties: {} }, ['_size']],
    [
      'the mapping type of 6.x',
      { doc: { _size: { enabled: true }, properties: { a: { type: 'ip' } } } },
      ['_size', 'ip'],
    ],
    ['no fields at all', { _routing: { required: true } }, []],
  ])('field types of %s', (_, mapping, expected) => {
    expect(fieldTypesOf(mapping)).toEqual(expected);
  });
});
