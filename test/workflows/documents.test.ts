import { Context } from '@temporalio/activity';
import { deletesStep, type CatchUpRoundInput, type DeletesInput } from '../../contracts/catch-up';
import type { CopyPartResult, CopyPartsInput } from '../../contracts/document-activities';
import type { RefusalCause } from '../../contracts/status';
import type { VerifyInput } from '../../contracts/cluster-activities';
import { catchUpWorkflowId } from '../../contracts/ids';
import { queries, updates, workflowTypes } from '../../contracts/messages';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { CatchUpStatus, RunStatus } from '../../contracts/status';
import { nodeOf, planOf, runbookOf, siteRunbookOf } from '../support/fixtures';
import { partByPart, recordedActivities, stuckBecause, type OnePart } from '../support/recorded-activities';
import { startEnvironment, type Environment } from '../support/temporal-environment';
import { waitUntil } from '../support/wait-until';

/** What the workflows ask for where documents are moved one by one: parts, checkpoints, limits, catch-up. */

jest.setTimeout(120_000);

let environment: Environment;
let runs = 0;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);
afterAll(async () => environment?.stop());

const why = { by: 'kim', reason: 'test' };

const runbookByCopy = (over: Record<string, unknown> = {}) =>
  runbookOf(`documents-${(runs += 1)}`, { method: 'copy', snapshot: undefined, ...over });

async function started(
  runbook: MigrationRunbook,
  over: Parameters<typeof recordedActivities>[1],
  test: (run: {
    result: () => Promise<RunStatus>;
    calls: string[];
    reach: (isReached: (status: RunStatus) => boolean) => Promise<RunStatus>;
    /** As the workflow that follows the source tells it, which the run hears only when it changes its state. */
    catchUpStatus: () => Promise<CatchUpStatus>;
    decide: (verb: keyof typeof updates, rest?: object) => Promise<unknown>;
  }) => Promise<void>,
  batches = 1,
): Promise<void> {
  const plan = planOf(batches, { method: runbook.method, repositories: [], concurrentSnapshots: false });
  const { activities, calls } = recordedActivities(plan, over);
  await environment.withWorker(activities, async (taskQueue) => {
    const handle = await environment.client.workflow.start<(input: unknown) => Promise<RunStatus>>(
      workflowTypes.migration,
      { workflowId: runbook.name, taskQueue, args: [{ runbook }] },
    );
    await test({
      calls,
      result: () => handle.result(),
      reach: (isReached) => waitUntil(() => handle.query<RunStatus>(queries.status), isReached, { what: 'the state' }),
      catchUpStatus: () =>
        environment.client.workflow.getHandle(catchUpWorkflowId(runbook.name)).query<CatchUpStatus>(queries.catchUp),
      decide: (verb, rest = {}) => handle.executeUpdate(updates[verb], { args: [{ ...why, ...rest }] }),
    });
  });
}

const part = (shard: number) => ({
  index: 'index-1',
  uuid: 'uuid-index-1',
  shard,
  afterSeqNo: -1,
  toSeqNo: 99,
  documents: 100,
});
type Copied = CopyPartResult & { causes: RefusalCause[] };
const done = (over: Partial<Copied> = {}): Copied => ({
  isDone: true,
  throughSeqNo: 99,
  written: 100,
  superseded: 0,
  refused: 0,
  bytes: 1000,
  causes: [],
  ...over,
});

/** A part that goes on until it is told to stop, and then says how far it came. */
async function untilStopped(): Promise<Copied> {
  const context = Context.current();
  // a cancellation comes with the answer to a heartbeat
  const beats = setInterval(() => context.heartbeat(), 100);
  await context.cancelled.catch(() => undefined);
  clearInterval(beats);
  return done({ isDone: false, throughSeqNo: 40, written: 41 });
}

test('creates, copies every part, ends the load, and has no snapshot steps', async () => {
  const parts = [part(0), part(1), part(2)];
  await started(
    runbookByCopy(),
    { planParts: async () => ({ parts }), copyParts: partByPart(async () => done()) },
    async ({ result, calls }) => {
      const status = await result();
      expect(status.state).toBe('completed');
      expect(status.batches[0]?.steps.map(({ id }) => id)).toEqual(
        ['create', 'documents', 'finalize', 'verify'].map((stage) => `batch-0001/${stage}`),
      );
      expect(status.batches[0]?.steps[1]?.summary).toBe('300 documents written in 3 parts');
      expect(calls.filter((call) => call.startsWith('copyPart'))).toHaveLength(3);
      expect(calls.some((call) => /napshot|registerRepository/.test(call))).toBe(false);
    },
  );
});

const small = (shard: number) => ({ ...part(shard), documents: 1 });

test('small parts share activities; refused documents are known by their parts, and only those are copied again', async () => {
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 1, example: '7', remedy: 'mend it' };
  const asked: CopyPartsInput[] = [];
  let isMended = false;
  await started(
    runbookByCopy({ gates: ['cutover'] }),
    {
      planParts: async () => ({ parts: Array.from({ length: 200 }, (_, shard) => small(shard)) }),
      copyParts: async (input) => {
        asked.push(input);
        const isRefused = (shard: number) => !isMended && shard % 100 === 7;
        const { causes: _none, ...whole } = done();
        return {
          parts: input.parts.map(({ shard }) => ({ ...whole, written: 1, refused: isRefused(shard) ? 1 : 0 })),
          causes: input.parts.flatMap(({ shard }) => (isRefused(shard) ? [cause] : [])),
        };
      },
    },
    async ({ result, reach, decide }) => {
      const waiting = await reach(({ state }) => state === 'waiting');
      const [batch] = waiting.batches;
      expect(asked.map(({ parts }) => parts.length).sort((a, b) => b - a)).toEqual([
        ...Array.from({ length: 15 }, () => 13),
        5,
      ]);
      expect(asked.flatMap(({ parts }) => parts.map(({ shard }) => shard)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 200 }, (_, shard) => shard),
      );
      expect(batch?.steps[1]?.summary).toBe('200 documents written in 200 parts, 2 refused by the target');
      expect([batch?.moved?.parts, batch?.moved?.partsDone]).toEqual([200, 200]);
      expect(batch?.refusedParts).toEqual(expect.arrayContaining([small(7), small(107)]));
      expect(batch?.refusedParts).toHaveLength(2);
      expect(batch?.refused).toEqual([{ ...cause, count: 2 }]);
      asked.length = 0;
      isMended = true;
      await decide('retryFailed');
      await reach(({ state, differences }) => asked.length === 2 && state === 'waiting' && differences.length === 0);
      expect(asked.map(({ parts }) => parts).sort((a, b) => a[0]!.shard - b[0]!.shard)).toEqual([
        [small(7)],
        [small(107)],
      ]);
      await decide('approve', { gate: 'cutover' });
      expect((await result()).state).toBe('completed');
    },
  );
});

test('a group goes on behind the parts that are done: told to stop in its midst, and where one of them cannot be copied', async () => {
  const asked: CopyPartsInput[] = [];
  let isMended = false;
  const { causes: _none, ...whole } = done({ written: 1 });
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 1 } } }),
    {
      planParts: async () => ({ parts: Array.from({ length: 64 }, (_, shard) => small(shard)) }),
      copyParts: async (input) => {
        asked.push(input);
        if (asked.length === 1) {
          await untilStopped();
          return { parts: [whole, { ...whole, isDone: false, throughSeqNo: 40, written: 0 }], causes: [] };
        }
        const failing = isMended ? -1 : input.parts.findIndex(({ shard }) => shard === 6);
        if (failing === 0) throw stuckBecause({ message: 'refused' });
        return { parts: input.parts.slice(0, failing < 0 ? undefined : failing).map(() => whole), causes: [] };
      },
    },
    async ({ result, reach, decide }) => {
      await reach(() => asked.length === 1);
      await decide('tune', { limits: { docsPerSec: 500 } });
      await reach(({ state }) => state === 'stuck');
      isMended = true;
      await decide('retry', { step: 'batch-0001/documents' });
      const status = await result();
      expect(status.state).toBe('completed');
      const shards = asked.map(({ parts }) => parts.map(({ shard }) => shard));
      expect(shards.slice(0, 4)).toEqual([
        [0, 1, 2, 3],
        [1, 2, 3],
        [4, 5, 6, 7],
        [6, 7],
      ]);
      expect(asked[1]?.parts[0]?.afterSeqNo).toBe(40);
      // what had been done before is not asked for once more
      expect(shards.slice(4).flat()).toEqual(Array.from({ length: 58 }, (_, at) => at + 6));
      expect(status.batches[0]?.moved).toMatchObject({ parts: 64, partsDone: 64, written: 64 });
    },
  );
});

test('moved once more: what was written since replaces what is there; until all is there the comparison goes by the earlier positions', async () => {
  const asked: OnePart['part'][] = [];
  const compared: VerifyInput[] = [];
  let checkpoint = 99;
  let isDown = false;
  await started(
    runbookByCopy(),
    {
      planParts: async () => ({ parts: [{ ...part(0), toSeqNo: checkpoint }] }),
      copyParts: partByPart(async (input) => {
        asked.push(input.part);
        if (isDown) throw stuckBecause({ message: 'the target is gone' });
        return done();
      }),
      verifyIndices: async (input) => {
        compared.push(input);
        const isEqual = input.positions?.[0]?.seqNos[0] === 149;
        const differences = isEqual
          ? []
          : [{ where: 'index index-1', what: 'written on the source after it was copied' }];
        const behind = isEqual ? [] : ['index-1'];
        return { changed: false, summary: '', changes: [], differences, behind, adapted: [], indices: 1, documents: 1 };
      },
    },
    async ({ result, calls, reach, decide }) => {
      await reach(({ state }) => state === 'stuck');
      expect(asked.splice(0)).toHaveLength(1);
      checkpoint = 149;
      isDown = true;
      await decide('retry');
      await reach(({ batches }) => batches[0]?.steps.at(-1)?.failure?.message === 'the target is gone');
      isDown = false;
      asked.length = 0;
      await decide('retry');
      await reach(({ batches }) => batches[0]?.steps.at(-1)?.failure?.type === 'VerificationFailed');
      await decide('retry');
      expect((await result()).state).toBe('completed');
      expect(asked.sort((a, b) => a.afterSeqNo - b.afterSeqNo)).toEqual([
        { ...part(0), documents: 67 },
        { ...part(0), afterSeqNo: 99, toSeqNo: 149, documents: 33, replaces: true },
      ]);
      // a move that failed has brought nothing of what was written since
      expect(compared.map(({ positions }) => positions?.[0]?.seqNos[0])).toEqual([99, 99, 99, 99, 149, 149]);
      const order = calls
        .filter((call) => /^(begin|end)CatchUp|^copyPart/.test(call))
        .map((call) => call.split(' ')[0]);
      expect(order.slice(-4)).toEqual(['beginCatchUp', 'copyParts', 'copyParts', 'endCatchUp']);
    },
  );
});

test('by remote reindex what was written since and is kept by a higher version on the target is a difference', async () => {
  const asked: (boolean | undefined)[] = [];
  let compared = 0;
  await started(
    runbookByCopy({ method: 'remote-reindex' }),
    {
      checkRemoteAllowed: async () => [],
      planReindexParts: async () => {
        const { shard: _shard, afterSeqNo, ...rest } = part(0);
        const toSeqNo = asked.length === 0 ? 99 : 149;
        const parts = [{ ...rest, range: { afterSeqNo, toSeqNo } }];
        return { parts, positions: [{ index: rest.index, uuid: rest.uuid, seqNos: [toSeqNo] }] };
      },
      reindexPart: async ({ part: { replaces } }) => {
        asked.push(replaces);
        return { isDone: true, written: 1, superseded: 2, refused: 0, causes: [], tasks: 1 };
      },
      verifyIndices: async () => {
        const differences = (compared += 1) > 2 ? [] : [{ where: 'index index-1', what: 'later writes' }];
        return {
          changed: false,
          summary: '',
          changes: [],
          differences,
          behind: ['index-1'],
          adapted: [],
          indices: 1,
          documents: 1,
        };
      },
    },
    async ({ result, reach, decide }) => {
      await reach(({ state }) => state === 'stuck');
      await decide('retry');
      const { state, differences } = await result();
      expect([asked.sort(), state]).toEqual([[true, undefined, undefined], 'completed with differences']);
      expect(differences).toMatchObject([
        { where: 'index index-1', what: expect.stringMatching(/^2 documents/) as string },
      ]);
    },
  );
});

test('new limits stop a part where it is, and it goes on from there under them', async () => {
  const asked: OnePart[] = [];
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 1 } } }),
    {
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async (input) => {
        asked.push(input);
        return asked.length === 1 ? untilStopped() : done({ written: 59 });
      }),
    },
    async ({ result, reach, decide }) => {
      await reach(() => asked.length === 1);
      await expect(decide('tune', { limits: { requestsPerSecond: 5 } })).rejects.toThrow();
      await decide('tune', { limits: { docsPerSec: 500 } });
      const status = await result();
      expect(status.batches[0]?.steps[1]?.summary).toBe('100 documents written in 1 part');
      expect(asked.map((input) => input.part.afterSeqNo)).toEqual([-1, 40]);
      expect(asked.map((input) => input.limits.docsPerSec)).toEqual([undefined, 500]);
      expect(status.decisions).toMatchObject([{ verb: 'tune', subject: '{"docsPerSec":500}' }]);
    },
  );
});

test('a pause stops parts, and a resume begins them at their checkpoints', async () => {
  const asked: OnePart[] = [];
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 1 } } }),
    {
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async (input) => {
        asked.push(input);
        return asked.length === 1 ? untilStopped() : done({ written: 59 });
      }),
    },
    async ({ result, reach, decide }) => {
      await reach(() => asked.length === 1);
      await decide('pause');
      await reach(({ state }) => state === 'paused');
      await decide('resume');
      expect((await result()).state).toBe('completed');
      expect(asked.map((input) => input.part.afterSeqNo)).toEqual([-1, 40]);
    },
  );
});

test('with another number of parts more go at once, and fewer, and each has its share of the limits', async () => {
  const asked: OnePart[] = [];
  let underWay = 0;
  let isOver = false;
  const parts = [part(0), part(1), part(2), part(3)];
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 1 }, limits: { docsPerSec: 600 } } }),
    {
      planParts: async () => ({ parts }),
      copyParts: partByPart(async (input) => {
        asked.push(input);
        if (isOver) return done();
        underWay += 1;
        return untilStopped().finally(() => (underWay -= 1));
      }),
    },
    async ({ result, reach, decide }) => {
      // parts that were under way are stopped and asked for again: until then new ones are beside them
      const areAsked = (count: number, share: number) =>
        underWay === count && asked.slice(-count).every(({ limits }) => limits.docsPerSec === share);
      await reach(() => areAsked(1, 600));
      await decide('tune', { limits: { partsInFlight: 3 } });
      await reach(() => areAsked(3, 200));
      await decide('tune', { limits: { partsInFlight: 2 } });
      await reach(() => areAsked(2, 300));
      isOver = true;
      await decide('tune', { limits: { partsInFlight: 4 } });
      expect((await result()).state).toBe('completed');
    },
  );
});

test('batches that move at once share the limits of the run: one that was stuck, and the one that took its place', async () => {
  const asked: OnePart[] = [];
  const underWay = new Set<string>();
  let isMended = false;
  const over = new Set<string>();
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 2 }, limits: { docsPerSec: 600, bytesPerSec: '6mb' } } }),
    {
      planParts: async ({ indices }) => ({
        parts: indices.flatMap(({ name, uuid }) => [0, 1].map((shard) => ({ ...part(shard), index: name, uuid }))),
      }),
      copyParts: partByPart(async (input) => {
        const { index, shard } = input.part;
        if (index === 'index-1' && !isMended) throw stuckBecause({ type: 'DocumentsRefused', message: 'too many' });
        if (over.has(index)) return done();
        asked.push(input);
        underWay.add(`${index} ${shard}`);
        return untilStopped().finally(() => underWay.delete(`${index} ${shard}`));
      }),
    },
    async ({ result, reach, decide }) => {
      const areAsked = (indices: string[], docsPerSec: number) => () => {
        const last = new Map(asked.map(({ part: { index, shard }, limits }) => [`${index} ${shard}`, limits]));
        const parts = indices.flatMap((index) => [`${index} 0`, `${index} 1`]);
        return (
          underWay.size === parts.length &&
          parts.every((each) => {
            const limits = last.get(each);
            const share = docsPerSec / 600;
            return limits?.docsPerSec === docsPerSec && limits.bytesPerSec === 6 * 1024 ** 2 * share;
          })
        );
      };
      // the second has it all while the first is stuck
      await reach(areAsked(['index-2'], 300));
      isMended = true;
      await decide('retry', { step: 'batch-0001/documents' });
      await reach(areAsked(['index-1', 'index-2'], 150));
      await decide('tune', { limits: { docsPerSec: 1200, bytesPerSec: '12mb' } });
      await reach(areAsked(['index-1', 'index-2'], 300));
      over.add('index-2');
      // stopped for another limit, its parts are asked for once more, and are done
      await decide('tune', { limits: { docsPerSec: 600, bytesPerSec: '6mb' } });
      await reach(areAsked(['index-1'], 300));
      over.add('index-1');
      await decide('tune', { limits: { partsInFlight: 3 } });
      expect((await result()).state).toBe('completed');
    },
    2,
  );
});

test('what cannot go on where it was keeps its share when limits are divided anew, and is begun anew only by an operator', async () => {
  const asked: OnePart[] = [];
  const underWay = new Map<string, () => void>();
  let isMended = false;
  let stopped = 0;
  const place = ({ index, shard }: OnePart['part']) => `${index} ${shard}`;
  // of a source before 6.0: a slice, and an index that is read whole
  const withoutNumbers = (index: string, uuid: string) => [
    { ...part(0), index, uuid, toSeqNo: 0, slice: { id: 0, max: 2 } },
    { ...part(1), index, uuid, toSeqNo: 0 },
  ];
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 2 }, limits: { docsPerSec: 600 } } }),
    {
      planParts: async ({ indices }) => ({ parts: indices.flatMap(({ name, uuid }) => withoutNumbers(name, uuid)) }),
      copyParts: partByPart(async (input) => {
        if (input.part.index === 'index-1' && !isMended)
          throw stuckBecause({ type: 'DocumentsRefused', message: 'too many' });
        asked.push(input);
        const context = Context.current();
        const beats = setInterval(() => context.heartbeat(), 100);
        const isOver = new Promise<boolean>((resolve) => underWay.set(place(input.part), () => resolve(true)));
        const isDone = await Promise.race([isOver, context.cancelled.catch(() => false)]);
        clearInterval(beats);
        underWay.delete(place(input.part));
        if (!isDone) stopped += 1;
        return isDone ? done() : done({ isDone: false, throughSeqNo: -1, written: 0, bytes: 0 });
      }),
    },
    async ({ result, reach, decide }) => {
      const shares = () => asked.map((input) => [place(input.part), input.limits.docsPerSec]);
      // a cancellation would come within a second
      const meanwhile = () => new Promise((resolve) => setTimeout(resolve, 2_000));
      await reach(() => underWay.size === 2);
      isMended = true;
      await decide('retry', { step: 'batch-0001/documents' });
      await reach(() => underWay.size === 4);
      await meanwhile();
      // those of the first batch have a quarter each, and those that went before them still a half
      const first = [
        ['index-2 0', 300],
        ['index-2 1', 300],
        ['index-1 0', 150],
        ['index-1 1', 150],
      ];
      expect([shares().sort(), stopped]).toEqual([[...first].sort(), 0]);
      await decide('tune', { limits: { docsPerSec: 1200 } });
      await reach(() => underWay.size === 4 && asked.length === 8);
      expect(stopped).toBe(4);
      const tuned = first.map(([each]) => [each, 300]);
      expect(shares().slice(4).sort()).toEqual(tuned.sort());
      expect(asked.every((input) => input.part.afterSeqNo === -1)).toBe(true);
      // neither the end of the other batch, nor of another part, has them begin anew
      for (const each of ['index-2 0', 'index-2 1', 'index-1 0']) underWay.get(each)?.();
      await reach(({ batches }) => underWay.size === 1 && batches[1]?.state === 'done');
      await meanwhile();
      expect([asked.length, stopped]).toEqual([8, 4]);
      // a pause does, and then they have what there is
      await decide('pause');
      await reach(() => underWay.size === 0);
      await decide('resume');
      await reach(() => underWay.size === 1);
      expect(shares().at(-1)).toEqual(['index-1 1', 1200]);
      underWay.get('index-1 1')?.();
      const status = await result();
      expect(status.state).toBe('completed');
      expect(status.batches.map(({ moved }) => moved?.written)).toEqual([200, 200]);
    },
    2,
  );
});

test('refused documents are differences, until they are driven again', async () => {
  const cause = {
    index: 'index-1',
    type: 'mapper_parsing_exception',
    reason: 'no date',
    count: 2,
    example: '7',
    remedy: 'correct the mapping',
  };
  let isMended = false;
  const asked: OnePart[] = [];
  await started(
    runbookByCopy({ gates: ['cutover'], copy: { parts: { inFlight: 1 } } }),
    {
      // one of them was written to since
      planParts: async () => ({ parts: [part(0), isMended ? { ...part(1), toSeqNo: 119 } : part(1)] }),
      copyParts: partByPart(async (input) => {
        asked.push(input);
        const isRefused = !isMended && input.part.shard === 0;
        return isRefused ? done({ written: 98, refused: 2, causes: [cause] }) : done();
      }),
    },
    async ({ result, reach, decide }) => {
      const waiting = await reach(({ state }) => state === 'waiting');
      expect(waiting.differences).toEqual([
        {
          where: 'index index-1',
          what: '2 documents were, such as 7, refused by the target: mapper_parsing_exception: no date; correct the mapping',
        },
      ]);
      isMended = true;
      await decide('retryFailed');
      await reach(({ differences }) => differences.length === 0);
      await decide('approve', { gate: 'cutover' });
      const status = await result();
      expect([status.state, status.batches[0]?.state]).toEqual(['completed', 'done']);
      // the first time all of it; then only where documents were refused, and what is new
      expect(asked.map((input) => [input.part.shard, input.part.afterSeqNo, input.part.toSeqNo])).toEqual([
        [0, -1, 99],
        [1, -1, 99],
        [0, -1, 99],
        [1, 99, 119],
      ]);
    },
  );
});

test('a part that was stopped keeps only the piece in which documents were refused', async () => {
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 1, example: '7', remedy: 'mend it' };
  const asked: OnePart[] = [];
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 1 } } }),
    {
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async (input) => {
        asked.push(input);
        return asked.length === 1 ? { ...(await untilStopped()), refused: 1, causes: [cause] } : done({ written: 59 });
      }),
    },
    async ({ result, reach, decide }) => {
      await reach(() => asked.length === 1);
      await decide('tune', { limits: { docsPerSec: 500 } });
      const status = await result();
      expect(status.state).toBe('completed with differences');
      expect(status.batches[0]?.refusedParts).toEqual([{ ...part(0), toSeqNo: 40 }]);
    },
  );
});

test('of a part only the ranges in which documents were refused are copied again, and kept again', async () => {
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 3, example: '7', remedy: 'mend it' };
  const [lower, upper] = [
    { afterSeqNo: 9, toSeqNo: 19 },
    { afterSeqNo: 59, toSeqNo: 69 },
  ];
  const asked: OnePart[] = [];
  let isMended = false;
  await started(
    runbookByCopy({ gates: ['cutover'], copy: { parts: { inFlight: 1 } } }),
    {
      planParts: async () => ({ parts: [part(0), part(1)] }),
      copyParts: partByPart(async (input) => {
        asked.push(input);
        const { shard, afterSeqNo, toSeqNo } = input.part;
        const isLower = afterSeqNo <= lower.afterSeqNo;
        if (shard !== 0 || isMended) return done({ written: toSeqNo - afterSeqNo });
        if (asked.length <= 2) return done({ written: 97, refused: 3, causes: [cause], refusedRanges: [lower, upper] });
        // one of them has been mended
        return isLower
          ? done({ written: 1, superseded: 9 })
          : done({ written: 0, superseded: 9, refused: 1, causes: [{ ...cause, count: 1 }], refusedRanges: [upper] });
      }),
    },
    async ({ result, reach, decide }) => {
      const narrow = { ...part(0), documents: 10 };
      const waiting = await reach(({ state }) => state === 'waiting');
      expect(waiting.batches[0]?.refusedParts).toEqual([
        { ...narrow, ...lower },
        { ...narrow, ...upper },
      ]);
      await decide('retryFailed');
      const again = await reach(({ state, batches }) => state === 'waiting' && batches[0]?.refused[0]?.count === 1);
      expect(again.batches[0]?.refusedParts).toEqual([{ ...narrow, ...upper }]);
      isMended = true;
      const isTaken = () =>
        decide('retryFailed').then(
          () => true,
          () => false,
        );
      // until the one before is over
      await waitUntil(isTaken, (is) => is, { what: 'the next retry' });
      await reach(({ differences }) => differences.length === 0);
      await decide('approve', { gate: 'cutover' });
      expect((await result()).state).toBe('completed');
      expect(asked.slice(2).map((input) => input.part)).toEqual([
        { ...narrow, ...lower },
        { ...narrow, ...upper },
        { ...narrow, ...upper },
      ]);
    },
  );
});

test('of many ranges those that lie close together are joined, whatever order parts end in; each is within one', async () => {
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 16, example: '7', remedy: 'mend it' };
  const wide = (at: number) => ({ ...part(0), afterSeqNo: at * 1000 - 1, toSeqNo: at * 1000 + 999, documents: 1000 });
  const rangesOf = (at: number) =>
    Array.from({ length: 16 }, (_, nth) => {
      const afterSeqNo = at * 1000 + nth * (nth + at);
      return { afterSeqNo, toSeqNo: afterSeqNo + 1 };
    });
  const slice = { ...part(1), afterSeqNo: -1, toSeqNo: 0, slice: { id: 1, max: 2 } };
  let ended = 0;
  await started(
    runbookByCopy({ copy: { parts: { inFlight: 17 } } }),
    {
      planParts: async () => ({ parts: [...Array.from({ length: 16 }, (_, at) => wide(at)), slice] }),
      copyParts: partByPart(async (input) => {
        if (input.part.slice) return done({ refused: 1, causes: [{ ...cause, count: 1 }] });
        const at = (input.part.afterSeqNo + 1) / 1000;
        // every second part, and then those between them
        if (at % 2 === 0)
          await waitUntil(
            async () => ended,
            (count) => count === 8,
            { what: 'the others' },
          );
        else ended += 1;
        return done({ refused: 16, causes: [cause], refusedRanges: rangesOf(at) });
      }),
    },
    async ({ result }) => {
      const status = await result();
      const kept = (status.batches[0]?.refusedParts ?? []) as CopyPartsInput['parts'];
      expect(kept.length).toBeLessThanOrEqual(100);
      // what has no sequence numbers stays whole
      expect(kept.filter((each) => each.slice)).toEqual([slice]);
      const ranges = kept.filter((each) => !each.slice).sort((a, b) => a.afterSeqNo - b.afterSeqNo);
      for (const range of Array.from({ length: 16 }, (_, at) => rangesOf(at)).flat())
        expect(
          ranges.filter(({ afterSeqNo, toSeqNo }) => afterSeqNo <= range.afterSeqNo && range.toSeqNo <= toSeqNo),
        ).toHaveLength(1);
      const overlaps = ranges.filter(({ afterSeqNo }, at) => at > 0 && afterSeqNo < ranges[at - 1]!.toSeqNo);
      expect(overlaps).toEqual([]);
      // far less than the parts
      expect(ranges.reduce((sum, { afterSeqNo, toSeqNo }) => sum + toSeqNo - afterSeqNo, 0)).toBeLessThan(3_000);
      expect(status.batches[0]?.refused[0]?.count).toBe(257);
    },
  );
});

test('documents that were refused in rounds are driven again by the next round', async () => {
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 1, example: '7', remedy: 'mend it' };
  const totals = { superseded: 0, refused: 0, bytes: 0, replaced: 0, differences: [], unread: [], deleted: 0, lag: 0 };
  let refusedNow = [cause];
  await started(
    runbookByCopy({ catchUp: { kind: 'sequence', interval: '1h' }, gates: ['cutover'] }),
    {
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async () => done()),
      beginCatchUp: async (input) => ({ changed: true, summary: '', changes: [], positions: input.positions }),
      catchUpRound: async ({ positions, retryRefused }) => {
        if (retryRefused === true) refusedNow = [];
        return { ...totals, positions, written: 0, causes: [], refusedNow };
      },
    },
    async ({ result, reach, decide }) => {
      const waiting = await reach(({ state }) => state === 'waiting');
      expect(waiting.differences).toHaveLength(1);
      await decide('retryFailed');
      // at once, and not after the hour
      await reach(({ differences }) => differences.length === 0);
      await expect(decide('retryFailed')).rejects.toThrow();
      await decide('approve', { gate: 'cutover' });
      expect((await result()).state).toBe('completed');
    },
  );
});

/** A live source of which something is deleted all the time; each search for it goes on until it is let go, or told to stop. */
function deletedFrom() {
  const totals = { superseded: 0, refused: 0, bytes: 0, replaced: 0, causes: [], differences: [], unread: [] };
  const source = {
    rounds: [] as CatchUpRoundInput[],
    searches: [] as DeletesInput[],
    /** Of each search, when it began and when it ended. */
    lasted: [] as { fromMs: number; toMs?: number }[],
    underWay: 0,
    stopped: 0,
    /** Rounds that compared while a search was under way. */
    disturbed: 0,
    fails: false,
    letGo: () => undefined as void,
  };
  const over: Parameters<typeof recordedActivities>[1] = {
    planParts: async () => ({ parts: [part(0)] }),
    copyParts: partByPart(async () => done()),
    beginCatchUp: async (input) => ({ changed: true, summary: '', changes: [], positions: input.positions }),
    catchUpRound: async (input) => {
      source.rounds.push(input);
      if (input.deletes === 'compare' && source.underWay > 0) source.disturbed += 1;
      const owed = input.deletes === 'compare' ? {} : { owed: [0], toSearch: [0] };
      const positions = [{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [99 + source.rounds.length], ...owed }];
      return { ...totals, positions, written: 0, deleted: 0, lag: 0 };
    },
    searchDeletes: async (input) => {
      source.searches.push(input);
      if (source.fails) throw stuckBecause({ message: 'not allowed' });
      source.underWay += 1;
      const lasted: (typeof source.lasted)[number] = { fromMs: Date.now() };
      source.lasted.push(lasted);
      const context = Context.current();
      const beats = setInterval(() => context.heartbeat(), 100);
      try {
        await Promise.race([
          context.cancelled.catch((error: unknown) => {
            source.stopped += 1;
            throw error;
          }),
          new Promise<void>((resolve) => (source.letGo = resolve)),
        ]);
      } finally {
        source.underWay -= 1;
        lasted.toMs = Date.now();
        clearInterval(beats);
      }
      return { deleted: 7, searched: ['index-1'] };
    },
  };
  return { source, over };
}

const followingRunbook = () => runbookByCopy({ catchUp: { kind: 'sequence', interval: '10ms' }, gates: ['cutover'] });

test('deletes are searched for beside the rounds; a drain stops the search before it compares', async () => {
  const { source, over } = deletedFrom();
  await started(followingRunbook(), over, async ({ result, reach, catchUpStatus, decide }) => {
    await reach(() => source.underWay === 1);
    const before = source.rounds.length;
    await reach(() => source.rounds.length >= before + 5);
    expect(source.searches).toHaveLength(1);
    expect(source.rounds.slice(before).every(({ isSearching }) => isSearching)).toBe(true);
    expect((await catchUpStatus()).inStepAt).toBeUndefined();
    source.letGo();
    await reach(() => source.searches.length === 2);
    // rested for as long as it took, but for what the worker's answers take
    const [one, two] = source.lasted as [{ fromMs: number; toMs: number }, { fromMs: number }];
    expect(two.fromMs - one.toMs).toBeGreaterThan((one.toMs - one.fromMs) / 2);
    const seen = await catchUpStatus();
    expect(seen.deleted).toBe(7);
    // as of the round that the search took its positions from
    expect(seen.inStepAt).toBeDefined();
    // those of the latest round, and what was searched before
    const [first, second] = source.searches.map(({ positions }) => positions[0]!);
    expect(second!.seqNos[0]).toBeGreaterThan(first!.seqNos[0]! + 4);
    await reach(() => source.rounds.at(-1)?.positions[0]?.searched?.[0] === first!.seqNos[0]);
    await decide('approve', { gate: 'cutover' });
    const { state, catchUp } = await result();
    expect([state, catchUp?.deleted]).toEqual(['completed', 7]);
    expect([source.stopped, source.disturbed]).toEqual([1, 0]);
    expect(source.rounds.slice(-2).map(({ deletes }) => deletes)).toEqual(['compare', 'compare']);
  });
});

test('a search for deletes that is stuck is told, and stops neither the rounds nor the drain', async () => {
  const { source, over } = deletedFrom();
  source.fails = true;
  await started(followingRunbook(), over, async ({ result, reach, decide }) => {
    // what waits for rounds to be at rest must not take that for it
    await reach(({ state, catchUp }) => state === 'stuck' && catchUp?.state === 'running');
    const before = source.rounds.length;
    await reach(() => source.rounds.length >= before + 3);
    await decide('retry', { step: deletesStep });
    await reach(() => source.searches.length === 2);
    await decide('approve', { gate: 'cutover' });
    expect((await result()).state).toBe('completed');
  });
});

test('a pause and an abort stop a search for deletes', async () => {
  const { source, over } = deletedFrom();
  await started(followingRunbook(), over, async ({ result, reach, decide }) => {
    await reach(() => source.underWay === 1);
    await decide('pause');
    await reach(({ catchUp }) => source.stopped === 1 && catchUp?.state === 'paused');
    await decide('resume');
    await reach(() => source.underWay === 1);
    await decide('abort');
    expect((await result()).state).toBe('aborted');
    expect([source.stopped, source.underWay]).toEqual([2, 0]);
  });
});

test('a live source is followed until little is left, and drained at the cutover before anything is compared', async () => {
  const lags = [5000, 40, 0, 0, 0];
  let round = 0;
  const totals = { superseded: 0, refused: 0, bytes: 0, replaced: 0, causes: [], differences: [], unread: [] };
  const positions = [{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [99] }];
  const compared: VerifyInput[] = [];
  await started(
    runbookByCopy({
      catchUp: { kind: 'sequence', interval: '1s', lagBelow: 100 },
      freeze: 'atCutover',
      gates: ['cutover'],
    }),
    {
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async () => done()),
      beginCatchUp: async (input) => ({ changed: true, summary: '', changes: [], positions: input.positions }),
      verifyIndices: async (input) => {
        compared.push(input);
        const none = { changed: false, summary: '', changes: [], adapted: [], indices: 1, documents: 1 };
        // the second comparison comes after a batch was moved once more
        if (compared.length > 1) return { ...none, differences: [], behind: [] };
        return { ...none, differences: [{ where: 'index index-1', what: 'written later' }], behind: ['index-1'] };
      },
      catchUpRound: async () => {
        const lag = lags[Math.min(round, lags.length - 1)] ?? 0;
        round += 1;
        positions[0]!.seqNos = [99 + round];
        return { ...totals, positions, written: lag === 0 ? 0 : 10, deleted: 0, lag };
      },
    },
    async ({ result, reach, decide, calls }) => {
      const waiting = await reach(({ state }) => state === 'waiting');
      expect(waiting.catchUp?.lag).toBeLessThanOrEqual(100);
      await decide('approve', { gate: 'cutover' });
      await reach(({ state }) => state === 'stuck');
      const drainedAt = 99 + round;
      await decide('retry', { step: 'cutover/verify' });
      const status = await result();
      expect(status.state).toBe('completed');
      expect(status.catchUp).toMatchObject({ state: 'drained', lag: 0 });
      // up to where it was drained, which is further than the batch itself had come
      expect(compared[0]?.positions).toEqual([{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [drainedAt] }]);
      const order = ['setWriteBlock', 'endCatchUp', 'verifyIndices', 'applyAliases'];
      const places = order.map((name) => calls.findIndex((call) => call.startsWith(name)));
      expect(places).toEqual([...places].sort((a, b) => a - b));
      expect(places).not.toContain(-1);
      const blocked = calls.findIndex((call) => call.startsWith('setWriteBlock'));
      expect(calls.slice(blocked).filter((call) => call.startsWith('catchUpRound')).length).toBeGreaterThanOrEqual(2);
    },
  );
});

/** A live source whose rounds stand still from `stop` on, one by one, until they are told to stop or let go. */
function standingStill(ending: (stopped: Promise<never>, letGo: Promise<void>) => Promise<unknown>) {
  const asked: CatchUpRoundInput[] = [];
  const totals = { superseded: 0, refused: 0, bytes: 0, replaced: 0, causes: [], differences: [], unread: [] };
  const source = { isStopped: false, letGo: () => undefined as void, stood: 0 };
  const letGo = new Promise<void>((resolve) => (source.letGo = resolve));
  const over: Parameters<typeof recordedActivities>[1] = {
    planParts: async () => ({ parts: [part(0)] }),
    copyParts: partByPart(async () => done()),
    beginCatchUp: async (input) => ({ changed: true, summary: '', changes: [], positions: input.positions }),
    catchUpRound: async (input) => {
      asked.push(input);
      // each is another one's: of a round that is given up nothing may be kept
      const positions = [{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [99 + asked.length] }];
      if (source.isStopped) {
        source.isStopped = false;
        source.stood = asked.length;
        const context = Context.current();
        const beats = setInterval(() => context.heartbeat(), 100);
        await ending(context.cancelled, letGo).finally(() => clearInterval(beats));
      }
      return { ...totals, positions, written: 0, deleted: 0, lag: 0 };
    },
  };
  return { asked, source, over };
}

const pausingRunbook = (over: Record<string, unknown> = {}) =>
  runbookByCopy({
    catchUp: { kind: 'sequence', interval: '100ms' },
    freeze: 'atCutover',
    gates: ['cutover'],
    ...over,
  });

test.each<[string, (stopped: Promise<never>) => Promise<unknown>, boolean]>([
  ['told to stop', (stopped) => stopped, true],
  [
    'ended by its worker just then',
    (stopped) =>
      stopped.catch(() => {
        throw stuckBecause({ message: 'the worker has died' });
      }),
    true,
  ],
  ['at its end by then', (stopped) => stopped.catch(() => undefined), false],
])('a drain does not wait for a round that has paused by itself: %s', async (_, ending, isBegunAnew) => {
  const { asked, source, over } = standingStill(ending);
  await started(pausingRunbook(), over, async ({ result, reach, decide, calls }) => {
    await reach(({ state }) => state === 'waiting' && asked.length > 2);
    source.isStopped = true;
    await reach(() => source.stood > 0);
    await decide('approve', { gate: 'cutover' });
    const status = await result();
    expect([status.state, status.catchUp?.state]).toEqual(['completed', 'drained']);
    const [stood, next] = asked.slice(source.stood - 1) as [CatchUpRoundInput, CatchUpRoundInput];
    expect(stood.limits.pauseAbove).toBeDefined();
    const after = isBegunAnew ? stood.positions : [{ ...stood.positions[0], seqNos: [99 + source.stood] }];
    expect(next.positions).toEqual(after);
    expect(asked.slice(source.stood).map(({ limits }) => limits.pauseAbove)).toEqual(
      asked.slice(source.stood).map(() => undefined),
    );
    expect(status.catchUp?.rounds).toBe(asked.length - (isBegunAnew ? 1 : 0));
    expect(calls.findIndex((call) => call.startsWith('setWriteBlock'))).toBeGreaterThan(-1);
  });
});

test('an abort of a round that has paused by itself is an abort, and begins nothing anew', async () => {
  const { asked, source, over } = standingStill((stopped) => stopped);
  await started(pausingRunbook(), over, async ({ result, reach, decide }) => {
    await reach(({ state }) => state === 'waiting' && asked.length > 2);
    source.isStopped = true;
    await reach(() => source.stood > 0);
    await decide('abort');
    expect((await result()).state).toBe('aborted');
    expect(asked).toHaveLength(source.stood);
  });
});

test('a round that never pauses by itself comes to its end when the drain begins', async () => {
  let wasStopped = false;
  const { asked, source, over } = standingStill(async (stopped, letGo) => {
    stopped.catch(() => (wasStopped = true));
    await letGo;
  });
  const positions = [{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [99] }];
  await started(
    pausingRunbook({ method: 'remote-reindex' }),
    {
      ...over,
      planReindexParts: async () => ({ parts: [{ index: 'index-1', uuid: 'uuid-index-1', documents: 1 }], positions }),
      checkRemoteAllowed: async () => [],
      reindexPart: async () => ({ ...done(), tasks: 1 }),
    },
    async ({ result, reach, decide }) => {
      await reach(({ state }) => state === 'waiting' && asked.length > 2);
      source.isStopped = true;
      await reach(() => source.stood > 0);
      await decide('approve', { gate: 'cutover' });
      await reach(({ catchUp }) => catchUp?.state === 'draining');
      // a cancellation would come within a second
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      source.letGo();
      expect((await result()).state).toBe('completed');
      expect(wasStopped).toBe(false);
      expect(asked[source.stood]?.positions[0]?.seqNos).toEqual([99 + source.stood]);
    },
  );
});

/** The target's nodes may not fetch from the source yet, and their hosts are given. */
function fetchedByHosts(nodes: string[]) {
  const { target, ...plan } = planOf(1, { method: 'remote-reindex', repositories: [] });
  const facts = { ...target, nodes: nodes.map((address) => nodeOf(`n${address}`, address)) };
  const remoteAllowlist = { setting: 'reindex.remote.whitelist', entries: ['old:9200'] };
  const whole = { ...plan, target: facts, remoteAllowlist };
  const refused = {
    id: 'reindex.allowlist',
    level: 'mandatory',
    state: 'failed',
    where: '',
    seen: '',
    wanted: '',
  } as const;
  return {
    runbook: siteRunbookOf(`documents-${(runs += 1)}`, { method: 'remote-reindex', snapshot: undefined }),
    over: {
      inspectClusters: async () => ({ checks: [], source: plan.source, target: facts, indices: [], aliases: [] }),
      planMigration: async () => ({ checks: [], plan: whole, hostChanges: [] }),
      checkRemoteAllowed: async () => [refused],
      readNodes: async () => facts.nodes,
    } satisfies Parameters<typeof recordedActivities>[1],
  };
}

test('an allow list whose setting answered nothing is taken back by what the hosts themselves know', async () => {
  const { runbook, over } = fetchedByHosts(['10.99.0.21', '10.99.0.22']);
  const more = {
    setRemoteAllowlist: async () => {
      throw stuckBecause({ message: 'the worker died after it had edited the file' });
    },
    listHostRecords: async ({ host }: { host: string }) =>
      host === 'h21' ? [{ id: 'remote-allowlist', kind: 'pathRepo' as const, summary: '' }] : [],
  };
  await started(runbook, { ...over, ...more }, async ({ result, reach, decide, calls }) => {
    await reach(({ state }) => state === 'stuck');
    await decide('abort');
    expect((await result()).state).toBe('aborted');
    expect(calls.filter((call) => /^(listHostRecords|undoPathRepo|restartNodeService)/.test(call))).toEqual([
      'listHostRecords h22',
      'listHostRecords h21',
      'undoPathRepo h21',
      'restartNodeService h21',
    ]);
  });
});

test('a node whose host is not given is not let in by the run: the preflight refuses', async () => {
  const { runbook, over } = fetchedByHosts(['10.99.0.21', '10.99.0.22', '10.99.0.23']);
  await started(runbook, over, async ({ result, reach, decide, calls }) => {
    const stuck = await reach(({ state }) => state === 'stuck');
    expect(stuck.steps.find(({ state }) => state === 'stuck')?.id).toBe('preflight/checks');
    expect(calls.filter((call) => call.startsWith('setRemoteAllowlist'))).toEqual([]);
    await decide('abort');
    await result();
  });
});

test('by a field: where it begins is read before the parts are cut, and both sides are compared when that is due', async () => {
  const modes: string[] = [];
  const comparedAt: number[] = [];
  const totals = { written: 0, superseded: 0, refused: 0, bytes: 0, replaced: 0, deleted: 0, lag: 0, causes: [] };
  const field = { name: 'at', type: 'date' as const, through: '1700000000000' };
  const positions = [{ index: 'index-1', uuid: 'uuid-index-1', seqNos: [], field }];
  await started(
    runbookByCopy({
      catchUp: { kind: 'time-field', field: 'at', interval: '100ms', compareDeletesEvery: '2s' },
      freeze: 'atCutover',
      gates: ['cutover'],
    }),
    {
      readPositions: async () => ({ positions }),
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async () => done()),
      beginCatchUp: async (input) => ({ changed: true, summary: '', changes: [], positions: input.positions }),
      catchUpRound: async (input) => {
        expect(input.positions).toEqual(positions);
        modes.push(input.deletes);
        if (input.deletes === 'search') comparedAt.push(Date.now());
        return { ...totals, positions, differences: [], unread: [] };
      },
    },
    async ({ result, reach, decide, calls }) => {
      await reach(({ state }) => state === 'waiting' && modes.filter((mode) => mode === 'search').length >= 2);
      await decide('approve', { gate: 'cutover' });
      expect((await result()).catchUp).toMatchObject({ kind: 'time-field', state: 'drained' });
      const [read, cut] = ['readPositions', 'planParts'].map((name) =>
        calls.findIndex((call) => call.startsWith(name)),
      );
      expect(read).toBeGreaterThanOrEqual(0);
      expect(read).toBeLessThan(cut as number);
      expect(modes[0]).toBe('defer');
      // seldom in between, and to the end when it is drained
      expect((comparedAt[1] as number) - (comparedAt[0] as number)).toBeGreaterThanOrEqual(1_900);
      expect(modes.slice(-2)).toEqual(['compare', 'compare']);
    },
  );
});

test('no round goes on while refused documents of a live source are copied again', async () => {
  const cause = { index: 'index-1', type: 't', reason: 'r', count: 1, example: '7', remedy: 'mend it' };
  const totals = { superseded: 0, refused: 0, bytes: 0, replaced: 0, differences: [], unread: [], deleted: 0, lag: 0 };
  let rounds = 0;
  let copies = 0;
  let [before, meanwhile] = [0, 0];
  await started(
    runbookByCopy({ catchUp: { kind: 'sequence', interval: '20ms' }, gates: ['cutover'] }),
    {
      planParts: async () => ({ parts: [part(0)] }),
      copyParts: partByPart(async () => {
        copies += 1;
        if (copies === 1) return done({ written: 99, refused: 1, causes: [cause] });
        if (copies > 2) return done();
        before = rounds;
        // far more than rounds would take
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        meanwhile = rounds;
        return done();
      }),
      beginCatchUp: async (input) => ({ changed: true, summary: '', changes: [], positions: input.positions }),
      catchUpRound: async ({ positions }) => {
        rounds += 1;
        return { ...totals, positions, written: 0, causes: [] };
      },
    },
    async ({ result, reach, decide }) => {
      await reach(({ state }) => state === 'waiting' && rounds > 3);
      await decide('retryFailed');
      await reach(() => copies === 2);
      // nobody lets a round go on beside it
      await decide('pause');
      await decide('resume');
      await reach(({ differences }) => meanwhile > 0 && differences.length === 0);
      expect(meanwhile).toBe(before);
      await reach(() => rounds > meanwhile + 3);
      await decide('approve', { gate: 'cutover' });
      expect((await result()).state).toBe('completed');
    },
  );
});
