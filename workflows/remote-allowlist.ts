import { nodeOfHost } from '../contracts/nodes';
import type { MigrationPlan } from '../contracts/plan';
import { workflowFailure } from './failure-info';
import { allEnded } from './all-settled';
import { allowAllocation, restartNode, type RestartMemory } from './rolling-restart';
import type { RunBoard } from './run-board';

/**
 * Lets the target's nodes fetch from the source, where their hosts are given: the setting in each elasticsearch.yml, a
 * rolling restart of those that run without it, and a look whether all of them have it then.
 */
export async function allowRemote(board: RunBoard, plan: MigrationPlan): Promise<void> {
  const { run, runbook, runner } = board;
  const { remoteAllowlist } = plan;
  const hosts = runbook.hosts.filter(({ role }) => role === 'target');
  if (!remoteAllowlist || hosts.length === 0) return;
  const side = 'target' as const;
  await allEnded(
    hosts.map(({ name }) =>
      runner.run(
        { id: `prepare/target/allowlist/${name}`, phase: 'prepare', title: `${remoteAllowlist.setting} on ${name}` },
        async (step) =>
          step.record(
            await step.activities.setRemoteAllowlist({ run, runbook, step: step.id, host: name, ...remoteAllowlist }),
          ),
      ),
    ),
  );
  // The elected master last, so that the cluster elects a new one once.
  const rank = (host: (typeof hosts)[number]) => (nodeOfHost(host, plan.target.nodes)?.isElectedMaster ? 1 : 0);
  for (const host of [...hosts].sort((a, b) => rank(a) - rank(b))) {
    const memory: RestartMemory = {};
    const id = `prepare/target/restart/${host.name}`;
    await runner.run({ id, phase: 'prepare', title: `restart Elasticsearch on ${host.name}` }, async (step) => {
      const service = await step.activities.readNodeService({ run, runbook, step: step.id, host: host.name });
      if (service.active && service.startedAfterConfigChange && !memory.hold)
        return { changed: false, summary: 'it runs with the setting already', changes: [] };
      return restartNode(step, { run, runbook, side, paths: [] }, host, memory);
    });
    await allowAllocation(
      { runner, run, runbook, side, phase: 'prepare' },
      `prepare/target/allocation/${host.name}`,
      memory,
    );
  }
  await runner.run(
    { id: 'prepare/target/allowlist', phase: 'prepare', title: 'may every node fetch from the source' },
    async (step) => {
      const failed = (await step.activities.checkRemoteAllowed({ run, runbook })).filter(
        ({ state, level }) => state === 'failed' && level === 'mandatory',
      );
      if (failed[0]) {
        throw workflowFailure({
          type: 'PreflightFailed',
          message: `${failed[0].id}: ${failed[0].seen}`,
          where: failed[0].where,
          remedy: failed[0].remedy ?? '',
        });
      }
      return { changed: false, summary: 'every node may', changes: [] };
    },
  );
}
