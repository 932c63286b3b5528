import type { Client, WorkflowHandle } from '@temporalio/client';
import { queries, updates, workflowTypes } from '../../contracts/messages';
import type { RunStatus } from '../../contracts/status';
import { nodeOf, planOf, runbookOf, siteRunbookOf } from '../support/fixtures';
import { partByPart, recordedActivities, stuckBecause } from '../support/recorded-activities';
import { waitUntil } from '../support/wait-until';

/** A run whose history is worth pinning: what it exercises is what a change of the workflows must not break. */
export interface Scenario {
  /** Name of the history's file. */
  name: string;
  activities: object;
  /** Starts it, drives it to its end, and answers with the ids of the workflows to keep, by type. */
  run(client: Client, taskQueue: string): Promise<{ type: string; workflowId: string }[]>;
}

const why = { by: 'kim', reason: 'for the history' };

function start(
  client: Client,
  taskQueue: string,
  runbook: ReturnType<typeof runbookOf>,
): Promise<WorkflowHandle<(input: unknown) => Promise<RunStatus>>> {
  return client.workflow.start<(input: unknown) => Promise<RunStatus>>(workflowTypes.migration, {
    workflowId: runbook.name,
    taskQueue,
    args: [{ runbook }],
  });
}

function reach(handle: WorkflowHandle, isReached: (status: RunStatus) => boolean): Promise<RunStatus> {
  return waitUntil(() => handle.query<RunStatus>(queries.status), isReached, { what: 'the state' });
}

const restored = { changed: true, summary: '', changes: [], bytes: 1 };

/** Gates, a rejection, pause and resume, raised limits, a write block, two batches. */
function gatedRun(): Scenario {
  const { activities } = recordedActivities(planOf(2));
  return {
    name: 'gates-pause-limits',
    activities,
    async run(client, taskQueue) {
      const runbook = runbookOf('history-gates', {
        gates: ['move', 'cutover', 'finish'],
        freeze: 'beforeMove',
        snapshot: {
          repository: { existing: { location: '/srv/repository/run' } },
          recoveryMaxBytesPerSec: '1gb',
          maxRestoreBytesPerSec: '1gb',
        },
      });
      const handle = await start(client, taskQueue, runbook);
      for (const gate of ['move', 'cutover', 'finish']) {
        await reach(handle, (status) => status.gates.some((each) => each.gate === gate && each.state === 'open'));
        if (gate === 'cutover') {
          await handle.executeUpdate(updates.reject, { args: [{ ...why, gate }] });
          await handle.executeUpdate(updates.pause, { args: [why] });
          await handle.executeUpdate(updates.resume, { args: [why] });
        }
        await handle.executeUpdate(updates.approve, { args: [{ ...why, gate }] });
      }
      await handle.result();
      return [
        { type: workflowTypes.migration, workflowId: runbook.name },
        { type: workflowTypes.moveBatch, workflowId: `${runbook.name}/batch-0001` },
      ];
    },
  };
}

/** Hosts, a rolling restart, a PARTIAL snapshot, a stuck restore that is retried, a stuck verification that is skipped. */
function troubledRun(): Scenario {
  const base = planOf(2);
  let snapshots = 0;
  let restores = 0;
  const { activities } = recordedActivities(
    planOf(2, {
      source: {
        ...base.source,
        nodes: [
          nodeOf('n11', '10.99.0.11', { isElectedMaster: true }),
          nodeOf('n12', '10.99.0.12'),
          nodeOf('n13', '10.99.0.13'),
        ],
      },
      target: { ...base.target, nodes: [nodeOf('n21', '10.99.0.21'), nodeOf('n22', '10.99.0.22')] },
      shares: [
        {
          id: 'share',
          server: 'h11',
          exportPath: '/srv/snapshots',
          mountPath: '/mnt/snapshots',
          mountOptions: ['hard'],
          clients: ['h12', 'h13', 'h21', 'h22'].map((host) => ({ host, access: 'rw' as const })),
        },
      ],
      repositories: [
        { side: 'source', name: 'r', register: true, location: '/mnt/snapshots/r', readonly: false },
        { side: 'target', name: 'r', register: true, location: '/mnt/snapshots/r-copy', readonly: true },
      ],
      copy: { host: 'h11', from: '/srv/snapshots/r', to: '/srv/snapshots/r-copy', verify: 'checksum' },
    }),
    {
      takeSnapshot: async () => {
        const state = (snapshots += 1) === 1 ? ('PARTIAL' as const) : ('SUCCESS' as const);
        return { changed: true, summary: '', changes: [], state, failures: [], bytes: 1, files: 1 };
      },
      restoreIndices: async () => {
        if ((restores += 1) === 1) throw stuckBecause({ type: 'BlobCorrupted', message: 'damaged' });
        return restored;
      },
      verifyIndices: async ({ step }) => ({
        changed: false,
        summary: '',
        changes: [],
        differences: step === 'batch-0002/verify' ? [{ where: 'index-2', what: 'later writes' }] : [],
        adapted: [],
        behind: [],
        indices: 1,
        documents: 1,
      }),
    },
  );
  return {
    name: 'hosts-stuck-retry-skip',
    activities,
    async run(client, taskQueue) {
      const runbook = siteRunbookOf('history-trouble', {
        gates: [],
        cleanup: { snapshots: 'afterBatch', hosts: 'restore' },
      });
      const handle = await start(client, taskQueue, runbook);
      await reach(
        handle,
        (status) =>
          status.batches.flatMap((batch) => batch.steps).filter((step) => step.state === 'stuck').length === 2,
      );
      await handle.executeUpdate(updates.retry, { args: [why] });
      await reach(handle, (status) => status.state === 'stuck' && status.batches[0]?.state === 'done');
      await handle.executeUpdate(updates.skip, { args: [{ ...why, step: 'batch-0002/verify' }] });
      await handle.result();
      return [
        { type: workflowTypes.migration, workflowId: runbook.name },
        { type: workflowTypes.moveBatch, workflowId: `${runbook.name}/batch-0001` },
        { type: workflowTypes.moveBatch, workflowId: `${runbook.name}/batch-0002` },
      ];
    },
  };
}

/** An abort while one batch is stuck and the other done: everything is undone. */
function abortedRun(): Scenario {
  const { activities } = recordedActivities(planOf(2), {
    restoreIndices: async ({ step }) => {
      if (step.startsWith('batch-0002')) throw stuckBecause({ message: 'no room' });
      return restored;
    },
  });
  return {
    name: 'aborted',
    activities,
    async run(client, taskQueue) {
      const runbook = runbookOf('history-aborted', { freeze: 'beforeMove' });
      const handle = await start(client, taskQueue, runbook);
      await reach(handle, (status) => status.state === 'stuck' && status.batches[0]?.state === 'done');
      await handle.executeUpdate(updates.abort, { args: [why] });
      await handle.result();
      return [
        { type: workflowTypes.migration, workflowId: runbook.name },
        { type: workflowTypes.moveBatch, workflowId: `${runbook.name}/batch-0002` },
      ];
    },
  };
}

/** Documents by copy: refused ones driven again at the gate, limits changed, a live source followed, drained and cut over. */
function followedRun(): Scenario {
  const positions = [{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [99] }];
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 1, example: '1', remedy: 'mend it' };
  let copies = 0;
  let rounds = 0;
  const { activities } = recordedActivities(
    planOf(1, { method: 'copy', repositories: [], concurrentSnapshots: false }),
    {
      planParts: async () => ({
        parts: [{ index: 'index-1', uuid: 'uuid-index-1', shard: 0, afterSeqNo: -1, toSeqNo: 99, documents: 100 }],
      }),
      copyParts: partByPart(async () => {
        const isFirst = (copies += 1) === 1;
        const totals = { written: 99, superseded: 0, refused: isFirst ? 1 : 0, bytes: 1 };
        return { ...totals, isDone: true, throughSeqNo: 99, causes: isFirst ? [cause] : [] };
      }),
      beginCatchUp: async () => ({ changed: true, summary: '', changes: [], positions }),
      catchUpRound: async () => {
        const lag = (rounds += 1) === 1 ? 10 : 0;
        const totals = { written: lag, superseded: 0, refused: 0, bytes: 1, deleted: 0, replaced: 0 };
        // what was deleted meanwhile is searched for beside the next rounds
        const deleted = rounds < 3 ? { owed: [0], toSearch: [0] } : {};
        const reached = positions.map((position) => ({ ...position, ...deleted }));
        return { ...totals, lag, positions: reached, causes: [], differences: [], unread: [] };
      },
      searchDeletes: async () => ({ deleted: 1, searched: ['index-1'] }),
    },
  );
  return {
    name: 'copy-and-follow',
    activities,
    async run(client, taskQueue) {
      const runbook = runbookOf('history-followed', {
        method: 'copy',
        snapshot: undefined,
        gates: ['cutover'],
        freeze: 'atCutover',
        catchUp: { kind: 'sequence', interval: '1s', lagBelow: 0 },
      });
      const handle = await start(client, taskQueue, runbook);
      await reach(handle, ({ state }) => state === 'waiting');
      await handle.executeUpdate(updates.tune, { args: [{ ...why, limits: { docsPerSec: 500 } }] });
      await handle.executeUpdate(updates.retryFailed, { args: [why] });
      await reach(handle, ({ differences }) => differences.length === 0);
      await handle.executeUpdate(updates.approve, { args: [{ ...why, gate: 'cutover' }] });
      await handle.result();
      return [
        { type: workflowTypes.migration, workflowId: runbook.name },
        { type: workflowTypes.moveBatch, workflowId: `${runbook.name}/batch-0001` },
        { type: workflowTypes.catchUp, workflowId: `${runbook.name}/catch-up` },
      ];
    },
  };
}

function planOnly(): Scenario {
  const { activities } = recordedActivities(planOf(1));
  return {
    name: 'plan',
    activities,
    async run(client, taskQueue) {
      const runbook = runbookOf('history-plan');
      await client.workflow.execute(workflowTypes.plan, { workflowId: 'history-plan', taskQueue, args: [{ runbook }] });
      return [{ type: workflowTypes.plan, workflowId: 'history-plan' }];
    },
  };
}

export function scenarios(): Scenario[] {
  return [gatedRun(), troubledRun(), abortedRun(), followedRun(), planOnly()];
}
