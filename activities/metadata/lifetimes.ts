import type { ClusterFacts } from '../../contracts/plan';
import { compareVersions, parseVersion } from '../elasticsearch/version';

/** As much of a server's version as decides what it understands. */
export type Server = Pick<ClusterFacts, 'distribution'> & { version: string };

/** When something came and went. OpenSearch left Elasticsearch's line at 7.10.2; what it did by itself is said apart. */
export interface Lifetime {
  /** Elasticsearch version from which on it is there. */
  since?: string;
  /** Elasticsearch version from which on it is gone. */
  until?: string;
  /** OpenSearch version from which on it has it, or whether it has it at all, where its ancestor does not tell. */
  openSearch?: string | boolean;
}

const openSearchAncestor = '7.10.2';

export function understands(server: Server, { since = '0', until, openSearch }: Lifetime): boolean {
  if (server.distribution === 'opensearch') {
    if (typeof openSearch === 'boolean') return openSearch;
    if (openSearch !== undefined) return compareVersions(server.version, openSearch) >= 0;
    return isWithin(openSearchAncestor, since, until);
  }
  return isWithin(server.version, since, until);
}

function isWithin(version: string, since: string, until: string | undefined): boolean {
  return compareVersions(version, since) >= 0 && (until === undefined || compareVersions(version, until) < 0);
}

/** From 7.0 on, and on every OpenSearch, an index has no mapping types. */
export function isTypeless(server: Server): boolean {
  return server.distribution === 'opensearch' || parseVersion(server.version).major >= 7;
}

/** Elasticsearch of that version or a later one; never OpenSearch. */
export function isElasticsearchFrom(server: Server, version: string): boolean {
  return server.distribution === 'elasticsearch' && compareVersions(server.version, version) >= 0;
}

/** "Elasticsearch 8.19.2", for messages. */
export function serverName({ distribution, version }: Server): string {
  return `${distribution === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${version}`;
}
