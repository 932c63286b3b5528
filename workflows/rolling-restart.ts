import { nodeOfHost } from '../contracts/nodes';
import type { MigrationRunbook, RunbookHost, Side } from '../contracts/runbook';
import type { NodeFacts } from '../contracts/plan';
import type { StepOutcome } from '../contracts/host-activities';
import { workflowFailure } from './failure-info';
import type { StepContext, StepRunner } from './step-runner';

const allocationSetting = 'cluster.routing.allocation.enable';

interface Restart {
  runner: StepRunner;
  run: string;
  runbook: MigrationRunbook;
  side: Side;
  /** What path.repo must hold afterwards. */
  paths: string[];
}

/**
 * Restarts, one after the other, the nodes that run without the wanted path.repo. The elected master goes last, so that
 * the cluster elects a new one once, not with each node.
 */
export async function rollNodes(restart: Restart, nodes: NodeFacts[]): Promise<void> {
  const { runbook, side, paths, runner } = restart;
  const hosts = runbook.hosts.filter((host) => host.role === side);
  const rank = (host: RunbookHost) => (nodeOfHost(host, nodes)?.isElectedMaster ? 1 : 0);
  for (const host of [...hosts].sort((a, b) => rank(a) - rank(b))) {
    const known = nodeOfHost(host, nodes);
    if (known && paths.every((path) => known.pathRepo.includes(path))) continue;
    const memory: RestartMemory = {};
    await runner.run(
      { id: `prepare/${side}/restart/${host.name}`, phase: 'prepare', title: `restart Elasticsearch on ${host.name}` },
      (step) => restartNode(step, restart, host, memory),
    );
  }
}

/** Kept over an operator's retries: what was there before the first attempt changed it. */
export interface RestartMemory {
  allocation?: string | null;
  node?: NodeFacts;
  nodeCount?: number;
}

/**
 * One node: hold back allocation, flush, restart, wait for the node, allow allocation, wait for the health. Only if the
 * running node does not have the paths; a restart that an earlier attempt has begun is waited for, not repeated.
 */
export async function restartNode(
  step: StepContext,
  { run, runbook, side, paths }: Omit<Restart, 'runner'>,
  host: RunbookHost,
  memory: RestartMemory,
): Promise<StepOutcome> {
  const { activities } = step;
  const input = { run, runbook, side, step: step.id };
  if (!memory.node) {
    const nodes = await activities.readNodes({ run, runbook, side });
    memory.node = nodeOfHost(host, nodes);
    memory.nodeCount = nodes.length;
  }
  const { node } = memory;
  if (!node) {
    throw workflowFailure({
      type: 'NodeUnknown',
      message: `no node of the ${side} cluster is known to run on ${host.name}`,
      where: `${side} cluster, host ${host.name}`,
      remedy: `start Elasticsearch there if it is down; if its addresses differ from ${host.address}, give the host's node name in the runbook; then retry`,
    });
  }
  memory.allocation ??=
    (await activities.readClusterSettings({ ...input, keys: [allocationSetting] }))[allocationSetting] ?? null;
  const before = { [allocationSetting]: memory.allocation };
  const held = { [allocationSetting]: 'primaries' };
  // Recorded, so that an abort in the middle allows allocation again.
  const hold = step.record(await activities.putClusterSettings({ ...input, before, values: held }));
  await activities.flushIndices(input);
  const restarted = step.record(await activities.restartNodeService({ run, runbook, step: step.id, host: host.name }));
  await activities.waitForNode({
    ...input,
    node: node.name,
    paths,
    ...(restarted.changed ? { notStartedAtMs: node.startedAtMs } : {}),
  });
  await activities.putClusterSettings({ ...input, before: held, values: before });
  for (const change of hold.changes) delete change.undo;
  await activities.waitForHealth({ ...input, nodes: memory.nodeCount ?? 1, status: 'green' });
  return { changed: true, summary: `${node.name} restarted and back`, changes: [] };
}
