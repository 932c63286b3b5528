import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { shellCommand, shellQuote } from '../../activities/hosts/shell-quote';

describe('shellQuote', () => {
  it.each([
    ['plain', 'plain'],
    ['/a/b-c.d', '/a/b-c.d'],
    ['', "''"],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['$(touch x)', "'$(touch x)'"],
    ['a\nb', "'a\nb'"],
    ['~', "'~'"],
    ['*', "'*'"],
  ])('%j', (word, quoted) => expect(shellQuote(word)).toBe(quoted));

  it('refuses NUL, which would cut the word short', () => expect(() => shellQuote('a\0b')).toThrow(/NUL/));

  it('gives a real shell exactly the words it was given', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
      fc.constantFrom("'", '"', '\\', '$HOME', '`id`', '$(id)', '\n', ';', '&&', '#', '!', '-n', ' '),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (words) => {
        const command = shellCommand(['printf', '%s\\0', 'first', ...words]);
        const printed = execFileSync('/bin/sh', ['-c', command]).toString('utf8');
        expect(printed.split('\0').slice(1, -1)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });
});
