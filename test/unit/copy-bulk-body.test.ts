import fc from 'fast-check';
import { bulkBodies, itemOf, subsetOf, type BulkBody } from '../../activities/copy/bulk-body';
import { cutHits } from '../../activities/copy/cut-hits';
import { onOneLine } from '../../activities/copy/json-bytes';
import { answerText, document, hitText, rawHit, type RawHit } from './copy-fixtures';

const pageOf = (hits: readonly RawHit[]) => cutHits(Buffer.from(answerText(hits.map((hit) => hitText(hit)))));
const textOf = (body: BulkBody) => Buffer.concat(body.buffers).toString();
const newer = bulkBodies({ versionType: 'external_gte' });

test('a line for the action and a line for the document, whatever is in it', () => {
  fc.assert(
    fc.property(fc.array(rawHit, { maxLength: 6 }), (hits) => {
      const body = newer(pageOf(hits));
      const lines = textOf(body).split('\n');
      expect(lines.pop()).toBe('');
      expect(lines).toHaveLength(hits.length * 2);
      expect(body.bytes).toBe(Buffer.concat(body.buffers).length);
      for (const [index, { id, routing, version, source }] of hits.entries()) {
        const routed = routing === undefined ? '' : `,"routing":${routing}`;
        const action = `{"index":{"_id":${id}${routed},"version":${version},"version_type":"external_gte"}}`;
        expect(lines[index * 2]).toBe(action);
        // none of the documents here has a line feed in a string: JSON has none there
        expect(lines[index * 2 + 1]).toBe(source.replaceAll('\n', ' '));
        const item = itemOf(body, index);
        expect([item.action.toString(), item.source.toString()]).toEqual(lines.slice(index * 2, index * 2 + 2));
      }
    }),
    { numRuns: 300 },
  );
});

test('a document on one line has the same values and the same length', () => {
  fc.assert(
    fc.property(document, (text) => {
      const line = onOneLine(Buffer.from(text)).toString();
      expect(line).not.toContain('\n');
      expect(line).toHaveLength(text.length);
      expect(JSON.parse(line)).toEqual(JSON.parse(text));
    }),
  );
});

test('comments, which Elasticsearch keeps, become spaces', () => {
  const source = '{"a":1, // "}\n /* "} \n */ "b":"// no comment"}';
  const page = pageOf([{ id: '"1"', version: 3, seqNo: 0, source }]);
  const line = itemOf(newer(page), 0).source.toString();
  expect(line).toMatch(/^\{"a":1, +"b":"\/\/ no comment"\}$/);
  expect(line).toHaveLength(source.length);
});

test('large documents are views of the answer, and the order stays', () => {
  const sources = [`{"a":1}`, `{"b":"${'x'.repeat(100_000)}"}`, `{"c":"${'y'.repeat(70_000)}",\n"d":1}`, `{"e":2}`];
  const page = pageOf(sources.map((source, n) => ({ id: `"${n}"`, version: 1, seqNo: n, source })));
  const body = newer(page);
  expect(body.borrows).toBe(true);
  expect(body.buffers.some((buffer) => buffer.buffer === page.text.buffer)).toBe(true);
  expect(sources.map((_, n) => itemOf(body, n).source.toString())).toEqual(sources.map((s) => s.replaceAll('\n', ' ')));
});

test('some items of a body, and of those some again', () => {
  fc.assert(
    fc.property(fc.array(rawHit, { minLength: 1, maxLength: 8 }), fc.array(fc.boolean()), (hits, chosen) => {
      const body = newer(pageOf(hits));
      const positions = hits.flatMap((_, position) => (chosen[position] === true ? [position] : []));
      const subset = subsetOf(body, positions);
      expect(textOf(subset)).toBe(textOf(newer(pageOf(positions.map((position) => hits[position] as RawHit)))));
      for (const [index, position] of positions.entries())
        expect(itemOf(subset, index)).toEqual(itemOf(body, position));
    }),
  );
});

test('index, type and a range of hits, as they are asked for', () => {
  const page = pageOf([1, 2, 3].map((n) => ({ id: `"${n}"`, version: n, seqNo: n, source: '{}' })));
  const body = bulkBodies({ index: 'a"b', type: 'doc', versionType: 'external' })(page, 1, 2);
  expect(textOf(body)).toBe(
    '{"index":{"_index":"a\\"b","_type":"doc","_id":"2","version":2,"version_type":"external"}}\n{}\n',
  );
});

test('a document without its source is not copied', () => {
  const page = cutHits(Buffer.from(answerText(['{"_id":"1","_version":1}'])));
  expect(() => newer(page)).toThrow('the document "1" came without its _source');
});
