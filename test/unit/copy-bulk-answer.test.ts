import { readBulkAnswer } from '../../activities/copy/bulk-answer';

const ok = (id: string) => ({ index: { _index: 'i', _id: id, result: 'created', status: 201 } });
const failed = (status: number, type: string) => ({
  index: { _id: 'x', status, error: { type, reason: 'why', caused_by: { reason: 'deeper' } } },
});
const answer = (items: object[], errors = items.some((item) => JSON.stringify(item).includes('"error"'))) =>
  Buffer.from(JSON.stringify({ took: 3, errors, items }));

test('nothing failed', () => {
  expect(readBulkAnswer(answer([ok('1'), ok('"status":201')]), 2)).toEqual([]);
  expect(readBulkAnswer(Buffer.from('{"errors":false,"took":1,"ingest_took":0,"items":[]}\n'), 0)).toEqual([]);
});

test('failed items by their position', () => {
  expect(
    readBulkAnswer(answer([ok('1'), failed(429, 'es_rejected_execution_exception'), ok('2'), failed(400, 'm')]), 4),
  ).toEqual([
    { position: 1, status: 429, type: 'es_rejected_execution_exception', reason: 'why: deeper' },
    { position: 3, status: 400, type: 'm', reason: 'why: deeper' },
  ]);
});

test('an answer that does not fit what was sent is not believed', () => {
  const whole = answer([ok('1'), ok('2')]);
  expect(() => readBulkAnswer(whole, 3)).toThrow('has 2 items, and 3 were sent');
  expect(() => readBulkAnswer(whole.subarray(0, -1), 2)).toThrow('no whole JSON');
  expect(() => readBulkAnswer(whole.subarray(0, 60), 2)).toThrow('no whole JSON');
  expect(() => readBulkAnswer(Buffer.from('{}'), 0)).toThrow('no items');
  expect(() => readBulkAnswer(answer([{ index: {} }], true), 1)).toThrow('no status');
});
