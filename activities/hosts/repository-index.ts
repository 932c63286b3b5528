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

/** What a copy job's list may hold; anything else in it is not removed. */
const listedPattern = /^(?:(indices\/[A-Za-z0-9_-]{1,64})\/|(?:meta|snap)-([A-Za-z0-9_-]{1,64})\.dat)$/;

/** A snapshot's uuid and directories by the list of a job that copies it: the way back from SnapshotFiles.paths. */
export function listedFiles(paths: readonly string[]): { uuid: string; directories: string[] } | undefined {
  const found = paths.map((path) => listedPattern.exec(path));
  const uuid = found.flatMap((match) => match?.[2] ?? [])[0];
  if (uuid === undefined) return undefined;
  return { uuid, directories: [...new Set(found.flatMap((match) => match?.[1] ?? []))].sort() };
}

/** Index directories that one of these snapshots uses. */
export function directoriesOf(index: RepositoryIndex, present: ReadonlySet<string>): Set<string> {
  return new Set(
    index.indices
      .filter((each) => each.snapshots.some((uuid) => present.has(uuid)))
      .map((each) => `indices/${each.id}`),
  );
}
