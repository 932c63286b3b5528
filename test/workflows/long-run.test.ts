import { catchUpWorkflowId } from '../../contracts/ids';
import { queries, updates, workflowTypes } from '../../contracts/messages';
import type { RunStatus } from '../../contracts/status';
import { planOf, runbookOf } from '../support/fixtures';
import { partByPart, recordedActivities } from '../support/recorded-activities';
import { startEnvironment, type Environment } from '../support/temporal-environment';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(180_000);

let environment: Environment;

beforeAll(async () => {
  // A server that suggests to continue as new early: what takes days of batches takes seconds here.
  environment = await startEnvironment(['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=150']);
}, 300_000);
afterAll(async () => environment?.stop());

test('a long run continues as new between batches, and nothing of it is forgotten or done twice', async () => {
  const batches = 24;
  const { activities, calls } = recordedActivities(planOf(batches));
  await environment.withWorker(activities, async (taskQueue) => {
    const runbook = runbookOf('long-run');
    const handle = await environment.client.workflow.start<(input: unknown) => Promise<RunStatus>>(
      workflowTypes.migration,
      {
        workflowId: runbook.name,
        taskQueue,
        args: [{ runbook }],
      },
    );
    const status = await handle.result();
    const chain = [];
    for await (const info of environment.client.workflow.list({ query: "WorkflowId = 'long-run'" }))
      chain.push(info.status.name);
    expect(chain.filter((name) => name === 'CONTINUED_AS_NEW').length).toBeGreaterThan(0);
    expect(status.state).toBe('completed');
    expect(status.totals).toMatchObject({ indices: batches, indicesDone: batches });
    expect(status.steps.find((step) => step.id === 'preflight/checks')?.state).toBe('done');
    for (const activity of ['takeSnapshot', 'restoreIndices']) {
      const made = calls.filter((call) => call.startsWith(`${activity} `));
      expect(made).toHaveLength(batches);
      expect(new Set(made).size).toBe(batches);
    }
    expect(calls.filter((call) => call.startsWith('registerRepository'))).toHaveLength(2);
  });
});

test('refused documents that are to be driven again are not forgotten when the run continues as new', async () => {
  const batches = 24;
  const plan = planOf(batches, { method: 'copy', repositories: [], concurrentSnapshots: false });
  let isDecided = (): void => undefined;
  const decided = new Promise<void>((resolve) => (isDecided = resolve));
  let isRefused = (): void => undefined;
  const refused = new Promise<void>((resolve) => (isRefused = resolve));
  const tries = new Map<string, number>();
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 1, example: '7', remedy: 'mend it' };
  const { activities } = recordedActivities(plan, {
    planParts: async ({ indices }) => {
      const name = indices[0]?.name ?? '';
      // only then are there batches enough left for the run to continue as new
      if (name === 'index-2') isRefused();
      if (name === 'index-2') await decided;
      return { parts: [{ index: name, uuid: `uuid-${name}`, shard: 0, afterSeqNo: -1, toSeqNo: 9, documents: 10 }] };
    },
    copyParts: partByPart(async ({ part }) => {
      const attempt = (tries.get(part.index) ?? 0) + 1;
      tries.set(part.index, attempt);
      const isFirst = part.index === 'index-1' && attempt === 1;
      const totals = { isDone: true, throughSeqNo: 9, superseded: 0, bytes: 1 };
      return { ...totals, written: isFirst ? 9 : 10, refused: isFirst ? 1 : 0, causes: isFirst ? [cause] : [] };
    }),
  });
  await environment.withWorker(activities, async (taskQueue) => {
    const runbook = runbookOf('long-retry', { method: 'copy', snapshot: undefined });
    const handle = await environment.client.workflow.start<(input: unknown) => Promise<RunStatus>>(
      workflowTypes.migration,
      { workflowId: runbook.name, taskQueue, args: [{ runbook }] },
    );
    await refused;
    await handle.executeUpdate(updates.retryFailed, { args: [{ by: 'kim', reason: 'mended' }] });
    isDecided();
    const status = await handle.result();
    const chain = [];
    for await (const info of environment.client.workflow.list({ query: "WorkflowId = 'long-retry'" }))
      chain.push(info.status.name);
    expect(chain.filter((name) => name === 'CONTINUED_AS_NEW').length).toBeGreaterThan(0);
    expect(tries.get('index-1')).toBe(2);
    expect(tries.get('index-2')).toBe(1);
    expect([status.state, status.differences]).toEqual(['completed', []]);
  });
});

test('an abort ends a catch-up that has continued as new, too', async () => {
  const part = { index: 'index-1', uuid: 'uuid-index-1', shard: 0, afterSeqNo: -1, toSeqNo: 9, documents: 10 };
  const none = { written: 0, superseded: 0, refused: 0, bytes: 0, causes: [] };
  const { activities } = recordedActivities(
    planOf(1, { method: 'copy', repositories: [], concurrentSnapshots: false }),
    {
      planParts: async () => ({ parts: [part] }),
      copyParts: partByPart(async () => ({ ...none, isDone: true, throughSeqNo: 9, written: 10 })),
      beginCatchUp: async ({ positions }) => ({ changed: true, summary: '', changes: [], positions }),
      catchUpRound: async ({ positions }) => ({
        ...none,
        positions,
        deleted: 0,
        replaced: 0,
        lag: 0,
        differences: [],
        unread: [],
      }),
    },
  );
  await environment.withWorker(activities, async (taskQueue) => {
    const catchUp = { kind: 'sequence', interval: '1ms' };
    const runbook = runbookOf('long-follow', { method: 'copy', snapshot: undefined, catchUp, gates: ['cutover'] });
    const { workflow } = environment.client;
    const handle = await workflow.start<(input: unknown) => Promise<RunStatus>>(workflowTypes.migration, {
      workflowId: runbook.name,
      taskQueue,
      args: [{ runbook }],
    });
    await waitUntil(
      () => handle.query<RunStatus>(queries.status),
      ({ state }) => state === 'waiting',
      { what: 'the gate' },
    );
    const child = workflow.getHandle(catchUpWorkflowId(runbook.name));
    const first = (await child.describe()).runId;
    await waitUntil(
      () => child.describe(),
      ({ runId }) => runId !== first,
      { timeoutMs: 100_000, what: 'the next execution' },
    );
    await handle.executeUpdate(updates.abort, { args: [{ by: 'kim', reason: 'test' }] });
    expect((await handle.result()).state).toBe('aborted');
    expect((await child.describe()).status.name).toBe('COMPLETED');
  });
});
