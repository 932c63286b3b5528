import type { HostFacts } from '../contracts/host-activities';
import type { RegisteredRepository } from '../contracts/cluster-activities';
import type { MigrationPlan, RepositoryPlan, SharePlan } from '../contracts/plan';
import type { Side } from '../contracts/runbook';
import type { Change } from '../contracts/status';
import { allEnded } from './all-settled';
import { intendSettings } from './cluster-settings';
import { workflowFailure } from './failure-info';
import { allowRemote } from './remote-allowlist';
import { rollNodes } from './rolling-restart';
import type { RunBoard } from './run-board';

/**
 * Makes the way for snapshots: shares on the hosts, path.repo on the nodes, repositories on the clusters, limits raised.
 * Hosts are worked on side by side; nodes restart one by one.
 */
export async function prepare(board: RunBoard, plan: MigrationPlan, facts: HostFacts[]): Promise<void> {
  await allowRemote(board, plan);
  for (const share of plan.shares) await serveShare(board, share, ownerOf(facts));
  await allEnded(
    plan.shares.flatMap((share) => share.clients.map(({ host }) => mountShare(board, share, host, ownerOf(facts)))),
  );
  if (plan.copy) {
    const { host } = plan.copy;
    await step(board, `package/rsync/${host}`, `rsync on ${host}`, (input, activities) =>
      activities.installPackage({ ...input, host, package: 'rsync' }),
    );
  }
  await allEnded((['source', 'target'] as const).map((side) => offerPaths(board, plan, side)));
  // The source's first: the target reads what the source writes.
  for (const repository of plan.repositories) await register(board, repository);
  await raiseLimits(board);
}

interface Owner {
  uid: number;
  gid: number;
}

function ownerOf(facts: HostFacts[]): Owner {
  const user = facts.find((each) => each.elasticsearchUser)?.elasticsearchUser;
  // The preflight has found the user on every node; without hosts nobody asks.
  return { uid: user?.uid ?? 0, gid: user?.gid ?? 0 };
}

type Step = Parameters<Parameters<RunBoard['runner']['run']>[1]>[0];
type Input = { run: string; runbook: RunBoard['runbook']; step: string };

/** A step of the prepare phase that is one activity; its evidence is kept. */
function step<T extends Awaited<ReturnType<Step['activities']['ensureMount']>>>(
  board: RunBoard,
  id: string,
  title: string,
  act: (input: Input, activities: Step['activities']) => Promise<T>,
): Promise<T | undefined> {
  return board.runner.run({ id: `prepare/${id}`, phase: 'prepare', title }, async (context) =>
    context.record(await act({ run: board.run, runbook: board.runbook, step: context.id }, context.activities)),
  );
}

async function serveShare(board: RunBoard, share: SharePlan, owner: Owner): Promise<void> {
  const host = share.server;
  await step(board, `${share.id}/package/${host}`, `NFS server packages on ${host}`, (input, activities) =>
    activities.installPackage({ ...input, host, package: 'nfs-server' }),
  );
  await step(board, `${share.id}/directory/${host}`, `directory ${share.exportPath} on ${host}`, (input, activities) =>
    activities.ensureShareDirectory({ ...input, host, share, owner }),
  );
  await step(board, `${share.id}/export/${host}`, `export ${share.exportPath} on ${host}`, (input, activities) =>
    activities.ensureExport({ ...input, host, share, owner }),
  );
  await step(board, `${share.id}/service/${host}`, `NFS service on ${host}`, (input, activities) =>
    activities.ensureNfsService({ ...input, host }),
  );
  await step(board, `${share.id}/firewall/${host}`, `firewall on ${host}`, (input, activities) =>
    activities.ensureFirewall({ ...input, host, share, owner }),
  );
  if (share.mountPath !== share.exportPath) {
    await step(board, `${share.id}/mount/${host}`, `${share.mountPath} on ${host} itself`, (input, activities) =>
      activities.ensureMount({ ...input, host, share, owner }),
    );
  }
}

async function mountShare(board: RunBoard, share: SharePlan, host: string, owner: Owner): Promise<void> {
  await step(board, `${share.id}/package/${host}`, `NFS client packages on ${host}`, (input, activities) =>
    activities.installPackage({ ...input, host, package: 'nfs-client' }),
  );
  await step(board, `${share.id}/mount/${host}`, `mount ${share.mountPath} on ${host}`, (input, activities) =>
    activities.ensureMount({ ...input, host, share, owner }),
  );
  await step(board, `${share.id}/check/${host}`, `read and write the share from ${host}`, (input, activities) =>
    activities.checkShare({ ...input, host, share, token: `${board.run} ${input.step}` }),
  );
}

/** path.repo on every node of one cluster, then a rolling restart of those that run without it. */
async function offerPaths(board: RunBoard, plan: MigrationPlan, side: Side): Promise<void> {
  const paths = pathsOf(plan, side);
  const hosts = board.runbook.hosts.filter((host) => host.role === side);
  if (paths.length === 0) return;
  await allEnded(
    hosts.map((host) =>
      step(board, `${side}/path-repo/${host.name}`, `path.repo on ${host.name}`, (input, activities) =>
        activities.ensurePathRepo({ ...input, host: host.name, paths }),
      ),
    ),
  );
  const { runner, run, runbook } = board;
  await rollNodes({ runner, run, runbook, side, paths, phase: 'prepare' }, plan[side].nodes);
}

/** The mounts that hold this side's repositories. */
export function pathsOf(plan: MigrationPlan, side: Side): string[] {
  const locations = plan.repositories.filter((each) => each.side === side).map((each) => each.location ?? '');
  return [...new Set(plan.shares.map((share) => share.mountPath))].filter((path) =>
    locations.some((location) => location.startsWith(`${path}/`)),
  );
}

async function register(board: RunBoard, repository: RepositoryPlan): Promise<void> {
  const { side, name } = repository;
  let before: RegisteredRepository | null | undefined;
  await board.runner.run(
    { id: `prepare/${side}/repository`, phase: 'prepare', title: `repository ${name} on the ${side}` },
    async (context) => {
      const input = { run: board.run, runbook: board.runbook, step: context.id };
      // A conflict is told before anything is changed: somebody has made room since, and what is there now counts.
      if (before === undefined || context.previousFailure?.type === 'RepositoryConflict')
        before = await context.activities.readRepository({ ...input, side, repository: name });
      if (repository.register) context.intend(registration(repository, before));
      const registered = await context.activities.registerRepository({ ...input, repository, before });
      // An empty directory has nothing that a read-only repository could be verified by; the first restore shows it.
      if (repository.readonly) return registered;
      const verified = await context.activities.verifyRepository({ ...input, repository });
      return { ...registered, summary: `${registered.summary}; ${verified.summary}` };
    },
  );
}

function registration(
  { side, name }: RepositoryPlan,
  before: RegisteredRepository | null,
): Omit<Change, 'step' | 'at'> {
  return {
    where: `${side} cluster`,
    what: `repository ${name}`,
    before: before ? JSON.stringify(before.settings) : 'not registered',
    after: 'asked to be registered',
    undo: before
      ? {
          kind: 'repositorySettings',
          side,
          repository: name,
          registered: before,
          summary: `settings of ${name} on the ${side} as they were`,
        }
      : {
          kind: 'repository',
          side,
          repository: name,
          summary: `unregister ${name} on the ${side}; its files stay`,
        },
  };
}

const recoverySetting = 'indices.recovery.max_bytes_per_sec';

async function raiseLimits(board: RunBoard): Promise<void> {
  const limit = board.runbook.snapshot?.recoveryMaxBytesPerSec;
  if (limit === undefined) return;
  let before: Record<string, string | null> | undefined;
  await board.runner.run(
    { id: 'prepare/target/limits', phase: 'prepare', title: `${recoverySetting} to ${limit} on the target` },
    async (context) => {
      const input = { run: board.run, runbook: board.runbook, side: 'target' as const };
      before ??= await context.activities.readClusterSettings({ ...input, step: context.id, keys: [recoverySetting] });
      const raised = { ...input, before, values: { [recoverySetting]: limit } };
      intendSettings(context, raised);
      return context.activities.putClusterSettings({ ...raised, step: context.id });
    },
  );
}

/** What was raised is put back as soon as nothing more is restored; an abort does it by the same record. */
export async function putLimitsBack(board: RunBoard): Promise<void> {
  const raised = board.runner.changes.find(
    (change) => change.undo?.kind === 'settings' && recoverySetting in change.undo.before,
  );
  const undo = raised?.undo;
  if (undo?.kind !== 'settings') return;
  await board.runner.run(
    { id: 'move/limits', phase: 'move', title: 'limits of the target as they were' },
    async (context) => {
      const values = undo.before;
      const outcome = await context.activities.putClusterSettings({
        run: board.run,
        runbook: board.runbook,
        step: context.id,
        side: undo.side,
        before: { [recoverySetting]: board.runbook.snapshot?.recoveryMaxBytesPerSec ?? null },
        values,
      });
      delete raised?.undo;
      return outcome;
    },
  );
}

/** Thrown when a plan is needed and none could be made: the preflight's checks say why. */
export function noPlan(reason: string): Error {
  return workflowFailure({
    type: 'PreflightFailed',
    message: 'the preflight did not pass',
    where: 'preflight',
    why: reason,
    remedy:
      'mend what the checks name on the clusters and hosts (shardlift doctor shows them with their remedies), then retry; where the runbook has to change: abort, and start the changed one',
  });
}
