import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { CopyPart, CopyPartResult, CopyPartsInput, CopyPartsResult } from '../../contracts/document-activities';
import { withRefused } from '../../contracts/refusals';
import type { CopySides, PartCheckpoint } from '../../activities/copy/copy-part';
import { copyParts } from '../../activities/copy/copy-parts';
import type { RefusedDocument } from '../../activities/copy/bulk-writer';
import { rateGate } from '../../activities/copy/rate-gate';
import { transient } from '../../activities/failure';
import { openByteClient } from '../../activities/elasticsearch/byte-client';
import type { Cluster, RequestParams } from '../../activities/elasticsearch/cluster';
import { runbookOf } from '../support/fixtures';
import { fakeCluster, type Fault } from './copy-fake-cluster';

/** Parts of ten documents each, of one index: what a group of small indices is to the activity. */
const perPart = 10;
const partOf = (at: number, over: Partial<CopyPart> = {}): CopyPart => ({
  index: 'i',
  uuid: 'u',
  shard: 0,
  afterSeqNo: at * perPart - 1,
  toSeqNo: (at + 1) * perPart - 1,
  documents: perPart,
  ...over,
});
const partsOf = (count: number) => Array.from({ length: count }, (_, at) => partOf(at));

const runbook = runbookOf('r', { method: 'copy', snapshot: undefined });

/** That an activity fails is what some of these tests are about: it need not be logged. */
const quiet = { logger: new DefaultLogger('ERROR') };

interface Ran {
  answer?: CopyPartsResult;
  error?: unknown;
  heard: { done: number; total: number; detail: string; checkpoint: CopyPartsResult & { present?: object } }[];
  /** Ids in the order in which they were written. */
  written: string[];
  joined: number;
  ms: number;
}

async function run(
  parts: CopyPart[],
  more: {
    before?: unknown;
    source?: (n: number) => string;
    /** On the source; 200 unless given. */
    documents?: number;
    /** In place of what the source answers. */
    fault?: Fault;
    targetFault?: Fault;
    /** Request to the source that does not get there, from 1. */
    lost?: number;
    limits?: Partial<CopyPartsInput['limits']>;
    onHeartbeat?: (details: Ran['heard'][number], env: MockActivityEnvironment) => void;
  } = {},
): Promise<Ran> {
  const hits = Array.from({ length: more.documents ?? 200 }, (_, n) => ({
    id: `"d${n}"`,
    version: 1,
    seqNo: n,
    source: more.source?.(n) ?? '{}',
  }));
  const [from, to] = await Promise.all([fakeCluster(hits, more.fault), fakeCluster([], more.targetFault)]);
  const [reader, writer] = [from, to].map(({ url }) => openByteClient({ where: 'it', urls: [url], connections: 4 }));
  let asked = 0;
  const ran: Ran = { heard: [], written: [], joined: 0, ms: 0 };
  const cluster = {
    version: { text: '7.17.29', major: 7, minor: 17, patch: 29, distribution: 'elasticsearch' },
    request: async ({ path }: RequestParams) => {
      expect(path).toBe('/i/_settings/index.uuid');
      asked += 1;
      if (asked === more.lost) throw transient({ type: 'ClusterUnavailable', message: '', where: '', remedy: '' });
      return { status: 200, body: { i: { settings: { index: { uuid: 'u' } } } } };
    },
  } as unknown as Cluster;
  const gates = { source: rateGate({ first: 1 }), target: rateGate({ first: 2 }) };
  const sides: CopySides = {
    source: cluster,
    target: cluster,
    reader: reader!,
    writer: writer!,
    rates: () => {
      ran.joined += 1;
      return { ...gates, words: () => 'fast', leave: () => (ran.joined -= 1) };
    },
  };
  const failed = () => {
    const causes: CopyPartsResult['causes'] = [];
    return {
      add: ({ type, reason }: RefusedDocument) =>
        void causes.push({ index: 'i', type, reason, count: 1, example: '', remedy: '' }),
      written: async () => undefined,
      causes: () => causes,
    };
  };
  const env = new MockActivityEnvironment({ attempt: 1, heartbeatDetails: more.before }, quiet);
  env.on('heartbeat', (details: Ran['heard'][number]) => {
    ran.heard.push(structuredClone(details));
    more.onHeartbeat?.(details, env);
  });
  const limits = { bulkBytes: 1 << 20, bulksInFlight: 2, ...more.limits };
  const input = { run: 'r', owner: 'r-1', step: 's', runbook, parts, limits };
  const startedAt = performance.now();
  try {
    ran.answer = await env.run(() => copyParts(input, sides, failed));
  } catch (error) {
    ran.error = error;
  }
  ran.ms = performance.now() - startedAt;
  ran.written = [...to.documents.keys()];
  for (const client of [reader, writer]) client?.close();
  await Promise.all([from.close(), to.close()]);
  return ran;
}

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `d${from + at}`);
const whole = (at: number) => ({
  isDone: true,
  throughSeqNo: partOf(at).toSeqNo,
  written: perPart,
  superseded: 0,
  refused: 0,
  bytes: expect.any(Number) as number,
});

test('parts in turn, each with what became of it; progress is that of all of them', async () => {
  const { answer, heard, written, joined } = await run(partsOf(5));
  expect(answer).toEqual({ parts: [0, 1, 2, 3, 4].map(whole), causes: [] });
  expect(written).toEqual(ids(0, 50));
  expect(heard.map(({ done }) => done)).toEqual([10, 10, 20, 20, 30, 30, 40, 40, 50, 50]);
  expect(heard[4]).toMatchObject({ total: 50, detail: 'i, 3 of 5 small parts: fast' });
  expect(joined).toBe(0);
});

test.each([
  ['in the midst of the third part', 4, 2, { present: true }],
  ['between two parts', 5, 3, { present: false }],
])('killed %s, the next attempt goes on there', async (_when, nth, ended, { present }) => {
  const first = await run(partsOf(5));
  const { checkpoint } = first.heard[nth]!;
  expect([checkpoint.parts.length, checkpoint.present !== undefined]).toEqual([ended, present]);
  const second = await run(partsOf(5), { before: { checkpoint } });
  // the third was wholly acknowledged when it was told
  expect(second.written).toEqual(ids(30, 50));
  expect(second.answer).toEqual(first.answer);
});

test('killed after its end, nothing is written again', async () => {
  const first = await run(partsOf(2));
  const second = await run(partsOf(2), { before: first.heard.at(-1) });
  expect([second.written, second.answer]).toEqual([[], first.answer]);
});

test('told to stop, it answers with the parts that it began', async () => {
  const { answer, written } = await run(partsOf(5), {
    onHeartbeat: ({ checkpoint }, env) => {
      if (checkpoint.parts.length === 2) env.cancel();
    },
  });
  expect(answer?.parts).toEqual([whole(0), whole(1)]);
  expect(written).toEqual(ids(0, 20));
});

test('a part that cannot be copied fails once it is the first: those before it are told', async () => {
  const parts = partsOf(4).map((part, at) => (at === 2 ? { ...part, uuid: 'another' } : part));
  const first = await run(parts);
  expect(first.answer?.parts).toEqual([whole(0), whole(1)]);
  const second = await run(parts.slice(2));
  expect(second.error).toMatchObject({ type: 'IndexMissing', nonRetryable: true });
});

test('what may pass by itself fails the attempt, which the next one goes on from', async () => {
  const first = await run(partsOf(4), { lost: 3 });
  expect(first.error).toMatchObject({ type: 'ClusterUnavailable', nonRetryable: false });
  const second = await run(partsOf(4), { before: first.heard.at(-1) });
  expect([second.written, second.answer?.parts]).toEqual([ids(20, 40), [0, 1, 2, 3].map(whole)]);
});

test('refused documents are told of each part, and bounded over the group', async () => {
  const source = (n: number) => (n % perPart === 0 ? '{"n":"refuse me"}' : '{}');
  const { answer } = await run(partsOf(3), { source });
  expect(answer?.parts.map(({ refused, written }) => [refused, written])).toEqual([
    [1, 9],
    [1, 9],
    [1, 9],
  ]);
  expect(answer?.causes).toMatchObject([{ type: 'mapper_parsing_exception', count: 3 }]);
  const bounded = await run(partsOf(3), { source, limits: { mostRefused: 2 } });
  expect(bounded.answer?.parts).toHaveLength(2);
  expect((await run(partsOf(1), { source, limits: { mostRefused: 0 } })).error).toMatchObject({
    type: 'DocumentsRefused',
  });
});

test('limits hold over small parts, too', async () => {
  const { answer, ms } = await run(partsOf(5), { limits: { docsPerSec: 100 } });
  expect(answer?.parts).toHaveLength(5);
  // the last part is waited for by nobody
  expect(ms).toBeGreaterThan(390);
});

describe('in a window of several pages', () => {
  const documents = 5_000;
  const isRefused = (n: number) => n % 100 === 77;
  const source = (n: number) => (isRefused(n) ? '{"n":"refuse me"}' : '{"n":1}');
  const refused = documents / 100;
  const part = { ...partOf(0), toSeqNo: documents - 1, documents };
  const limits = { bulkBytes: 20_000 };
  const countOf = ({ written, superseded, refused: no }: CopyPartResult | PartCheckpoint) => written + superseded + no;
  const lost = { status: 404, body: '{"error":{"type":"search_context_missing_exception"},"status":404}' };

  test('each attempt goes on in the point in time of the one before; and where that is gone, where the window began', async () => {
    const first = await run([part], { source, documents, limits });
    expect(first.written).toHaveLength(documents - refused);
    const checkpoints = first.heard.flatMap(
      ({ checkpoint }) => (checkpoint.present as PartCheckpoint | undefined) ?? [],
    );
    const within = checkpoints.filter((each) => each.within);
    expect(within.length).toBeGreaterThan(5);
    for (const present of within.filter((_, at) => at % 4 === 0)) {
      const before = { checkpoint: { parts: [], causes: [], present } };
      const same = await run([part], { source, documents, limits, before });
      expect(same.answer?.parts[0]).toMatchObject({ isDone: true, written: documents - refused, refused });
      expect(same.written).toHaveLength(documents - refused - present.written);
      const fault: Fault = (kind, nth) => (kind === 'search' && nth === 1 ? lost : undefined);
      const anew = await run([part], { source, documents, limits, before, fault });
      expect(anew.answer?.parts[0]).toMatchObject({ isDone: true, written: documents - refused, refused });
      expect(anew.written).toHaveLength(documents - refused - (present.within?.whole.written ?? 0));
      expect(anew.answer?.causes).toMatchObject([{ count: refused }]);
      // what is said before a page of its own is through is where the attempt before was, in that very point in time
      const full: Fault = (kind, nth) => (kind === 'bulk' && nth <= 2 ? { status: 429, body: '{}' } : undefined);
      const held = await run([part], { source, documents, limits, before, targetFault: full });
      expect(held.heard[0]?.checkpoint.present).toEqual(present);
      expect(held.answer?.parts[0]).toMatchObject({ isDone: true, written: documents - refused, refused });
    }
    // not all of it is one window
    expect(within.some(({ within: place }) => (place?.whole.written ?? 0) > 0)).toBe(true);
  }, 30_000);

  test('a point in time that is lost fails the attempt, and the next one counts nothing twice', async () => {
    for (const nth of [2, 4, 9]) {
      const fault: Fault = (kind, at) => (kind === 'search' && at === nth ? lost : undefined);
      const failed = await run([part], { source, documents, limits, fault });
      // the first page of a window may be asked for in another one
      if (!failed.error) {
        expect(failed.answer?.parts[0]).toMatchObject({ written: documents - refused, refused });
        continue;
      }
      expect(failed.error).toMatchObject({ nonRetryable: false });
      const before = failed.heard.at(-1);
      const next = await run([part], {
        source,
        documents,
        limits,
        before,
        fault: (kind, at) => (kind === 'search' && at === 1 ? lost : undefined),
      });
      expect(next.answer?.parts[0]).toMatchObject({ isDone: true, written: documents - refused, refused });
      expect(new Set([...failed.written, ...next.written]).size).toBe(documents - refused);
    }
  });

  test('told to stop, it answers with what is done of whole windows', async () => {
    const stopped = await run([part], {
      source,
      documents,
      limits,
      onHeartbeat: ({ done }, env) => {
        if (done > 4_000) env.cancel();
      },
    });
    const [piece] = stopped.answer?.parts ?? [];
    expect(piece?.isDone).toBe(false);
    expect(countOf(piece!)).toBe(piece!.throughSeqNo + 1);
    const rest = await run([{ ...part, afterSeqNo: piece!.throughSeqNo }], { source, documents, limits });
    expect(piece!.refused + rest.answer!.parts[0]!.refused).toBe(refused);
    expect(new Set([...stopped.written, ...rest.written]).size).toBe(documents - refused);
  });
});

describe('where documents were refused', () => {
  const documents = 3_000;
  const isRefused = (n: number) => n === 2_700 || (n >= 600 && n < 1_500 && n % 100 === 77);
  const source = (n: number) => (isRefused(n) ? '{"n":"refuse me"}' : '{"n":1}');
  const refused = Array.from({ length: documents }, (_, n) => n).filter(isRefused);
  const part = { ...partOf(0), toSeqNo: documents - 1, documents };
  // under a limit, however high, windows have one page
  const limits = { bulkBytes: 40_000, docsPerSec: 1e9 };
  type Ranges = CopyPartResult['refusedRanges'];
  /** Each refused document is in one range, and each range has one. */
  function expectKnown(ranges: Ranges, through = documents - 1): void {
    const within = (ranges ?? []).map(({ afterSeqNo, toSeqNo }) =>
      refused.filter((n) => n > afterSeqNo && n <= toSeqNo),
    );
    expect(within.every(({ length }) => length > 0)).toBe(true);
    expect(within.flat()).toEqual(refused.filter((n) => n <= through));
  }
  const width = (ranges: Ranges) =>
    (ranges ?? []).reduce((sum, { afterSeqNo, toSeqNo }) => sum + toSeqNo - afterSeqNo, 0);

  test('is told of each part, and of nothing else', async () => {
    const { answer } = await run([part], { source, documents, limits });
    expect(answer?.parts[0]?.refused).toBe(refused.length);
    expectKnown(answer?.parts[0]?.refusedRanges);
    expect(width(answer?.parts[0]?.refusedRanges)).toBeLessThan(documents * 0.8);
    const small = await run(partsOf(3), { source: (n) => (n === 15 ? '{"n":"refuse me"}' : '{}') });
    expect(small.answer?.parts.map(({ refusedRanges }) => refusedRanges)).toEqual([
      undefined,
      [{ afterSeqNo: 9, toSeqNo: 19 }],
      undefined,
    ]);
  });

  test('is forgotten by no attempt, whenever the one before was killed: before it said so, and after', async () => {
    const first = await run([part], { source, documents, limits });
    expect(first.heard.length).toBeGreaterThan(10);
    const counted = new Set<number>();
    for (const { checkpoint } of first.heard) {
      const known = (checkpoint.present ?? checkpoint.parts[0]) as CopyPartResult;
      counted.add(known.refused);
      expectKnown(known.refusedRanges, known.throughSeqNo);
      const { answer } = await run([part], { source, documents, limits, before: { checkpoint } });
      expect(answer?.parts[0]?.refused).toBe(refused.length);
      expectKnown(answer?.parts[0]?.refusedRanges);
    }
    // there were attempts that knew of none, of some, and of all
    expect([counted.has(0), counted.has(refused.length), counted.size > 3]).toEqual([true, true, true]);
  });

  test('is forgotten by no attempt that was told to stop, and asked for the rest', async () => {
    const stopped = await run([part], {
      source,
      documents,
      limits,
      onHeartbeat: ({ done }, env) => {
        if (done > 1_000) env.cancel();
      },
    });
    const [piece] = stopped.answer?.parts ?? [];
    expect(piece?.isDone).toBe(false);
    expectKnown(piece?.refusedRanges, piece!.throughSeqNo);
    const rest = await run([{ ...part, afterSeqNo: piece!.throughSeqNo }], { source, documents, limits });
    expectKnown([...(piece?.refusedRanges ?? []), ...(rest.answer?.parts[0]?.refusedRanges ?? [])]);
  });

  test('is all that was gone through, where a worker of an earlier version said only how many', async () => {
    const present = { throughSeqNo: 1_999, written: 1_991, superseded: 0, refused: 9, bytes: 1, causes: [] };
    const { answer } = await run([part], {
      source,
      documents,
      limits,
      before: { checkpoint: { parts: [], causes: [], present } },
    });
    const ranges = answer?.parts[0]?.refusedRanges;
    expect(ranges?.[0]?.afterSeqNo).toBe(-1);
    expectKnown(ranges);
  });

  test('is few ranges, however many documents', () => {
    const narrow = Array.from({ length: 100 }, (_, at) => ({ afterSeqNo: at * at * 10, toSeqNo: at * at * 10 + 5 }));
    const ranges = narrow.reduce<NonNullable<Ranges>>((known, range) => withRefused(known, range), []);
    expect(ranges).toHaveLength(16);
    // one that begins within the last of them makes it longer: two would have what is refused in both counted twice
    expect(withRefused([{ afterSeqNo: -1, toSeqNo: 9 }], { afterSeqNo: -1, toSeqNo: 19 })).toEqual([
      { afterSeqNo: -1, toSeqNo: 19 },
    ]);
    // those that were far apart have stayed so
    expect(ranges.slice(-2)).toEqual(narrow.slice(-2));
    for (const { afterSeqNo, toSeqNo } of narrow)
      expect(ranges.filter((range) => range.afterSeqNo <= afterSeqNo && toSeqNo <= range.toSeqNo)).toHaveLength(1);
  });
});
