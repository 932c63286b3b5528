import {
  advanced,
  aged,
  below,
  between,
  cutOff,
  isAbove,
  larger,
  lowerBound,
  valueOf,
  within,
} from '../../activities/catch-up/field-values';
import type { FieldPosition } from '../../contracts/document-activities';

const long = '9007199254740993';

test('values keep every digit, and nanoseconds are cut so that a bound is never too high', () => {
  expect(valueOf('integer', ` ${long} `)).toBe(long);
  expect(valueOf('integer', '"18446744073709551615"')).toBe('18446744073709551615');
  expect(valueOf('decimal', '1.0E10')).toBe('1.0E10');
  expect(valueOf('date', '1700000000123')).toBe('1700000000123');
  expect(valueOf('date_nanos', '1700000000123456789')).toBe('1700000000123');
  expect(valueOf('date_nanos', '-1500000')).toBe('-2');
  expect(isAbove('integer', '9007199254740993', '9007199254740992')).toBe(true);
  expect(isAbove('decimal', '1.0E10', '9.5')).toBe(true);
  expect(larger('date', '5', undefined)).toBe('5');
  expect(larger('date', '5', '7')).toBe('7');
});

test('bounds of times are such as every version reads; those before 1970 are spelled out', () => {
  expect(within({ name: 'n', type: 'integer' }, {})).toEqual({ exists: { field: 'n' } });
  expect(within({ name: 'n', type: 'integer' }, { gte: '-5' })).toEqual({ range: { n: { gte: '-5' } } });
  expect(within({ name: 'at', type: 'date' }, { gte: '-1', lte: 'now' })).toEqual({
    range: {
      at: { gte: '1969-12-31T23:59:59.999Z', lte: 'now', format: 'strict_date_optional_time||epoch_millis' },
    },
  });
});

test('the middle of two values lies between them, or there is none', () => {
  expect(between('integer', long, '9007199254740995')).toBe('9007199254740994');
  expect(between('integer', '-3', '-2')).toBeUndefined();
  expect(between('date', '0', '11')).toBe('5');
  expect(between('decimal', '1', '2')).toBe('1.5');
  expect(between('decimal', '1', '1.0000000000000002')).toBeUndefined();
  expect(between('decimal', '-1.7e308', '1.7e308')).toBe('0');
  for (const value of ['0', '-3', '7'] as const)
    for (const type of ['integer', 'decimal'] as const) expect(isAbove(type, value, below(type, value))).toBe(true);
});

describe('cutOff', () => {
  const values = (numbers: number[]) => (value: string) =>
    Promise.resolve(numbers.filter((number) => number <= Number(value)).length);

  test('goes to the end where that is not too much', async () => {
    expect(await cutOff('integer', '0', '9', 10, values([1, 2, 3]))).toBe('9');
  });

  test.each(['integer', 'decimal', 'date'] as const)(
    'takes no more than the most of %s, and always some',
    async (type) => {
      const numbers = Array.from({ length: 10_000 }, (_, n) => n * n);
      let low = '-1';
      let taken = 0;
      for (let rounds = 0; taken < numbers.length; rounds++) {
        expect(rounds).toBeLessThan(40);
        const count = values(numbers.filter((number) => number > Number(low)));
        const to = await cutOff(type, low, '99980001', 700, count);
        const found = await count(to);
        expect(found).toBeGreaterThan(0);
        expect(found).toBeLessThanOrEqual(700);
        taken += found;
        low = to;
      }
      expect(taken).toBe(numbers.length);
    },
  );

  test('equal values cannot be told apart: they are taken together', async () => {
    const numbers = [...Array.from({ length: 500 }, () => 40), 90];
    expect(await cutOff('integer', '0', '100', 100, values(numbers))).toBe('40');
  });

  test('a lone document far below does not keep the round from going on', async () => {
    const numbers = [3, ...Array.from({ length: 500 }, () => 1_000_000)];
    const first = Number(await cutOff('date', '2', '2000000', 100, values(numbers)));
    expect(first).toBeGreaterThanOrEqual(3);
    expect(first).toBeLessThan(1_000_000);
    const above = numbers.filter((number) => number > first);
    expect(await cutOff('date', String(first), '2000000', 100, values(above))).toBe('1000000');
  });
});

test('times reach back by the window, and go on no further than they were read', () => {
  const field: FieldPosition = { name: 'at', type: 'date', through: '100000' };
  expect(lowerBound(field, 60_000)).toBe('40000');
  expect(lowerBound({ name: 'at', type: 'date' }, 60_000)).toBeUndefined();
  expect(aged(field, 5, 60_000)).toEqual({ field });
  expect(advanced(field, '90000', undefined).through).toBe('100000');
  expect(advanced(field, '110000', undefined)).toEqual({ ...field, through: '110000' });
});

describe('a field that only grows', () => {
  const windowMs = 10_000;

  /** A round that is asked for at that time, and then sees that value as the largest. */
  function after(field: FieldPosition, at: number, largest: string): FieldPosition {
    const { field: older, done } = aged(field, at, windowMs);
    return advanced(older, largest, done);
  }

  test('is read from the value that was the largest a window ago', () => {
    let field: FieldPosition = { name: 'n', type: 'integer', through: '5', from: '5', seen: [] };
    expect(lowerBound(field, windowMs)).toBe('5');
    field = after(field, 1_000, '10'); // 5 was seen by 1 s
    field = after(field, 5_000, '20'); // 10 by 5 s
    field = after(field, 9_000, '30'); // 20 by 9 s
    expect(lowerBound(field, windowMs)).toBe('5');
    field = after(field, 14_999, '40');
    // 10 was the largest at 5 s: what lies below it may still appear for a millisecond
    expect(lowerBound(field, windowMs)).toBe('5');
    field = after(field, 15_000, '40');
    expect(lowerBound(field, windowMs)).toBe('10');
    field = after(field, 60_000, '50');
    expect([lowerBound(field, windowMs), field.through]).toEqual(['30', '50']);
  });

  test('whatever is written a window late at most is read by some round, and none is kept of what is over', () => {
    let field: FieldPosition = { name: 'n', type: 'integer', seen: [] };
    // number n is taken at n * 10 ms, and seen up to 9.9 s later
    const documents = Array.from({ length: 8_000 }, (_, n) => ({ n, at: n * 10 + ((n * 7_919) % 9_900) }));
    const read = new Set<number>();
    for (let at = 0; at < 100_000; at += 700) {
      const seen = documents.filter((document) => document.at <= at + 20);
      const from = lowerBound(field, windowMs);
      for (const { n } of seen) if (from === undefined || n >= Number(from)) read.add(n);
      field = after(field, at, String(Math.max(0, ...seen.map(({ n }) => n))));
      expect(field.seen?.length).toBeLessThanOrEqual(17);
    }
    expect(read.size).toBe(documents.length);
    expect(Number(field.from)).toBe(7_999);
  });
});
