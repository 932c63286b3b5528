import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommandLine } from '../../client/main';
import { parseRunbook } from '../../client/runbook-file';
import { testIo } from './client-fixtures';

jest.setTimeout(30_000);

let directory: string;
let servers: Server[] = [];
let source: string;
let target: string;

/** A cluster as far as `init` asks: it wants the password that the environment holds. */
async function cluster(version: string, ips: string[], gib: number, created = version): Promise<string> {
  const answers: Record<string, unknown> = {
    '/': { cluster_name: `c-${version}`, version: { number: version } },
    '/_all/_settings/index.version.created*': {
      a: { settings: { 'index.version.created_string': created } },
      '.system': { settings: { 'index.version.created_string': '2.4.6' } },
    },
    '/_cat/nodes': ips.map((ip, index) => ({ name: `node ${index + 1}`, ip, 'node.role': 'dim' })),
    '/_cat/indices': [
      { index: 'a', 'pri.store.size': String(gib * 1024 ** 3) },
      { index: 'closed', 'pri.store.size': null },
    ],
  };
  const server = createServer((request, response) => {
    const isAllowed = request.headers.authorization === `Basic ${Buffer.from('elastic:s3cret').toString('base64')}`;
    response.statusCode = isAllowed ? 200 : 401;
    response.end(JSON.stringify(isAllowed ? answers[request.url?.split('?')[0] ?? ''] : { error: 'who?' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'shardlift-init-'));
  source = await cluster('7.17.29', ['10.0.0.11', '10.0.0.12'], 90);
  target = await cluster('8.19.21', ['10.0.0.21'], 0);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  servers = [];
  rmSync(directory, { recursive: true, force: true });
});

async function init(...more: string[]) {
  const io = testIo({ env: { OLD: 's3cret', NEW: 's3cret' } });
  const users = [
    '--source-user',
    'elastic',
    '--source-password',
    '${env:OLD}',
    '--target-user',
    'elastic',
    '--target-password',
    '${env:NEW}',
  ];
  const code = await runCommandLine(
    ['init', '--name', 'logs', '--source', source, '--target', target, ...users, ...more],
    io,
  );
  return { code, out: io.out(), err: io.err() };
}

test('writes a runbook that is valid, with the nodes as hosts and batches by size', async () => {
  const file = path.join(directory, 'logs.yaml');
  expect(await init('--out', file)).toEqual({
    code: 0,
    out: `Wrote ${file}. Look through it, then: shardlift plan ${file}\n`,
    err: 'method snapshot: 8.19.21 restores what 7.17.29 made\n',
  });
  const text = readFileSync(file, 'utf8');
  const runbook = parseRunbook(text, file);
  expect(runbook.hosts.map(({ name, address, role }) => `${name} ${address} ${role}`)).toEqual([
    'node-1 10.0.0.11 source',
    'node-2 10.0.0.12 source',
    'target-node-1 10.0.0.21 target',
  ]);
  expect(runbook.snapshot?.repository.sharedFilesystem).toMatchObject({ server: 'node-1', targetReads: 'sameShare' });
  expect([runbook.method, runbook.catchUp, runbook.freeze]).toEqual(['snapshot', undefined, 'none']);
  expect(runbook.batches.maxSize).toBe('5gb');
  expect(runbook.source.auth).toEqual({ basic: { username: 'elastic', password: '${env:OLD}' } });
  expect(text).not.toContain('s3cret');
  expect(text).toContain('# c-7.17.29, 7.17.29, 2 nodes');
});

test('takes hosts and a storage server from flags', async () => {
  const hosts = ['nas=10.0.0.9:storage', 'o1=10.0.0.11:source', 'n1=10.0.0.21:target'].flatMap((each) => [
    '--host',
    each,
  ]);
  const { code, out } = await init(...hosts, '--own-copy', '--ssh-user', 'admin', '--out', '-');
  expect(code).toBe(0);
  const runbook = parseRunbook(out, '-');
  expect(runbook.snapshot?.repository.sharedFilesystem).toMatchObject({ server: 'nas', targetReads: 'ownCopy' });
  expect(runbook.ssh.user).toBe('admin');
});

test('needs no host for a directory that all nodes reach', async () => {
  const runbook = parseRunbook((await init('--location', '/mnt/nas', '--out', '-')).out, '-');
  expect(runbook.hosts).toEqual([]);
  expect(runbook.snapshot?.repository.existing).toEqual({ location: '/mnt/nas' });
});

test('takes no machine that has nodes of both clusters for a host', async () => {
  const besides = await cluster('8.19.21', ['10.0.0.12'], 0);
  const { out, err } = await init('--target', besides, '--live', '--out', '-');
  expect(parseRunbook(out, '-')).toMatchObject({ method: 'copy', hosts: [] });
  expect(err).toContain('no directory and no hosts');
  const asked = await init('--target', besides, '--method', 'snapshot', '--out', '-');
  expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('by --location, or the hosts by --host')]);
});

describe('the method', () => {
  const written = async (...more: string[]) => {
    const { code, out, err } = await init('--out', '-', ...more);
    expect(code).toBe(0);
    return { runbook: parseRunbook(out, '-'), out, err };
  };

  test('is copy where the target could not restore, with the reason in the file', async () => {
    const old = await cluster('6.8.23', ['10.0.0.11'], 3);
    const { runbook, out, err } = await written('--source', old, '--location', '/mnt/nas');
    expect(runbook).toMatchObject({ method: 'copy', hosts: [], copy: { parts: { inFlight: 4 } } });
    expect(runbook.snapshot).toBeUndefined();
    expect(out).toContain('# a snapshot of 6.x restores into 6.x and 7.x only');
    expect(err).toContain('method copy: a snapshot of 6.x');
  });

  test('is copy where an index is older than its cluster', async () => {
    const upgraded = await cluster('7.17.29', ['10.0.0.11'], 3, '6.8.1');
    const { runbook, out } = await written('--source', upgraded);
    expect(runbook.method).toBe('copy');
    expect(out).toContain('# a was created by 6.8.1, which is too old for 8.19.21');
  });

  test('is the one that was asked for, and what speaks against it is written down', async () => {
    const old = await cluster('6.8.23', ['10.0.0.11'], 3);
    const { runbook, out } = await written('--source', old, '--location', '/mnt/nas', '--method', 'snapshot');
    expect(runbook.method).toBe('snapshot');
    expect(out).toContain('# Chosen by hand, though a snapshot of 6.x');
    const hosts = ['--host', 'n1=10.0.0.21:target'];
    const reindex = await written('--method', 'remote-reindex', ...hosts);
    expect(reindex.runbook).toMatchObject({ method: 'remote-reindex', hosts: [{ name: 'n1' }] });
  });

  test('follows a live source, of whatever method; one without sequence numbers takes no writes', async () => {
    for (const method of ['snapshot', 'copy']) {
      const { runbook } = await written('--live', '--method', method);
      expect(runbook).toMatchObject({ method, catchUp: { kind: 'sequence' }, freeze: 'atCutover' });
    }
    const ancient = await cluster('5.6.16', ['10.0.0.11'], 3);
    const { runbook, out } = await written('--live', '--source', ancient);
    expect([runbook.method, runbook.catchUp, runbook.freeze]).toEqual(['copy', undefined, 'beforeMove']);
    expect(out).toContain('# This source is older than 6.0');
  });
});

test('leaves an existing file as it is', async () => {
  const file = path.join(directory, 'mine.yaml');
  writeFileSync(file, 'mine');
  const { code, err } = await init('--location', '/mnt/nas', '--out', file);
  expect(code).toBe(4);
  expect(err).toContain(`${file} exists already and is left as it is`);
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test.each([
  ['a bad name', ['--name', 'Not A Name'], 2, 'name: found the text "Not A Name"; expected lower-case letters'],
  [
    'a share and a directory at once',
    ['--nfs-server', 'h1'],
    2,
    "option '--location <path>' cannot be used with option '--nfs-server <host>'",
  ],
  ['a bad host', ['--host', 'h1'], 2, '--host: found "h1", expected name=address:role'],
  ['a password that is no reference', ['--source-password', 'hunter2'], 2, 'a password is a reference'],
  ['a variable that is not set', ['--source-password', '${env:UNSET}'], 2, 'the environment variable UNSET is not set'],
  ['a wrong password', ['--source-password', '${file:/etc/hostname}'], 1, 'refuses: 401'],
  ['a password in the address', ['--source', 'http://u:p@old:9200'], 2, 'without user and password'],
  ['a cluster that is not there', ['--source', 'http://127.0.0.1:1'], 1, 'ECONNREFUSED'],
])('%s is refused before anything is written', async (_, more, code, words) => {
  const where = more[0] === '--host' ? [] : ['--location', '/mnt/nas'];
  const answer = await init(...where, '--out', path.join(directory, 'never.yaml'), ...more);
  expect(answer.code).toBe(code);
  expect(answer.err).toContain(words);
  expect(answer.err).not.toContain('hunter2');
  expect(() => readFileSync(path.join(directory, 'never.yaml'))).toThrow('ENOENT');
});

test('without a terminal and without flags names the flag that is missing', async () => {
  const io = testIo();
  expect(await runCommandLine(['init'], io)).toBe(2);
  expect(io.err()).toContain('--source is missing');
});
