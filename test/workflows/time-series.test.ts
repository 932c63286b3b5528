import { Context } from '@temporalio/activity';
import type { CatchUpRoundInput, SeriesInput, SeriesNow } from '../../contracts/catch-up';
import { catchUpWorkflowId } from '../../contracts/ids';
import type { IndicesInput } from '../../contracts/document-activities';
import { queries, updates, workflowTypes } from '../../contracts/messages';
import type { BatchPlan, MigrationPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { CatchUpStatus, RunStatus } from '../../contracts/status';
import type { CatchUpInput } from '../../contracts/workflow-inputs';
import { indexOf, planOf, runbookOf } from '../support/fixtures';
import { partByPart, recordedActivities, stuckBecause } from '../support/recorded-activities';
import { startEnvironment, type Environment } from '../support/temporal-environment';
import { waitUntil } from '../support/wait-until';

/** What the workflows ask for where indices come and go while the source is followed. */

jest.setTimeout(120_000);

let environment: Environment;
let runs = 0;

beforeAll(async () => {
  // A server that suggests to continue as new early: what takes a catch-up days takes seconds here.
  environment = await startEnvironment(['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=300']);
}, 300_000);
afterAll(async () => environment?.stop());

const why = { by: 'kim', reason: 'test' };
const totals = { superseded: 0, refused: 0, bytes: 0, replaced: 0, causes: [], differences: [], unread: [] };
const nothing: SeriesNow = { appeared: [], deleted: [], differences: [] };

const seriesRunbook = (over: Record<string, unknown> = {}) =>
  runbookOf(`series-${(runs += 1)}`, {
    method: 'copy',
    snapshot: undefined,
    catchUp: { kind: 'time-series', interval: '200ms', ...over },
    freeze: 'atCutover',
    gates: ['cutover'],
  });

const batchOf = (...names: string[]): BatchPlan => ({
  number: 1,
  indices: names.map((name) => indexOf(name)),
  sizeBytes: 10,
  documents: 1000 * names.length,
});

/** A source that is quiet; what comes and goes is said by `looks`, one after the other. */
function quiet(looks: SeriesNow[]) {
  const asked: SeriesInput[] = [];
  const rounds: CatchUpRoundInput[] = [];
  return {
    asked,
    rounds,
    activities: {
      planParts: async ({ indices }: IndicesInput) => ({
        parts: indices.map(({ name, uuid }) => ({
          index: name,
          uuid,
          shard: 0,
          afterSeqNo: -1,
          toSeqNo: 99,
          documents: 100,
        })),
      }),
      copyParts: partByPart(async () => ({ ...totals, isDone: true, throughSeqNo: 99, written: 100 })),
      beginCatchUp: async (input: { positions: CatchUpRoundInput['positions'] }) => ({
        changed: true,
        summary: '',
        changes: [],
        positions: input.positions,
      }),
      readSeries: async (input: SeriesInput) => {
        asked.push(input);
        return looks[asked.length - 1] ?? nothing;
      },
      catchUpRound: async (input: CatchUpRoundInput) => {
        rounds.push(input);
        return { ...totals, positions: input.positions, written: 0, deleted: 0, lag: 0 };
      },
    },
  };
}

interface Run {
  plan: () => Promise<MigrationPlan>;
  result: () => Promise<RunStatus>;
  calls: string[];
  reach: (isReached: (status: RunStatus) => boolean) => Promise<RunStatus>;
  decide: (verb: keyof typeof updates, rest?: object) => Promise<unknown>;
}

async function started(
  runbook: MigrationRunbook,
  over: Parameters<typeof recordedActivities>[1],
  test: (run: Run) => Promise<void>,
): Promise<void> {
  const plan = planOf(1, { method: runbook.method, repositories: [], concurrentSnapshots: false });
  const { activities, calls } = recordedActivities(plan, over);
  await environment.withWorker(activities, async (taskQueue) => {
    const handle = await environment.client.workflow.start<(input: unknown) => Promise<RunStatus>>(
      workflowTypes.migration,
      { workflowId: runbook.name, taskQueue, args: [{ runbook }] },
    );
    await test({
      calls,
      plan: () => handle.query<MigrationPlan>(queries.plan),
      result: () => handle.result(),
      reach: (isReached) =>
        // dozens of batches, one after the other, on a machine that has other work
        waitUntil(() => handle.query<RunStatus>(queries.status), isReached, { what: 'the state', timeoutMs: 120_000 }),
      decide: (verb, rest = {}) => handle.executeUpdate(updates[verb], { args: [{ ...why, ...rest }] }),
    });
  });
}

const followedIn = ({ positions }: CatchUpRoundInput) => positions.map(({ index }) => index);

test('what appears becomes a batch, is moved, followed, blocked, compared, and counted like any other', async () => {
  const source = quiet([nothing, { ...nothing, appeared: [batchOf('index-2')] }]);
  const verified: string[] = [];
  const marks: string[] = [];
  const verifyIndices = async ({ indices }: { indices: { name: string }[] }) => {
    verified.push(...indices.map(({ name }) => name));
    return {
      changed: false,
      summary: '',
      changes: [],
      differences: [],
      behind: [],
      adapted: [],
      indices: 1,
      documents: 1,
    };
  };
  const unmarkIndices = async ({ indices }: { indices: string[] }) => {
    marks.push(...indices);
    return { changed: true, summary: '', changes: [] };
  };
  await started(
    seriesRunbook(),
    { ...source.activities, verifyIndices, unmarkIndices },
    async ({ reach, decide, result, calls, plan }) => {
      const seen = await reach(({ catchUp }) => catchUp?.series?.followed === 2);
      expect(seen.batches.map(({ number, state }) => [number, state])).toEqual([
        [1, 'done'],
        [2, 'done'],
      ]);
      expect(seen.totals).toMatchObject({ indices: 2, indicesDone: 2, documents: 2000 });
      expect(seen.catchUp?.series).toMatchObject({ appeared: 1, newest: [{ index: 'index-2' }], joining: [] });
      expect((await plan()).batches[1]).toMatchObject({ number: 2, appearedAt: expect.any(String) as string });
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      expect([status.state, status.differences]).toEqual(['completed', []]);
      expect(verified.sort()).toEqual(['index-1', 'index-2']);
      expect(marks).toEqual(['index-1', 'index-2']);
      expect(calls.filter((call) => call.startsWith('setWriteBlock'))).toHaveLength(2);
      expect(calls.filter((call) => call.startsWith('endCatchUp'))).toHaveLength(2);
      expect(followedIn(source.rounds.at(-1)!)).toEqual(['index-1', 'index-2']);
      // known from the moment in which it was found: asked about no second time
      expect(source.asked[2]?.joining.concat(source.asked[2].followed).sort()).toEqual(['index-1', 'index-2']);
    },
  );
});

test('what appears while the source is drained is blocked before it is moved, and the drain waits for it', async () => {
  let looks = 0;
  let isBlocked = false;
  const source = quiet([]);
  const readSeries = async (): Promise<SeriesNow> => {
    if (isBlocked) looks += 1;
    return looks === 1 ? { ...nothing, appeared: [batchOf('index-2')] } : nothing;
  };
  const setWriteBlock = async () => {
    isBlocked = true;
    return { changed: true, summary: '', changes: [] };
  };
  await started(
    seriesRunbook(),
    { ...source.activities, readSeries, setWriteBlock },
    async ({ reach, decide, result, calls }) => {
      await reach(({ state }) => state === 'waiting');
      await decide('approve', { gate: 'cutover' });
      expect((await result()).state).toBe('completed');
      const place = (call: string) => calls.indexOf(call);
      const order = [
        'setWriteBlock cutover/write-block/batch-0002',
        'createIndices batch-0002/create',
        'beginCatchUp catch-up/begin/batch-0002',
        'endCatchUp cutover/drain',
        'verifyIndices cutover/verify',
      ].map(place);
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    },
  );
});

test('what appears between the drain and the comparison is moved by the run itself', async () => {
  const source = quiet([]);
  let isDrained = false;
  let isFound = false;
  await started(
    seriesRunbook(),
    {
      ...source.activities,
      endCatchUp: async () => {
        isDrained = true;
        return { changed: true, summary: '', changes: [] };
      },
      readSeries: async () => {
        if (!isDrained || isFound) return nothing;
        isFound = true;
        return { ...nothing, appeared: [batchOf('index-2')] };
      },
    },
    async ({ reach, decide, result, calls }) => {
      await reach(({ state }) => state === 'waiting');
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      expect([status.state, status.batches.length]).toEqual(['completed', 2]);
      expect(calls).toContain('setWriteBlock cutover/write-block/batch-0002');
      expect(calls).toContain('verifyIndices batch-0002/verify');
    },
  );
});

test('what is deleted, and made anew after the last look, is not taken for moved', async () => {
  const source = quiet([{ ...nothing, deleted: ['index-1'] }]);
  let isThere = true;
  await started(
    seriesRunbook({ deletedIndices: 'expected' }),
    {
      ...source.activities,
      readSelection: async ({ planned }) => ({
        unplanned: [],
        createdAgain: isThere ? planned.map(({ name }) => ({ name, uuid: 'second' })) : [],
        aliases: [],
      }),
    },
    async ({ reach, decide, result }) => {
      await reach(({ state }) => state === 'waiting');
      await decide('approve', { gate: 'cutover' });
      const stuck = await reach(({ state }) => state === 'stuck');
      expect(stuck.steps.at(-1)?.failure?.why).toContain('index index-1: it was deleted on the source, and created');
      isThere = false;
      await decide('retry', { step: 'cutover/verify' });
      expect((await result()).state).toBe('completed');
    },
  );
});

test('an abort right after something was found deletes it, also when it was being made in that moment', async () => {
  const source = quiet([{ ...nothing, appeared: [batchOf('index-2')] }]);
  let isMaking = false;
  const deleted: string[] = [];
  await started(
    seriesRunbook(),
    {
      ...source.activities,
      createIndices: async ({ indices }) => {
        if (indices[0]?.name === 'index-2') {
          isMaking = true;
          // on its way to the target, whatever the run decides meanwhile
          const context = Context.current();
          const beats = setInterval(() => context.heartbeat(), 100);
          await context.cancelled.catch(() => undefined);
          clearInterval(beats);
        }
        return { changed: true, summary: '', changes: [] };
      },
      deleteRestoredIndices: async ({ indices }) => {
        deleted.push(...indices);
        return { changed: true, summary: '', changes: [] };
      },
    },
    async ({ reach, decide, result, calls }) => {
      await reach(() => isMaking);
      await decide('abort');
      expect((await result()).state).toBe('aborted');
      expect(deleted).toEqual(['index-2', 'index-1']);
      const last = calls.map((call) => call.split(' ')[0]).lastIndexOf('createIndices');
      expect(calls.findIndex((call) => call.startsWith('deleteRestoredIndices'))).toBeGreaterThan(last);
    },
  );
});

test('one that cannot be made is stuck by itself: the others go on, and a skip leaves it out', async () => {
  const source = quiet([{ ...nothing, appeared: [batchOf('index-2'), batchOf('index-3')] }]);
  await started(
    seriesRunbook(),
    {
      ...source.activities,
      createIndices: async ({ indices }) => {
        if (indices[0]?.name === 'index-2') throw stuckBecause({ message: 'no room' });
        return { changed: true, summary: '', changes: [] };
      },
    },
    async ({ reach, decide, result }) => {
      await reach(({ catchUp, state }) => state === 'stuck' && catchUp?.series?.followed === 2);
      await decide('skip', { step: 'batch-0002/create' });
      await reach(({ state, catchUp }) => state === 'waiting' && catchUp?.series?.joining.length === 0);
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      expect(status.state).toBe('completed with differences');
      expect(status.differences).toMatchObject([{ where: 'batch-0002/create' }]);
      expect(followedIn(source.rounds.at(-1)!)).toEqual(['index-1', 'index-3']);
    },
  );
});

test.each([
  ['difference', 'completed with differences', 1],
  ['expected', 'completed', 0],
] as const)(
  'one that the source deletes is followed no more; as %s: %s',
  async (deletedIndices, state, differences) => {
    const source = quiet([
      { ...nothing, appeared: [batchOf('index-2')] },
      nothing,
      nothing,
      { ...nothing, deleted: ['index-1'] },
    ]);
    const verified: string[] = [];
    await started(
      seriesRunbook({ deletedIndices }),
      {
        ...source.activities,
        verifyIndices: async ({ indices }) => {
          verified.push(...indices.map(({ name }) => name));
          return {
            changed: false,
            summary: '',
            changes: [],
            differences: [],
            behind: [],
            adapted: [],
            indices: 1,
            documents: 1,
          };
        },
      },
      async ({ reach, decide, result, calls }) => {
        const seen = await reach(({ catchUp }) => catchUp?.series?.deleted.length === 1);
        expect(seen.catchUp?.series?.deleted).toMatchObject([{ index: 'index-1' }]);
        await reach(({ state: now, catchUp }) => now === 'waiting' && catchUp?.series?.followed === 1);
        await decide('approve', { gate: 'cutover' });
        const status = await result();
        expect([status.state, status.differences.length]).toEqual([state, differences]);
        expect(verified).toEqual(['index-2']);
        expect(followedIn(source.rounds.at(-1)!)).toEqual(['index-2']);
        expect(calls.filter((call) => call.startsWith('listUnblocked'))).toHaveLength(1);
      },
    );
  },
);

test('what retention takes while it is being moved is left out, and the rest of its batch goes on', async () => {
  const source = quiet([{ ...nothing, appeared: [batchOf('index-2', 'index-3')] }, nothing, nothing, nothing]);
  let isGone = false;
  const made: string[][] = [];
  const looked: SeriesInput[] = [];
  await started(
    seriesRunbook({ deletedIndices: 'expected' }),
    {
      ...source.activities,
      createIndices: async ({ indices }) => {
        made.push(indices.map(({ name }) => name));
        const gone = indices.map(({ name }) => name).filter((name) => isGone && name === 'index-2');
        return { changed: true, summary: '', changes: [], ...(gone.length > 0 ? { gone } : {}) };
      },
      copyParts: partByPart(async ({ part }) => {
        if (part.index === 'index-2') {
          isGone = true;
          throw stuckBecause({ type: 'IndexMissing', message: 'the index is gone from the source' });
        }
        return { ...totals, isDone: true, throughSeqNo: 99, written: 100 };
      }),
      readSeries: async (input) => {
        looked.push(input);
        if (input.unfollowed.includes('index-2')) return { ...nothing, deleted: ['index-2'] };
        return source.activities.readSeries(input);
      },
    },
    async ({ reach, decide, result }) => {
      await reach(({ state, catchUp }) => state === 'waiting' && catchUp?.series?.deleted.length === 1);
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      // expected or not: a part of an index is no index
      expect(status.state).toBe('completed with differences');
      expect(status.differences.map(({ where }) => where)).toEqual(['index index-2']);
      expect(status.catchUp?.series?.deleted).toMatchObject([{ index: 'index-2', wasMoved: false }]);
      expect(made).toEqual([['index-1'], ['index-2', 'index-3'], ['index-2', 'index-3']]);
      expect(followedIn(source.rounds.at(-1)!)).toEqual(['index-1', 'index-3']);
    },
  );
});

test('a catch-up that continues as new keeps what it waits for, follows and has seen go', async () => {
  const runbook = seriesRunbook();
  const asked: SeriesInput[] = [];
  const input: CatchUpInput = {
    run: runbook.name,
    runbook,
    owner: `${runbook.name}-00000000`,
    catchUp: { ...runbook.catchUp!, interval: '1ms' },
    positions: [{ index: 'index-1', uuid: 'u', seqNos: [9] }],
    series: { unfollowed: ['index-0'], joining: [{ index: 'index-2', documents: 7 }] },
    isPaused: false,
    isDraining: false,
  };
  const { activities } = recordedActivities(planOf(1), {
    readSeries: async (given) => {
      asked.push(given);
      return asked.length === 1 ? { ...nothing, deleted: ['index-1'] } : nothing;
    },
    catchUpRound: async ({ positions }) => ({ ...totals, positions, written: 0, deleted: 0, lag: 0 }),
  });
  await environment.withWorker(activities, async (taskQueue) => {
    const { workflow } = environment.client;
    const handle = await workflow.start<(input: CatchUpInput) => Promise<CatchUpStatus>>(workflowTypes.catchUp, {
      workflowId: catchUpWorkflowId(runbook.name),
      taskQueue,
      args: [input],
    });
    const first = handle.firstExecutionRunId;
    const latest = workflow.getHandle(catchUpWorkflowId(runbook.name));
    await waitUntil(
      () => latest.describe(),
      ({ runId }) => runId !== first,
      {
        timeoutMs: 100_000,
        what: 'the next execution',
      },
    );
    const status = await latest.query<CatchUpStatus>(queries.catchUp);
    expect(status.lag).toBe(7);
    expect(status.series).toMatchObject({ followed: 0, joining: ['index-2'], deleted: [{ index: 'index-1' }] });
    expect(asked.at(-1)).toMatchObject({
      followed: [],
      unfollowed: ['index-0'],
      joining: ['index-2'],
      deleted: ['index-1'],
    });
    await latest.signal('drain');
    const positions = [{ index: 'index-2', uuid: 'u', seqNos: [3] }];
    await latest.signal('indicesJoined', { indices: ['index-2'], positions });
    expect(await handle.result()).toMatchObject({ state: 'drained', series: { followed: 1, joining: [] } });
  });
});

/** New indices as they are wanted: each round's look finds one more, until there are so many. */
function growing(most: number) {
  const source = quiet([]);
  let appeared = 0;
  const readSeries = async (input: SeriesInput): Promise<SeriesNow> => {
    source.asked.push(input);
    if (appeared >= most) return nothing;
    appeared += 1;
    return { ...nothing, appeared: [batchOf(`new-${appeared}`)] };
  };
  return { ...source, activities: { ...source.activities, readSeries } };
}

async function executionsOf(run: string): Promise<string[]> {
  const chain: string[] = [];
  for await (const info of environment.client.workflow.list({ query: `WorkflowId = '${run}'` }))
    chain.push(info.status.name);
  return chain;
}

const continued = async (run: string) => (await executionsOf(run)).filter((name) => name === 'CONTINUED_AS_NEW').length;

test('a run whose history grows while it follows continues as new, and nothing of it is lost or done twice', async () => {
  const most = 24;
  const source = growing(most);
  const verified: string[] = [];
  const runbook = seriesRunbook({ interval: '1ms' });
  await started(
    runbook,
    {
      ...source.activities,
      verifyIndices: async ({ indices }) => {
        verified.push(...indices.map(({ name }) => name));
        const same = { differences: [], behind: [], adapted: [], indices: 1, documents: 1 };
        return { changed: false, summary: '', changes: [], ...same };
      },
    },
    async ({ reach, decide, result, calls }) => {
      await reach(({ catchUp }) => (catchUp?.series?.appeared ?? 0) > 2);
      await decide('pause');
      await decide('resume');
      const waiting = await reach(({ catchUp }) => catchUp?.series?.followed === most + 1);
      expect(await continued(runbook.name)).toBeGreaterThan(1);
      expect(waiting).toMatchObject({ state: 'waiting', phase: 'catch-up' });
      expect(waiting.batches.map(({ state }) => state)).toEqual(waiting.batches.map(() => 'done'));
      expect(waiting.decisions.map(({ verb }) => verb)).toEqual(['pause', 'resume']);
      expect(waiting.catchUp?.rounds).toBeGreaterThan(most);
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      expect([status.state, status.differences, status.batches.length]).toEqual(['completed', [], most + 1]);
      const all = ['index-1', ...Array.from({ length: most }, (_, at) => `new-${at + 1}`)];
      expect([...verified].sort()).toEqual([...all].sort());
      expect(followedIn(source.rounds.at(-1)!).sort()).toEqual([...all].sort());
      for (const activity of ['createIndices', 'copyParts']) {
        const made = calls.filter((call) => call.startsWith(`${activity} `));
        expect([activity, made.length, new Set(made).size]).toEqual([activity, most + 1, most + 1]);
      }
      expect(calls.filter((call) => call === 'inspectClusters')).toHaveLength(1);
      const once = status.steps.filter(({ id }) => id === 'catch-up/begin' || id.startsWith('cutover/'));
      expect(once.map(({ id, attempt }) => [id, attempt])).toEqual(once.map(({ id }) => [id, 1]));
    },
  );
});

test('an abort after it has continued as new takes back what the executions before had made', async () => {
  const source = growing(30);
  const deleted: string[] = [];
  const runbook = seriesRunbook({ interval: '1ms' });
  await started(
    runbook,
    {
      ...source.activities,
      deleteRestoredIndices: async ({ indices }) => {
        deleted.push(...indices);
        return { changed: true, summary: '', changes: [] };
      },
    },
    async ({ reach, decide, result }) => {
      await waitUntil(
        () => continued(runbook.name),
        (count) => count > 0,
        { timeoutMs: 60_000, what: 'the next execution' },
      );
      await reach(({ catchUp }) => (catchUp?.series?.appeared ?? 0) > 12);
      await decide('abort');
      const status = await result();
      expect(status.state).toBe('aborted');
      const made = status.batches.filter(({ state }) => state !== 'waiting').length;
      expect(deleted).toHaveLength(made);
      expect(deleted).toContain('new-1');
    },
  );
});

test('one that is stuck holds up no other, however long the history grows, and its decision lets the run continue', async () => {
  const source = growing(30);
  const runbook = seriesRunbook({ interval: '1ms' });
  await started(
    runbook,
    {
      ...source.activities,
      createIndices: async ({ indices }) => {
        if (indices[0]?.name === 'new-1') throw stuckBecause({ message: 'no room' });
        return { changed: true, summary: '', changes: [] };
      },
    },
    async ({ reach, decide, result }) => {
      await reach(({ catchUp }) => catchUp?.series?.followed === 30);
      expect(await continued(runbook.name)).toBe(0);
      await decide('skip', { step: 'batch-0002/create' });
      await waitUntil(
        () => continued(runbook.name),
        (count) => count > 0,
        { timeoutMs: 60_000, what: 'the next execution' },
      );
      await reach(({ state, catchUp }) => state === 'waiting' && catchUp?.series?.joining.length === 0);
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      expect(status.differences).toMatchObject([{ where: 'batch-0002/create' }]);
      expect(followedIn(source.rounds.at(-1)!)).toHaveLength(30);
    },
  );
});

test('a catch-up that is ended from outside while a batch ends is begun anew with that batch', async () => {
  const source = quiet([{ ...nothing, appeared: [batchOf('index-2')] }]);
  let begins = 0;
  let isAsked = (): void => undefined;
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  let isMoved = (): void => undefined;
  const moved = new Promise<void>((resolve) => (isMoved = resolve));
  let isJoined = (): void => undefined;
  const joined = new Promise<void>((resolve) => (isJoined = resolve));
  const runbook = seriesRunbook({ lagBelow: 10 });
  const { activities } = source;
  await started(
    runbook,
    {
      ...activities,
      copyParts: async (input) => {
        // it ends while the next catch-up is being begun
        if (input.parts[0]?.index === 'index-2') await asked;
        return activities.copyParts(input);
      },
      beginCatchUp: async (input) => {
        if (input.step === 'catch-up/begin/batch-0002') isJoined();
        if (input.step === 'catch-up/begin' && (begins += 1) === 2) {
          isAsked();
          await joined;
          await moved;
        }
        return activities.beginCatchUp(input);
      },
    },
    async ({ reach, decide, result }) => {
      // 1000 documents on their way: the cutover is not asked for yet
      await reach(({ catchUp }) => catchUp?.series?.joining.length === 1);
      await environment.client.workflow.getHandle(catchUpWorkflowId(runbook.name)).terminate('test');
      await reach(({ state }) => state === 'stuck');
      await decide('retry', { step: 'catch-up/begin' });
      await reach(({ steps }) => steps.some(({ id, state }) => id === 'catch-up/begin/batch-0002' && state === 'done'));
      isMoved();
      const seen = await reach(({ state, catchUp }) => state === 'waiting' && catchUp?.series?.followed === 2);
      expect(seen.catchUp?.series?.joining).toEqual([]);
      await decide('approve', { gate: 'cutover' });
      expect((await result()).state).toBe('completed');
      expect(followedIn(source.rounds.at(-1)!).sort()).toEqual(['index-1', 'index-2']);
    },
  );
});
