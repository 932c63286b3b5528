/** A server version the lab can run, and what about starting it differs from the others. */
export interface ServerVersion {
  version: string;
  product: 'elasticsearch' | 'opensearch';
  major: number;
  /** The oldest JDK it runs on; 17 does for all older ones. */
  jdk: 17 | 21;
  /** Knows `xpack.security.enabled`; where it is on by default it must be turned off before the first start. */
  security: boolean;
  /** Its home is assembled with a module compiled by us. */
  compiles: boolean;
}

function elasticsearch(version: string, differences: Partial<ServerVersion> = {}): ServerVersion {
  const major = Number(version.split('.')[0]);
  return {
    version,
    product: 'elasticsearch',
    major,
    jdk: 17,
    security: major >= 7,
    compiles: major >= 8,
    ...differences,
  };
}

function opensearch(version: string, differences: Partial<ServerVersion> = {}): ServerVersion {
  return { ...elasticsearch(version), product: 'opensearch', security: false, compiles: false, ...differences };
}

const VERSIONS: readonly ServerVersion[] = [
  elasticsearch('5.6.16'),
  elasticsearch('6.8.23', { security: true }),
  elasticsearch('7.10.2', { security: false }),
  elasticsearch('7.17.29'),
  elasticsearch('8.19.21'),
  elasticsearch('9.5.3', { jdk: 21 }),
  opensearch('1.3.14'),
  opensearch('2.19.6'),
  opensearch('3.6.0', { jdk: 21 }),
];

export const DEFAULT_SOURCE = '7.17.29';
export const DEFAULT_TARGET = '8.19.21';

export function serverVersions(): string[] {
  return VERSIONS.map(({ version }) => version);
}

export function serverVersion(version: string): ServerVersion {
  const found = VERSIONS.find((known) => known.version === version);
  if (found === undefined) throw new Error(`the lab has no server ${version}; it has ${serverVersions().join(', ')}`);
  return found;
}
