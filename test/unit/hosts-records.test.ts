import { ensureExport } from '../../activities/hosts/export';
import { ensureMount } from '../../activities/hosts/mount';
import { ensurePathRepo } from '../../activities/hosts/path-repo';
import { listHostRecords } from '../../activities/hosts/record';
import { undoHostChange } from '../../activities/hosts/undo';
import type { FailureInfo } from '../../contracts/failures';
import { hostRunbook, ScriptedHost, share } from './hosts-scripted-host';

let host: ScriptedHost;
beforeEach(() => {
  host = new ScriptedHost();
});
afterEach(() => host.remove());

const input = { run: 'run', step: 's', runbook: hostRunbook(), host: 'h1' };
const owner = { uid: 995, gid: 995 };
const record = (id: string, content: unknown) =>
  host.write(
    `var/lib/shardlift/run/${id}.json`,
    typeof content === 'string' ? content : `${JSON.stringify(content, undefined, 1)}\n`,
  );
const made = (kind: string, at: string, over: object = {}) => ({
  kind,
  run: 'run',
  step: 's',
  at,
  before: {},
  about: {},
  ...over,
});

describe('listHostRecords', () => {
  it('lists what a run still has on a host, newest first, restarts left out', async () => {
    expect(await listHostRecords(host, input)).toEqual([]);
    record('mount-share', made('mount', '2026-01-01T00:00:02.000Z', { undo: 'umount /mnt/es' }));
    record('fstab-share', made('fstab', '2026-01-01T00:00:01.000Z', { about: { path: '/mnt/es' } }));
    record('restart-abc-1', made('restart', '2026-01-01T00:00:04.000Z'));
    record('path-repo', made('pathRepo', '2026-01-01T00:00:03.000Z', { before: { content: 'ü\n# "x"' } }));
    host.write('var/lib/shardlift/run/.new.abc', '{');
    host.write('var/lib/shardlift/other/export-share.json', '{}');
    expect(await listHostRecords(host, input)).toEqual([
      { id: 'path-repo', kind: 'pathRepo', summary: 'take back path-repo' },
      { id: 'mount-share', kind: 'mount', summary: 'umount /mnt/es' },
      { id: 'fstab-share', kind: 'fstab', summary: 'take back /mnt/es' },
    ]);
  });

  it('finds what an activity did that never answered, in the words of its undo', async () => {
    host.write('etc/elasticsearch/elasticsearch.yml', 'a: 1\n');
    host.killBefore = /edit\.lock/;
    await expect(ensurePathRepo(host, { ...input, paths: ['/mnt/es'] })).rejects.toThrow('killed');
    host.write('etc/exports', '');
    host.write('var/lib/nfs/etab', '');
    await expect(ensureExport(host, { ...input, share, owner })).rejects.toThrow('killed');
    const summaries = (await listHostRecords(host, input)).map(({ id, summary }) => `${id}: ${summary}`);
    expect(summaries.sort()).toEqual([
      'export-share: take the export of /srv/es out of /etc/exports',
      expect.stringContaining('path-repo: ') as string,
    ]);
  });

  it.each(['', '{"kind":"mount"', 'null', '{}'])('names a damaged one: %s', async (text) => {
    record('mount-share', made('mount', '2026-01-01T00:00:00.000Z'));
    record('export-share', text);
    const error = (await listHostRecords(host, input).catch((thrown: unknown) => thrown)) as {
      type: string;
      details: [FailureInfo];
    };
    expect(error.type).toBe('CommandFailed');
    expect(error.details[0].where).toBe('h1:/var/lib/shardlift/run/export-share.json');
  });
});

describe('an undo that was killed in its midst', () => {
  it('of an export still has the kernel told', async () => {
    host.write('etc/exports', '# mine\n');
    host.write('var/lib/nfs/etab', '');
    const table = `sed -n 's/^\\(\\/[^ ]*\\) /\\1\\t/p' "$root/etc/exports" > "$root/var/lib/nfs/etab"`;
    host.command('exportfs', table);
    await ensureExport(host, { ...input, share, owner });
    host.killBefore = /exportfs -ra/;
    await expect(undoHostChange(host, { ...input, id: 'export-share' })).rejects.toThrow('killed');
    expect(host.read('etc/exports')).toBe('# mine\n');
    expect(host.read('var/lib/nfs/etab')).not.toBe('');
    host.killBefore = undefined;
    expect((await undoHostChange(host, { ...input, id: 'export-share' })).changed).toBe(true);
    expect(host.read('var/lib/nfs/etab')).toBe('');
  });

  it('of an export is done where the file was made by the run, and is gone', async () => {
    host.write('var/lib/nfs/etab', '');
    host.command('exportfs', 'true');
    record('export-share', made('export', '2026-01-01T00:00:00.000Z', { about: { label: 'run share' } }));
    expect((await undoHostChange(host, { ...input, id: 'export-share' })).changed).toBe(true);
    expect(host.calls()).toContain('exportfs -ra');
  });

  it('of an fstab line still has systemd told', async () => {
    host.write('etc/fstab', '# mine\n');
    record('fstab-share', made('fstab', '2026-01-01T00:00:00.000Z', { about: { label: 'run share' } }));
    host.killBefore = /daemon-reload/;
    await expect(undoHostChange(host, { ...input, id: 'fstab-share' })).rejects.toThrow('killed');
  });

  it('so is a mount that was killed between its line and systemd', async () => {
    host.write('etc/fstab', '');
    host.write('etc/exports', '');
    host.killBefore = /daemon-reload/;
    const mountInput = { ...input, host: 'h1', share: { ...share, server: 'h2', mountPath: host.path('mnt') }, owner };
    await expect(ensureMount(host, mountInput)).rejects.toThrow('killed');
    await expect(ensureMount(host, mountInput)).rejects.toThrow('killed');
    expect(host.read('etc/fstab').match(/BEGIN shardlift/g)).toHaveLength(1);
  });
});
