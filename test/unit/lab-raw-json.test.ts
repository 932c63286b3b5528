import fc from 'fast-check';
import { at, elements, members, whole } from '../../lab/raw-json';

const textOf = (buffer: Buffer, span: { start: number; end: number } | undefined): string | undefined =>
  span === undefined ? undefined : buffer.toString('utf8', span.start, span.end);

test('gives back the bytes of a value as they were sent', () => {
  const text = Buffer.from(
    '{"a" : [ 1.0,1e3 , {"x":"}\\"]"} ],"_source":{ "big":9007199254740993,"o":1.0 } , "z":-0.0}',
  );
  expect(textOf(text, at(text, ['_source']))).toBe('{ "big":9007199254740993,"o":1.0 }');
  expect(textOf(text, at(text, ['_source', 'big']))).toBe('9007199254740993');
  expect(textOf(text, at(text, ['z']))).toBe('-0.0');
  const array = at(text, ['a']);
  expect(array && elements(text, array).map((span) => textOf(text, span))).toEqual(['1.0', '1e3', '{"x":"}\\"]"}']);
});

test('cuts any JSON object at the same places as a parser', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 1, 3), (value, indent) => {
      const text = Buffer.from(JSON.stringify(value, null, indent));
      const found = [...members(text, whole(text))].map(([key, span]): [string, unknown] => [
        key,
        JSON.parse(textOf(text, span) ?? ''),
      ]);
      expect(new Map(found)).toEqual(new Map(Object.entries(JSON.parse(text.toString()) as Record<string, unknown>)));
    }),
  );
});

test('finds the end of a long string, whatever is escaped in it', () => {
  const long = fc.string({ unit: fc.constantFrom('a', '"', '\\', 'é'), minLength: 30, maxLength: 200 });
  fc.assert(
    fc.property(long, long, (key, value) => {
      const text = Buffer.from(JSON.stringify({ [key]: value, after: 1 }));
      const found = members(text, whole(text));
      expect([...found.keys()]).toEqual([key, 'after']);
      expect(textOf(text, found.get(key))).toBe(JSON.stringify(value));
    }),
  );
});
