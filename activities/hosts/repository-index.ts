/**
 * The root of a snapshot repository on a file system, as Elasticsearch 6 to 9 write it: `index-N` lists every snapshot
 * and every index with the snapshots that hold it. Pure.
 */
export interface RepositoryIndex {
  snapshots: { name: string; uuid: string }[];
  indices: { name: string; id: string; snapshots: string[] }[];
}

export class UnreadableRepository extends Error {}

/** Ids become file names: what Elasticsearch makes (base64 for URLs) passes, and nothing that could leave the directory. */
const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

function checkedId(value: unknown): string {
  if (typeof value === 'string' && idPattern.test(value)) return value;
  throw new UnreadableRepository(`not an id of Elasticsearch's: ${JSON.stringify(value)?.slice(0, 80)}`);
}

function record(value: unknown): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UnreadableRepository('its index has not the form of a snapshot repository');
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new UnreadableRepository('its index has not the form of a snapshot repository');
}

export function parseRepositoryIndex(text: string): RepositoryIndex {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UnreadableRepository('its index is no JSON');
  }
  const root = record(json);
  const snapshots = list(root['snapshots']).map((each) => {
    const { name, uuid } = record(each);
    return { name: String(name), uuid: checkedId(uuid) };
  });
  const indices = Object.entries(record(root['indices'])).map(([name, each]) => {
    const { id, snapshots: holders } = record(each);
    // 5.x and 6.x wrote {name, uuid} here, later versions the uuid
    const uuids = list(holders).map((holder) =>
      checkedId(typeof holder === 'string' ? holder : record(holder)['uuid']),
    );
    return { name, id: checkedId(id), snapshots: uuids };
  });
  return { snapshots, indices };
}

/** "index-12" is generation 12; the highest counts. */
export function highestGeneration(names: readonly string[]): number | undefined {
  const generations = names.flatMap((name) => {
    const match = /^index-(\d{1,15})$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
  return generations.length > 0 ? Math.max(...generations) : undefined;
}

export interface SnapshotFiles {
  uuid: string;
  /** Relative to the repository; directories end with a slash. */
  paths: string[];
}

/** The files of one snapshot: the directories of its indices, and its own two files at the root. */
export function snapshotFiles(index: RepositoryIndex, snapshot: string): SnapshotFiles | undefined {
  const found = index.snapshots.find((each) => each.name === snapshot);
  if (!found) return undefined;
  const directories = index.indices
    .filter((each) => each.snapshots.includes(found.uuid))
    .map((each) => `indices/${each.id}/`);
  return { uuid: found.uuid, paths: [...directories.sort(), `meta-${found.uuid}.dat`, `snap-${found.uuid}.dat`] };
}

/** Index directories that no other of these snapshots uses. */
export function directoriesOnlyOf(index: RepositoryIndex, uuid: string, present: ReadonlySet<string>): string[] {
  return index.indices
    .filter((each) => each.snapshots.includes(uuid))
    .filter((each) => !each.snapshots.some((other) => other !== uuid && present.has(other)))
    .map((each) => `indices/${each.id}`)
    .sort();
}
