import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { siteRunbook } from '../../lab/demo-runbooks';
import { loadCorpus, type Manifest } from '../../lab/loader';
import type { Side } from '../../lab/site';
import type { FailureInfo } from '../../contracts/failures';
import type { StepStatus } from '../../contracts/status';
import { http } from '../support/shared-pair';
import {
  allSteps,
  differencesFound,
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
 * One run that meets everything that is wrong with hosts and their share, one after the other: each time it is stuck with
 * cause and remedy in words, somebody mends that, `retry`, and it goes on. Each test goes on from what the one before left.
 */
jest.setTimeout(15 * 60_000);

const site = sharedSite();
const run = 'bad-input';
const server = site.source.hosts[0]!;
/** A file system of the share's own on the server: it can be filled. */
const room = '/srv/room';
const image = '/root/room.img';
const exportPath = `${room}/es`;
const mountPath = '/mnt/es-snapshots';

let manifest: Manifest;
let operator: Operator;
let sinceMs: number;
/** Of each side: the node that restarts first, and the host that has the elected master. */
let first: Record<Side, string>;

let brokenBy: string | undefined;

/** Without the one before, the next would only wait for what never comes. */
function next(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    if (brokenBy !== undefined) throw new Error(`not begun, since this failed: ${brokenBy}`);
    brokenBy = name;
    await body();
    brokenBy = undefined;
  });
}

const sh = async (host: string, script: string) => {
  const { code, stdout, stderr } = await site.exec(host, script);
  if (code !== 0) throw new Error(`on ${host}: ${script}: code ${code}: ${stderr}`);
  return stdout.trim();
};

async function cli(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await operator.cli.run(args, { capture: true });
  if (code !== 0) throw new Error(`shardlift ${args.join(' ')}: code ${code}: ${stdout}${stderr}`);
  return stdout;
}

async function reach(id: string, state: StepStatus['state']): Promise<StepStatus> {
  return reachStep(operator, run, new RegExp(`^${id}$`), state);
}

/** What an operator reads of a stuck step. */
async function stuckAt(id: string): Promise<FailureInfo> {
  const { failure } = await reach(id, 'stuck');
  if (!failure) throw new Error(`${id} is stuck and says nothing`);
  expect(failure.remedy).not.toBe('');
  return failure;
}

function startedTimes(host: string): Promise<string> {
  const script = `journalctl -u elasticsearch --since @${Math.floor(sinceMs / 1000)} --no-pager | grep -cF 'Started' || true`;
  return sh(host, script);
}

/** Asked of a node that nothing is done to. */
async function allocation(side: Side): Promise<string | undefined> {
  const { address } = site[side].hosts.find((host) => host.name !== first[side])!;
  const { body } = await http<{ persistent: Record<string, string> }>(
    `http://${address}:9200/_cluster/settings?flat_settings`,
  );
  return body.persistent['cluster.routing.allocation.enable'];
}

/** All but so many bytes of the share's file system are taken by a file that is not ours. */
async function leaveFree(bytes: number): Promise<void> {
  const script = `rm -f ${room}/filler; sync -f ${room}
    free=$(df -B1 --output=avail ${room} | tail -n 1); fallocate -l $((free - ${Math.round(bytes)})) ${room}/filler`;
  await sh(server.name, script);
}

beforeAll(async () => {
  const kept = path.join(site.directory, 'manifest.json');
  await site.reset({ wipeSource: existsSync(kept) });
  manifest = await loadCorpus({ url: site.source.url, scale: 'small' });
  writeFileSync(kept, JSON.stringify(manifest));
  mkdirSync(path.join(site.directory, 'runs'), { recursive: true });
  operator = await startOperator(site, run);
  await operator.startWorker();
  // sparse, and with few inodes: nothing much is written for it
  await sh(
    server.name,
    `umount ${room} 2>/dev/null; rm -rf ${room}; truncate -s 2G ${image}; mkfs.ext4 -q -F -m 0 -N 4096 ${image}; mkdir -p ${room}; mount -o loop ${image} ${room}`,
  );
  sinceMs = Date.now();
});

afterAll(async () => {
  await operator?.stop();
  await site.reset({ directories: [mountPath] });
  await site.exec(server.name, `umount ${room}; rmdir ${room}; rm -f ${image}`);
});

/** The right one, but for what `over` says; batches: everything in one. */
function runbook(over: (book: Runbook) => void = () => undefined): string {
  const book = parse(siteRunbook(site, run)) as Runbook;
  book.snapshot.repository.sharedFilesystem.exportPath = exportPath;
  book.batches = { maxSize: '1gb' };
  Object.assign(book, { gates: ['move'], cleanup: { snapshots: 'keep' } });
  over(book);
  return stringify(book);
}

interface Runbook {
  hosts: { name: string; address: string; role: string; ssh?: object }[];
  snapshot: { repository: { sharedFilesystem: { exportPath: string } } };
  batches: object;
}

next(
  'preflight: every host that cannot be reached or used, and every path that is taken, is named with its remedy',
  async () => {
    const before = await hostFiles(site);
    const at = (name: string) => site.hosts.find((host) => host.name === name)!;
    const known = (name: string) => path.join(site.directory, 'runs', `known-hosts-${name}`);
    writeFileSync(known('none'), '');
    // the other's key stands at this one's address
    const lines = readFileSync(site.knownHostsPath, 'utf8').trim().split('\n');
    const keyOfOther = lines
      .find((line) => line.includes(at('h11').address))!
      .split(' ')
      .slice(1)
      .join(' ');
    writeFileSync(known('other'), `${at('h22').address} ${keyOfOther}\n`);
    await sh(server.name, `echo x > ${exportPath}`);
    await sh('h12', `mkdir -p ${mountPath}; echo x > ${mountPath}/letter`);
    const file = writeRunbook(
      site,
      run,
      runbook((book) => {
        const ssh: Record<string, object> = {
          h13: { knownHosts: known('none') },
          h22: { knownHosts: known('other') },
          h21: { user: 'nosudo' },
        };
        for (const host of book.hosts) if (ssh[host.name]) host.ssh = ssh[host.name];
        book.hosts.push(
          { name: 'nobody', address: '10.99.0.99', role: 'storage' },
          { name: 'stranger', address: at('h12').address, role: 'storage', ssh: { user: 'nobody-there' } },
        );
      }),
    );
    await cli('start', file);
    const failure = await stuckAt('preflight/checks');
    expect(failure.type).toBe('PreflightFailed');
    const failed = async () => {
      const { checks } = await statusOf(operator, run);
      return checks
        .filter((check) => check.level === 'mandatory' && check.state === 'failed' && check.id.startsWith('host.'))
        .map(({ id, where, seen, remedy }) => [`${id} ${where}`, `${seen}; ${remedy}`])
        .sort();
    };
    const words = Object.fromEntries(await failed()) as Record<string, string>;
    expect(words['host.ssh nobody']).toMatch(/cannot be reached by SSH.*see whether the host is up/);
    expect(words['host.ssh stranger']).toMatch(/refuses the SSH key.*authorized_keys/);
    expect(words['host.ssh h13']).toMatch(/host key of h13 is not known.*SHA256:.*add the key/);
    expect(words['host.ssh h22']).toMatch(/host key of h22 is not the known one.*another machine answers/);
    expect(words['host.sudo h21']).toMatch(/sudo refuses.*sudoers\.d/);
    expect(words[`host.mount-point h12:${mountPath}`]).toMatch(/files in it.*move away/);
    expect(words[`host.export-path ${server.name}:${exportPath}`]).toMatch(/no directory.*move away/);
    // what the run itself says is the same, word for word
    for (const [subject = ''] of await failed()) {
      const [id = '', where = ''] = subject.split(' ');
      expect(failure.why).toContain(`${id} (${where}): seen `);
    }

    // What can be mended outside of the runbook is, and looked at again.
    copyFileSync(site.knownHostsPath, known('none'));
    copyFileSync(site.knownHostsPath, known('other'));
    await sh('h12', `rm -r ${mountPath}`);
    await sh(server.name, `rm ${exportPath}`);
    await cli('retry', run);
    await waitUntil(
      async () => (await statusOf(operator, run)).steps.find((step) => step.id === 'preflight/checks'),
      (step) => step?.state === 'stuck' && step.attempt === 2,
      { timeoutMs: 120_000, everyMs: 300 },
    );
    const left = (await failed()).map(([subject = '']) => subject);
    expect(left.filter((subject) => subject in words)).toEqual(left);
    expect(left).toEqual(expect.arrayContaining(['host.ssh nobody', 'host.ssh stranger', 'host.sudo h21']));
    for (const mended of ['host.ssh h', 'host.mount-point', 'host.export-path'])
      expect(left.filter((subject) => subject.startsWith(mended))).toEqual([]);

    // The rest is wrong in the runbook itself.
    await cli('abort', run, '--yes', '--reason', 'the runbook names hosts that are none');
    await operator.cli.run(['watch', run], { capture: true });
    expect((await statusOf(operator, run)).state).toBe('aborted');
    expect(await hostFiles(site)).toEqual(before);
    for (const host of site.hosts) expect(await sh(host.name, 'ls -d /var/lib/shardlift 2>/dev/null || true')).toBe('');
  },
);

next(
  'the corrected runbook goes up to its gate; a line of somebody else that exports the directory stops it there',
  async () => {
    await cli('start', writeRunbook(site, run, runbook()));
    const waits = await waitUntil(
      () => statusOf(operator, run),
      ({ state }) => state === 'waiting' || state === 'stuck',
      { timeoutMs: 120_000, everyMs: 300 },
    );
    expect(allSteps(waits).flatMap(({ failure }) => (failure ? [failure] : []))).toEqual([]);

    // From here on everything goes wrong that a preflight cannot foresee. A master that is elected restarts last.
    const master = async (side: Side) =>
      (await http<{ node: string }[]>(`${site[side].url}/_cat/master?format=json`)).body[0]!.node;
    const masters = { source: await master('source'), target: await master('target') };
    const firstOf = (side: Side) => site[side].hosts.find((host) => host.name !== masters[side])!.name;
    first = { source: firstOf('source'), target: firstOf('target') };
    await sh(first.source, `echo '-XX:+NoSuchOption' > /etc/elasticsearch/jvm.options.d/wrong.options`);
    await sh(first.target, `echo 'indices.no.such.setting: 1' >> /etc/elasticsearch/elasticsearch.yml`);
    await sh(
      server.name,
      `mkdir -p /etc/exports.d; echo '${exportPath} 10.99.0.0/24(ro)' > /etc/exports.d/old.exports`,
    );

    await cli('approve', run, 'move');
    const failure = await stuckAt(`prepare/share/export/${server.name}`);
    expect(failure).toMatchObject({ type: 'ExportRefused' });
    expect(failure.why).toContain(exportPath);
    expect(failure.remedy).toMatch(/exports\.d/);
    await sh(server.name, 'rm /etc/exports.d/old.exports');
    await cli('retry', run);
  },
);

next(
  'a node that does not come back from its restart: the cause in the words of its journal, and no other node restarts',
  async () => {
    const source = await stuckAt(`prepare/source/restart/${first.source}`);
    expect(source).toMatchObject({ type: 'NodeDidNotReturn' });
    expect(source.why).toContain('NoSuchOption');
    const target = await stuckAt(`prepare/target/restart/${first.target}`);
    expect(target).toMatchObject({ type: 'NodeDidNotReturn' });
    expect(target.why).toContain('indices.no.such.setting');
    for (const host of site.hosts) {
      const isFirst = Object.values(first).includes(host.name);
      expect([host.name, await startedTimes(host.name)]).toEqual([host.name, isFirst ? '1' : '0']);
    }
    expect([await allocation('source'), await allocation('target')]).toEqual(['primaries', 'primaries']);

    // Meanwhile somebody makes the share read-only on another node: met later, by the repository.
    const other = site.source.hosts.find((host) => host.name !== first.source && host.name !== server.name)!;
    await sh(other.name, `mount -o remount,bind,ro ${mountPath}`);
    await sh(first.source, 'rm /etc/elasticsearch/jvm.options.d/wrong.options');
    await sh(first.target, `sed -i '/no\\.such\\.setting/d' /etc/elasticsearch/elasticsearch.yml`);
    await cli('retry', run, '--reason', 'wrong options taken out');

    const readOnly = await stuckAt('prepare/source/repository');
    expect(readOnly.why).toContain('Read-only file system');
    expect(readOnly).toMatchObject({ type: 'ShareNotWritable' });
    // The failed start counts too; nobody else was started more than once.
    for (const host of site.hosts) {
      const isFirst = Object.values(first).includes(host.name);
      expect([host.name, await startedTimes(host.name)]).toEqual([host.name, isFirst ? '2' : '1']);
    }
    expect([await allocation('source'), await allocation('target')]).toEqual([undefined, undefined]);
    // A remount would not do: the service has a mount namespace of its own, which follows mounts but not their flags.
    await sh(other.name, `umount ${mountPath} && mount ${mountPath}`);
  },
);

next(
  'a share that is full in the midst of the run: stuck with words about room, in the snapshot and in the copy',
  async () => {
    await leaveFree(3e6);
    await cli('retry', run);
    const full = await stuckAt('batch-0001/snapshot');
    expect(['SnapshotPartial', 'SnapshotFailed', 'ShareFull']).toContain(full.type);
    expect(full.why).toContain('No space left');

    // Room for the snapshot, not for its copy: the primaries' bytes are about what a snapshot takes.
    const { totals } = await statusOf(operator, run);
    await leaveFree(totals.bytes * 1.4);
    await cli('retry', run);
    const copy = await stuckAt('batch-0001/copy');
    expect(copy).toMatchObject({ type: 'ShareFull' });
    expect(copy.why).toContain('No space left');
    await sh(server.name, `rm ${room}/filler`);
  },
);

next(
  "a share that was replaced under the target's mounts: stale, told as that; mounted again, the run completes whole",
  async () => {
    const copyPath = `${exportPath}-copy`;
    const copyMount = `${mountPath}-copy`;
    await sh(server.name, `rm -rf ${copyPath}; install -d -o 995 -g 995 -m 0750 ${copyPath}; exportfs -ra`);
    await cli('retry', run);
    const stale = await stuckAt('batch-0001/restore');
    expect(stale.why).toContain('Stale file handle');
    expect(stale).toMatchObject({ type: 'MountStale' });
    for (const host of site.target.hosts) await sh(host.name, `umount ${copyMount} && mount ${copyMount}`);
    await cli('retry', run);

    const watched = await operator.cli.run(['watch', run, '--until-gate'], { capture: true });
    const status = await statusOf(operator, run);
    expect(allSteps(status).filter((step) => step.state === 'stuck')).toEqual([]);
    expect(status.state).toBe('completed');
    expect(watched.code).toBe(0);
    expect(await differencesFound(site, manifest)).toEqual([]);
  },
);
