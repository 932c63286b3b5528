import { json, request, segment, type LabRequest } from '../lab/http';

/**
 * What an operator's own script would ask of Elasticsearch, over plain HTTP: the procedure by hand, the stages alone, and
 * the counting afterwards share no code with the product that they are compared with.
 */

/** A snapshot or restore of everything is waited for in one request. */
const longMs = 4 * 3_600_000;

const call = (options: LabRequest) => json({ timeoutMs: longMs, ...options });

export interface StoredIndex {
  name: string;
  bytes: number;
}

export async function storedIndices(url: string, pattern: string): Promise<StoredIndex[]> {
  const rows = await json<{ index: string; 'pri.store.size': string }[]>({
    url: `${url}/_cat/indices/${pattern}?format=json&bytes=b&h=index,pri.store.size`,
  });
  return rows
    .map((row) => ({ name: row.index, bytes: Number(row['pri.store.size']) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Registered without verification: the directory of a copy is there only after the first copying. */
export async function registerRepository(
  url: string,
  name: string,
  settings: { location: string; readonly?: boolean },
): Promise<void> {
  await call({
    method: 'PUT',
    url: `${url}/_snapshot/${segment(name)}?verify=false`,
    body: { type: 'fs', settings },
  });
}

/** Takes a snapshot and waits for it in the same request. */
export async function takeSnapshot(
  url: string,
  repository: string,
  snapshot: string,
  indices: string[],
): Promise<void> {
  const answer = (await call({
    method: 'PUT',
    url: `${url}/_snapshot/${segment(repository)}/${segment(snapshot)}?wait_for_completion=true`,
    body: { indices, include_global_state: false },
  })) as { snapshot: { state: string } };
  if (answer.snapshot.state !== 'SUCCESS') throw new Error(`the snapshot ${snapshot} is ${answer.snapshot.state}`);
}

/** Restores, waits for the end in the same request, and then until the indices are green. */
export async function restore(url: string, repository: string, snapshot: string, indices: string[]): Promise<void> {
  await call({
    method: 'POST',
    url: `${url}/_snapshot/${segment(repository)}/${segment(snapshot)}/_restore?wait_for_completion=true`,
    body: { indices, include_global_state: false },
  });
  const names = indices.map(segment).join(',');
  await call({ url: `${url}/_cluster/health/${names}?wait_for_status=green&timeout=1h` });
}

/** Asks each index by itself. @throws with every index whose count is another than was loaded. */
export async function checkCounts(url: string, expected: ReadonlyMap<string, number>): Promise<void> {
  const wrong: string[] = [];
  for (const [name, documents] of expected) {
    const { count } = (await call({ url: `${url}/${segment(name)}/_count` })) as { count: number };
    if (count !== documents) wrong.push(`${name}: ${count} instead of ${documents}`);
  }
  if (wrong.length > 0) throw new Error(`documents are missing on the target: ${wrong.join('; ')}`);
}

/** Merges that go on would share the disk and the processor with what is measured. */
export async function isMerged(url: string): Promise<boolean> {
  const { _all } = (await call({ url: `${url}/_stats/merge` })) as {
    _all: { total: { merges: { current: number } } };
  };
  return _all.total.merges.current === 0;
}

export async function deleteIndices(url: string, names: string[]): Promise<void> {
  for (const name of names) await request({ method: 'DELETE', url: `${url}/${segment(name)}` });
}

/** Unregisters every repository: what lies in their directories is removed with the directories. */
export async function forgetRepositories(url: string): Promise<void> {
  await request({ method: 'DELETE', url: `${url}/_snapshot/*` });
}

/** Searchable and on disk: only then a copy is at its end, whoever made it. */
export async function flushed(url: string, index: string): Promise<void> {
  await call({ method: 'POST', url: `${url}/${segment(index)}/_refresh` });
  await call({ method: 'POST', url: `${url}/${segment(index)}/_flush?wait_if_ongoing=true` });
}
