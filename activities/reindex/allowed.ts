import type { MigrationRunbook } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';
import type { Cluster } from '../elasticsearch/cluster';
import type { Version } from '../elasticsearch/version';
import { noneOf } from '../planning/checks/make-check';
import { allowlistSettings, isAllowed, remoteAddress } from './remote';

export interface NodeSettings {
  name: string;
  /** Flat: `reindex.remote.whitelist` to a text or a list. */
  settings: Record<string, string | string[] | undefined>;
  modules: string[];
}

interface NodesAnswer {
  nodes: Record<
    string,
    { name: string; settings?: NodeSettings['settings']; modules?: { name: string }[]; plugins?: { name: string }[] }
  >;
}

export async function readNodeSettings(cluster: Cluster): Promise<NodeSettings[]> {
  const { body } = await cluster.request<NodesAnswer>({
    method: 'GET',
    path: '/_nodes/settings,plugins',
    query: { flat_settings: true, filter_path: 'nodes.*.name,nodes.*.settings,nodes.*.modules.name' },
  });
  return Object.values(body.nodes)
    .map(({ name, settings = {}, modules = [] }) => ({ name, settings, modules: modules.map((each) => each.name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Any node may be asked to begin a task, and it is that node which fetches: so every one is looked at. */
export function checkNodes(runbook: MigrationRunbook, version: Version, nodes: readonly NodeSettings[]): Check[] {
  const names = allowlistSettings(version);
  const { entry, isTls, host } = remoteAddress(runbook);
  const file = version.distribution === 'opensearch' ? 'opensearch.yml' : 'elasticsearch.yml';
  const without = nodes.filter(({ modules }) => !modules.includes('reindex')).map(({ name }) => name);
  const refusing = nodes.filter(({ settings }) => !isAllowed(listOf(settings, names), entry)).map(({ name }) => name);
  const subject = { level: 'mandatory' as const, where: `target ${version.distribution} ${version.text}` };
  const checks = [
    noneOf({ ...subject, id: 'reindex.module', wanted: 'nodes that know _reindex' }, without, {
      good: 'every node has the module',
      bad: 'not there',
      remedy: 'set method to copy: these nodes came without the reindex module',
    }),
    noneOf({ ...subject, id: 'reindex.allowlist', wanted: `${entry} in ${names[0]} of every node` }, refusing, {
      good: 'every node may fetch from there',
      bad: 'not allowed on',
      remedy: `put this line into ${file} of each of these nodes, in place of one of that name, and restart them one by one: ${allowlistLine(nodes, names, entry)}`,
    }),
  ];
  const { tls } = runbook.source;
  if (!isTls || (tls?.ca === undefined && tls?.fingerprint === undefined)) return checks;
  const untrusting = nodes
    .filter(({ settings }) => !Object.keys(settings).some((key) => key.startsWith('reindex.ssl.')))
    .map(({ name }) => name);
  const trust = noneOf(
    { ...subject, id: 'reindex.tls', wanted: `nodes that trust the certificate of ${host}` },
    untrusting,
    {
      good: 'every node has reindex.ssl settings',
      bad: 'no reindex.ssl settings on',
      remedy: `put the authority's PEM file below the configuration directory of each node and its path into reindex.ssl.certificate_authorities of ${file}, then restart the nodes one by one; tls of the runbook is for the workers only`,
    },
  );
  return [...checks, trust];
}

function listOf(settings: NodeSettings['settings'], names: readonly string[]): string[] {
  const value = names.map((name) => settings[name]).find((each) => each !== undefined) ?? [];
  return Array.isArray(value) ? value : value.split(',').map((each) => each.trim());
}

/** With what is there already, so that it can take the place of a line that is there. */
function allowlistLine(nodes: readonly NodeSettings[], names: readonly string[], entry: string): string {
  const present = nodes.flatMap(({ settings }) => listOf(settings, names));
  const name = nodes.flatMap(({ settings }) => names.filter((each) => settings[each] !== undefined))[0] ?? names[0];
  return `${name}: ${JSON.stringify([...new Set([...present, entry])]).replaceAll('","', '", "')}`;
}
