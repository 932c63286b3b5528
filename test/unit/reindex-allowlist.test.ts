import { UnreadableYml } from '../../activities/hosts/elasticsearch-yml';
import { addToListSetting, readListSetting, removeFromListSetting } from '../../activities/hosts/list-setting';
import { readRecord } from '../../activities/hosts/record';
import { restoreAllowlist, setRemoteAllowlist } from '../../activities/hosts/remote-allowlist';
import { checkNodes, type NodeSettings } from '../../activities/reindex/allowed';
import { isAllowed, remoteAddress, remoteOf } from '../../activities/reindex/remote';
import { parseVersion, type Version } from '../../activities/elasticsearch/version';
import { runbookOf } from '../support/fixtures';
import { hostRunbook, ScriptedHost } from './hosts-scripted-host';

const setting = 'reindex.remote.whitelist';
const entry = 'old:9200';

const edits: [string, string, string][] = [
  ['an empty file', '', `${setting}: ["old:9200"]\n`],
  ['no setting yet', 'a: 1 # c\n\n# end\n', `a: 1 # c\n\n# end\n${setting}: ["old:9200"]\n`],
  ['no line end at the end', 'a: 1', `a: 1\n${setting}: ["old:9200"]`],
  ['CRLF', 'a: 1\r\n', `a: 1\r\n${setting}: ["old:9200"]\r\n`],
  ['a text', `${setting}: x:1 # mine\nb: 2\n`, `${setting}: ["x:1", "old:9200"] # mine\nb: 2\n`],
  ['a text with commas', `${setting}: "x:1, y:2"\n`, `${setting}: ["x:1", "y:2", "old:9200"]\n`],
  ['a flow list', `${setting}: ["x:*", "y:2"]\nb: 2\n`, `${setting}: ["x:*", "y:2", "old:9200"]\nb: 2\n`],
  ['an empty list', `${setting}: []\n`, `${setting}: ["old:9200"]\n`],
  ['an empty value', `${setting}:\nb: 2\n`, `${setting}: ["old:9200"]\nb: 2\n`],
  ['there already', `${setting}: ["old:9200"]\n`, `${setting}: ["old:9200"]\n`],
];

describe('the allow list in elasticsearch.yml', () => {
  it.each(edits)('%s', (_, before, after) => {
    expect(addToListSetting(before, setting, [entry])).toBe(after);
    expect(addToListSetting(after, setting, [entry])).toBe(after);
    expect(readListSetting(after, setting)).toContain(entry);
    expect(readListSetting(removeFromListSetting(after, setting, [entry]), setting)).not.toContain(entry);
  });

  it.each([
    ['a list over lines', `${setting}:\n  - x:1\n`, /over lines/],
    ['a nested form', 'reindex:\n  remote:\n    whitelist: x:1\n', /nested/],
    ['broken YAML', 'a: [1\nb: 2\n', /line 2/],
    ['two documents', 'a: 1\n---\nb: 2\n', /more than one/],
    ['an end of document', 'a: 1\n...\n', /\.\.\./],
  ])('is not edited in %s', (_, text, words) => {
    expect(() => addToListSetting(text, setting, [entry])).toThrow(UnreadableYml);
    expect(() => addToListSetting(text, setting, [entry])).toThrow(words);
  });
});

describe('setRemoteAllowlist', () => {
  let host: ScriptedHost;
  const yml = 'etc/elasticsearch/elasticsearch.yml';
  const input = { run: 'run', step: 's', runbook: hostRunbook(), host: 'h1', setting, entries: [entry] };
  const undo = async () => {
    const record = await readRecord(host, 'run', 'remote-allowlist');
    if (!record) throw new Error('no record');
    return restoreAllowlist(host, record);
  };
  beforeEach(() => {
    host = new ScriptedHost();
    host.write(yml, '# mine\ncluster.name: a\n');
  });
  afterEach(() => host.remove());

  it('adds the line, tells the same twice, and puts the file back byte for byte', async () => {
    for (const _ of [1, 2]) {
      const { changes } = await setRemoteAllowlist(host, input);
      expect(changes[0]).toMatchObject({ before: `${setting}: []`, after: `${setting}: [old:9200]` });
      expect(changes[0]?.undo).toMatchObject({ kind: 'pathRepo', id: 'remote-allowlist' });
    }
    expect(host.read(yml)).toBe(`# mine\ncluster.name: a\n${setting}: ["old:9200"]\n`);
    expect(await undo()).toContain('as it was');
    expect(host.read(yml)).toBe('# mine\ncluster.name: a\n');
  });

  it('killed between the record and the edit, knows what was there before', async () => {
    host.killBefore = /edit\.lock/;
    await expect(setRemoteAllowlist(host, input)).rejects.toThrow('killed');
    expect(host.read(yml)).not.toContain(setting);
    host.killBefore = undefined;
    expect((await setRemoteAllowlist(host, input)).changed).toBe(true);
  });

  it('takes only its own entry out of a file that was edited since', async () => {
    await setRemoteAllowlist(host, input);
    host.write(yml, `cluster.name: b\n${setting}: ["x:1", "old:9200"]\n`);
    expect(await undo()).toContain('edited since');
    expect(host.read(yml)).toBe(`cluster.name: b\n${setting}: ["x:1"]\n`);
  });

  it('changes nothing where the entry is there', async () => {
    host.write(yml, `${setting}: old:9200\n`);
    expect(await setRemoteAllowlist(host, input)).toMatchObject({ changed: false });
  });
});

function version(text: string, distribution: Version['distribution'] = 'elasticsearch'): Version {
  return { text, ...parseVersion(text), distribution };
}

describe('checkNodes', () => {
  const runbook = runbookOf('r', { source: { urls: ['http://old:9200'] } });
  const node = (name: string, settings: NodeSettings['settings'], modules = ['reindex']) => ({
    name,
    settings,
    modules,
  });
  const check = (nodes: NodeSettings[], of = version('8.19.21')) =>
    Object.fromEntries(checkNodes(runbook, of, nodes).map((each) => [each.id, each]));

  it('passes where every node has the address, in any form', () => {
    const checks = check([node('a', { [setting]: ['x:1', 'old:*'] }), node('b', { [setting]: 'y:2, old:9200' })]);
    expect(checks['reindex.allowlist']?.state).toBe('passed');
    expect(checks['reindex.module']?.state).toBe('passed');
  });

  it('names the nodes that lack it, and the line that mends it, with what is there already', () => {
    const checks = check([node('a', { [setting]: ['x:1'] }), node('b', { [setting]: 'old:9200' })]);
    expect(checks['reindex.allowlist']).toMatchObject({ state: 'failed', seen: 'not allowed on: a' });
    expect(checks['reindex.allowlist']?.remedy).toContain(`${setting}: ["x:1", "old:9200"]`);
  });

  it('knows what the setting is called in OpenSearch', () => {
    const remedy = (text: string) => check([node('a', {})], version(text, 'opensearch'))['reindex.allowlist']?.remedy;
    expect(remedy('1.3.14')).toContain('reindex.remote.whitelist: ["old:9200"]');
    expect(remedy('2.19.6')).toContain('opensearch.yml');
    expect(remedy('3.6.0')).toContain('reindex.remote.allowlist: ["old:9200"]');
    const old = check([node('a', { [setting]: 'old:9200' })], version('2.19.6', 'opensearch'));
    expect(old['reindex.allowlist']?.state).toBe('passed');
    const gone = check([node('a', { [setting]: 'old:9200' })], version('3.6.0', 'opensearch'));
    expect(gone['reindex.allowlist']?.state).toBe('failed');
  });

  it('sees that a node has no _reindex', () => {
    expect(check([node('a', { [setting]: 'old:9200' }, [])])['reindex.module']).toMatchObject({ state: 'failed' });
  });
});

describe('the address of the source', () => {
  it.each([
    ['http://old:9200', 'http://old:9200', 'old:9200'],
    ['http://old', 'http://old:80', 'old:80'],
    ['https://old.example/es/', 'https://old.example:443/es', 'old.example:443'],
  ])('%s', (url, host, of) => {
    expect(remoteAddress(runbookOf('r', { source: { urls: [url] } }))).toMatchObject({ host, entry: of });
  });

  it('is the one that the target sees, where the runbook says so', () => {
    const runbook = runbookOf('r', {
      method: 'remote-reindex',
      snapshot: undefined,
      reindex: { remoteHost: 'http://10.0.0.1:9200' },
    });
    expect(remoteAddress(runbook).host).toBe('http://10.0.0.1:9200');
  });

  it('is compared as Elasticsearch does', () => {
    expect(isAllowed(['10.0.0.*:9200'], '10.0.0.17:9200')).toBe(true);
    expect(isAllowed(['10.0.0.1:9200'], '10x0y0.1:9200')).toBe(false);
    expect(isAllowed([], 'old:9200')).toBe(false);
  });

  it('carries the secret, resolved, and as a header where it is an API key', async () => {
    process.env['REINDEX_TEST_SECRET'] = 's3cret';
    const of = (auth: object) => remoteOf(runbookOf('r', { source: { urls: ['http://old:9200'], auth } }));
    expect(await of({ basic: { username: 'u', password: '${env:REINDEX_TEST_SECRET}' } })).toMatchObject({
      username: 'u',
      password: 's3cret',
    });
    expect(await of({ apiKey: '${env:REINDEX_TEST_SECRET}' })).toMatchObject({
      headers: { Authorization: 'ApiKey s3cret' },
    });
    delete process.env['REINDEX_TEST_SECRET'];
  });
});
