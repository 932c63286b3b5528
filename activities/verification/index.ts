import type { ClusterActivities, VerifyInput, VerifyResult } from '../../contracts/cluster-activities';
import { targetName } from '../../contracts/ids';
import type { ShardPositions } from '../../contracts/document-activities';
import type { CopySettings, ReindexSettings } from '../../contracts/runbook-documents';
import type { Difference, RefusalCause } from '../../contracts/status';
import type { MigrationRunbook } from '../../contracts/runbook';
import { heartbeat, pause } from '../context';
import { askingAgain } from '../elasticsearch/asking-again';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { reporting } from '../elasticsearch/reporting';
import { adaptIndex, shapeOf } from '../metadata/adapt-index';
import { compareIndex } from './compare-index';
import type { IndexState } from './index-state';
import { readWhole } from './read-whole';

/** A result goes through the run's history and into its status: what is over is counted, not listed. */
const mostDifferences = 200;
/** Mappings of so many indices at once stay small enough for one answer. */
const longestNames = 1_500;
/** Above the minute for which Elasticsearch holds the copies of a lost node back (index.unassigned.node_left.delayed_timeout). */
const settleMs = 3 * 60_000;

export function createVerificationActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<ClusterActivities, 'verifyIndices'> {
  return {
    /**
     * Compares indices with their copies: documents by count and by shard, mappings, settings, state and health. May run
     * twice: it only reads, but for refreshes, which change no document; so what may pass is asked again. After a crash it begins again from the start, as
     * a comparison is only worth something if all of it is of one time.
     */
    async verifyIndices(input) {
      return verify(clusters, input);
    },
  };
}

async function verify(
  clusters: Clusters,
  { runbook, indices, refused = [], positions = [] }: VerifyInput,
): Promise<VerifyResult> {
  let done = 0;
  const progress = () => ({ done, total: indices.length, unit: 'indices' });
  const report = () => heartbeat(progress());
  const wait = (detail: string) => heartbeat({ ...progress(), detail });
  const [source, target] = await Promise.all([
    clusters.connect(runbook, 'source').then((cluster) => askingAgain(reporting(cluster, report))),
    clusters.connect(runbook, 'target').then((cluster) => askingAgain(reporting(cluster, report))),
  ]);
  const isFrozenByRun = runbook.freeze !== 'none';
  const shape = runbook.copy ?? runbook.reindex;
  // catch-up numbers what it writes anew, also in an index that was restored
  const isNumberedAnew = shape !== undefined || runbook.catchUp !== undefined;
  const differences: Difference[] = [];
  const adapted = new Map<string, string[]>();
  const behind: string[] = [];
  let documents = 0;
  for (const chunk of chunkNames(
    indices.map(({ name }) => name),
    longestNames,
  )) {
    const called = chunk.map((name) => targetName(runbook, name));
    const targetDataNodes = await waitUntilSettled(target, called);
    const [from, to] = await Promise.all([
      readWhole(source, chunk, shape?.query, wait),
      readWhole(target, called, undefined, wait),
    ]);
    for (const [at, name] of chunk.entries()) {
      const [ofSource, ofTarget] = [from.get(name), to.get(called[at] ?? name)];
      const copied =
        isNumberedAnew && ofSource
          ? {
              refused: sumOf(refused.filter(({ index }) => index === called[at])),
              ...positionsOf(positions, name),
              isReshaped: shape !== undefined && isReshaped(shape),
              isFollowed: runbook.catchUp !== undefined,
              expected: shape ? expectedOf(ofSource, { source, target, runbook }) : ofSource,
            }
          : undefined;
      const findings = compareIndex(ofSource, ofTarget, {
        isFrozenByRun,
        targetDataNodes,
        ...(copied ? { copied } : {}),
      });
      if (findings.isBehind) behind.push(name);
      for (const what of findings.differences) differences.push({ where: `index ${name}`, what });
      for (const reason of findings.adapted) adapted.set(reason, [...(adapted.get(reason) ?? []), name]);
      documents += ofTarget?.documents ?? closedDocuments(ofTarget?.shards);
    }
    done += chunk.length;
    report();
  }
  return {
    changed: false,
    summary: summarize(indices.length, documents, differences),
    changes: [],
    differences: shortened(differences),
    behind,
    adapted: [...adapted].sort().map(([reason, names]) => `${reason} (${named(names)})`),
    indices: indices.length,
    documents,
  };
}

type Shape = CopySettings | ReindexSettings;

interface Settling {
  number_of_data_nodes?: number;
  delayed_unassigned_shards?: number;
  indices?: Record<string, { status: string; number_of_replicas: number }>;
}

/**
 * A node that has just restarted gets its copies back within a while, a few at once (node_concurrent_recoveries): that is
 * waited for, and no difference. Of these indices only: others are being restored meanwhile, and are nobody's business
 * here. Copies for which there are too few nodes would never come. Answers the target's count of data nodes then.
 */
async function waitUntilSettled(target: Cluster, names: string[]): Promise<number> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const { body } = await target.request<Settling>({
      method: 'GET',
      path: `/_cluster/health/${indexPath(names)}`,
      // A missing index would be waited for, 30 s unless told otherwise, and answered with 408: the comparison says so.
      query: { expand_wildcards: 'all', level: 'indices', timeout: '1s' },
      allow: [404, 408],
    });
    // Servers that answer a missing index with 404 say nothing of the nodes: then none is taken to be missing.
    const dataNodes = body.number_of_data_nodes ?? Infinity;
    const onTheirWay = Object.values(body.indices ?? {}).filter(
      // red is not waited for: a restore that failed stays so, and whoever compares is to be told at once
      (index) => index.status === 'yellow' && index.number_of_replicas < dataNodes,
    ).length;
    if ((onTheirWay === 0 && (body.delayed_unassigned_shards ?? 0) === 0) || Date.now() > deadline) return dataNodes;
    await pause(2_000);
  }
}

/** What the copy should have by now: what its creation worked out, from the source as it is today. */
function expectedOf(
  { settings, mapping }: IndexState,
  { source, target, runbook }: { source: Cluster; target: Cluster; runbook: MigrationRunbook },
): Pick<IndexState, 'mapping' | 'settings'> {
  const adapted = adaptIndex(
    { settings, mappings: mapping },
    { from: serverOf(source), target: serverOf(target), shape: shapeOf(runbook) },
  );
  return { settings: adapted.settings, mapping: adapted.body.mappings };
}

function serverOf({ version }: Cluster) {
  return { distribution: version.distribution, version: version.text };
}

/** What makes the documents of a copy other ones. */
function isReshaped({ query, pipeline }: Shape): boolean {
  return query !== undefined || pipeline !== undefined;
}

function positionsOf(all: ShardPositions[], name: string): { positions?: ShardPositions } {
  const positions = all.find(({ index }) => index === name);
  return positions ? { positions } : {};
}

function sumOf(causes: RefusalCause[]): number {
  return causes.reduce((sum, { count }) => sum + count, 0);
}

/** A closed index cannot be searched: its shards' own count is the best there is. */
function closedDocuments(shards: Record<number, { documents: number }> = {}): number {
  return Object.values(shards).reduce((sum, shard) => sum + shard.documents, 0);
}

function summarize(indices: number, documents: number, differences: Difference[]): string {
  const what = `${indices} ${indices === 1 ? 'index' : 'indices'}, ${documents} documents compared`;
  if (differences.length === 0) return `${what}: no difference`;
  const wrong = new Set(differences.map(({ where }) => where)).size;
  return `${what}: ${differences.length} ${differences.length === 1 ? 'difference' : 'differences'} in ${wrong} of them`;
}

function shortened(differences: Difference[]): Difference[] {
  if (differences.length <= mostDifferences) return differences;
  const rest = differences.length - mostDifferences;
  return [...differences.slice(0, mostDifferences), { where: 'verification', what: `${rest} more differences` }];
}

function named(names: string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}
