import { parseBytes } from '../../contracts/bytes';
import type { ClusterFacts, CopyPlan, RepositoryPlan, SharePlan } from '../../contracts/plan';
import { repositoryName } from '../../contracts/ids';
import type { MigrationRunbook } from '../../contracts/runbook';
import { isAtLeast } from '../elasticsearch/version';

/** Where shares are mounted and repositories lie, from the runbook alone. */

type SharedFilesystem = NonNullable<NonNullable<MigrationRunbook['snapshot']>['repository']['sharedFilesystem']>;

/** The copy's directories where the runbook does not name them: beside the share's. */
function copyPaths(share: SharedFilesystem): { server: string; exportPath: string; mountPath: string } {
  return {
    server: share.copy?.server ?? share.server,
    exportPath: share.copy?.exportPath ?? `${share.exportPath}-copy`,
    mountPath: share.copy?.mountPath ?? `${share.mountPath}-copy`,
  };
}

/** A target that mounts the source's share gets it read-only: its nodes could damage the repository otherwise. */
export function planShares(runbook: MigrationRunbook): SharePlan[] {
  const share = runbook.snapshot?.repository.sharedFilesystem;
  if (!share) return [];
  const hosts = (role: 'source' | 'target', access: 'rw' | 'ro') =>
    runbook.hosts.filter((host) => host.role === role).map((host) => ({ host: host.name, access }));
  const make = (
    id: SharePlan['id'],
    at: { server: string; exportPath: string; mountPath: string },
    clients: SharePlan['clients'],
  ): SharePlan => ({
    id,
    server: at.server,
    exportPath: at.exportPath,
    mountPath: at.mountPath,
    mountOptions: share.mountOptions,
    clients: clients.filter(({ host }) => host !== at.server),
  });
  const source = hosts('source', 'rw');
  if (share.targetReads === 'sameShare') return [make('share', share, [...source, ...hosts('target', 'ro')])];
  const copy = copyPaths(share);
  const target = hosts('target', 'rw');
  // The host that copies writes through its own mount where the copy is served by another.
  const copier = target.some(({ host }) => host === share.server)
    ? []
    : [{ host: share.server, access: 'rw' as const }];
  return [make('share', share, source), make('copy', copy, [...target, ...copier])];
}

/** The target only ever reads: a second writer would damage the repository. */
export function planRepositories(runbook: MigrationRunbook): RepositoryPlan[] {
  const { sharedFilesystem: share, existing } = runbook.snapshot?.repository ?? {};
  const names = { source: repositoryName(runbook, 'source'), target: repositoryName(runbook, 'target') };
  const make = (side: 'source' | 'target', location?: string): RepositoryPlan => ({
    side,
    name: names[side],
    register: location !== undefined,
    ...(location === undefined ? {} : { location }),
    readonly: side === 'target',
  });
  if (share) {
    const targetPath = share.targetReads === 'ownCopy' ? copyPaths(share).mountPath : share.mountPath;
    return [make('source', `${share.mountPath}/${names.source}`), make('target', `${targetPath}/${names.target}`)];
  }
  return [make('source', existing?.location), make('target', existing?.copyLocation ?? existing?.location)];
}

/** How files get into the target's own repository; undefined where it reads the source's. */
export function planCopy(runbook: MigrationRunbook): CopyPlan | undefined {
  const { sharedFilesystem: share, existing } = runbook.snapshot?.repository ?? {};
  if (share?.targetReads === 'ownCopy') {
    const copy = copyPaths(share);
    const name = repositoryName(runbook, 'target');
    return {
      host: share.server,
      // on the server's own disk: reading it back through NFS would be slower
      from: `${share.exportPath}/${repositoryName(runbook, 'source')}`,
      to: copy.server === share.server ? `${copy.exportPath}/${name}` : `${copy.mountPath}/${name}`,
      ...(share.copy?.maxBytesPerSec ? { maxBytesPerSec: parseBytes(share.copy.maxBytesPerSec) } : {}),
      verify: share.copy?.verify ?? 'checksum',
    };
  }
  if (existing?.location === undefined || existing.copyLocation === undefined || existing.copyHost === undefined) {
    return undefined;
  }
  return {
    host: existing.copyHost,
    from: existing.location,
    to: existing.copyLocation,
    ...(existing.copyMaxBytesPerSec ? { maxBytesPerSec: parseBytes(existing.copyMaxBytesPerSec) } : {}),
    verify: 'checksum',
  };
}

/** From 7.9 on snapshots run beside each other; before, a second one is refused. */
export function takesConcurrentSnapshots({
  distribution,
  version,
}: Pick<ClusterFacts, 'distribution' | 'version'>): boolean {
  return distribution === 'opensearch' || isAtLeast({ text: version }, '7.9.0');
}
