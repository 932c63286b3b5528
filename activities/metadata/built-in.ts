import type { ClusterMetadataKind } from '../../contracts/metadata';
import { matcher } from '../planning/select-indices';
import type { Json } from './adapt-field';

/**
 * What Elasticsearch, its stack and OpenSearch install by themselves: each cluster has its own version of it. Most say so in
 * `_meta.managed`, or have a name that begins with a dot or holds an @; these are the rest, from servers that did not mark them yet.
 */
const names: Partial<Record<ClusterMetadataKind, string[]>> = {
  'ilm-policy': [
    ...['logs', 'metrics', 'synthetics', 'traces', 'ml-size-based-ilm-policy', 'watch-history-ilm-policy*'],
    ...['ilm-history-ilm-policy', 'slm-history-ilm-policy', 'kibana-event-log-policy', 'kibana-reporting'],
    ...['*-days-default', 'apm-rollover-30-days', 'profiling-60-days', 'behavioral_analytics-events-default_policy'],
  ],
  'component-template': [
    ...['logs-mappings', 'logs-settings', 'metrics-mappings', 'metrics-settings', 'metrics-tsdb-settings'],
    ...[
      'synthetics-mappings',
      'synthetics-settings',
      'data-streams-mappings',
      'ecs@*',
      'profiling-*',
      'elastic-connectors*',
    ],
    ...['behavioral_analytics-events-*', 'apm-*', 'traces-*', 'entities_*', 'agentless*', 'search-acl-filter'],
  ],
  'index-template': [
    ...['logs', 'metrics', 'synthetics', 'ilm-history*', 'profiling-*', 'elastic-connectors*', 'search-acl-filter'],
    ...[
      'behavioral_analytics-events-default',
      'apm-*',
      'traces-apm*',
      'metrics-apm*',
      'logs-apm*',
      'entities_*',
      'agentless*',
    ],
  ],
  'legacy-template': [
    ...['logstash-index-template', 'security-index-template', 'security_audit_log', 'kibana_index_template*'],
    ...['security-index-template*', 'triggered_watches', 'watches', 'watch-history-*', 'ilm-history', 'slm-history'],
  ],
  'ingest-pipeline': [
    ...['xpack_monitoring_*', 'logs-default-pipeline', 'ent-search-generic-ingestion', 'search-default-ingestion'],
    ...['behavioral_analytics-events-final_pipeline', 'apm*', 'traces-apm*', 'metrics-apm*', 'logs-apm*'],
    ...['reindex-data-stream-pipeline', 'agentless*', 'ent_search*'],
  ],
};

const matchers = new Map(
  Object.entries(names).map(([kind, patterns]) => [kind, patterns.map((pattern) => matcher(pattern))]),
);

/** marked: the server itself says so. named: it has a name that Elasticsearch uses, which is told, as somebody may have made his own. */
export function builtIn(kind: ClusterMetadataKind, name: string, body: Json): 'marked' | 'named' | undefined {
  if (kind === 'cluster-setting' || kind === 'stored-script') return undefined;
  const policy = body['policy'] as Json | undefined;
  const meta = (body['_meta'] ?? policy?.['_meta']) as Json | undefined;
  // what belongs to operators is called logs@custom, in their own hand
  const isStack = name.includes('@') && !name.endsWith('@custom');
  if (meta?.['managed'] === true || name.startsWith('.') || isStack) return 'marked';
  return matchers.get(kind)?.some((matches) => matches(name)) ? 'named' : undefined;
}

/** Persistent cluster settings that belong to the cluster which has them, and why. */
const clusterOwn: { setting: RegExp; why: string }[] = [
  { setting: /^archived\./, why: 'the source itself no longer knows it' },
  {
    setting: /^cluster\.routing\.allocation\.(include|exclude|require|awareness)\./,
    why: "it names the source's nodes",
  },
  { setting: /^cluster\.routing\.allocation\.enable$/, why: 'it holds for the moment, and the run itself sets it' },
  { setting: /^indices\.recovery\.max_bytes_per_sec$/, why: "it fits the source's nodes, and the run itself sets it" },
  { setting: /^(cluster|search)\.remote\./, why: 'how the source reaches other clusters' },
  {
    setting: /^(cluster\.initial_master_nodes|discovery\.|cluster\.(auto_shrink_)?voting|node\.|network\.|path\.)/,
    why: 'how the source forms its cluster',
  },
  {
    setting: /^cluster\.(blocks\.|metadata\.|no_master_block|persistent_tasks\.)/,
    why: "it is about the source's own state",
  },
  { setting: /^(logger|transport\.tracer|http\.tracer)\./, why: 'logging of the source' },
  {
    setting: /^(xpack\.(security|notification|http|ssl|monitoring)|opendistro|plugins|reindex)\./,
    why: 'it may hold addresses and secrets: set it on the target by hand',
  },
];

export function whyClusterOwn(setting: string): string | undefined {
  return clusterOwn.find((own) => own.setting.test(setting))?.why;
}
