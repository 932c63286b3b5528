import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { KnownIndex } from '../../contracts/cluster-activities';
import type { StepDecision } from '../../contracts/decisions';
import { ownerOf } from '../../contracts/ids';
import { queries, updates, workflowTypes } from '../../contracts/messages';
import type { MigrationPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { RunStatus } from '../../contracts/status';
import { nodeOf, planOf, runbookOf, siteRunbookOf } from '../support/fixtures';
import { recordedActivities, stuckBecause } from '../support/recorded-activities';
import { startEnvironment, type Environment } from '../support/temporal-environment';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(120_000);

let environment: Environment;
let runs = 0;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);
afterAll(async () => environment?.stop());

const why = { by: 'kim', reason: 'test' };

interface Started {
  handle: WorkflowHandleWithFirstExecutionRunId<(input: unknown) => Promise<RunStatus>>;
  calls: string[];
  status(): Promise<RunStatus>;
  reach(isReached: (status: RunStatus) => boolean): Promise<RunStatus>;
  decide(verb: keyof typeof updates, over?: Partial<StepDecision> & { gate?: string }): Promise<unknown>;
}

async function migrate<T>(
  plan: MigrationPlan,
  over: Parameters<typeof recordedActivities>[1],
  test: (run: Started) => Promise<T>,
  makeRunbook: (name: string) => MigrationRunbook = (name) => runbookOf(name),
): Promise<T> {
  const { activities, calls } = recordedActivities(plan, over);
  return environment.withWorker(activities, async (taskQueue) => {
    const runbook = makeRunbook(`run-${(runs += 1)}`);
    const handle = await environment.client.workflow.start<(input: unknown) => Promise<RunStatus>>(
      workflowTypes.migration,
      {
        workflowId: runbook.name,
        taskQueue,
        args: [{ runbook }],
      },
    );
    const status = () => handle.query<RunStatus>(queries.status);
    return test({
      handle,
      calls,
      status,
      reach: (isReached) => waitUntil(status, isReached, { what: 'the state' }),
      decide: (verb, rest = {}) => handle.executeUpdate(updates[verb], { args: [{ ...why, ...rest }] }),
    });
  });
}

const fails = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw error;
  return error.cause?.message ?? '';
};

test('moves every batch through its stages, then aliases, then marks and snapshots', async () => {
  await migrate(planOf(2), {}, async ({ handle, calls }) => {
    const status = await handle.result();
    expect(status.state).toBe('completed');
    expect(status.batches.map((batch) => batch.steps.map((step) => step.id))).toEqual(
      ['batch-0001', 'batch-0002'].map((batch) =>
        ['snapshot', 'restore', 'finalize', 'verify'].map((stage) => `${batch}/${stage}`),
      ),
    );
    expect(status.totals).toMatchObject({ indices: 2, indicesDone: 2, documents: 2000, documentsDone: 2000 });
    const own = calls.filter((call) => !call.includes('batch-'));
    // Both are asked at once.
    expect(own.splice(0, 2).sort()).toEqual(['inspectClusters', 'inspectHosts']);
    expect(own).toEqual([
      'planMigration',
      'readRepository prepare/source/repository',
      'registerRepository prepare/source/repository',
      'verifyRepository prepare/source/repository',
      'readRepository prepare/target/repository',
      'registerRepository prepare/target/repository',
      'verifyIndices verify/all',
      'verifyIndices verify/all',
      'readSelection verify/all',
      'applyAliases cutover/aliases',
      'readSelection finish/selection',
      'unmarkIndices finish/marks',
      'deleteSnapshot finish/snapshots',
      'deleteSnapshot finish/snapshots',
    ]);
  });
});

test('overlaps batches: the second is snapshotted while the first restores, and no two large snapshots run at once', async () => {
  let snapshots = 0;
  let restores = 0;
  let most = 0;
  let overlapped = false;
  const over = {
    takeSnapshot: async () => {
      most = Math.max(most, (snapshots += 1));
      overlapped ||= restores > 0;
      await new Promise((resolve) => setTimeout(resolve, 300));
      snapshots -= 1;
      return { changed: true, summary: '', changes: [], state: 'SUCCESS' as const, failures: [], bytes: 1, files: 1 };
    },
    restoreIndices: async () => {
      restores += 1;
      await new Promise((resolve) => setTimeout(resolve, 600));
      restores -= 1;
      return { changed: true, summary: '', changes: [], bytes: 1 };
    },
  };
  await migrate(planOf(4), over, async ({ handle }) => {
    expect((await handle.result()).state).toBe('completed');
    expect(most).toBe(1);
    expect(overlapped).toBe(true);
  });
});

test('a stuck batch holds up nothing else; retry goes on with it', async () => {
  let isMended = false;
  const restored = { changed: true, summary: '', changes: [], bytes: 1 };
  const over = {
    restoreIndices: async ({ step }: { step: string }) => {
      if (step === 'batch-0001/restore' && !isMended) throw stuckBecause({ type: 'RestoreFailed', message: 'no room' });
      return restored;
    },
  };
  await migrate(planOf(3), over, async ({ handle, reach, decide }) => {
    const stuck = await reach((status) => status.state === 'stuck' && status.totals.indicesDone === 2);
    expect(stuck.now).toBe('stuck at batch-0001/restore: no room');
    expect(await fails(decide('retry', { step: 'batch-0002/restore' }))).toBe(
      'the step batch-0002/restore is not stuck, it is done',
    );
    expect(await fails(decide('skip', { step: 'batch-0001/finalize' }))).toBe('there is no step batch-0001/finalize');
    isMended = true;
    await decide('retry', { step: 'batch-0001/restore' });
    const status = await handle.result();
    expect(status.state).toBe('completed');
    expect(status.batches[0]?.steps.find((step) => step.id === 'batch-0001/restore')?.attempt).toBe(2);
    expect(status.decisions).toEqual([
      expect.objectContaining({ verb: 'retry', by: 'kim', subject: 'batch-0001/restore' }),
    ]);
  });
});

test('a skipped step makes the end "completed with differences", with who and why', async () => {
  const over = {
    verifyIndices: async ({ step }: { step: string }) => ({
      changed: false,
      summary: '',
      changes: [],
      differences: step.includes('batch') ? [{ where: 'index-1', what: '3 documents less' }] : [],
      adapted: [],
      behind: [],
      indices: 1,
      documents: 1,
    }),
  };
  await migrate(planOf(1), over, async ({ handle, reach, decide }) => {
    const stuck = await reach((status) => status.state === 'stuck');
    const failure = stuck.batches[0]?.steps.find((step) => step.state === 'stuck')?.failure;
    expect(failure).toMatchObject({ type: 'VerificationFailed', where: 'index-1', why: 'index-1: 3 documents less' });
    await decide('skip', { step: 'batch-0001/verify', reason: 'known' });
    const status = await handle.result();
    expect(status.state).toBe('completed with differences');
    expect(status.differences).toEqual([
      { where: 'batch-0001/verify', what: 'skipped by kim: known; it had failed: source and target differ in 1 place' },
    ]);
  });
});

/** A comparison that finds index-1 unlike, so often; `isBehind` where a new snapshot would mend it. */
const differing = (times: number, isBehind: boolean) => {
  let comparisons = 0;
  return {
    verifyIndices: async () => {
      comparisons += 1;
      return {
        changed: false,
        summary: '',
        changes: [],
        differences: comparisons <= times ? [{ where: 'index index-1', what: 'later writes' }] : [],
        adapted: [],
        behind: isBehind ? ['index-1'] : [],
        indices: 1,
        documents: 1,
      };
    },
  };
};

test('a retry after differences takes the batch again; what was restored goes once the new snapshot is there', async () => {
  // Compared by the step, by its retry, and once more before anything is deleted.
  await migrate(planOf(1), differing(3, true), async ({ handle, reach, decide, calls }) => {
    await reach((status) => status.state === 'stuck');
    await decide('retry');
    const status = await handle.result();
    expect(status.state).toBe('completed');
    expect(status.batches[0]?.snapshots).toHaveLength(2);
    const retaken = calls.filter((call) => /^(take|delete).*batch-0001\/verify/.test(call));
    expect(retaken).toEqual([
      'takeSnapshot batch-0001/verify',
      'deleteRestoredIndices batch-0001/verify',
      'deleteSnapshot batch-0001/verify',
    ]);
  });
});

test('a retry deletes nothing where the source has lost an index or the target was written to', async () => {
  await migrate(planOf(1), differing(2, false), async ({ handle, reach, decide, calls }) => {
    const first = await reach((status) => status.state === 'stuck');
    expect(first.batches[0]?.steps.at(-1)?.failure?.remedy).toContain('could delete the only copy');
    await decide('retry');
    await reach((status) => status.state === 'stuck' && status.batches[0]?.steps.at(-1)?.attempt === 2);
    expect(calls.filter((call) => call.startsWith('delete'))).toEqual([]);
    await decide('retry');
    expect((await handle.result()).state).toBe('completed');
  });
});

test('a retry of a comparison that was never made only compares', async () => {
  let isAway = true;
  const { verifyIndices } = differing(1, true);
  const over = {
    verifyIndices: async () => {
      if (isAway) throw stuckBecause({ type: 'ClusterUnreachable', message: 'the source is away' });
      return verifyIndices();
    },
  };
  await migrate(planOf(1), over, async ({ handle, reach, decide, calls }) => {
    await reach((status) => status.state === 'stuck');
    isAway = false;
    await decide('retry');
    await reach((status) => status.state === 'stuck' && status.batches[0]?.steps.at(-1)?.attempt === 2);
    expect(calls.filter((call) => call.startsWith('delete'))).toEqual([]);
    await decide('retry');
    expect((await handle.result()).state).toBe('completed');
  });
});

test('a skip of another step leaves no batch out of the comparison; what is accepted is not asked about again', async () => {
  const over = {
    finalizeIndices: async () => Promise.reject(stuckBecause({ message: 'no node for the replicas' })),
    verifyIndices: async ({ step }: { step: string }) => {
      const late = { where: 'index index-1', what: `seen ${step.startsWith('batch') ? 'by the batch' : 'later'}` };
      const known = { where: 'index index-1', what: 'known' };
      return {
        changed: false,
        summary: '',
        changes: [],
        differences: [known, late],
        adapted: [],
        behind: [],
        indices: 1,
        documents: 1,
      };
    },
  };
  await migrate(planOf(1), over, async ({ handle, reach, decide }) => {
    await reach((status) => status.state === 'stuck');
    await decide('skip', { step: 'batch-0001/finalize' });
    await reach((status) => /verify/.test(status.batches[0]?.steps.find(({ state }) => state === 'stuck')?.id ?? ''));
    await decide('skip', { step: 'batch-0001/verify' });
    const stuck = await reach((status) => status.steps.some((step) => step.state === 'stuck'));
    expect(stuck.steps.at(-1)?.failure?.why).toBe('index index-1: seen later');
    await decide('skip', { step: 'verify/all' });
    expect((await handle.result()).state).toBe('completed with differences');
  });
});

test('an index that came after the plan is a difference; aliases go on as the source has them now', async () => {
  const alias = { add: { index: 'index-1', alias: 'now' } };
  const given: unknown[] = [];
  const over = {
    readSelection: async () => ({
      unplanned: ['logs-tomorrow'],
      createdAgain: [],
      aliases: [alias, { add: { index: 'gone', alias: 'b' } }],
    }),
    applyAliases: async ({ actions }: { actions: unknown }) => {
      given.push(actions);
      return { changed: true, summary: '', changes: [] };
    },
  };
  await migrate(planOf(1), over, async ({ handle, reach, decide }) => {
    const stuck = await reach((status) => status.state === 'stuck');
    expect(stuck.steps.at(-1)?.failure?.why).toContain('index logs-tomorrow: came to the source after the plan');
    await decide('skip', { step: 'verify/all' });
    const { differences } = await handle.result();
    expect(given).toEqual([[alias]]);
    expect(differences.map(({ where }) => where)).toEqual(['verify/all', 'alias b']);
  });
});

test('what comes to the source after the comparison, or is made anew there, is told at the finish', async () => {
  let isCompared = false;
  const asked: KnownIndex[][] = [];
  const over = {
    // made anew before it was moved, and then moved: that is none
    readSelection: async ({ planned }: { planned: KnownIndex[] }) => {
      asked.push(planned);
      const earlier = { unplanned: [], createdAgain: [{ name: 'index-1', uuid: 'second' }], aliases: [] };
      if (!isCompared) return earlier;
      return { unplanned: ['logs-tomorrow'], createdAgain: [{ name: 'index-2', uuid: 'third' }], aliases: [] };
    },
  };
  const gates = (name: string) => runbookOf(name, { gates: ['finish'] });
  await migrate(
    planOf(2),
    over,
    async ({ handle, reach, decide }) => {
      await reach((status) => status.gates[0]?.state === 'open');
      isCompared = true;
      await decide('approve', { gate: 'finish' });
      const { state, differences } = await handle.result();
      expect([state, differences.map(({ where, what }) => [where, what.slice(0, 40)])]).toEqual([
        'completed with differences',
        [
          ['index logs-tomorrow', 'it came to the source after both sides w'],
          ['index index-2', 'it was deleted on the source, and create'],
        ],
      ]);
      expect(asked.at(-1)?.map(({ uuid }) => uuid)).toEqual(['second', 'uuid-index-2']);
    },
    gates,
  );
});

test('an abort is refused once the cutover has begun, as it would delete what applications wrote', async () => {
  const gates = (name: string) => runbookOf(name, { gates: ['cutover', 'finish'] });
  await migrate(
    planOf(1),
    {},
    async ({ handle, reach, decide, calls }) => {
      await reach((status) => status.gates[0]?.state === 'open');
      await decide('approve', { gate: 'cutover' });
      await reach((status) => status.gates[1]?.state === 'open');
      expect(await fails(decide('abort'))).toMatch(/would delete what they wrote/);
      // Temporal's own cancellation cannot be refused: it leaves the target as it is.
      await handle.cancel();
      const status = await handle.result();
      expect(status.state).toBe('aborted');
      expect(status.differences[0]?.what).toContain('cancelled after its cutover');
      expect(calls.filter((call) => /^(delete|remove|unregister)/.test(call))).toEqual([]);
    },
    gates,
  );
});

test('a PARTIAL snapshot is deleted and taken again under the next name, never restored', async () => {
  const asked: string[] = [];
  const restoredFrom: string[] = [];
  const over = {
    takeSnapshot: async ({ snapshot }: { snapshot: string }) => {
      asked.push(snapshot);
      const state = asked.length < 3 ? ('PARTIAL' as const) : ('SUCCESS' as const);
      return {
        changed: true,
        summary: '',
        changes: [],
        state,
        failures: ['index-1[0]: node left'],
        bytes: 1,
        files: 1,
      };
    },
    restoreIndices: async ({ snapshot }: { snapshot: string }) => {
      restoredFrom.push(snapshot);
      return { changed: true, summary: '', changes: [], bytes: 1 };
    },
  };
  await migrate(planOf(1), over, async ({ handle }) => {
    await handle.result();
    const run = ownerOf(handle.workflowId, handle.firstExecutionRunId);
    expect(asked).toEqual([1, 2, 3].map((round) => `${run}-batch-0001-${round}`));
    expect(restoredFrom).toEqual([`${run}-batch-0001-3`]);
  });
});

test('gates: waits for a person, refuses what does not fit, and a rejection may be followed by an approval', async () => {
  await migrate(
    planOf(1),
    {},
    async ({ handle, reach, decide, calls }) => {
      const waiting = await reach((status) => status.state === 'waiting');
      expect(waiting.now).toMatch(/^waits for an approval of cutover: /);
      expect(calls.some((call) => call.startsWith('applyAliases'))).toBe(false);
      expect(await fails(decide('approve', { gate: 'finish' }))).toBe(
        'the gate finish is not open yet: the run has not come that far; the run waits at the gate cutover',
      );
      expect(await fails(decide('approve', { gate: 'nope' }))).toMatch(
        /^this run has no gate nope; the run waits at the gate cutover/,
      );
      expect(await fails(decide('approve', { gate: 'cutover', by: '' }))).toBe('it must be said who decides');
      await decide('reject', { gate: 'cutover', reason: 'too early' });
      expect((await reach((status) => status.now.includes('rejected'))).now).toContain('(rejected by kim: too early)');
      await decide('approve', { gate: 'cutover' });
      await reach((status) => status.now.includes('finish'));
      expect(await fails(decide('approve', { gate: 'cutover' }))).toBe(
        'the gate cutover has been approved already, by kim',
      );
      await decide('approve', { gate: 'finish' });
      const status = await handle.result();
      expect(status.state).toBe('completed');
      expect(status.decisions.map((decision) => decision.verb)).toEqual(['reject', 'approve', 'approve']);
    },
    (name) => runbookOf(name, { gates: ['cutover', 'finish'] }),
  );
});

test('pause begins no new step, of the run and of its batches; resume goes on', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const over = {
    takeSnapshot: async () => {
      await held;
      return { changed: true, summary: '', changes: [], state: 'SUCCESS' as const, failures: [], bytes: 1, files: 1 };
    },
  };
  await migrate(planOf(2), over, async ({ handle, reach, decide, calls }) => {
    await reach((status) => status.batches[0]?.steps.some((step) => step.state === 'running') === true);
    await decide('pause');
    expect(await fails(decide('pause'))).toBe('the run is paused already');
    release();
    const paused = await reach((status) => status.batches[0]?.steps[0]?.state === 'done');
    expect(paused.state).toBe('paused');
    expect(calls.some((call) => call.startsWith('restoreIndices'))).toBe(false);
    await decide('resume');
    expect((await handle.result()).state).toBe('completed');
  });
});

test('a preflight that fails is stuck, cannot be skipped, and shows the checks', async () => {
  let isMended = false;
  const plan = planOf(1);
  const failed = {
    id: 'cluster.health',
    level: 'mandatory' as const,
    where: 'source',
    seen: 'red',
    wanted: 'green',
    remedy: 'mend the index',
  };
  const over = {
    planMigration: async () => ({
      checks: isMended ? [] : [{ ...failed, state: 'failed' as const }],
      plan,
      hostChanges: [],
    }),
  };
  await migrate(plan, over, async ({ handle, reach, decide, calls }) => {
    const stuck = await reach((status) => status.state === 'stuck');
    expect(stuck.steps[0]?.failure?.why).toBe('cluster.health (source): seen red; wanted green; mend the index');
    // Both are asked at once: which of them a worker takes first is chance.
    expect(calls.slice(0, 2).sort()).toEqual(['inspectClusters', 'inspectHosts']);
    expect(calls.slice(2)).toEqual(['planMigration']);
    expect(await fails(decide('skip', { step: 'preflight/checks' }))).toMatch(/cannot be skipped/);
    isMended = true;
    await decide('retry');
    expect((await handle.result()).state).toBe('completed');
  });
});

test('an abort lets what is under way end, then undoes in reverse, each undo a step', async () => {
  const over = {
    registerRepository: async ({
      step,
      repository,
    }: {
      step: string;
      repository: { side: 'source' | 'target'; name: string };
    }) => ({
      changed: true,
      summary: 'registered',
      changes: [
        {
          step,
          at: '',
          where: `${repository.side} cluster`,
          what: `repository ${repository.name}`,
          before: 'not registered',
          after: 'registered there',
          undo: {
            kind: 'repository' as const,
            side: repository.side,
            repository: repository.name,
            summary: `unregister on ${repository.side}`,
          },
        },
      ],
    }),
    takeSnapshot: async ({ step }: { step: string }) => ({
      changed: true,
      summary: '',
      changes: [{ step, at: '', where: 'source', what: 'snapshot', before: 'absent', after: 'SUCCESS' }],
      state: 'SUCCESS' as const,
      failures: [],
      bytes: 1,
      files: 1,
    }),
    unregisterRepository: async ({ step, side }: { step: string; side: string }) => ({
      changed: true,
      summary: '',
      changes: [{ step, at: '', where: side, what: 'unregistered', before: 'registered', after: 'absent' }],
    }),
    restoreIndices: async () => {
      throw stuckBecause({ message: 'no' });
    },
  };
  await migrate(planOf(1), over, async ({ handle, reach, decide, calls }) => {
    await reach((status) => status.state === 'stuck');
    await decide('abort', { reason: 'wrong cluster' });
    const status = await handle.result();
    expect(status.state).toBe('aborted');
    expect(calls.slice(calls.indexOf('deleteRestoredIndices undo/batch-0001/indices'))).toEqual([
      'deleteRestoredIndices undo/batch-0001/indices',
      'deleteSnapshot undo/batch-0001/snapshots',
      'unregisterRepository undo/prepare/target/repository',
      'unregisterRepository undo/prepare/source/repository',
    ]);
    expect(status.steps.filter((step) => step.id.startsWith('undo/')).map((step) => step.state)).toEqual([
      'done',
      'done',
      'done',
      'done',
    ]);
    expect(status.changes.every((change) => change.undo === undefined)).toBe(true);
    // What was done and what was undone are both evidence, a batch's own beside its steps.
    expect(status.changes.map(({ where, after }) => [where, after])).toEqual([
      ['source cluster', 'registered there'],
      ['target cluster', 'registered there'],
      ['target', 'absent'],
      ['source', 'absent'],
    ]);
    expect(status.batches[0]?.changes.map(({ step, what }) => [step, what])).toEqual([
      ['batch-0001/snapshot', 'snapshot'],
    ]);
  });
});

test('hosts: the server first, then its clients; nodes restart one by one, the elected master last', async () => {
  const nodes = [
    nodeOf('n11', '10.99.0.11', { isElectedMaster: true }),
    nodeOf('n12', '10.99.0.12'),
    nodeOf('n13', '10.99.0.13', { pathRepo: ['/srv/snapshots'] }),
  ];
  const share = {
    id: 'share' as const,
    server: 'h11',
    exportPath: '/srv/snapshots',
    mountPath: '/srv/snapshots',
    mountOptions: ['hard'],
    clients: [
      { host: 'h12', access: 'rw' as const },
      { host: 'h21', access: 'ro' as const },
    ],
  };
  const base = planOf(1);
  const plan = planOf(1, {
    shares: [share],
    source: { ...base.source, nodes },
    repositories: [{ side: 'source', name: 'r', register: true, location: '/srv/snapshots/r', readonly: false }],
  });
  let atOnce = 0;
  let most = 0;
  const over = {
    restartNodeService: async () => {
      most = Math.max(most, (atOnce += 1));
      return { changed: true, summary: '', changes: [] };
    },
    waitForHealth: async ({ nodes }: { nodes: number }) => {
      // Before the restart any one node will do; afterwards all of them must be back.
      if (nodes > 1) atOnce -= 1;
      return { changed: false, summary: '', changes: [], status: 'green' as const };
    },
  };
  await migrate(
    plan,
    over,
    async ({ handle, calls }) => {
      expect((await handle.result()).state).toBe('completed');
      expect(calls.filter((call) => call.startsWith('restartNodeService'))).toEqual([
        'restartNodeService h12',
        'restartNodeService h11',
      ]);
      expect(most).toBe(1);
      const server = calls.indexOf('ensureExport h11');
      expect(server).toBeGreaterThan(calls.indexOf('ensureShareDirectory h11'));
      expect(calls.indexOf('ensureMount h12')).toBeGreaterThan(server);
      expect(calls.indexOf('ensureMount h21')).toBeGreaterThan(server);
      expect(calls.indexOf('registerRepository prepare/source/repository')).toBeGreaterThan(
        calls.indexOf('restartNodeService h11'),
      );
    },
    siteRunbookOf,
  );
});

test.each(['retry', 'skip'] as const)(
  'a restart that is stuck leaves no hold on allocation after a %s',
  async (verb) => {
    const nodes = [nodeOf('n11', '10.99.0.11'), nodeOf('n12', '10.99.0.12'), nodeOf('n13', '10.99.0.13')];
    const base = planOf(1);
    const plan = (): MigrationPlan => ({
      ...base,
      source: { ...base.source, nodes },
      shares: [
        {
          id: 'share',
          server: 'h11',
          exportPath: '/srv/snapshots',
          mountPath: '/srv/snapshots',
          mountOptions: ['hard'],
          clients: [],
        },
      ],
      repositories: [{ side: 'source', name: 'r', register: true, location: '/srv/snapshots/r', readonly: false }],
    });
    // As a cluster does: what was set is what is read.
    const settings: Record<string, string | null> = { 'cluster.routing.allocation.enable': null };
    let waits = 0;
    const over = {
      readClusterSettings: async () => ({ ...settings }),
      putClusterSettings: async ({ values }: { values: Record<string, string | null> }) => {
        Object.assign(settings, values);
        return { changed: true, summary: '', changes: [] };
      },
      waitForNode: async () => {
        waits += 1;
        if (waits === 1) throw stuckBecause({ type: 'NodeDidNotReturn', message: 'it is away' });
        return { changed: false, summary: '', changes: [] };
      },
    };
    await migrate(
      plan(),
      over,
      async ({ handle, reach, decide }) => {
        await reach((status) => status.state === 'stuck');
        expect(settings).toEqual({ 'cluster.routing.allocation.enable': 'primaries' });
        await decide(verb, { step: 'prepare/source/restart/h11' });
        await handle.result();
        expect(settings).toEqual({ 'cluster.routing.allocation.enable': null });
      },
      siteRunbookOf,
    );
  },
);

test('raised limits are put back after the move, and an abort before that puts them back too', async () => {
  const settings = ({ values, step }: { values: object; step: string }) => ({
    changed: true,
    summary: '',
    changes: [
      {
        step,
        at: '',
        where: 'target',
        what: '',
        before: '',
        after: '',
        undo: {
          kind: 'settings' as const,
          side: 'target' as const,
          before: { 'indices.recovery.max_bytes_per_sec': '40mb' },
          summary: 'put back',
        },
      },
    ],
    values,
  });
  const put: unknown[] = [];
  const over = {
    readClusterSettings: async () => ({ 'indices.recovery.max_bytes_per_sec': '40mb' }),
    putClusterSettings: async (input: { values: object; step: string }) => {
      put.push([input.step, input.values]);
      return settings(input);
    },
  };
  const fast = (name: string) =>
    runbookOf(name, {
      snapshot: { repository: { existing: { location: '/srv/repository/run' } }, recoveryMaxBytesPerSec: '1gb' },
    });
  const raised = ['prepare/target/limits', { 'indices.recovery.max_bytes_per_sec': '1gb' }];
  const back = { 'indices.recovery.max_bytes_per_sec': '40mb' };
  await migrate(planOf(1), over, async ({ handle }) => handle.result(), fast);
  expect(put).toEqual([raised, ['move/limits', back]]);
  put.length = 0;
  const stuck = { ...over, restoreIndices: async () => Promise.reject(stuckBecause({})) };
  await migrate(
    planOf(1),
    stuck,
    async ({ handle, reach, decide }) => {
      await reach((status) => status.state === 'stuck');
      await decide('abort');
      expect((await handle.result()).state).toBe('aborted');
    },
    fast,
  );
  expect(put).toEqual([raised, ['undo/prepare/target/limits/settings', back]]);
});
