import type { MigrationRunbook, RunbookHost } from '../../contracts/runbook';
import type { SharePlan } from '../../contracts/plan';
import { nfsSource, type MountLine } from './fstab-file';
import type { ExportClient } from './exports-file';
import { findHost } from './ssh-settings';

/** Names a marked block: by run and share, so that two runs, or a run's two shares, never touch each other's lines. */
export function blockLabel(run: string, share: SharePlan): string {
  return `${run} ${share.id}`;
}

export function exportClients(runbook: MigrationRunbook, share: SharePlan): ExportClient[] {
  return share.clients.map((client) => ({ address: findHost(runbook, client.host).address, access: client.access }));
}

/**
 * How a host gets the share to its mount path: a client over NFS; the server itself by a bind mount, or not at all where
 * both paths are one.
 */
export function mountLine(runbook: MigrationRunbook, share: SharePlan, host: string): MountLine | undefined {
  if (host === share.server) {
    if (share.exportPath === share.mountPath) return undefined;
    return { source: share.exportPath, target: share.mountPath, type: 'none', options: ['bind'] };
  }
  const access = share.clients.find((client) => client.host === host)?.access ?? 'ro';
  const server = findHost(runbook, share.server).address;
  return {
    source: nfsSource(server, share.exportPath),
    target: share.mountPath,
    type: 'nfs',
    options: [access, ...share.mountOptions],
  };
}

/**
 * Directories that a node's path.repo must hold for these shares: the source's nodes work on the share, the target's on
 * their own copy where there is one.
 */
export function sharePaths(shares: readonly SharePlan[], host: RunbookHost): string[] {
  if (host.role !== 'source' && host.role !== 'target') return [];
  const wanted = host.role === 'target' && shares.some((share) => share.id === 'copy') ? 'copy' : 'share';
  const paths = shares
    .filter((share) => share.id === wanted)
    .filter((share) => share.server === host.name || share.clients.some((client) => client.host === host.name))
    .map((share) => share.mountPath);
  return [...new Set(paths)];
}
