import fc from 'fast-check';
import {
  blockLines,
  DamagedBlock,
  differingPart,
  foreignLines,
  withBlock,
  withoutBlock,
} from '../../activities/hosts/marked-block';

/** Files as they are found: comments, blank lines, CRLF, no line end at the end, and other runs' blocks. */
const line = fc.oneof(
  fc.string({ maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, '')),
  fc.constantFrom('# comment', '/srv *(rw)', '', '# BEGIN shardlift other share', '# END shardlift other share', 'x\r'),
);
const file = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.boolean())
  .map(([lines, isEnded]) => lines.join('\n') + (isEnded && lines.length > 0 ? '\n' : ''));
const block = fc.array(fc.constantFrom('/a 10.0.0.1(rw)', 'b:/c /d nfs rw 0 0'), { minLength: 1, maxLength: 3 });

describe('a marked block', () => {
  it('is put once, taken out again without a trace, and touches no other byte', () => {
    fc.assert(
      fc.property(file, block, block, (before, lines, others) => {
        const edited = withBlock(before, 'run share', lines);
        expect(withBlock(edited, 'run share', lines)).toBe(edited);
        expect(blockLines(edited, 'run share')).toEqual(lines);
        expect(withoutBlock(edited, 'run share')).toBe(before);
        expect(foreignLines(edited, 'run share').join('\n')).toBe(before);
        // changed lines replace the old ones where they stand
        const changed = withBlock(edited, 'run share', others);
        expect(blockLines(changed, 'run share')).toEqual(others);
        expect(withoutBlock(changed, 'run share')).toBe(before);
      }),
    );
  });

  it('stays where it is when others write behind it, and goes out from there', () => {
    const edited = `${withBlock('a\n', 'r s', ['x'])}later\n`;
    expect(withBlock(edited, 'r s', ['y'])).toBe('a\n# BEGIN shardlift r s\ny\n# END shardlift r s\nlater\n');
    expect(withoutBlock(edited, 'r s')).toBe('a\nlater\n');
  });

  it('of one share does not touch the other of the same run', () => {
    const both = withBlock(withBlock('a', 'r share', ['x']), 'r copy', ['y']);
    expect(withoutBlock(withoutBlock(both, 'r share'), 'r copy')).toBe('a');
    expect(withoutBlock(withoutBlock(both, 'r copy'), 'r share')).toBe('a');
  });

  it.each([
    ['without an end', '# BEGIN shardlift r s\nx\n'],
    ['without a beginning', 'x\n# END shardlift r s\n'],
    ['twice', '# BEGIN shardlift r s\n# END shardlift r s\n# BEGIN shardlift r s\n# END shardlift r s\n'],
  ])('that stands there %s is not edited', (_, text) => {
    expect(() => withBlock(text, 'r s', ['y'])).toThrow(DamagedBlock);
    expect(() => withoutBlock(text, 'r s')).toThrow(DamagedBlock);
  });
});

describe('differingPart', () => {
  it('shows the lines that differ, with context', () => {
    expect(differingPart('a\nb\nc\nd\n', 'a\nb\nX\nd\n', 1)).toEqual({ before: 'b\nc\nd', after: 'b\nX\nd' });
    expect(differingPart('a\nb\n', 'a\nb\nc\n', 0)).toEqual({ before: '', after: 'c' });
    expect(differingPart('a\n', 'a\n', 0)).toEqual({ before: '', after: '' });
  });
});
