import fc from 'fast-check';
import { bytesOf, cutHits, numberIn, type Part } from '../../activities/copy/cut-hits';
import { answerText, hitText, rawHit } from './copy-fixtures';

const cut = (text: string) => cutHits(Buffer.from(text));
const textOf = (page: ReturnType<typeof cut>, hit: number, part: Part) => bytesOf(page, hit, part)?.toString();

test('cuts the bytes of any documents out, in any order of keys', () => {
  fc.assert(
    fc.property(fc.array(rawHit, { maxLength: 6 }), fc.nat(20), (hits, order) => {
      const page = cut(answerText(hits.map((hit) => hitText(hit, order))));
      expect(page.count).toBe(hits.length);
      for (const [index, hit] of hits.entries()) {
        expect(textOf(page, index, 'source')).toBe(hit.source);
        expect(textOf(page, index, 'id')).toBe(hit.id);
        expect(textOf(page, index, 'routing')).toBe(hit.routing);
        expect(textOf(page, index, 'version')).toBe(String(hit.version));
        expect(textOf(page, index, 'sort')).toBe(`[${hit.seqNo}]`);
        expect(numberIn(page, index, 'seqNo')).toBe(hit.seqNo);
        expect(numberIn(page, index, 'sort')).toBe(hit.seqNo);
      }
    }),
    { numRuns: 300 },
  );
});

test('an answer that is cut short anywhere is refused', () => {
  fc.assert(
    fc.property(
      fc.array(rawHit, { minLength: 1, maxLength: 3 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (hits, where) => {
        const whole = Buffer.from(answerText(hits.map((hit) => hitText(hit))));
        const short = whole.subarray(0, Math.min(whole.length - 1, Math.floor(whole.length * where)));
        expect(() => cutHits(short)).toThrow(/at byte \d+/);
      },
    ),
    { numRuns: 300 },
  );
});

test('a source is a view of the answer, and long strings end where they should', () => {
  const source = `{"long":"${'x'.repeat(500)}\\\\\\"${'y'.repeat(200)}\\\\","escapes":"${'\\"'.repeat(300)}","z":1}`;
  const page = cut(answerText([hitText({ id: '"1"', version: 1, seqNo: 7, source })]));
  expect(textOf(page, 0, 'source')).toBe(source);
  expect(bytesOf(page, 0, 'source')?.buffer).toBe(page.text.buffer);
});

test('says what the answer says besides its hits', () => {
  const page = cut(
    '{"pit_id":"p\\u0041","_scroll_id":"s","took":1,"timed_out":true,"_shards":{"total":2,"failed":1,"failures":[{"shard":0,"reason":{"type":"x"}}]},"hits":{"hits":[]}}\n',
  );
  expect(page).toMatchObject({ count: 0, pitId: 'pA', scrollId: 's', timedOut: true, failedShards: 1 });
  expect(page.failures).toEqual([{ shard: 0, reason: { type: 'x' } }]);
});

test('hits of another size of memory than the first guess', () => {
  const hits = Array.from({ length: 2_000 }, (_, n) =>
    hitText({ id: `"${n}"`, version: 1, seqNo: n, source: `{"n":${n}}` }),
  );
  const page = cut(answerText(hits));
  expect(page.count).toBe(2_000);
  expect(textOf(page, 1_999, 'source')).toBe('{"n":1999}');
});

test('deep documents', () => {
  const source = `{"a":${'['.repeat(2_000)}${']'.repeat(2_000)}}`;
  expect(textOf(cut(answerText([hitText({ id: '"1"', version: 1, seqNo: 0, source })])), 0, 'source')).toBe(source);
});

test('a hit without _source or routing is a hit', () => {
  const page = cut(answerText(['{"_id":"1","_index":"i"}']));
  expect(textOf(page, 0, 'source')).toBeUndefined();
  expect(textOf(page, 0, 'routing')).toBeUndefined();
});

test('error bodies are given back', () => {
  const body = { error: { type: 'index_not_found_exception', reason: 'no such index' }, status: 404 };
  expect(cut(JSON.stringify(body)).error).toEqual(body);
});

test.each([
  ['', /an object was expected/],
  ['{}', /has no hits/],
  ['{"hits":{}}', /no array of hits/],
  ['{"hits":{"hits":{}}}', /an array of hits/],
  ['{"hits":{"hits":[]}}{', /something follows/],
  ['{"hits":{"hits":[]},"hits":{"hits":[]}}', /twice/],
  [answerText(['{"_source":{}}']), /no _id/],
  [answerText(['{"_id":1}']), /not what it should be/],
  [answerText(['{"_id":"1","_source":[]}']), /not what it should be/],
  [answerText(['{"_id":"1","_id":"2"}']), /twice/],
  [answerText(['{"_id":"1","_source":{"a":[1}}}']), /did not open/],
  [answerText(['{"_id":"1"} {"_id":"2"}']), /comma/],
])('refuses %s', (text, message) => {
  expect(() => cut(text)).toThrow(message);
});

test('a shard that is on no node counts as one of which nothing came, though older servers do not call it failed', () => {
  const page = cut(
    '{"took":1,"timed_out":false,"_shards":{"total":5,"successful":4,"skipped":1,"failed":0},"hits":{"hits":[]}}',
  );
  expect(page.failedShards).toBe(1);
});
