import type { MigrationRunbook } from '../../contracts/runbook';

/** What the choice of indices looks at. */
export interface Selectable {
  name: string;
  status: 'open' | 'close';
  hidden: boolean;
  isSystem: boolean;
}

export interface Selection<Index> {
  selected: Index[];
  /** Matched by include, left out all the same: name and why. */
  leftOut: { name: string; why: 'system' | 'hidden' | 'closed' }[];
  /** Entries of include that no index matches. */
  unmatched: string[];
}

/**
 * Indices that Elasticsearch, Kibana and their like keep for themselves, for servers that do not mark them (before 7.10, or
 * with the feature's module switched off): moved into another version they break what they belong to.
 */
const internalNames = [
  ...['.security*', '.kibana*', '.tasks', '.async-search*', '.watches', '.watcher-history*', '.triggered_watches*'],
  ...['.ml-*', '.transform-*', '.data-frame-*', '.fleet-*', '.apm-*', '.geoip_databases', '.reporting-*', '.enrich-*'],
  ...['.management-*', '.logstash', '.snapshot-blob-cache', '.slm-history*', '.ilm-history*', '.monitoring-*'],
  ...[
    '.synonyms*',
    '.inference*',
    '.secrets-inference*',
    '.profiling-*',
    '.search-app-*',
    '.query-rules*',
    '.connector*',
  ],
  ...['.internal.alerts*', '.alerts-*', '.siem-signals*', '.lists*', '.items*', '.deprecation-indexing*', '.apm*'],
  ...[
    '.ds-.*',
    '.opendistro*',
    '.opensearch*',
    '.plugins-*',
    '.ql-datasources',
    '.tsvb*',
    '.searchguard',
    '.readonlyrest',
  ],
];

/**
 * The indices to move. As in Elasticsearch, a pattern does not reach names that begin with a dot unless it begins with one
 * itself; a hidden index is taken when asked for (select.hidden) or named in full.
 */
export function selectIndices<Index extends Selectable>(
  select: MigrationRunbook['select'],
  indices: Index[],
): Selection<Index> {
  const includes = select.include.map((pattern) => ({ pattern, matches: matcher(pattern), hit: false }));
  const excludes = select.exclude.map(matcher);
  const internal = internalNames.map(matcher);
  const selection: Selection<Index> = { selected: [], leftOut: [], unmatched: [] };
  for (const index of indices) {
    const { name } = index;
    const hits = includes.filter(({ pattern, matches }) => matches(name) && reachesDot(pattern, name));
    for (const each of hits) each.hit = true;
    if (hits.length === 0 || excludes.some((matches) => matches(name))) continue;
    const isNamed = hits.some(({ pattern }) => !pattern.includes('*'));
    const why = leftOutWhy(index, { isNamed, isInternal: internal.some((matches) => matches(name)) }, select);
    if (why) selection.leftOut.push({ name, why });
    else selection.selected.push(index);
  }
  selection.unmatched = includes.filter(({ hit }) => !hit).map(({ pattern }) => pattern);
  return selection;
}

/** By name alone: what else an index is may still leave it out. */
export function selectsName(select: MigrationRunbook['select']): (name: string) => boolean {
  const includes = select.include.map((pattern) => ({ pattern, matches: matcher(pattern) }));
  const excludes = select.exclude.map(matcher);
  return (name) =>
    includes.some(({ pattern, matches }) => matches(name) && reachesDot(pattern, name)) &&
    !excludes.some((matches) => matches(name));
}

function leftOutWhy(
  index: Selectable,
  { isNamed, isInternal }: { isNamed: boolean; isInternal: boolean },
  select: MigrationRunbook['select'],
): Selection<Selectable>['leftOut'][number]['why'] | undefined {
  if (index.isSystem || isInternal) return 'system';
  if (index.hidden && !select.hidden && !isNamed) return 'hidden';
  if (index.status === 'close' && !select.closed) return 'closed';
  return undefined;
}

function reachesDot(pattern: string, name: string): boolean {
  return !name.startsWith('.') || pattern.startsWith('.');
}

/** `*` stands for any characters; everything else for itself. */
export function matcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  const expression = new RegExp(`^${source}$`, 's');
  return (name) => expression.test(name);
}
