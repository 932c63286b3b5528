import { existsSync } from 'node:fs';
import { removeCopiedSnapshot } from '../../activities/hosts/remove-copies';
import { hostRunbook, ScriptedHost } from './hosts-scripted-host';

let host: ScriptedHost;
beforeEach(() => {
  host = new ScriptedHost();
});
afterEach(() => host.remove());

const there = (path: string) => existsSync(host.path(`copy/${path}`));
const remove = (snapshot: string) =>
  removeCopiedSnapshot(host, {
    run: 'run',
    step: 's',
    runbook: hostRunbook(),
    host: 'h1',
    location: host.path('copy'),
    snapshot,
  });

/** Files of a copied snapshot: a directory for each index, and its own two. */
function copied(uuid: string, indices: string[], own = [`meta-${uuid}.dat`, `snap-${uuid}.dat`]): void {
  for (const id of indices) host.write(`copy/indices/${id}/0/__${uuid}`, 'x');
  for (const file of own) host.write(`copy/${file}`, 'x');
}

/** A job that copies it, as copySnapshotFiles leaves it. */
function job(id: string, snapshot: string, uuid: string, indices: string[]): void {
  const paths = [...indices.map((each) => `indices/${each}/`), `meta-${uuid}.dat`, `snap-${uuid}.dat`];
  const at = `var/lib/shardlift/jobs/${id}`;
  host.write(`${at}/list-0123456789abcdef`, paths.map((each) => `${each}\0`).join(''));
  host.write(`${at}/list-0123456789abcdef.new`, 'indices/HALF');
  host.write(`${at}/to`, host.path('copy'));
  host.write(`${at}/snapshot`, snapshot);
  host.write(`${at}/uuid`, uuid);
}

const hasJob = (id: string) => existsSync(host.path(`var/lib/shardlift/jobs/${id}`));
const published = (snapshots: Record<string, string>, indices: Record<string, string[]>) =>
  host.write(
    'copy/index-3',
    JSON.stringify({
      snapshots: Object.entries(snapshots).map(([name, uuid]) => ({ name, uuid })),
      indices: Object.fromEntries(Object.entries(indices).map(([id, of]) => [`name-${id}`, { id, snapshots: of }])),
    }),
  );
const marked = (run = 'run') => host.write('copy/.shardlift-copy', `run ${run}\nmade no\n`);

describe('removeCopiedSnapshot', () => {
  it('removes a published one but for what another one there needs, and is done the second time', async () => {
    marked();
    copied('u1', ['A', 'B']);
    copied('u2', ['B', 'C']);
    published({ s1: 'u1', s2: 'u2', s3: 'u3' }, { A: ['u1', 'u3'], B: ['u1', 'u2'], C: ['u2'] });
    job('job-1', 's1', 'u1', ['A', 'B']);
    expect((await remove('s1')).changed).toBe(true);
    expect(['indices/A', 'meta-u1.dat', 'snap-u1.dat'].some(there)).toBe(false);
    expect(['indices/B/0/__u2', 'indices/C', 'snap-u2.dat', 'index-3'].every(there)).toBe(true);
    expect(hasJob('job-1')).toBe(false);
    expect((await remove('s1')).changed).toBe(false);
  });

  it('removes one that never came as far as the index, by the list of its job', async () => {
    marked();
    copied('u1', ['A', 'B'], ['meta-u1.dat']);
    host.write('copy/.shardlift-new-job-1/half', 'x');
    host.write('copy/indices/THEIRS/0/__x', 'x');
    job('job-1', 's1', 'u1', ['A', 'B']);
    expect((await remove('s1')).changed).toBe(true);
    expect(['indices/A', 'indices/B', 'meta-u1.dat', '.shardlift-new-job-1'].some(there)).toBe(false);
    expect(there('indices/THEIRS/0/__x')).toBe(true);
    expect(hasJob('job-1')).toBe(false);
  });

  it('keeps of an unpublished one what another snapshot uses, whether that is there or still on its way', async () => {
    marked();
    copied('u1', ['A', 'B', 'C']);
    copied('u2', ['B']);
    copied('u3', ['C'], []);
    published({ s2: 'u2' }, { B: ['u2'] });
    job('job-1', 's1', 'u1', ['A', 'B', 'C']);
    job('job-3', 's3', 'u3', ['C']);
    await remove('s1');
    expect(there('indices/A')).toBe(false);
    expect(['indices/B', 'indices/C', 'snap-u2.dat'].every(there)).toBe(true);
    expect(hasJob('job-3')).toBe(true);
  });

  it('killed in its midst, finds the rest by the same list', async () => {
    marked();
    copied('u1', ['A']);
    job('job-1', 's1', 'u1', ['A']);
    host.killBefore = /rm -rf -- "\.\/\$path"/;
    await expect(remove('s1')).rejects.toThrow('killed');
    host.killBefore = undefined;
    await remove('s1');
    expect(there('indices/A')).toBe(false);
    expect(hasJob('job-1')).toBe(false);
  });

  it.each<[string, () => void]>([
    ['without a marker', () => undefined],
    ["with another run's marker", () => marked('other')],
  ])('finds nothing of ours in a directory %s', async (_, mark) => {
    mark();
    copied('u1', ['A']);
    published({ s1: 'u1' }, { A: ['u1'] });
    job('job-1', 's1', 'u1', ['A']);
    expect(await remove('s1')).toMatchObject({
      changed: false,
      summary: expect.stringContaining('no copies of this run') as string,
    });
    expect(there('snap-u1.dat')).toBe(true);
  });

  it('is done where there is no directory', async () => {
    expect((await remove('s1')).changed).toBe(false);
  });
});
