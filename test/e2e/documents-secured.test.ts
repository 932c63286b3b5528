import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { DEFAULT_SOURCE, DEFAULT_TARGET } from '../../lab/elasticsearch/versions';
import { dismantle, guard } from '../../lab/guard';
import { stuckOf } from '../support/fault-run';
import { faultTable } from '../support/fault-table';
import { runbookOf } from '../support/fixtures';
import { startPairOperator, type PairOperator } from '../support/pair-operator';
import { hashed, makeCertificates, makeSecuredNode, openDoor } from '../support/secured-node';
import { http } from '../support/shared-pair';
import { waitUntil } from '../support/wait-until';

/**
 * A whole run between clusters with TLS and users, the source known by its authority and the target by its fingerprint;
 * and what becomes of it when a password expires. Only with SHARDLIFT_FAULTS=all.
 */
const describeLong = process.env['SHARDLIFT_FAULTS'] === 'all' ? describe : describe.skip;

jest.setTimeout(600_000);

describeLong('over TLS, with users', () => {
  const directory = makeLabDirectory(`secured-${newLabName()}`);
  const keys = mkdtempSync(path.join(tmpdir(), 'shardlift-keys-'));
  const table = faultTable();
  const passwords = { first: 'first $(pass) "word"', second: 'the second one', tester: 'of the tests' };
  let operator: PairOperator;
  let nodes: Record<'source' | 'target', { directory: string; url: string }>;
  let doors: Record<'source' | 'target', Awaited<ReturnType<typeof openDoor>>>;

  const users = (password: string) => `mover:${hashed(password)}\ntester:${hashed(passwords.tester)}\n`;
  const secretOf = (side: 'source' | 'target') => path.join(keys, `password-of-${side}`);
  const auth = (side: 'source' | 'target') => ({
    auth: { basic: { username: 'mover', password: `\${file:${secretOf(side)}}` } },
  });
  const fingerprint = () => new X509Certificate(readFileSync(path.join(keys, 'ca.pem'))).fingerprint256;

  beforeAll(async () => {
    guard(directory);
    makeCertificates(keys);
    for (const side of ['source', 'target'] as const) writeFileSync(secretOf(side), passwords.first);
    const start = async (name: string, version: string) => {
      const made = await makeSecuredNode({
        name,
        version,
        labDirectory: directory,
        keys,
        users: users(passwords.first),
        usersRoles: 'superuser:mover,tester\n',
      });
      await made.node.start();
      return { directory: made.node.directory, url: made.url };
    };
    const [started, source, target] = await Promise.all([
      startPairOperator(),
      start('source', DEFAULT_SOURCE),
      start('target', DEFAULT_TARGET),
    ]);
    operator = started;
    nodes = { source, target };
    doors = {
      source: await openDoor(source.url, 'tester', passwords.tester),
      target: await openDoor(target.url, 'tester', passwords.tester),
    };
    for (const { url } of Object.values(doors))
      await waitUntil(
        () => http(`${url}/_cluster/health?wait_for_status=green`).then(({ status }) => status),
        (status) => status === 200,
        { timeoutMs: 90_000, everyMs: 500, what: 'a secured node' },
      );
  }, 300_000);
  afterAll(async () => {
    await operator?.stop();
    for (const door of Object.values(doors ?? {})) await door.close();
    await dismantle(directory);
    rmSync(keys, { recursive: true, force: true });
    table.print();
  });

  /** The file realm takes up a changed file by itself. */
  const setPassword = (password: string) =>
    writeFileSync(path.join(nodes.target.directory, 'config', 'users'), users(password));

  test('a wrong authority is told, and nothing is begun', async () => {
    const runbook = runbookOf('tls-wrong', {
      source: { urls: [nodes.source.url], tls: { ca: path.join(keys, 'other-ca.pem') }, ...auth('source') },
      target: { urls: [nodes.target.url], tls: { fingerprint: fingerprint() }, ...auth('target') },
      method: 'copy',
      snapshot: undefined,
      select: { include: ['tls-*'] },
    });
    await operator.start(runbook);
    const status = await operator.reach('tls-wrong', 'being stuck', ({ state }) => state === 'stuck');
    expect(stuckOf(status)).toMatch(/cluster\.reachable/);
    const check = status.checks.find(({ id, state }) => id === 'cluster.reachable' && state === 'failed');
    expect(JSON.stringify(check)).toMatch(/certificate/);
    expect(JSON.stringify(check)).toMatch(/tls\.ca/);
  });

  test('a password expires in the copy: it is told, and goes on with the new one', async () => {
    let told = '';
    const end = await table.endsEqual(operator, 'TLS on both sides, the password expires', () => 'once, in the copy', {
      name: 'tls',
      source: doors.source.url,
      target: doors.target.url,
      over: {
        source: { urls: [nodes.source.url], tls: { ca: path.join(keys, 'ca.pem') }, ...auth('source') },
        target: { urls: [nodes.target.url], tls: { fingerprint: fingerprint() }, ...auth('target') },
      },
      documents: 12_000,
      docsPerSec: 400,
      seed: 41,
      copying: async () => setPassword(passwords.second),
      async mend(status) {
        told += stuckOf(status);
        writeFileSync(secretOf('target'), passwords.second);
        await operator.retry('tls');
      },
    });
    expect(told).toMatch(/ClusterAuthenticationFailed/);
    expect(told).toMatch(/correct the secret/);
    const all = JSON.stringify(end.status);
    for (const password of Object.values(passwords)) expect(all).not.toContain(JSON.stringify(password).slice(1, -1));
  });
});
