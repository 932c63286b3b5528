import type { Pair } from './pair';
import type { Site } from './site';

/** The runbook of the demo on the site: hosts and all. `over` replaces or adds top-level fields, as YAML. */
export function siteRunbook(site: Site, name: string): string {
  const urls = (side: 'source' | 'target') => `[${site[side].urls.join(', ')}]`;
  const hosts = site.hosts.map((host) => `  - { name: ${host.name}, address: ${host.address}, role: ${host.cluster} }`);
  return `kind: Migration
name: ${name}
source: { urls: ${urls('source')} }
target: { urls: ${urls('target')} }
ssh:
  user: ops
  privateKey: \${file:${site.sshKeyPath}}
  knownHosts: ${site.knownHostsPath}
  sudo: true
hosts:
${hosts.join('\n')}
select: { hidden: true }
snapshot:
  repository:
    sharedFilesystem:
      server: ${site.hosts[0]?.name ?? ''}
      exportPath: /srv/es-snapshots
      mountPath: /mnt/es-snapshots
      # The target gets files of its own, copied on the server.
      targetReads: ownCopy
  maxSnapshotBytesPerSec: 200mb
  maxRestoreBytesPerSec: 200mb
  recoveryMaxBytesPerSec: 200mb
batches: { maxSize: 60mb }
cutover: { clients: the shop and the search page }
`;
}

/** The same kind of runbook without hosts: a directory that both clusters reach. */
export function pairRunbook(pair: Pair, name: string): string {
  return `kind: Migration
name: ${name}
source: { urls: [${pair.source.urls.join(', ')}] }
target: { urls: [${pair.target.urls.join(', ')}] }
select: { hidden: true }
snapshot:
  repository: { existing: { location: ${pair.repositoryDir}/${name} } }
  recoveryMaxBytesPerSec: 200mb
batches: { maxSize: 60mb }
cutover: { clients: the shop and the search page }
`;
}
