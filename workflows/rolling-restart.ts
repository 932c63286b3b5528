import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { nodeOfHost } from '../contracts/nodes';
import type { MigrationRunbook, RunbookHost, Side } from '../contracts/runbook';
import type { NodeFacts } from '../contracts/plan';
import type { StepOutcome } from '../contracts/host-activities';
import type { Change, Phase } from '../contracts/status';
import { intendSettings } from './cluster-settings';
import { workflowFailure } from './failure-info';
import type { StepContext, StepRunner } from './step-runner';

const allocationSetting = 'cluster.routing.allocation.enable';
/** While a node restarts its shards are not to be copied elsewhere; new primaries are still given a place. */
const held = { [allocationSetting]: 'primaries' };

interface Restart {
  runner: StepRunner;
  run: string;
  runbook: MigrationRunbook;
  side: Side;
  phase: Phase;
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
    await allowAllocation(restart, `prepare/${side}/allocation/${host.name}`, memory);
  }
}

/** A restart that an operator skipped must not leave the cluster without allocation. Does nothing where it is allowed. */
export async function allowAllocation(
  { runner, run, runbook, side, phase }: Omit<Restart, 'paths'>,
  id: string,
  memory: RestartMemory,
): Promise<void> {
  if (!memory.hold) return;
  await runner.run({ id, phase, title: `allow allocation on the ${side} again` }, async ({ activities }) => {
    const values = { [allocationSetting]: memory.allocation ?? null };
    const outcome = await activities.putClusterSettings({ run, runbook, side, step: id, before: held, values });
    settleHold(memory);
    return outcome;
  });
}

function settleHold(memory: RestartMemory): void {
  delete memory.hold?.undo;
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
  hold?: Change;
}

/**
 * One node: hold back allocation, flush, restart, wait for the node, allow allocation, wait for the health. Only if the
 * running node does not have the paths; a restart that an earlier attempt has begun is waited for, not repeated.
 */
export async function restartNode(
  step: StepContext,
  { run, runbook, side, paths }: Omit<Restart, 'runner' | 'phase'>,
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
  // Once only: a second attempt would read our own hold. Unset is null, and is remembered too.
  if (memory.allocation === undefined) {
    const settings = await activities.readClusterSettings({ ...input, keys: [allocationSetting] });
    memory.allocation = settings[allocationSetting] ?? null;
  }
  const before = { [allocationSetting]: memory.allocation };
  // Undone by an abort in the middle; on an operator's retry it is asked for again, as it may never have been set.
  const hold = { run, runbook, side, before, values: held };
  memory.hold = intendSettings(step, hold);
  await activities.putClusterSettings({ ...hold, step: step.id });
  await activities.flushIndices(input);
  const restarted = step.record(await activities.restartNodeService({ run, runbook, step: step.id, host: host.name }));
  await untilBack(step, { run, runbook, side }, host, () =>
    activities.waitForNode({
      ...input,
      node: node.name,
      paths,
      ...(restarted.changed ? { notStartedAtMs: node.startedAtMs } : {}),
    }),
  );
  await activities.putClusterSettings({ ...input, before: held, values: before });
  settleHold(memory);
  await activities.waitForHealth({ ...input, nodes: memory.nodeCount ?? 1, status: memory.status });
  return { changed: true, summary: `${node.name} restarted and back`, changes: [] };
}

type Service = Pick<Restart, 'run' | 'runbook' | 'side'>;

/** Waits for the node, but not for one whose service has failed: that does not come back by itself. */
async function untilBack(
  step: StepContext,
  service: Service,
  host: RunbookHost,
  isBack: () => Promise<StepOutcome>,
): Promise<void> {
  const scope = new CancellationScope();
  await scope.run(async () => {
    try {
      await Promise.race([isBack(), untilFailed(step, service, host)]);
    } finally {
      // Whichever is still under way only looks: nobody needs to wait for its end.
      scope.cancel();
    }
  });
}

/** A wrong setting shows within seconds, a node of many shards takes minutes: each look is some events of the history. */
const firstLookMs = 10_000;
const longestPauseMs = 60_000;
/** A restart may pass through "failed" on its way, where the old process ended badly. */
const secondLookMs = 3_000;

/** Ends only by a failure, in the words of the service's journal, or when it is cancelled. */
async function untilFailed(
  { id, activities }: StepContext,
  { run, runbook, side }: Service,
  host: RunbookHost,
): Promise<never> {
  const look = async () => {
    try {
      return await activities.readNodeService({ run, runbook, step: id, host: host.name });
    } catch (error) {
      if (isCancellation(error)) throw error;
      // A host that cannot be asked tells nothing of its service; the cluster is asked for the node all the same.
      return undefined;
    }
  };
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(Math.round(pauseMs * 1.5), longestPauseMs)) {
    await sleep(pauseMs);
    if ((await look())?.activeState !== 'failed') continue;
    await sleep(secondLookMs);
    const seen = await look();
    if (seen?.activeState !== 'failed') continue;
    throw workflowFailure({
      type: 'NodeDidNotReturn',
      message: `Elasticsearch does not start on ${host.name}: ${host.service} has failed`,
      where: `${side} cluster, host ${host.name}`,
      ...(seen.journal ? { why: seen.journal } : {}),
      remedy: `mend on ${host.name} what its journal names (journalctl -u ${host.service}; the node's own log says more), then retry, which starts it again; abort puts the old elasticsearch.yml back`,
    });
  }
}
