import {
  directoriesOf,
  highestGeneration,
  listedFiles,
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

  it('tells which directories the snapshots use that are there', () => {
    const index = parseRepositoryIndex(text);
    expect([...directoriesOf(index, new Set(['uuid-1']))]).toEqual(['indices/AAA', 'indices/-BBB']);
    expect([...directoriesOf(index, new Set(['-uuid_2']))]).toEqual(['indices/-BBB', 'indices/CCC']);
    expect([...directoriesOf(index, new Set(['gone']))]).toEqual([]);
  });

  it('reads a list of files back, and nothing in it that could leave the repository', () => {
    const { paths = [] } = snapshotFiles(parseRepositoryIndex(text), 's1') ?? {};
    expect(listedFiles(paths)).toEqual({ uuid: 'uuid-1', directories: ['indices/-BBB', 'indices/AAA'] });
    const odd = ['indices/../../etc/', 'indices//', '/etc/', 'index-3', 'snap-a/b.dat', 'indices/AAA/0/x', ''];
    expect(listedFiles(odd)).toBeUndefined();
    expect(listedFiles([...odd, 'snap-u.dat'])).toEqual({ uuid: 'u', directories: [] });
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
