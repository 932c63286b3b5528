import { formatBytes } from '../../../contracts/bytes';
import type { Check } from '../../../contracts/status';
import { isData, type Reserve, reserveOf } from '../watermarks';
import type { ClusterView, SelectedIndex, TakenIndex } from '../view';
import { nameOf } from './cluster-checks';
import { count, failed, listed, noneOf, notApplicable, passed, type CheckSubject } from './make-check';

/** Whether the target has room: disk, shards, nodes enough for the replicas. What this run restored is there already. */
export function checkRoom(target: ClusterView, selected: SelectedIndex[], taken: TakenIndex[]): Check[] {
  const there = new Set(taken.filter(({ isOurs }) => isOurs).map(({ name }) => name));
  const coming = selected.filter(({ name }) => !there.has(name));
  const dataNodes = target.nodes.filter(isData);
  return [
    ...checkDisk(target, dataNodes, coming),
    checkShards(target, dataNodes, coming),
    checkReplicas(target, dataNodes, selected),
  ];
}

/** Copies of a shard that the target will hold: auto_expand_replicas is counted as the source has it now. */
export function bytesOnTarget({ sizeBytes, replicas }: { sizeBytes: number; replicas: number }): number {
  return sizeBytes * (1 + replicas);
}

function checkDisk(target: ClusterView, nodes: ClusterView['nodes'], coming: SelectedIndex[]): Check[] {
  const needed = coming.reduce((sum, index) => sum + bytesOnTarget(index), 0);
  const free = (watermark: 'low' | 'high'): { bytes: number; largest: number; reserve: Reserve } => {
    const reserve = reserveOf(target.settings, watermark);
    const each = nodes.map((node) => Math.max(0, node.diskFreeBytes - reserve.bytesOf(node.diskTotalBytes)));
    return { bytes: each.reduce((sum, bytes) => sum + bytes, 0), largest: Math.max(0, ...each), reserve };
  };
  const [high, low] = [free('high'), free('low')];
  const where = nameOf(target);
  const space = (of: typeof high, name: string) =>
    `${formatBytes(of.bytes)} free below the ${name} watermark (${of.reserve.text})`;
  const must: CheckSubject = {
    id: 'disk.target',
    level: 'mandatory',
    where,
    wanted: `${formatBytes(needed)}: primaries and replicas of what moves`,
  };
  const should: CheckSubject = { ...must, id: 'disk.target-low', level: 'warning' };
  const remedy =
    'add disk or data nodes, delete what the target does not need, move fewer indices, or take replicas off the large ones';
  // Shards cannot be cut in two: the largest one needs a node that takes it whole.
  const largest = coming
    .map((index) => ({ name: index.name, bytes: index.sizeBytes / Math.max(1, index.primaryShards) }))
    .sort((a, b) => b.bytes - a.bytes)[0];
  const tooLarge = largest !== undefined && largest.bytes > high.largest;
  return [
    needed > high.bytes
      ? failed(must, space(high, 'high'), remedy)
      : tooLarge
        ? failed(
            must,
            `the freest node has ${formatBytes(high.largest)}, a shard of ${largest.name} is ${formatBytes(largest.bytes)}`,
            remedy,
          )
        : passed(must, space(high, 'high')),
    needed > low.bytes
      ? failed(
          should,
          space(low, 'low'),
          `above the low watermark no shard is put on a node any more, so the last restores may wait: ${remedy}`,
        )
      : passed(should, space(low, 'low')),
  ];
}

/** Closed indices count too: a restore opens them first. Before 7.0 the limit only warns, in the server's log. */
function checkShards(target: ClusterView, nodes: ClusterView['nodes'], coming: SelectedIndex[]): Check {
  const perNode = Number(target.settings['cluster.max_shards_per_node'] ?? 1000);
  const limit = perNode * nodes.length;
  const more = coming.reduce((sum, { primaryShards, replicas }) => sum + primaryShards * (1 + replicas), 0);
  const subject: CheckSubject = {
    id: 'shards.limit',
    level: 'mandatory',
    where: nameOf(target),
    wanted: `room for ${count(more, 'shard')} more`,
  };
  const seen = `${target.health.shards} of ${limit} shards in use (cluster.max_shards_per_node ${perNode}, ${count(nodes.length, 'data node')})`;
  return target.health.shards + more > limit
    ? failed(
        subject,
        seen,
        'raise cluster.max_shards_per_node on the target, add data nodes, or move fewer indices; many small shards cost memory on every node',
      )
    : passed(subject, seen);
}

function checkReplicas(target: ClusterView, nodes: ClusterView['nodes'], selected: SelectedIndex[]): Check {
  const subject: CheckSubject = {
    id: 'replicas.fit',
    level: 'warning',
    where: nameOf(target),
    wanted: 'a data node for every copy of a shard',
  };
  if (selected.length === 0) return notApplicable(subject, 'no index is selected');
  return noneOf(
    subject,
    selected
      .filter(
        ({ replicas, settings }) =>
          replicas >= nodes.length && (settings['index.auto_expand_replicas'] ?? 'false') === 'false',
      )
      .map(({ name, replicas }) => `${name} (${count(replicas, 'replica')})`),
    {
      good: count(nodes.length, 'data node'),
      bad: `${count(nodes.length, 'data node')} cannot hold the copies of`,
      remedy:
        'these indices stay yellow, which verification says but does not hold against them: lower their number_of_replicas on the source first, or add data nodes to the target',
    },
  );
}

/** Allocation rules name the source's nodes and attributes: the restore leaves them behind, and somebody may miss them. */
export function checkAllocation(target: ClusterView, selected: SelectedIndex[]): Check {
  const withRules: string[] = [];
  for (const { name, settings } of selected) {
    const rules = Object.keys(settings)
      .filter((key) => key.startsWith(rulePrefix) && !isTierPreference(key))
      .map((key) => `${key.slice(rulePrefix.length)}: ${[settings[key] ?? ''].flat().join(',')}`);
    if (rules.length > 0) withRules.push(`${name} (${listed(rules, 3)})`);
  }
  return noneOf(
    {
      id: 'index.allocation',
      level: 'warning',
      where: nameOf(target),
      wanted: 'no allocation rules of their own (index.routing.allocation.*)',
    },
    withRules,
    {
      good: 'none',
      bad: 'left behind by the restore',
      remedy: 'if the target is to place them by such rules too, set them there after the finish',
    },
  );
}

const rulePrefix = 'index.routing.allocation.';

/** Set by the server itself from 7.10 on. */
function isTierPreference(key: string): boolean {
  return key === `${rulePrefix}include._tier_preference`;
}
