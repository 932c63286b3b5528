import { selectIndices } from '../../activities/planning/select-indices';
import { selectedIndex } from './planning-fixtures';

const select = (over: object = {}) => ({ include: ['*'], exclude: [], hidden: false, closed: true, ...over });
const chosen = (over: object, names: string[], special: Record<string, object> = {}) => {
  const selection = selectIndices(
    select(over),
    names.map((name) => selectedIndex(name, special[name])),
  );
  return {
    selected: selection.selected.map(({ name }) => name),
    leftOut: Object.fromEntries(selection.leftOut.map(({ name, why }) => [name, why])),
    unmatched: selection.unmatched,
  };
};

describe('selectIndices', () => {
  it.each<[string, object, string[], string[]]>([
    ['everything without a dot', {}, ['a', 'b', '.dotty'], ['a', 'b']],
    ['by pattern', { include: ['logs-*'] }, ['logs-1', 'logs', 'other'], ['logs-1']],
    ['a star in the middle', { include: ['a*c'] }, ['abc', 'ac', 'abd'], ['abc', 'ac']],
    ['not what is excluded', { exclude: ['logs-*', 'b'] }, ['a', 'b', 'logs-1'], ['a']],
    ['names with a dot by a pattern with one', { include: ['.d*'] }, ['.dotty', 'd'], ['.dotty']],
    ['names that look like expressions', { include: ['a+b', 'x.y'] }, ['a+b', 'aab', 'x.y', 'xzy'], ['a+b', 'x.y']],
    ['unicode and percent', { include: ['odd%é*'] }, ['odd%é-1', 'odd'], ['odd%é-1']],
  ])('takes %s', (_, over, names, expected) => {
    expect(chosen(over, names).selected).toEqual(expected);
  });

  it('never takes system indices, however they are named', () => {
    const result = chosen({ include: ['*', '.*', '.kibana_1'] }, ['.kibana_1', '.security-7', '.mine', 'flagged'], {
      flagged: { isSystem: true },
    });
    expect(result.selected).toEqual(['.mine']);
    expect(result.leftOut).toEqual({ '.kibana_1': 'system', '.security-7': 'system', flagged: 'system' });
  });

  it('takes hidden indices when asked for, or named in full', () => {
    const hidden = { h1: { hidden: true }, h2: { hidden: true } };
    expect(chosen({}, ['h1', 'h2'], hidden)).toMatchObject({ selected: [], leftOut: { h1: 'hidden', h2: 'hidden' } });
    expect(chosen({ hidden: true }, ['h1', 'h2'], hidden).selected).toEqual(['h1', 'h2']);
    expect(chosen({ include: ['h1'] }, ['h1', 'h2'], hidden).selected).toEqual(['h1']);
  });

  it('leaves closed indices out when told to', () => {
    const closed = { c: { status: 'close' } };
    expect(chosen({}, ['c'], closed).selected).toEqual(['c']);
    expect(chosen({ closed: false }, ['c'], closed)).toMatchObject({ selected: [], leftOut: { c: 'closed' } });
  });

  it('names entries that match nothing, also where an exclude takes the match away again', () => {
    expect(chosen({ include: ['a', 'nope', 'x*'], exclude: ['a'] }, ['a', 'b']).unmatched).toEqual(['nope', 'x*']);
  });
});
