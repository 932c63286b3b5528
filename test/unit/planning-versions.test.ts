import { canHold, createdVersion, oldestIndexVersion } from '../../activities/planning/versions';

describe('createdVersion', () => {
  it.each([
    ['7172999', undefined, '7.17.29'],
    ['6082399', undefined, '6.8.23'],
    ['5061699', undefined, '5.6.16'],
    ['7172999', '7.17.29', '7.17.29'],
    ['8537000', '8.19.9-8.19.21', '8.19.9'],
    // an index version of its own, and a server that was not asked to spell it
    ['8537000', undefined, '8.11.0'],
    // OpenSearch 1.3.14: the high bit set
    [String(0x8000000 + 1031499), undefined, '1.3.14'],
  ])('of %s, spelled %s, is %s', (id, text, expected) => {
    const settings = { 'index.version.created': id, ...(text ? { 'index.version.created_string': text } : {}) };
    expect(createdVersion(settings)).toBe(expected);
  });

  it('is older than everything where it is unknown', () => {
    expect(createdVersion({})).toBe('0.0.0');
  });
});

describe('canHold', () => {
  it.each([
    ['7.17.29', '7.0.0', true],
    ['6.8.23', '7.0.0', false],
    ['6.8.23', '6.0.0-beta1', true],
    ['5.6.16', '6.0.0-beta1', false],
    ['7.17.29', '8.0.0', false],
    // OpenSearch 2 says 7.0.0 as its oldest, 3 says 2.0.0
    ['1.3.14', '7.0.0', true],
    ['7.10.2', '7.0.0', true],
    ['1.3.14', '2.0.0', false],
    ['7.10.2', '2.0.0', false],
    ['2.19.6', '2.0.0', true],
  ])('an index of %s where %s is the oldest: %s', (created, minimum, expected) => {
    expect(canHold(created, minimum)).toBe(expected);
  });
});

describe('oldestIndexVersion', () => {
  it.each([
    ['8.19.21', '7.0.0'],
    ['9.5.3', '8.0.0'],
    ['1.3.14', '6.0.0'],
  ])('of %s is %s', (version, expected) => {
    expect(oldestIndexVersion(version)).toBe(expected);
  });
});
