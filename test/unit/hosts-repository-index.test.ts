import {
  directoriesOnlyOf,
  highestGeneration,
  parseRepositoryIndex,
  snapshotFiles,
  UnreadableRepository,
} from '../../activities/hosts/repository-index';

/** As Elasticsearch 7.17 writes it. */
const text = JSON.stringify({
  min_version: '7.12.0',
  snapshots: [
    { name: 's1', uuid: 'uuid-1', state: 1 },
    { name: "s2'$(x)\n", uuid: '-uuid_2', state: 1 },
  ],
  indices: {
    a: { id: 'AAA', snapshots: ['uuid-1'], shard_generations: ['x'] },
    "b'$(touch x)\n": { id: '-BBB', snapshots: ['uuid-1', '-uuid_2'] },
    c: { id: 'CCC', snapshots: [{ name: 's2', uuid: '-uuid_2' }] },
  },
});

describe('the index of a repository', () => {
  it('lists the files of one snapshot, by ids and never by names', () => {
    const index = parseRepositoryIndex(text);
    expect(snapshotFiles(index, 's1')).toEqual({
      uuid: 'uuid-1',
      paths: ['indices/-BBB/', 'indices/AAA/', 'meta-uuid-1.dat', 'snap-uuid-1.dat'],
    });
    expect(snapshotFiles(index, "s2'$(x)\n")?.paths).toContain('indices/CCC/');
    expect(snapshotFiles(index, 'nope')).toBeUndefined();
  });

  it('tells which directories a snapshot alone uses, of those that are there', () => {
    const index = parseRepositoryIndex(text);
    expect(directoriesOnlyOf(index, 'uuid-1', new Set(['uuid-1', '-uuid_2']))).toEqual(['indices/AAA']);
    expect(directoriesOnlyOf(index, 'uuid-1', new Set(['uuid-1']))).toEqual(['indices/-BBB', 'indices/AAA']);
  });

  it('takes the highest generation, by number', () => {
    expect(highestGeneration(['index-9', 'index-10', 'index.latest', 'index-x', 'index-', 'snap-1.dat'])).toBe(10);
    expect(highestGeneration(['indices'])).toBeUndefined();
  });

  it.each([
    ['no JSON', '{'],
    ['no repository', '{"a":1}'],
    ['an id that leaves the directory', '{"snapshots":[],"indices":{"a":{"id":"../../etc","snapshots":[]}}}'],
    ['an id with a slash', '{"snapshots":[{"name":"s","uuid":"a/b"}],"indices":{}}'],
  ])('is refused where it is %s', (_, bad) => expect(() => parseRepositoryIndex(bad)).toThrow(UnreadableRepository));
});
