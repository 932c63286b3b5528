import { pause } from '../context';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { isAtLeast } from '../elasticsearch/version';
import type { CatIndex, IlmExplainAnswer, IndexStatsAnswer, MappingsAnswer, SettingsAnswer } from './answers';
import { isMarkOf, markSetting } from '../snapshots/restored-indices';
import { fieldAt, fieldTypesOf, losesSource, type MappedField } from './field-types';
import type { Selectable } from './select-indices';
import { createdVersion } from './versions';
import type { IndexSettings, IndexView, NamesView, SelectedIndex, TakenIndex } from './view';

/** Long enough for a bulk to show, short enough that nobody waits for it. */
const momentMs = 1_000;

/** An answer about every index of a large cluster takes its master a while. */
const wideRequestMs = 120_000;

/** Every index of the source, or of these those that are there. Reads only. */
export async function readIndices(cluster: Cluster, names: NamesView, only?: string[]): Promise<IndexView[]> {
  const paths = only === undefined ? [''] : chunkNames(only).map((chunk) => `/${indexPath(chunk)}`);
  const views = await Promise.all(paths.map((path) => readViews(cluster, names, path)));
  return views.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readViews(cluster: Cluster, names: NamesView, path: string): Promise<IndexView[]> {
  const gone: Record<string, boolean> = path === '' ? {} : { ignore_unavailable: true };
  const [listed, settings, stats] = await Promise.all([
    listIndices(cluster, path),
    get<SettingsAnswer>(cluster, `${path}/_settings`, { ...every, ...gone, flat_settings: true, human: true }),
    readStats(cluster, `${path}/_stats/docs,store,indexing`, gone),
  ]);
  const views: IndexView[] = [];
  for (const { index, uuid, status, health } of listed) {
    const of = settings[index]?.settings;
    if (!of) continue; // deleted between the two answers
    const { docs, store, indexing } = stats.indices?.[index]?.primaries ?? {};
    views.push({
      name: index,
      uuid,
      status,
      hidden: of['index.hidden'] === 'true',
      primaryShards: Number(of['index.number_of_shards'] ?? 1),
      replicas: Number(of['index.number_of_replicas'] ?? 0),
      sizeBytes: store?.size_in_bytes ?? 0,
      documents: docs?.count ?? 0,
      createdVersion: createdVersion(of),
      health: health === 'green' || health === 'yellow' || health === 'red' ? health : '',
      ...(names.indices[index] ?? { isSystem: false }),
      settings: of,
      creationDateMs: creationDate(of),
      operations: (indexing?.index_total ?? 0) + (indexing?.delete_total ?? 0),
    });
  }
  return views;
}

/** What only the selected indices are asked for: mappings, documents without nested ones, writes in a moment, lifecycle. */
export async function readSelected(
  cluster: Cluster,
  indices: IndexView[],
  { watchWrites, field }: { watchWrites: boolean; field?: string },
): Promise<SelectedIndex[]> {
  const open = indices.filter(({ status }) => status === 'open').map(({ name }) => name);
  const since = Date.now();
  const types = new Map<string, string[]>();
  const sourceless = new Set<string>();
  const fields = new Map<string, MappedField>();
  const lifecycle = new Map<string, number>();
  for (const chunk of chunkNames(indices.map(({ name }) => name))) {
    const mappings = await get<MappingsAnswer>(cluster, `/${indexPath(chunk)}/_mapping`, lenient);
    for (const [name, { mappings: mapping }] of Object.entries(mappings)) {
      types.set(name, fieldTypesOf(mapping));
      if (losesSource(mapping)) sourceless.add(name);
      const found = field === undefined ? undefined : fieldAt(mapping, field);
      if (found) fields.set(name, found);
    }
  }
  const managed = indices.filter(({ settings }) => settings['index.lifecycle.name'] !== undefined);
  for (const chunk of chunkNames(managed.map(({ name }) => name))) {
    const { status, body } = await cluster.request<IlmExplainAnswer>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_ilm/explain`,
      query: { filter_path: 'indices.*.lifecycle_date_millis' },
      allow: [400, 403, 404, 405],
    });
    if (status >= 300) continue;
    for (const [name, { lifecycle_date_millis: at }] of Object.entries(body.indices ?? {})) {
      if (at !== undefined) lifecycle.set(name, at);
    }
  }
  const counts = await countNested(
    cluster,
    open.filter((name) => types.get(name)?.includes('nested')),
  );
  const later = watchWrites && open.length > 0 ? await readLater(cluster, since) : {};
  return indices.map((index) => {
    const { indexing } = later.indices?.[index.name]?.primaries ?? {};
    const operations = (indexing?.index_total ?? 0) + (indexing?.delete_total ?? 0);
    const at = lifecycle.get(index.name);
    const catchUpField = fields.get(index.name);
    return {
      ...index,
      documents: counts.get(index.name) ?? index.documents,
      fieldTypes: types.get(index.name) ?? [],
      hasSource: !sourceless.has(index.name),
      ...(catchUpField ? { catchUpField } : {}),
      // a shard that moved or restarted begins again at 0: that is no sign of writes
      operationsInAMoment: Math.max(0, operations - index.operations),
      ...(at === undefined ? {} : { lifecycleDateMs: at }),
    };
  });
}

async function readLater(cluster: Cluster, since: number): Promise<IndexStatsAnswer> {
  await pause(Math.max(0, momentMs - (Date.now() - since)));
  return readStats(cluster, '/_stats/indexing');
}

/** Index statistics count each nested object as a document; people, and `_count`, do not. */
async function countNested(cluster: Cluster, names: string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const { status, body } = await cluster.request<{ count: number }>({
      method: 'GET',
      path: `/${indexPath([name])}/_count`,
      allow: [400, 403, 404, 503],
    });
    if (status < 300) counts.set(name, body.count);
  }
  return counts;
}

/** Only what the choice of indices looks at: no statistics, one setting. Reads only. */
export async function readSelectable(cluster: Cluster, names: NamesView): Promise<(Selectable & { uuid: string })[]> {
  const listed = await listIndices(cluster);
  // answers with those alone that have the setting; 5.x does not know flat_settings where names are given
  const path =
    cluster.version.major < 6 && cluster.version.distribution === 'elasticsearch'
      ? '/_settings'
      : '/_settings/index.hidden';
  const hidden = await get<SettingsAnswer>(cluster, path, { ...every, flat_settings: true });
  return listed
    .map(({ index, uuid, status }) => ({
      name: index,
      uuid,
      status,
      hidden: hidden[index]?.settings?.['index.hidden'] === 'true',
      isSystem: names.indices[index]?.isSystem ?? false,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Indices of the target that have one of these names, and whether this run made them; see isMarkOf. */
export async function readTaken(
  cluster: Cluster,
  run: { run: string; owner?: string },
  names: string[],
): Promise<TakenIndex[]> {
  const taken: TakenIndex[] = [];
  for (const chunk of chunkNames(names)) {
    const query = { ...lenient, flat_settings: true };
    const settings = await get<SettingsAnswer>(cluster, `/${indexPath(chunk)}/_settings`, query);
    for (const [name, { settings: of = {} }] of Object.entries(settings)) {
      taken.push({ name, creationDateMs: creationDate(of), isOurs: isMarkOf(of[markSetting], run) });
    }
  }
  return taken;
}

const every = { expand_wildcards: 'all' };
/** An index that was deleted meanwhile is left out of the answer, which the caller sees. */
const lenient = { ignore_unavailable: true, ...every };

async function get<T>(cluster: Cluster, path: string, query: Record<string, string | boolean>): Promise<T> {
  return (await cluster.request<T>({ method: 'GET', path, query, timeoutMs: wideRequestMs })).body;
}

/** @param names to ask for, as a path; one of them that is gone leaves them all out: they are read again. */
async function listIndices(cluster: Cluster, names = ''): Promise<CatIndex[]> {
  const query = { format: 'json', h: 'index,uuid,status,health' };
  const path = `/_cat/indices${names}`;
  const list = (parameters: Record<string, string>, allow: number[]) =>
    cluster.request<CatIndex[]>({ method: 'GET', path, query: parameters, allow, timeoutMs: wideRequestMs });
  const absent = names === '' ? [] : [404];
  // the parameter came with hidden indices in 7.7
  let { status, body } = await list({ ...query, ...every }, [400, ...absent]);
  if (status === 400) ({ status, body } = await list(query, absent));
  return status < 300 ? body : [];
}

/** Closed indices have statistics from 7.2 on, where their shards stay allocated. */
async function readStats(
  cluster: Cluster,
  path: string,
  gone: Record<string, boolean> = {},
): Promise<IndexStatsAnswer> {
  const withClosed = isAtLeast(cluster.version, '7.2.0') || cluster.version.distribution === 'opensearch';
  return get<IndexStatsAnswer>(cluster, path, {
    ...(withClosed ? { ...every, forbid_closed_indices: false } : {}),
    ...gone,
    level: 'indices',
    filter_path: 'indices.*.primaries',
  });
}

function creationDate(settings: IndexSettings): number {
  return Number(settings['index.creation_date'] ?? 0);
}
