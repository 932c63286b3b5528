import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { createClusters } from '../../activities/elasticsearch/cluster';
import type { FailureInfo } from '../../contracts/failures';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { dismantle, guard } from '../../lab/guard';
import { runbookOf } from '../support/fixtures';
import { hashed, makeCertificates, makeSecuredNode } from '../support/secured-node';
import { waitUntil } from '../support/wait-until';

jest.setTimeout(240_000);

const password = 'correct horse $(battery) "staple"';
const directory = makeLabDirectory(`secured-${newLabName()}`);
const keys = mkdtempSync(path.join(tmpdir(), 'shardlift-keys-'));
let clusters: ReturnType<typeof createClusters>;
let url: string;

beforeAll(async () => {
  guard(directory);
  makeCertificates(keys);
  const made = await makeSecuredNode({
    name: 'secured-1',
    version: '7.17.29',
    labDirectory: directory,
    keys,
    users: `mover:${hashed(password)}\nnobody:${hashed(password)}\n`,
    usersRoles: 'superuser:mover\n',
  });
  await made.node.start();
  url = made.url;
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
