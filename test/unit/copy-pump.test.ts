import { openByteClient } from '../../activities/elasticsearch/byte-client';
import type { RefusedDocument } from '../../activities/copy/bulk-writer';
import { pageMemory } from '../../activities/copy/page-memory';
import { pump, type PumpOptions, type PumpProgress } from '../../activities/copy/pump';
import { fakeCluster, type Fault } from './copy-fake-cluster';
import type { RawHit } from './copy-fixtures';

/** With holes in the sequence, as updates leave them. */
const hits = (count: number, source = (n: number) => `{"n":${n},"one":1.0,"big":9007199254740993}`): RawHit[] =>
  Array.from({ length: count }, (_, n) => ({ id: `"d${n}"`, version: n + 1, seqNo: n * 3, source: source(n) }));

interface Ran {
  result?: PumpProgress;
  error?: unknown;
  seen: PumpProgress[];
  refused: RefusedDocument[];
  target: Awaited<ReturnType<typeof fakeCluster>>;
  searches: number;
}

async function run(
  documents: RawHit[],
  faults: { source?: Fault; target?: Fault } = {},
  options: Partial<PumpOptions> = {},
): Promise<Ran> {
  const source = await fakeCluster(documents, faults.source);
  const target = await fakeCluster([], faults.target);
  const clients = [source, target].map(({ url }) =>
    openByteClient({ where: 'a cluster', urls: [url], connections: 4 }),
  );
  const [from, to] = clients as [(typeof clients)[0], (typeof clients)[0]];
  const ran: Ran = { seen: [], refused: [], target, searches: 0 };
  try {
    ran.result = await pump({
      part: { index: 'i', shard: 0, afterSeqNo: -1, toSeqNo: Math.max(-1, ...documents.map(({ seqNo }) => seqNo)) },
      source: { client: from, reading: 'sequence with pit' },
      target: { client: to, index: 'i', versionType: 'external' },
      batchBytes: 20_000,
      onProgress: (progress) => ran.seen.push(progress),
      onRefused: (document) => ran.refused.push(document),
      ...options,
    });
  } catch (error) {
    ran.error = error;
  } finally {
    ran.searches = source.requests.filter(({ path }) => path.startsWith('/_search')).length;
    for (const client of clients) client.close();
    await Promise.all([source.close(), target.close()]);
  }
  return ran;
}

function expectAll(ran: Ran, documents: RawHit[]): void {
  expect(ran.error).toBeUndefined();
  expect([...ran.target.documents].map(([id, { source }]) => [`"${id}"`, source]).sort()).toEqual(
    documents.map(({ id, source }) => [id, source]).sort(),
  );
  expect(ran.result?.throughSeqNo).toBe(documents.at(-1)?.seqNo ?? -1);
}

test('every document, its bytes and its version, in a few requests', async () => {
  const documents = hits(3_000);
  const ran = await run(documents);
  expectAll(ran, documents);
  expect(ran.result).toMatchObject({ written: 3_000, superseded: 0, refused: 0 });
  expect(ran.target.documents.get('d7')?.action).toBe('{"index":{"_id":"d7","version":8,"version_type":"external"}}');
  const checkpoints = ran.seen.map(({ throughSeqNo }) => throughSeqNo);
  expect(checkpoints).toEqual([...checkpoints].sort((a, b) => a - b));
  // windows became as wide as the holes ask for
  expect(ran.searches).toBeLessThan(40);
});

test('an empty part', async () => {
  const ran = await run([]);
  expectAll(ran, []);
  expect(ran.searches).toBe(0);
});

test('a full queue: items are sent again, less at a time', async () => {
  const documents = hits(2_000);
  const tooMuch = { index: { status: 429, error: { type: 'es_rejected_execution_exception', reason: 'full' } } };
  const ran = await run(documents, {
    target: (kind, nth, whole) => {
      if (kind !== 'bulk') return undefined;
      if (nth === 2) return { status: 429, body: '{"error":{"type":"es_rejected_execution_exception"},"status":429}' };
      if (nth !== 4) return undefined;
      const answer = JSON.parse(whole().body) as { items: object[] };
      // it says of some that they were not written; that they were is the worse of the two cases
      const items = answer.items.map((item, position) => (position % 2 === 0 ? tooMuch : item));
      return { status: 200, body: JSON.stringify({ errors: true, items }) };
    },
  });
  expectAll(ran, documents);
  expect(ran.result?.pushedBack).toBe(2);
  expect(ran.result?.written).toBe(2_000 - (ran.result?.superseded ?? 0));
  expect(ran.result?.superseded).toBeGreaterThan(0);
});

test('an answer to a bulk that is broken off: sent again, and found to be there', async () => {
  const documents = hits(1_000);
  const ran = await run(documents, {
    target: (kind, nth, whole) => (kind === 'bulk' && nth === 2 ? { ...whole(), cutAt: 100 } : undefined),
  });
  expectAll(ran, documents);
  expect(ran.result?.superseded).toBeGreaterThan(0);
});

test.each([
  ['dense after a few', (n: number) => (n < 300 ? n * 1_000 : 300_000 + n)],
  ['a few, and nothing for long, and dense', (n: number) => (n < 50 ? n : 2_000_000 + n)],
  ['a third of the numbers', (n: number) => n * 3],
])('a window is no longer than its pages: %s', async (_, seqNo) => {
  const documents = hits(8_000).map((hit, n) => ({ ...hit, seqNo: seqNo(n) }));
  const wholes: number[] = [0];
  const onWhole = ({ written }: PumpProgress) => void wholes.push(written);
  const ran = await run(documents, {}, { windowPages: 16, onWhole });
  expectAll(ran, documents);
  const perWindow = wholes.slice(1).map((written, at) => written - (wholes[at] ?? 0));
  const perPage = Math.max(...ran.target.requests.map(({ lines }) => lines / 2));
  expect(Math.max(...perWindow)).toBeLessThanOrEqual(perPage * 16);
  // and not one page each either
  expect(Math.max(...perWindow)).toBeGreaterThan(perPage * 2);
  expect(ran.searches).toBeLessThan(200);
});

test('a lost PIT is opened again, and nothing is read twice', async () => {
  const documents = hits(1_000);
  const lost = { status: 404, body: '{"error":{"type":"search_context_missing_exception"},"status":404}' };
  const ran = await run(documents, { source: (kind, nth) => (kind === 'search' && nth === 3 ? lost : undefined) });
  expectAll(ran, documents);
  expect(ran.result?.written).toBe(1_000);
});

test('an answer that is cut short, with its length or without, is asked for again', async () => {
  const documents = hits(1_000);
  const ran = await run(documents, {
    source: (kind, nth, whole) => {
      if (kind !== 'search') return undefined;
      if (nth === 2) return { ...whole(), cutAt: 5_000 };
      return nth === 4 ? { status: 200, body: whole().body.slice(0, 5_000) } : undefined;
    },
  });
  expectAll(ran, documents);
  expect(ran.result?.written).toBe(1_000);
});

test('shards that failed in an answer of success are asked again', async () => {
  const documents = hits(500);
  const body = '{"_shards":{"total":1,"failed":1,"failures":[{"reason":{"type":"x"}}]},"hits":{"hits":[]}}';
  const ran = await run(documents, {
    source: (kind, nth) => (kind === 'search' && nth === 2 ? { status: 200, body } : undefined),
  });
  expectAll(ran, documents);
});

test('a document that the target refuses is told with what was sent; the others go on', async () => {
  const documents = hits(600, (n) => (n === 321 ? '{"text":"refuse me", "x":1.0}' : `{"n":${n}}`));
  const ran = await run(documents);
  expect(ran.error).toBeUndefined();
  expect(ran.target.documents.size).toBe(599);
  expect(ran.result).toMatchObject({ written: 599, refused: 1, throughSeqNo: 599 * 3 });
  expect(ran.refused).toHaveLength(1);
  expect(ran.refused[0]).toMatchObject({ status: 400, type: 'mapper_parsing_exception', reason: 'no' });
  expect(ran.refused[0]?.source.toString()).toBe('{"text":"refuse me", "x":1.0}');
  expect(ran.refused[0]?.action.toString()).toContain('"_id":"d321"');
});

test('at every checkpoint just those below it count: an attempt that goes on from there counts none twice', async () => {
  const documents = hits(3_000, (n) => (n % 50 === 7 ? '{"text":"refuse me"}' : `{"n":${n}}`));
  const ran = await run(documents, {
    // the second and the fifth are overtaken by later ones
    target: (kind, nth) =>
      kind === 'bulk' && (nth === 2 || nth === 5) ? { status: 429, body: '{"error":"too much"}' } : undefined,
  });
  expect(ran.result).toMatchObject({ written: 2_940, refused: 60 });
  expect(ran.refused).toHaveLength(60);
  for (const seen of ran.seen) {
    const below = documents.filter(({ seqNo }) => seqNo <= seen.throughSeqNo);
    const refused = below.filter(({ source }) => source.includes('refuse me')).length;
    expect([seen.written, seen.refused]).toEqual([below.length - refused, refused]);
  }
});

test('at every checkpoint it is known where documents were refused below it: few ranges, narrow where few were', async () => {
  const isRefused = (n: number) => n === 700 || (n >= 1_500 && n < 2_500 && n % 20 === 7);
  const documents = hits(3_000, (n) => (isRefused(n) ? '{"text":"refuse me"}' : `{"n":${n}}`));
  const ran = await run(documents, {
    target: (kind, nth) =>
      kind === 'bulk' && (nth === 3 || nth === 6) ? { status: 429, body: '{"error":"too much"}' } : undefined,
  });
  expect(ran.result?.refused).toBe(51);
  const refused = documents.flatMap(({ source, seqNo }) => (source.includes('refuse me') ? [seqNo] : []));
  for (const { throughSeqNo, refusedRanges } of ran.seen) {
    const within = refusedRanges.map(({ afterSeqNo, toSeqNo }) =>
      refused.filter((at) => at > afterSeqNo && at <= toSeqNo),
    );
    expect(within.every(({ length }) => length > 0)).toBe(true);
    expect(within.flat()).toEqual(refused.filter((at) => at <= throughSeqNo));
    expect(refusedRanges.every(({ toSeqNo }) => toSeqNo <= throughSeqNo)).toBe(true);
  }
  const [first, second, ...others] = ran.result?.refusedRanges ?? [];
  // a page's worth around the one that is alone; pages that follow each other are one range
  expect(first!.toSeqNo - first!.afterSeqNo).toBeLessThan(1_500);
  expect(others).toEqual([]);
  expect(second!.toSeqNo - second!.afterSeqNo).toBeLessThan(5_000);
});

test('large documents among small ones: pages become smaller, bodies stay bounded', async () => {
  const documents = hits(900, (n) => (n % 300 === 299 ? `{"x":"${'x'.repeat(90_000)}"}` : `{"n":${n}}`));
  const ran = await run(documents, {}, { mostBytesInFlight: 50_000 });
  expectAll(ran, documents);
});

test('a source whose memory the answer would not fit into is asked for fewer', async () => {
  const documents = hits(300);
  const body = '{"error":{"type":"circuit_breaking_exception","reason":"too large"},"status":429}';
  const ran = await run(documents, {
    source: (kind, _, whole) => (kind === 'search' && whole().body.length > 10_000 ? { status: 429, body } : undefined),
  });
  // pages of the wanted size would be larger, so it may only be asked for what it has room for
  expect(ran.error ?? ran.result?.written).toBe(300);
});

test.each<[string, Fault | undefined, number | undefined]>([
  ['comes to its end', undefined, undefined],
  ['fails', (kind) => (kind === 'bulk' ? { status: 403, body: '{}' } : undefined), undefined],
  ['is stopped', undefined, 150],
])('a part that %s leaves nothing taken of the memory', async (_, target, stopAfterMs) => {
  const memory = pageMemory(30_000);
  const stop = stopAfterMs === undefined ? {} : { signal: AbortSignal.timeout(stopAfterMs), docsPerSec: 100 };
  // two at once, so that each waits for the other
  const parts = [1, 2].map(() => run(hits(1_000), target ? { target } : {}, { ...stop, memory }));
  for (const ran of await Promise.all(parts)) {
    if (target || stopAfterMs) expect(ran.error).toBeDefined();
    else expectAll(ran, hits(1_000));
  }
  await memory.take(30_000);
});

test('a body that is too large for the target is halved', async () => {
  const documents = hits(400);
  const ran = await run(documents, {
    target: (kind, nth) => (kind === 'bulk' && nth === 1 ? { status: 413, body: '' } : undefined),
  });
  expectAll(ran, documents);
});

test('what concerns the index ends the part, with a checkpoint below what is missing', async () => {
  const blocked = { index: { status: 403, error: { type: 'cluster_block_exception', reason: 'FORBIDDEN/8/write' } } };
  const ran = await run(hits(2_000), {
    target: (kind, nth, whole) => {
      if (kind !== 'bulk' || nth < 3) return undefined;
      const { items } = JSON.parse(whole().body) as { items: object[] };
      return { status: 200, body: JSON.stringify({ errors: true, items: items.map(() => blocked) }) };
    },
  });
  expect(ran.error).toMatchObject({ type: 'ClusterRequestFailed', nonRetryable: true });
  const reached = ran.seen.at(-1)?.throughSeqNo ?? -1;
  expect(reached).toBeGreaterThan(0);
  expect(reached).toBeLessThan(1_999 * 3);
});

test('patience has an end, and a cancellation too', async () => {
  const full = { status: 429, body: '{"error":{"type":"circuit_breaking_exception"},"status":429}' };
  const target: Fault = (kind) => (kind === 'bulk' ? full : undefined);
  const impatient = await run(hits(10), { target }, { patienceMs: 1 });
  expect(impatient.error).toMatchObject({ type: 'ClusterUnavailable', nonRetryable: false });
  const cancelled = await run(hits(10), { target }, { signal: AbortSignal.timeout(200) });
  expect(cancelled.error).toBeDefined();
});
