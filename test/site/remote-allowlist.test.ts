import type { PlanAnswer } from '../../contracts/plan';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { startCluster } from '../../lab/elasticsearch/cluster';
import { dismantle, guard } from '../../lab/guard';
import type { RunStatus } from '../../contracts/status';
import { asValue, documentDifferences, readDocuments } from '../support/read-documents';
import { http, makeIndex } from '../support/shared-pair';
import {
  allSteps,
  hostFiles,
  reachStep,
  sharedSite,
  startOperator,
  statusOf,
  writeRunbook,
  type Operator,
} from '../support/site-run';
import { waitUntil } from '../support/wait-until';

/**
 * A remote reindex whose target's hosts are given: the run itself lets their nodes fetch, and takes it back. The target is
 * the site's 7.17, as its 8.19 has no `_reindex`; the source is a 7.17 beside the hosts. SHARDLIFT_ENDINGS=abort,finish
 * tries both ways back.
 */
jest.setTimeout(10 * 60_000);

const endings = (process.env['SHARDLIFT_ENDINGS'] ?? 'abort').split(',');
const site = sharedSite();
const to = site.source;
const index = 'fetched-orders';
const directory = makeLabDirectory(`fetched-${newLabName()}`);
let operator: Operator;
/** Where the hosts reach the source. */
let from: string;

beforeAll(async () => {
  guard(directory);
  const settings = { 'http.host': ['127.0.0.1', site.controller] };
  const source = { version: to.version, name: 'fetched', labDirectory: directory, nodes: 1, heap: '400m', settings };
  const [{ url }] = await Promise.all([startCluster(source), site.reset({ wipeSource: true })]);
  from = url.replace('127.0.0.1', site.controller);
  operator = await startOperator(site, 'remote-allowlist');
  await operator.startWorker();
  await makeIndex(from, index, 3000, { number_of_shards: 2 });
});

afterAll(async () => {
  await operator?.stop();
  await Promise.all([dismantle(directory), site.reset({ wipeSource: true })]);
});

function runbookFile(run: string): string {
  const hosts = to.hosts.map(({ name, address }) => `  - { name: ${name}, address: ${address}, role: target }`);
  return writeRunbook(
    site,
    run,
    `kind: Migration
name: ${run}
method: remote-reindex
source: { urls: [${from}] }
target: { urls: [${to.urls.join(', ')}] }
ssh: { user: ops, privateKey: '\${file:${site.sshKeyPath}}', knownHosts: ${site.knownHostsPath}, sudo: true }
hosts:
${hosts.join('\n')}
select: { include: ['fetched-*'] }
gates: [cutover, finish]
cleanup: { hosts: restore }
`,
  );
}

/** What `shardlift plan` says: whether a run would begin, whether the nodes may fetch now, and what it would write where. */
async function planned(file: string) {
  const { code, stdout } = await operator.cli.run(['plan', file, '-o', 'json'], { capture: true });
  const { checks, hostChanges } = JSON.parse(stdout) as PlanAnswer;
  const check = checks.find(({ id }) => id === 'reindex.allowlist');
  return {
    code,
    allowlist: [check?.level, check?.state],
    changes: hostChanges.map((each) => [each.host, each.what, each.before.trim(), each.after.trim()]),
  };
}

async function tell(...argv: string[]): Promise<void> {
  const { code, stdout, stderr } = await operator.cli.run(argv, { capture: true });
  if (code !== 0) throw new Error(`shardlift ${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}

/** Waits until it stands at that gate, or has ended. */
async function reach(run: string, gate?: string): Promise<string> {
  const isThere = ({ gates, endedAt }: RunStatus) =>
    gate === undefined ? endedAt !== undefined : gates.some((each) => each.gate === gate && each.state === 'open');
  const status = await waitUntil(
    () => statusOf(operator, run).catch(() => undefined),
    (seen) => seen !== undefined && (seen.state === 'stuck' || isThere(seen)),
    { timeoutMs: 300_000, everyMs: 300, what: `${run} at ${gate ?? 'its end'}` },
  );
  const stuck = status ? allSteps(status).filter(({ state }) => state === 'stuck') : [];
  expect(stuck.map(({ id, failure }) => [id, failure])).toEqual([]);
  return status?.state ?? '';
}

/** Which start of the service there is on each host: one more for each restart. */
async function starts(): Promise<string[]> {
  const show = 'systemctl show -p InvocationID --value elasticsearch';
  return Promise.all(to.hosts.map(async ({ name }) => (await site.exec(name, show)).stdout.trim()));
}

test.each(endings)('the run lets every node fetch, and takes it back: %s', async (ending) => {
  const run = `allow-${ending}`;
  const file = runbookFile(run);
  const before = await hostFiles(site);
  const setting = `reindex.remote.whitelist: ["${new URL(from).host}"]`;
  const yml = '/etc/elasticsearch/elasticsearch.yml';
  const changes = to.hosts.map(({ name }) => [name, yml, '', setting]);
  expect(await planned(file)).toEqual({ code: 0, allowlist: ['warning', 'failed'], changes });
  expect(await hostFiles(site)).toEqual(before);

  const began = Date.now();
  await tell('start', file);
  // its worker dies in the midst of the first restart
  await reachStep(operator, run, /prepare\/target\/restart/);
  await operator.killWorker();
  await operator.startWorker();
  await reach(run, 'cutover');
  const allowedAfter = Date.now() - began;
  expect(await planned(file)).toEqual({ code: 0, allowlist: ['mandatory', 'passed'], changes: [] });
  const there = await hostFiles(site);
  for (const { name } of to.hosts) expect(there[name]).toContain(setting);
  const [source, target] = await Promise.all([from, to.url].map((url) => readDocuments(url, index, asValue)));
  expect(documentDifferences(source ?? new Map<string, string>(), target ?? new Map<string, string>())).toEqual([]);

  const running = await starts();
  if (ending === 'abort') await tell('abort', run, '--yes', '--reason', 'test');
  else {
    await tell('approve', run, 'cutover', '--reason', 'test');
    await reach(run, 'finish');
    await tell('approve', run, 'finish', '--yes', '--reason', 'test');
  }
  expect(await reach(run)).toBe(ending === 'abort' ? 'aborted' : 'completed');
  process.stdout.write(
    `${run}: ${to.hosts.length} nodes allowed and ${source?.size} documents there after ${allowedAfter} ms, all back after ${Date.now() - began} ms\n`,
  );
  expect(await hostFiles(site)).toEqual(before);
  const last = await starts();
  expect(last.filter((start, at) => start === running[at])).toEqual([]);
  expect((await planned(file)).allowlist).toEqual(['warning', 'failed']);
  // what was held back for the restarts is as it was
  const { body } = await http(`${to.url}/_cluster/settings`);
  expect(body).toEqual({ persistent: {}, transient: {} });
  // a restart is no change that could be taken back
  const left = await site.exec(to.hosts[0]!.name, 'ls -A /var/lib/shardlift/allow-* | grep -v ^restart-');
  expect(left.stdout.trim()).toBe('');
  await http(`${to.url}/${index}`, 'DELETE');
});
