/** Version of a cluster, as its root answer gives it. */
export interface Version {
  text: string;
  major: number;
  minor: number;
  patch: number;
  distribution: 'elasticsearch' | 'opensearch';
  /** Oldest version that may have created an index here ("7.0.0"); left out where the server does not say. */
  minimumIndexCompatibility?: string;
}

export function parseVersion(text: string): { major: number; minor: number; patch: number } {
  const [major = 0, minor = 0, patch = 0] = text.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  return { major, minor, patch };
}

/** Negative when a is older than b. */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a);
  const y = parseVersion(b);
  return x.major - y.major || x.minor - y.minor || x.patch - y.patch;
}

export function isAtLeast(version: { text: string }, wanted: string): boolean {
  return compareVersions(version.text, wanted) >= 0;
}
