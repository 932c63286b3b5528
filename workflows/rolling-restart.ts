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
    if (memory.hold) await allowAllocation(restart, host, memory);
  }
}

/** A restart that an operator skipped must not leave the cluster without allocation. */
async function allowAllocation(
  { runner, run, runbook, side }: Restart,
  host: RunbookHost,
  memory: RestartMemory,
): Promise<void> {
  await runner.run(
    { id: `prepare/${side}/allocation/${host.name}`, phase: 'prepare', title: `allow allocation on the ${side} again` },
    async ({ id, activities }) => {
      const values = { [allocationSetting]: memory.allocation ?? null };
      const before = { [allocationSetting]: 'primaries' };
      const outcome = await activities.putClusterSettings({ run, runbook, side, step: id, before, values });
      settleHold(memory);
      return { ...outcome, changes: [] };
    },
  );
}

function settleHold(memory: RestartMemory): void {
  for (const change of memory.hold?.changes ?? []) delete change.undo;
  delete memory.hold;
}

/** Kept over an operator's retries: what was there before the first attempt changed it. */
export interface RestartMemory {
  allocation?: string | null;
  node?: NodeFacts;
  nodeCount?: number;
  /** What the cluster was before: a yellow one need not become greener than it was. */
  status?: 'green' | 'yellow';
  /** Allocation is held back until this is settled. */
  hold?: StepOutcome;
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
  memory.status ??= (await activities.waitForHealth({ ...input, nodes: 1, status: 'yellow' })).status;
  memory.allocation ??=
    (await activities.readClusterSettings({ ...input, keys: [allocationSetting] }))[allocationSetting] ?? null;
  const before = { [allocationSetting]: memory.allocation };
  const held = { [allocationSetting]: 'primaries' };
  // Recorded, so that an abort in the middle allows allocation again.
  memory.hold ??= step.record(await activities.putClusterSettings({ ...input, before, values: held }));
  await activities.flushIndices(input);
  const restarted = step.record(await activities.restartNodeService({ run, runbook, step: step.id, host: host.name }));
  await activities.waitForNode({
    ...input,
    node: node.name,
    paths,
    ...(restarted.changed ? { notStartedAtMs: node.startedAtMs } : {}),
  });
  await activities.putClusterSettings({ ...input, before: held, values: before });
  settleHold(memory);
  await activities.waitForHealth({ ...input, nodes: memory.nodeCount ?? 1, status: memory.status });
  return { changed: true, summary: `${node.name} restarted and back`, changes: [] };
}
