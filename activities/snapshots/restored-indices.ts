import { isOwnerOf } from '../../contracts/ids';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';

type SettingsAnswer = Record<string, { settings: Record<string, string> }>;

interface RecoveryAnswer {
  [index: string]: {
    shards: {
      primary: boolean;
      type: string;
      stage: string;
      source: { repository?: string; snapshot?: string };
      index: { size: { total_in_bytes: number; recovered_in_bytes: number } };
    }[];
  };
}

interface Unassigned {
  index: string;
  shard: number;
  why: string;
}

/** Carries the mark: an allocation filter that excludes a node of a name that no node has, so it changes nothing. */
export const markSetting = 'index.routing.allocation.exclude._name';

const markPrefix = 'restored-by-shardlift-';

/**
 * Written on every index in the very request that restores it, so there is no moment at which an index of ours is not
 * known as ours. Recoveries would tell too, but are forgotten when a node restarts. Taken off at the finish. It names the
 * execution, not only the run: what an earlier run of that name restored and kept is not ours to delete.
 */
export function markOf(owner: string): string {
  return markPrefix + owner;
}

/** Whether an index carries the owner's mark; who asks without an owner means any execution of the run. */
export function isMarkOf(mark: unknown, { run, owner }: { run: string; owner?: string }): boolean {
  if (typeof mark !== 'string' || !mark.startsWith(markPrefix)) return false;
  const found = mark.slice(markPrefix.length);
  return owner === undefined ? isOwnerOf(found, run) : found === owner;
}

/** Which of these names exist on the target, and which of them this execution of the run restored. */
export async function whoseIndices(
  target: Cluster,
  owner: string,
  names: string[],
): Promise<{ ours: string[]; foreign: string[] }> {
  const ours: string[] = [];
  const foreign: string[] = [];
  for (const chunk of chunkNames(names)) {
    const answer = await target.request<SettingsAnswer>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_settings/index.creation_date,${markSetting}`,
      query: { ignore_unavailable: true, allow_no_indices: true, expand_wildcards: 'all', flat_settings: true },
      allow: [404],
    });
    if (answer.status === 404) continue;
    for (const [name, { settings }] of Object.entries(answer.body)) {
      // An alias of that name answers with the index behind it, which has another name: the restore would be refused.
      if (settings[markSetting] === markOf(owner)) ours.push(name);
      else foreign.push(name);
    }
  }
  return { ours, foreign };
}

async function readRecoveries(cluster: Cluster, names: string[]): Promise<RecoveryAnswer> {
  const all: RecoveryAnswer = {};
  for (const chunk of chunkNames(names)) {
    const answer = await cluster.request<RecoveryAnswer>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_recovery`,
      query: {
        filter_path:
          '*.shards.primary,*.shards.type,*.shards.stage,*.shards.source.repository,*.shards.source.snapshot,*.shards.index.size',
      },
      allow: [404],
    });
    if (answer.status !== 404) Object.assign(all, answer.body);
  }
  return all;
}

/** Where the primaries of these indices are, and how much of them has been read from the repository. */
export async function readPrimaries(
  cluster: Cluster,
  names: string[],
): Promise<{ started: number; unassigned: number; bytes: { total: number; recovered: number } }> {
  const result = { started: 0, unassigned: 0, bytes: { total: 0, recovered: 0 } };
  for (const shard of await readShards(cluster, names)) {
    if (shard.prirep !== 'p') continue;
    if (shard.state === 'STARTED' || shard.state === 'RELOCATING') result.started += 1;
    if (shard.state === 'UNASSIGNED') result.unassigned += 1;
  }
  for (const { shards } of Object.values(await readRecoveries(cluster, names))) {
    for (const shard of shards) {
      if (!shard.primary || shard.type !== 'SNAPSHOT') continue;
      result.bytes.total += shard.index.size.total_in_bytes;
      result.bytes.recovered += shard.index.size.recovered_in_bytes;
    }
  }
  return result;
}

async function readShards(cluster: Cluster, names: string[]) {
  const shards: { index: string; shard: string; prirep: 'p' | 'r'; state: string }[] = [];
  for (const chunk of chunkNames(names)) {
    const answer = await cluster.request<typeof shards>({
      method: 'GET',
      path: `/_cat/shards/${indexPath(chunk)}`,
      query: { format: 'json', h: 'index,shard,prirep,state' },
      allow: [404],
    });
    if (answer.status !== 404) shards.push(...answer.body);
  }
  return shards;
}

interface ExplainAnswer {
  can_allocate?: string;
  allocate_explanation?: string;
  unassigned_info?: { details?: string; last_allocation_status?: string };
  node_allocation_decisions?: { deciders?: { decider: string; decision: string; explanation: string }[] }[];
}

/** At most so many unassigned shards are asked about: one says why, the rest rarely say something else. */
const mostExplained = 5;

/**
 * Primaries that Elasticsearch has given up restoring: it waits for the index to be deleted, or closed, by us. Shards
 * that merely wait for their turn are not among them.
 */
export async function findFailedPrimaries(cluster: Cluster, names: string[]): Promise<Unassigned[]> {
  if (names.length === 0) return [];
  const failed: Unassigned[] = [];
  const unassigned = (await readShards(cluster, names)).filter(
    (shard) => shard.prirep === 'p' && shard.state === 'UNASSIGNED',
  );
  for (const { index, shard } of unassigned.slice(0, mostExplained)) {
    const answer = await cluster.request<ExplainAnswer>({
      method: 'POST',
      path: '/_cluster/allocation/explain',
      body: { index, shard: Number(shard), primary: true },
      allow: [400, 404],
    });
    if (answer.status !== 200) continue;
    const explanations = (answer.body.node_allocation_decisions ?? []).flatMap(({ deciders = [] }) => deciders);
    const givenUp = explanations.find(
      ({ decider, explanation }) => decider === 'restore_in_progress' && /failed to be restored/.test(explanation),
    );
    // The whole cluster was lost in the midst of a restore, as when one of two masters dies: the cluster came back with the
    // index, but no longer knows that it was being restored. Nothing is in it; a node that held a copy is not waited for,
    // since nobody reads the index yet and the snapshot has it all.
    if (!givenUp && answer.body.can_allocate === 'no_valid_shard_copy') {
      failed.push({
        index,
        shard: Number(shard),
        why: withoutStack(answer.body.allocate_explanation ?? 'no valid shard copy'),
      });
    }
    if (givenUp) {
      failed.push({
        index,
        shard: Number(shard),
        why: withoutStack(`${answer.body.unassigned_info?.details ?? ''}
${givenUp.explanation}`),
      });
    }
  }
  return failed;
}

/** Why the first unassigned shard of these indices has no place, in Elasticsearch's own words; undefined where none says. */
export async function whyUnassigned(cluster: Cluster, names: string[]): Promise<string | undefined> {
  const shard = (await readShards(cluster, names)).find(({ state }) => state === 'UNASSIGNED');
  if (!shard) return undefined;
  const answer = await cluster.request<ExplainAnswer>({
    method: 'POST',
    path: '/_cluster/allocation/explain',
    body: { index: shard.index, shard: Number(shard.shard), primary: shard.prirep === 'p' },
    allow: [400, 404],
  });
  if (answer.status !== 200) return undefined;
  const deciders = (answer.body.node_allocation_decisions ?? []).flatMap((node) => node.deciders ?? []);
  // That a node holds another copy of the shard already is true of some node in any case.
  const reasons = deciders.filter(({ decider, decision }) => decision === 'NO' && decider !== 'same_shard');
  const words = [...new Set(reasons.map(({ explanation }) => explanation))].slice(0, 3).join('; ');
  return `${shard.index}[${shard.shard}]: ${words || withoutStack(answer.body.allocate_explanation ?? 'no reason given')}`;
}

/** Several requests where the names do not fit into one; names are exact, so no wildcard can widen them. */
export async function deleteIndices(cluster: Cluster, names: string[]): Promise<void> {
  for (const chunk of chunkNames(names)) {
    await cluster.request({
      method: 'DELETE',
      path: `/${indexPath(chunk)}`,
      query: { ignore_unavailable: true, expand_wildcards: 'none' },
    });
  }
}

/** Elasticsearch puts whole Java stack traces into its reasons; the causes are what helps, each once. */
function withoutStack(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => !/^\s*(at |\.\.\. \d+ more)/.test(line));
  return [...new Set(lines.map((line) => line.trim()))].join('\n').slice(0, 1500);
}
