import type { SharedPair } from '../e2e/global-setup';
import { runbookOf } from './fixtures';

/** The pair that the whole project shares; each test keeps to index and repository names of its own. */
export function sharedPair(): SharedPair {
  const text = process.env['SHARDLIFT_TEST_PAIR'];
  if (!text)
    throw new Error('no pair: run these tests through jest --selectProjects e2e, whose global set-up starts one');
  return JSON.parse(text) as SharedPair;
}

/** A runbook on the shared pair, its repository in a directory of the run's own. */
export function pairRunbook(name: string, over: Record<string, unknown> = {}) {
  const pair = sharedPair();
  return runbookOf(name, {
    source: { urls: [pair.source] },
    target: { urls: [pair.target] },
    select: { include: [`${name}-*`] },
    snapshot: { repository: { existing: { location: `${pair.repositoryDir}/${name}` } } },
    ...over,
  });
}

/** A request to a cluster that takes no way through the product. */
export async function http<T = Record<string, unknown>>(
  url: string,
  method = 'GET',
  body?: unknown,
): Promise<{ status: number; body: T }> {
  const isText = typeof body === 'string';
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : {
          headers: { 'content-type': isText ? 'application/x-ndjson' : 'application/json' },
          body: isText ? body : JSON.stringify(body),
        }),
  });
  const text = await response.text();
  return { status: response.status, body: (text ? JSON.parse(text) : undefined) as T };
}

/** Makes an index with so many documents, refreshed. */
export async function makeIndex(
  url: string,
  name: string,
  documents: number,
  settings: Record<string, unknown> = {},
): Promise<void> {
  const path = `${url}/${encodeURIComponent(name)}`;
  const made = await http(path, 'PUT', { settings: { number_of_shards: 1, number_of_replicas: 0, ...settings } });
  if (made.status !== 200) throw new Error(JSON.stringify(made.body));
  const lines = Array.from(
    { length: documents },
    (_, id) =>
      `{"index":{"_id":"${id}"}}\n{"n":${id},"text":"document ${id} of ${JSON.stringify(name).slice(1, -1)}"}\n`,
  );
  if (documents > 0) await http(`${path}/_bulk?refresh=true`, 'POST', lines.join(''));
}

export async function countOf(url: string, name: string): Promise<number> {
  return (await http<{ count: number }>(`${url}/${encodeURIComponent(name)}/_count`)).body.count;
}
