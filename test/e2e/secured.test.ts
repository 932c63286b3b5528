import { execFileSync } from 'node:child_process';
import { pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { createClusters } from '../../activities/elasticsearch/cluster';
import type { FailureInfo } from '../../contracts/failures';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { serverHome } from '../../lab/elasticsearch/home';
import { makeNode } from '../../lab/elasticsearch/node';
import { madeReachable, serverUser } from '../../lab/elasticsearch/user';
import { dismantle, guard } from '../../lab/guard';
import { freePort } from '../../lab/ports';
import { runbookOf } from '../support/fixtures';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(240_000);

/** A node with TLS and users of its own: what a cluster looks like that is not on a developer's machine. */
const password = 'correct horse $(battery) "staple"';
const directory = makeLabDirectory(`secured-${newLabName()}`);
const keys = mkdtempSync(path.join(tmpdir(), 'shardlift-keys-'));
let clusters: ReturnType<typeof createClusters>;
let url: string;

/** As Elasticsearch's file realm keeps it: PBKDF2 with HMAC-SHA512. */
function hashed(secret: string): string {
  const salt = randomBytes(32);
  const key = pbkdf2Sync(secret, salt, 10_000, 32, 'sha512');
  return `{PBKDF2}10000$${salt.toString('base64')}$${key.toString('base64')}`;
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { cwd: keys, stdio: 'pipe' });
}

beforeAll(async () => {
  guard(directory);
  for (const name of ['ca', 'other-ca']) {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  }
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'node.key', '-out', 'node.csr', '-subj', '/CN=node');
  writeFileSync(path.join(keys, 'san'), 'subjectAltName=IP:127.0.0.1');
  openssl(
    'x509',
    '-req',
    '-in',
    'node.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'node.pem',
    '-days',
    '2',
    '-extfile',
    'san',
  );
  const user = await serverUser();
  const version = '7.17.29';
  const httpPort = await freePort();
  const node = await makeNode({
    version,
    name: 'secured-1',
    home: madeReachable(await serverHome(version), path.join(directory, 'homes', version), user),
    user,
    labDirectory: directory,
    httpPort,
    heap: '400m',
    jvmOptions: [],
    settings: {
      'cluster.name': 'secured',
      'node.name': 'secured-1',
      'network.host': '127.0.0.1',
      'http.port': httpPort,
      'transport.port': await freePort(),
      'discovery.type': 'single-node',
      'xpack.security.enabled': true,
      'xpack.security.http.ssl.enabled': true,
      'xpack.security.http.ssl.key': 'node.key',
      'xpack.security.http.ssl.certificate': 'node.pem',
      'xpack.security.transport.ssl.enabled': true,
      'xpack.security.transport.ssl.key': 'node.key',
      'xpack.security.transport.ssl.certificate': 'node.pem',
    },
    configFiles: {
      'node.key': readFileSync(path.join(keys, 'node.key'), 'utf8'),
      // The whole chain, as Elasticsearch's own set-up makes it: a fingerprint is compared with the authority's certificate.
      'node.pem': ['node.pem', 'ca.pem'].map((name) => readFileSync(path.join(keys, name), 'utf8')).join(''),
      users: `mover:${hashed(password)}\nnobody:${hashed(password)}\n`,
      users_roles: 'superuser:mover\n',
    },
  });
  await node.start();
  url = `https://127.0.0.1:${httpPort}`;
  process.env['SHARDLIFT_TEST_PASSWORD'] = password;
  process.env['SHARDLIFT_TEST_WRONG'] = 'wrong';
  clusters = createClusters();
  // It listens before it has a master: until then nobody can log in.
  await waitUntil(
    () =>
      clusters.connect(runbook('mover'), 'source').then(
        () => 'in',
        (error: unknown) => String(error),
      ),
    (answer) => answer === 'in',
    { timeoutMs: 90_000, everyMs: 500, what: 'the secured node' },
  );
}, 300_000);

afterAll(async () => {
  await clusters?.close();
  await dismantle(directory);
  rmSync(keys, { recursive: true, force: true });
});

function runbook(username: string, over: { secret?: string; ca?: string; tls?: object } = {}) {
  // No API key here: the lab's servers lack the analyzer that the index of keys is made with.
  const auth = { basic: { username, password: over.secret ?? '${env:SHARDLIFT_TEST_PASSWORD}' } };
  return runbookOf('secured', {
    source: { urls: [url], tls: over.tls ?? { ca: path.join(keys, `${over.ca ?? 'ca'}.pem`) }, auth },
  });
}

/** Read when it is asked for: the keys are made before the first test. */
function fingerprintOf(name: string) {
  return () => ({ fingerprint: new X509Certificate(readFileSync(path.join(keys, `${name}.pem`))).fingerprint256 });
}

/** Jest shows a failure's message only; its details say why. */
async function told<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw new Error(JSON.stringify((error as ApplicationFailure).details ?? String(error)));
  });
}

async function refusalOf(promise: Promise<unknown>): Promise<FailureInfo & { nonRetryable?: boolean | null }> {
  const error = (await promise.then(
    () => new Error('it was let in'),
    (reason: unknown) => reason,
  )) as ApplicationFailure;
  const info = error.details?.[0] as FailureInfo | undefined;
  if (!info) throw error;
  return { ...info, nonRetryable: error.nonRetryable };
}

test('lets in with the right authority and password, from a file too', async () => {
  const file = path.join(keys, 'password');
  writeFileSync(file, `${password}\n`);
  const cluster = await clusters.connect(runbook('mover', { secret: `\${file:${file}}` }), 'source');
  expect(cluster.version.text).toBe('7.17.29');
});

test('a wrong password is a failure for good, and the corrected one is taken up by the next try', async () => {
  const wrong = runbook('mover', { secret: '${env:SHARDLIFT_TEST_WRONG}' });
  const refusal = await refusalOf(clusters.connect(wrong, 'source'));
  expect(refusal).toMatchObject({ type: 'ClusterAuthenticationFailed', nonRetryable: true });
  expect(JSON.stringify(refusal)).not.toContain(password);
  process.env['SHARDLIFT_TEST_WRONG'] = password;
  await expect(clusters.connect(wrong, 'source')).resolves.toMatchObject({ side: 'source' });
});

test('a user without the privilege is told which one is missing', async () => {
  // Who may not even ask for the version is refused when connecting.
  const refusal = await refusalOf(clusters.connect(runbook('nobody'), 'source'));
  expect(refusal).toMatchObject({ type: 'ClusterPermissionDenied', nonRetryable: true });
  expect(refusal.why).toMatch(/cluster:monitor/);
});

test('a certificate of another authority is not trusted, nor is plain HTTP taken for HTTPS', async () => {
  expect(await refusalOf(clusters.connect(runbook('mover', { ca: 'other-ca' }), 'source'))).toMatchObject({
    type: 'ClusterUnreachable',
    nonRetryable: true,
    message: expect.stringContaining('certificate') as string,
  });
  const away = runbook('mover', { ca: 'no-such-file' });
  expect(await refusalOf(clusters.connect(away, 'source'))).toMatchObject({
    type: 'SecretUnresolved',
    nonRetryable: true,
  });
});

test('the fingerprint of the authority is enough; another one is refused', async () => {
  expect(await told(clusters.connect(runbook('mover', { tls: fingerprintOf('ca')() }), 'source'))).toMatchObject({
    side: 'source',
  });
  const refusal = await refusalOf(clusters.connect(runbook('mover', { tls: fingerprintOf('other-ca')() }), 'source'));
  expect(refusal.type).toBe('ClusterUnreachable');
});

test.each([
  ['the authority', { tls: undefined, ca: 'ca' }, true],
  ['its fingerprint', { tls: fingerprintOf('ca') }, true],
  ['another authority', { tls: undefined, ca: 'other-ca' }, false],
  ['the fingerprint of another one', { tls: fingerprintOf('other-ca') }, false],
])('documents, too, go only where the certificate is right: %s', async (_, over, isRight) => {
  const given = { ...('ca' in over ? { ca: over.ca } : {}), ...(over.tls ? { tls: over.tls() } : {}) };
  const bytes = await clusters.openBytes(runbook('mover', given), 'source', { connections: 1 });
  try {
    const asked = bytes.send({ method: 'GET', path: '/', timeoutMs: 10_000 });
    if (isRight) expect((await told(asked)).status).toBe(200);
    else expect(await refusalOf(asked)).toMatchObject({ type: 'ClusterUnreachable', nonRetryable: true });
  } finally {
    bytes.close();
  }
});
