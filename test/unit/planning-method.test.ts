import { adviseMethod, proposeMethod, type Server } from '../../activities/planning/method';
import type { ClusterFacts } from '../../contracts/plan';
import { indexOf, runbookOf, siteRunbookOf } from '../support/fixtures';

const elasticsearch = (version: string): Server => ({ version, distribution: 'elasticsearch' });
const openSearch = (version: string): Server => ({ version, distribution: 'opensearch' });
const gb = 1024 ** 3;

describe('the method that init proposes', () => {
  const propose = (source: Server, target: Server, ...created: string[]) =>
    proposeMethod(
      { ...source, indices: created.map((createdVersion, n) => ({ name: `i-${n}`, createdVersion })) },
      target,
    );

  it.each<[string, Server, Server, string[], string, RegExp]>([
    ['the next major', elasticsearch('7.17.29'), elasticsearch('8.19.21'), ['7.1.0'], 'snapshot', /8\.19\.21 restores/],
    ['OpenSearch of 7.10', elasticsearch('7.10.2'), openSearch('1.3.20'), ['7.0.0'], 'snapshot', /restores/],
    ['two majors', elasticsearch('6.8.23'), elasticsearch('8.19.21'), ['6.8.23'], 'copy', /6\.x and 7\.x only/],
    ['backwards', elasticsearch('8.19.21'), elasticsearch('7.17.29'), ['7.17.29'], 'copy', /newer version/],
    [
      'to the other family',
      openSearch('2.19.3'),
      elasticsearch('8.19.21'),
      ['2.0.0'],
      'copy',
      /no snapshot of OpenSearch/,
    ],
    [
      'an index that an upgrade carried along',
      elasticsearch('7.17.29'),
      elasticsearch('8.19.21'),
      ['7.2.0', '6.8.1'],
      'copy',
      /^i-1 was created by 6\.8\.1, which is too old/,
    ],
  ])('%s', (_, source, target, created, method, why) => {
    const proposed = propose(source, target, ...created);
    expect(proposed.method).toBe(method);
    expect(proposed.why).toMatch(why);
  });

  it('goes by what the target says of itself where it does', () => {
    const source = { ...elasticsearch('7.17.29'), indices: [{ name: 'a', createdVersion: '7.1.0' }] };
    const target = { ...elasticsearch('8.19.21'), minimumIndexVersion: '7.2.0' };
    expect(proposeMethod(source, target).method).toBe('copy');
  });
});

describe('what plan says of the method that was chosen', () => {
  const facts = (side: 'source' | 'target', server: Server): ClusterFacts => ({
    side,
    name: side,
    uuid: side,
    nodes: [],
    ...server,
  });
  const byCopy = (over: Record<string, unknown> = {}) =>
    runbookOf('run', { method: 'copy', snapshot: undefined, ...over });
  const byReindex = runbookOf('run', { method: 'remote-reindex', snapshot: undefined });
  const advise = (
    runbook: Parameters<typeof adviseMethod>[0],
    indices: Parameters<typeof indexOf>[1][],
    from = elasticsearch('7.17.29'),
    to = elasticsearch('8.19.21'),
  ) =>
    adviseMethod(
      runbook,
      facts('source', from),
      facts('target', to),
      indices.map((over, n) => indexOf(`i-${n}`, over)),
    );

  it('that no snapshot can do this', () => {
    const only = /^Only copy and remote-reindex can do this: /;
    expect(advise(runbookOf('run'), [{}], elasticsearch('6.8.23'))).toMatch(only);
    expect(advise(runbookOf('run'), [{ createdVersion: '6.8.1' }])).toMatch(only);
    expect(advise(runbookOf('run'), [{ createdVersion: '6.8.1' }, {}])).toMatch(/^Snapshot cannot move all of it: i-0/);
  });

  it('that files would be faster, unless the versions or the shape want documents', () => {
    const large = [{ sizeBytes: 60 * gb }];
    expect(advise(byCopy(), large)).toMatch(/^Snapshot would be faster .* 60\.0 GiB would move as files/);
    expect(advise(byCopy(), [{ sizeBytes: gb }])).toBeUndefined();
    expect(advise(byCopy(), large, elasticsearch('6.8.23'))).toBeUndefined();
    expect(advise(byCopy({ copy: { rename: [{ from: 'a', to: 'b' }] } }), large)).toBeUndefined();
  });

  it('that a share is not worth its work for a little', () => {
    expect(advise(siteRunbookOf('run'), [{}])).toMatch(/^Copy would be simpler: it is 100 MiB only/);
    expect(advise(siteRunbookOf('run'), [{ sizeBytes: 60 * gb }])).toBeUndefined();
    // there is a directory already, and a closed index cannot be copied
    expect(advise(runbookOf('run'), [{}])).toBeUndefined();
    expect(advise(siteRunbookOf('run'), [{ status: 'close' }])).toBeUndefined();
  });

  it('when remote-reindex beats copy, and when not', () => {
    expect(advise(byReindex, [{}])).toMatch(
      /remote-reindex is right where only the nodes of the target reach the source/,
    );
    expect(advise(byReindex, [{}], elasticsearch('5.6.16'))).toMatch(/^Copy would be better: 5\.6\.16 numbers no/);
  });
});
