import type { IndexFacts, MigrationPlan, NodeFacts } from '../../contracts/plan';
import { migrationRunbook, type MigrationRunbook } from '../../contracts/runbook';

/** A runbook with its defaults filled in, parsed as an operator's file would be. */
export function runbookOf(name: string, over: Record<string, unknown> = {}): MigrationRunbook {
  return migrationRunbook.parse({
    kind: 'Migration',
    name,
    source: { urls: ['http://127.0.0.1:9200'] },
    target: { urls: ['http://127.0.0.1:9201'] },
    snapshot: { repository: { existing: { location: '/srv/repository/run' } } },
    gates: [],
    ...over,
  });
}

/** Three hosts of the source, one of them the NFS server, and two of the target. */
export function siteRunbookOf(name: string, over: Record<string, unknown> = {}): MigrationRunbook {
  const host = (number: number, role: string) => ({ name: `h${number}`, address: `10.99.0.${number}`, role });
  return runbookOf(name, {
    ssh: { user: 'ops', privateKey: '${file:/keys/ops}', knownHosts: '/keys/known_hosts', sudo: true },
    hosts: [host(11, 'source'), host(12, 'source'), host(13, 'source'), host(21, 'target'), host(22, 'target')],
    snapshot: {
      repository: { sharedFilesystem: { server: 'h11', exportPath: '/srv/snapshots', mountPath: '/srv/snapshots' } },
    },
    ...over,
  });
}

export function indexOf(name: string, over: Partial<IndexFacts> = {}): IndexFacts {
  return {
    name,
    uuid: `uuid-${name}`,
    status: 'open',
    hidden: false,
    primaryShards: 1,
    replicas: 1,
    sizeBytes: 100 * 1024 ** 2,
    documents: 1000,
    createdVersion: '7.17.29',
    ...over,
  };
}

export function nodeOf(name: string, address: string, over: Partial<NodeFacts> = {}): NodeFacts {
  return {
    id: `id-${name}`,
    name,
    version: '7.17.29',
    addresses: [address],
    roles: ['master', 'data'],
    isElectedMaster: false,
    pathRepo: [],
    startedAtMs: 1,
    diskFreeBytes: 1e12,
    diskTotalBytes: 2e12,
    ...over,
  };
}

/** A plan of so many batches of one index each. */
export function planOf(batches: number, over: Partial<MigrationPlan> = {}): MigrationPlan {
  return {
    source: { side: 'source', name: 'old', uuid: 'S', version: '7.17.29', distribution: 'elasticsearch', nodes: [] },
    target: { side: 'target', name: 'new', uuid: 'T', version: '8.19.21', distribution: 'elasticsearch', nodes: [] },
    batches: Array.from({ length: batches }, (_, index) => ({
      number: index + 1,
      indices: [indexOf(`index-${index + 1}`)],
      sizeBytes: 100 * 1024 ** 2,
      documents: 1000,
    })),
    method: 'snapshot',
    shares: [],
    repositories: [
      { side: 'source', name: 'shardlift-run', register: true, location: '/srv/repository/run', readonly: false },
      { side: 'target', name: 'shardlift-run', register: true, location: '/srv/repository/run', readonly: true },
    ],
    aliases: [{ add: { index: 'index-1', alias: 'all' } }],
    concurrentSnapshots: true,
    predicted: { seconds: 1, sourceShareBytes: 1, targetDiskBytes: 1, from: 'the test' },
    ...over,
  };
}
