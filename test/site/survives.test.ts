import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { siteRunbook } from '../../lab/demo-runbooks';
import { loadCorpus, type Manifest } from '../../lab/loader';
import type { RunStatus } from '../../contracts/status';
import { http } from '../support/shared-pair';
import {
  allSteps,
  differencesFound,
  hostFiles,
  reachStep,
  sharedSite,
  startOperator,
  statusOf,
  withoutRunName,
  writeRunbook,
  type Operator,
} from '../support/site-run';
import { waitUntil } from '../support/wait-until';

/**
 * The main job on real hosts, undisturbed and with everything in its way killed. Runs share the hosts, which are put back
 * to how they were before each. The first, undisturbed one says what the hosts' files must hold after each of the others.
 */
jest.setTimeout(20 * 60_000);

const site = sharedSite();
let manifest: Manifest;
let operator: Operator;
let reference: Record<string, string>;

beforeAll(async () => {
  const kept = path.join(site.directory, 'manifest.json');
  // Other tests have had these hosts before.
  await site.reset({ wipeSource: existsSync(kept) });
  manifest = await loadCorpus({ url: site.source.url, scale: 'small' });
  writeFileSync(kept, JSON.stringify(manifest));
  mkdirSync(path.join(site.directory, 'runs'), { recursive: true });
  operator = await startOperator(site, 'survives');
  await operator.startWorker();
});

afterAll(async () => operator?.stop());

/** Slow enough that each stage lasts some seconds and can be met in its midst; no gates; everything is kept, to be counted. */
function slowRunbook(run: string): string {
  return siteRunbook(site, run)
    .replace(/maxSnapshotBytesPerSec: .*/, 'maxSnapshotBytesPerSec: 2mb')
    .replace(/maxRestoreBytesPerSec: .*/, 'maxRestoreBytesPerSec: 2mb')
    .replace('      targetReads: ownCopy\n', '      targetReads: ownCopy\n      copy: { maxBytesPerSec: 3mb }\n')
    .replace(/batches: .*/, 'batches: { maxSize: 12mb }\ngates: []\ncleanup: { snapshots: keep }');
}

async function start(run: string): Promise<number> {
  const sinceMs = Date.now();
  const file = writeRunbook(site, run, slowRunbook(run));
  const started = await operator.cli.run(['start', file], { capture: true });
  expect(started).toMatchObject({ code: 0 });
  return sinceMs;
}

async function ended(run: string): Promise<RunStatus> {
  const watched = await operator.cli.run(['watch', run, '--until-gate'], { capture: true });
  const status = await statusOf(operator, run);
  const stuck = allSteps(status).filter((step) => step.state === 'stuck');
  expect(stuck.map((step) => [step.id, step.failure])).toEqual([]);
  expect(status.state).toBe('completed');
  expect(watched.code).toBe(0);
  return status;
}

/** Lines of the hosts' journals: what was really done there, whoever says what. */
async function journalCount(hosts: string[], unit: string, text: string, sinceMs: number): Promise<number> {
  let count = 0;
  for (const host of hosts) {
    const script = `journalctl -u ${unit} --since @${Math.floor(sinceMs / 1000)} --no-pager | grep -cF '${text}' || true`;
    count += Number((await site.exec(host, script)).stdout.trim());
  }
  return count;
}

/** Nothing lost, nothing twice, and the hosts as after an undisturbed run. */
async function proveWhole(run: string, status: RunStatus): Promise<void> {
  expect(await differencesFound(site, manifest)).toEqual([]);
  const { body } = await http<{ snapshots: { snapshot: string; state: string }[] }>(
    `${site.source.url}/_snapshot/shardlift-${run}/_all`,
  );
  // A PARTIAL one was deleted: what is there is one good snapshot of each batch.
  expect(body.snapshots.map((each) => each.state)).toEqual(status.batches.map(() => 'SUCCESS'));
  expect(body.snapshots.map((each) => each.snapshot).sort()).toEqual(
    status.batches.map((batch) => batch.snapshots.at(-1)).sort(),
  );
  expect(withoutRunName(await hostFiles(site), run)).toEqual(reference);
}

test('undisturbed: NFS, path.repo, repositories, batches, aliases; every document is there', async () => {
  const run = 'undisturbed';
  const sinceMs = await start(run);
  const status = await ended(run);
  reference = withoutRunName(await hostFiles(site), run);
  await proveWhole(run, status);
  expect(reference['h11']).toContain('/srv/es-snapshots');
  expect(reference['h12']).toMatch(/\/mnt\/es-snapshots 10\.99\.0\.11:/);
  expect(reference['h21']).toContain('path.repo');
  const source = site.source.hosts.map((host) => host.name);
  expect(await journalCount(source, 'elasticsearch', 'Started', sinceMs)).toBe(source.length);
  const aliases = await http(`${site.target.url}/_alias`);
  for (const alias of manifest.aliases) expect(JSON.stringify(aliases.body)).toContain(JSON.stringify(alias));
});

test('the worker is killed in NFS set-up, rolling restart, snapshot, between snapshot and copy, copy and restore', async () => {
  await site.reset();
  const run = 'worker-killed';
  const sinceMs = await start(run);
  const killAt = async (id: RegExp, state: 'running' | 'done' = 'running') => {
    await reachStep(operator, run, id, state);
    await operator.killWorker();
    await operator.startWorker();
  };
  await killAt(/prepare\/share\/(export|mount)/);
  await killAt(/prepare\/source\/restart/);
  await killAt(/batch-0002\/snapshot/);
  await killAt(/batch-0002\/snapshot/, 'done');
  await killAt(/batch-000\d\/copy/);
  await killAt(/batch-000\d\/restore/);
  const status = await ended(run);
  await proveWhole(run, status);
  expect(status.batches.map((batch) => batch.snapshots.length)).toEqual(status.batches.map(() => 1));
  for (const side of ['source', 'target'] as const) {
    const hosts = site[side].hosts.map((host) => host.name);
    expect([side, await journalCount(hosts, 'elasticsearch', 'Started', sinceMs)]).toEqual([side, hosts.length]);
  }
});

test('the Temporal server is killed in a restore; an Elasticsearch node of each cluster in its work', async () => {
  await site.reset();
  const run = 'servers-killed';
  await start(run);
  await reachStep(operator, run, /batch-0002\/snapshot/);
  await site.kill9Elasticsearch('h13');
  // The unit has no Restart=, as Elastic's own: somebody, or something, starts it again.
  await site.startElasticsearch('h13');
  await reachStep(operator, run, /batch-000\d\/restore/);
  await operator.temporal.kill9();
  await operator.temporal.restart();
  await reachStep(operator, run, /batch-0003\/restore/);
  await site.kill9Elasticsearch('h22');
  await site.startElasticsearch('h22');
  await proveWhole(run, await ended(run));
});

test("the NFS server's power is cut in a copy", async () => {
  await site.reset();
  const run = 'power-cut';
  await start(run);
  await reachStep(operator, run, /batch-0002\/copy/);
  await site.powerCut('h11');
  await site.boot('h11');
  await waitUntil(
    async () => (await site.exec('h11', 'systemctl is-active elasticsearch')).stdout.trim(),
    (state) => state === 'active',
    {
      timeoutMs: 120_000,
      everyMs: 1000,
    },
  );
  await proveWhole(run, await ended(run));
});
