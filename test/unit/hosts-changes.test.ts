import { makeSo } from '../../activities/hosts/change';
import { readFile, replaceFile } from '../../activities/hosts/host-files';
import { ensureExport } from '../../activities/hosts/export';
import { ensurePathRepo } from '../../activities/hosts/path-repo';
import { undoHostChange, undoPathRepo } from '../../activities/hosts/undo';
import type { FailureInfo } from '../../contracts/failures';
import { hostRunbook, ScriptedHost, share } from './hosts-scripted-host';

let host: ScriptedHost;
beforeEach(() => {
  host = new ScriptedHost();
});
afterEach(() => host.remove());

const input = { run: 'run', step: 's', runbook: hostRunbook(), host: 'h1' };
const owner = { uid: 995, gid: 995 };

describe('makeSo', () => {
  const file = '/etc/thing';
  const wanted = {
    id: 'thing',
    kind: 'export' as const,
    what: file,
    look: async () => ({ text: (await readFile(host, file))?.text ?? '' }),
    isSo: (state: { text: string }) => state.text === 'new',
    act: async () => replaceFile(host, file, await readFile(host, file), 'new'),
    describe: (state: { text: string }) => state.text,
    undo: 'put it back',
  };
  const before = (text: string) => host.write('etc/thing', text);

  it('changes nothing and keeps no record where it is so already', async () => {
    before('new');
    expect(await makeSo(host, input, wanted)).toMatchObject({ changed: false });
    expect(await readFile(host, '/var/lib/shardlift/run/thing.json')).toBeUndefined();
  });

  it('reports the same change however often it runs', async () => {
    before('old');
    for (let times = 0; times < 3; times += 1) {
      const { changed, change } = await makeSo(host, input, wanted);
      expect({ changed, before: change?.before, after: change?.after }).toEqual({
        changed: true,
        before: 'old',
        after: 'new',
      });
      expect(change?.undo).toEqual({ kind: 'host', host: 'h1', record: 'export', id: 'thing', summary: 'put it back' });
    }
  });

  it('killed between record and act, knows what was there before', async () => {
    before('old');
    host.killBefore = /edit\.lock/;
    await expect(makeSo(host, input, wanted)).rejects.toThrow('killed');
    expect(host.read('etc/thing')).toBe('old');
    host.killBefore = undefined;
    expect((await makeSo(host, input, wanted)).change).toMatchObject({ before: 'old', after: 'new' });
  });

  it('killed before the record, has changed nothing', async () => {
    before('old');
    host.killBefore = /\.new\./;
    await expect(makeSo(host, input, wanted)).rejects.toThrow('killed');
    host.killBefore = undefined;
    expect(host.read('etc/thing')).toBe('old');
    expect((await makeSo(host, input, wanted)).change).toMatchObject({ before: 'old' });
  });
});

describe('replaceFile', () => {
  it('keeps mode, follows links, and writes bytes that are no UTF-8 back as they were', async () => {
    host.write('etc/real', Buffer.from([0x23, 0xfc, 0x0a]));
    await host.exec(['sh', '-c', 'chmod 640 /etc/real; ln -s real /etc/link']);
    const file = await readFile(host, '/etc/link');
    await replaceFile(host, '/etc/link', file, `${file?.text}more\n`);
    const seen = await host.exec([
      'sh',
      '-c',
      'stat -c %a /etc/real; [ -L /etc/link ] && echo link; od -An -tx1 /etc/real',
    ]);
    expect(seen.stdout.replace(/\s+/g, ' ')).toBe('640 link 23 fc 0a 6d 6f 72 65 0a ');
    expect((await host.exec(['ls', '-A', '/etc/'])).stdout).toBe('link\nreal\n');
  });

  it('does not overwrite what somebody else wrote in between', async () => {
    host.write('etc/real', 'a\n');
    const file = await readFile(host, '/etc/real');
    host.write('etc/real', 'b\n');
    await expect(replaceFile(host, '/etc/real', file, 'c\n')).rejects.toThrow(/changed by somebody else/);
    expect(host.read('etc/real')).toBe('b\n');
  });
});

describe('ensureExport', () => {
  const exportInput = { ...input, share, owner };
  beforeEach(() => {
    host.write('etc/exports', '# mine\n/other *(ro)');
    host.write('var/lib/nfs/etab', '');
    host.command(
      'exportfs',
      `sed -n 's/^\\(\\/[^ ]*\\) /\\1\\t/p' "$root/etc/exports" > "$root/var/lib/nfs/etab"; cat "$root/warning" >&2 2>/dev/null; true`,
    );
  });

  it('adds one block, twice run, and undo leaves the file byte for byte as it was', async () => {
    expect(await ensureExport(host, exportInput)).toMatchObject({ changed: true });
    expect(await ensureExport(host, exportInput)).toMatchObject({ changed: true });
    expect(host.read('etc/exports')).toBe(
      '# mine\n/other *(ro)\n# BEGIN shardlift run share\n/srv/es 10.0.0.2(rw,sync,no_subtree_check,root_squash)\n# END shardlift run share',
    );
    await undoHostChange(host, { ...input, id: 'export-share' });
    expect(host.read('etc/exports')).toBe('# mine\n/other *(ro)');
    expect(await undoHostChange(host, { ...input, id: 'export-share' })).toMatchObject({ changed: false });
  });

  it('takes a warning about the directory for what it is, also when it runs again', async () => {
    host.write('warning', 'exportfs: /srv/es does not support NFS export\n');
    for (let times = 0; times < 2; times += 1) {
      const error = (await ensureExport(host, exportInput).catch((thrown: unknown) => thrown)) as {
        type: string;
        nonRetryable: boolean;
        details: [FailureInfo];
      };
      expect(error).toMatchObject({ type: 'ExportRefused', nonRetryable: true });
      expect(error.details[0].why).toContain('does not support NFS export');
      expect(error.details[0].remedy).toContain('ext4');
    }
  });

  it("does not touch a foreign line's directory", async () => {
    host.write('etc/exports', '"/srv/es" 10.9.9.9(rw)\n');
    await expect(ensureExport(host, exportInput)).rejects.toMatchObject({ type: 'ExportRefused' });
    expect(host.read('etc/exports')).toBe('"/srv/es" 10.9.9.9(rw)\n');
  });
});

describe('ensurePathRepo', () => {
  const text = '# c\r\ncluster.name: a\r\n';
  const pathInput = { ...input, paths: ['/mnt/es'] };
  beforeEach(() => host.write('etc/elasticsearch/elasticsearch.yml', text));
  const yml = () => host.read('etc/elasticsearch/elasticsearch.yml');

  it('is undone byte for byte, and the undo names the side', async () => {
    const { changes } = await ensurePathRepo(host, pathInput);
    expect(changes[0]).toMatchObject({
      before: 'path.repo: []',
      after: 'path.repo: [/mnt/es]',
      undo: { kind: 'pathRepo', side: 'source', host: 'h1', id: 'path-repo' },
    });
    expect(yml()).toBe(`${text}path.repo: ["/mnt/es"]\r\n`);
    await undoPathRepo(host, { ...input, id: 'path-repo' });
    expect(yml()).toBe(text);
  });

  it('edited by somebody since, only our directory is taken out', async () => {
    await ensurePathRepo(host, pathInput);
    host.write('etc/elasticsearch/elasticsearch.yml', yml().replace('["/mnt/es"]', '["/mnt/es", "/theirs"]'));
    await undoPathRepo(host, { ...input, id: 'path-repo' });
    expect(yml()).toBe(`${text}path.repo: ["/theirs"]\r\n`);
  });

  it('a file that does not parse is refused with its line, and stays', async () => {
    host.write('etc/elasticsearch/elasticsearch.yml', 'a: [1\nb: 2\n');
    const error: unknown = await ensurePathRepo(host, pathInput).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'ConfigUnreadable', nonRetryable: true });
    expect((error as { details: [FailureInfo] }).details[0].why).toMatch(/line 2, column 1/);
    expect(yml()).toBe('a: [1\nb: 2\n');
  });
});
