import { ConnectionPool, createHostActivities } from '../../activities/hosts';
import type { FailureInfo } from '../../contracts/failures';
import type { SharePlan } from '../../contracts/plan';
import { migrationRunbook } from '../../contracts/runbook';
import { sharedSite } from '../support/site-run';
import { waitUntil } from '../support/wait-until';

/**
 * What is done on hosts, on real ones: a server of the source and a client of the target, with paths that no shell may
 * get to see unquoted. One after the other: each test goes on from what the one before left.
 */
jest.setTimeout(5 * 60_000);

const site = sharedSite();
const server = site.source.hosts[0]!;
const client = site.target.hosts[0]!;
const run = 'hosts-test';
const runbookWith = (ssh: object = {}) =>
  migrationRunbook.parse({
    kind: 'Migration',
    name: run,
    source: { urls: [site.source.url] },
    target: { urls: [site.target.url] },
    ssh: { user: 'ops', privateKey: `\${file:${site.sshKeyPath}}`, knownHosts: site.knownHostsPath, ...ssh },
    hosts: [server, client].map(({ name, address, cluster }) => ({ name, address, role: cluster })),
    snapshot: {
      repository: {
        sharedFilesystem: { server: server.name, exportPath: "/srv/it's $(a) share", mountPath: '/mnt/a share' },
      },
    },
  });
const runbook = runbookWith();
const share: SharePlan = {
  id: 'share',
  server: server.name,
  exportPath: "/srv/it's $(a) share",
  mountPath: '/mnt/a share',
  mountOptions: ['hard', '_netdev', 'lookupcache=positive'],
  clients: [{ host: client.name, access: 'rw' }],
};
const owner = { uid: 995, gid: 995 };
const files = ['/etc/exports', '/etc/fstab', '/etc/elasticsearch/elasticsearch.yml'];

let pool: ConnectionPool;
let activities: ReturnType<typeof createHostActivities>;
const before: Record<string, string> = {};

const on = (host: { name: string }, step: string) => ({ run, step, runbook, host: host.name });
const sh = async (host: { name: string }, script: string) => (await site.exec(host.name, script)).stdout.trim();
const contents = async () => {
  const read = (host: { name: string }) =>
    sh(host, `cat ${files.join(' ')} 2>/dev/null | sha256sum; stat -c '%U %G %a' ${files[2]}`);
  return { server: await read(server), client: await read(client) };
};
const failureOf = async (promise: Promise<unknown>) => {
  const error = (await promise.then(
    () => ({}),
    (thrown: unknown) => thrown,
  )) as { type?: string; nonRetryable?: boolean; details?: [FailureInfo] };
  return { type: error.type, isPermanent: error.nonRetryable, why: error.details?.[0].why ?? '' };
};

/** The whole way to a mounted share; each of it may run any number of times. */
async function prepare(): Promise<boolean[]> {
  const outcomes = [
    await activities.installPackage({ ...on(server, 'package'), package: 'nfs-server' }),
    await activities.installPackage({ ...on(server, 'package'), package: 'rsync' }),
    await activities.ensureShareDirectory({ ...on(server, 'directory'), share, owner }),
    await activities.ensureNfsService(on(server, 'service')),
    await activities.ensureExport({ ...on(server, 'export'), share, owner }),
    await activities.ensureFirewall({ ...on(server, 'firewall'), share, owner }),
    await activities.ensureMount({ ...on(server, 'mount'), share, owner }),
    await activities.installPackage({ ...on(client, 'package'), package: 'nfs-client' }),
    await activities.ensureMount({ ...on(client, 'mount'), share, owner }),
    await activities.checkShare({ ...on(server, 'check'), share, token: `${run} check` }),
    await activities.checkShare({ ...on(client, 'check'), share, token: `${run} check` }),
  ];
  return outcomes.map((each) => each.changed);
}

beforeAll(async () => {
  await site.reset();
  pool = new ConnectionPool();
  activities = createHostActivities({ pool });
  Object.assign(before, await contents());
});

afterAll(async () => {
  pool?.close();
  await sh(server, 'rm -f /root/over.img /root/small.img');
  await site.reset({ directories: ['/srv/small'] });
});

describe('hosts', () => {
  it('are looked at, and nothing is changed', async () => {
    const { checks, facts } = await activities.inspectHosts({ run, runbook });
    expect(checks.filter((check) => check.state === 'failed')).toEqual([]);
    expect(facts.map((each) => [each.host, each.family, each.packages.nfsServer, each.elasticsearchUser?.uid])).toEqual(
      [
        [server.name, 'debian', false, 995],
        [client.name, 'debian', false, 995],
      ],
    );
    const preview = await activities.previewHostChanges({ run, runbook, shares: [share] });
    expect(preview.map((change) => change.what)).toContain('/etc/exports');
    expect(await contents()).toEqual(before);
  });

  it('refuse what is wrong before anything is changed', async () => {
    const as = (ssh: object) =>
      failureOf(activities.ensureShareDirectory({ ...on(server, 'x'), runbook: runbookWith(ssh), share, owner }));
    expect(await as({ user: 'nosudo' })).toMatchObject({ type: 'SudoRefused', isPermanent: true });
    expect(await as({ user: 'nobody-there' })).toMatchObject({ type: 'SshAuthenticationFailed', isPermanent: true });
    await sh(server, `echo x > "/srv/it's \\$(a) share"`);
    const file = failureOf(activities.ensureShareDirectory({ ...on(server, 'x'), share, owner }));
    expect(await file).toMatchObject({ type: 'PathOccupied', isPermanent: true });
    await sh(server, `rm "/srv/it's \\$(a) share"; mkdir -p '/mnt/a share'; touch '/mnt/a share/x'`);
    await sh(client, `mkdir -p '/mnt/a share'; touch '/mnt/a share/x'`);
    const full = failureOf(activities.ensureMount({ ...on(client, 'x'), share, owner }));
    expect(await full).toMatchObject({ type: 'MountPointNotEmpty', isPermanent: true });
    for (const host of [server, client]) await sh(host, `rm -r '/mnt/a share'`);
    expect(await contents()).toEqual(before);
  });

  it('get a share, from packages to tokens; again, it is one and the same', async () => {
    // Installing makes files of its own, which an undo leaves with the package.
    await activities.installPackage({ ...on(server, 'package'), package: 'nfs-server' });
    Object.assign(before, await contents());
    await prepare();
    const once = await contents();
    await prepare();
    expect(await contents()).toEqual(once);
    expect(await sh(server, 'grep -c BEGIN /etc/exports; grep -c BEGIN /etc/fstab')).toBe('1\n1');
    expect(await sh(client, `findmnt -rn -o FSTYPE,TARGET -t nfs4`)).toContain('nfs4');
    expect(await sh(server, 'systemctl is-enabled nfs-server; systemctl is-active nfs-server')).toBe('enabled\nactive');
  });

  it('have it again after a reboot, by the same lines', async () => {
    await site.powerCut(client.name);
    await site.boot(client.name);
    await waitUntil(
      () => sh(client, 'findmnt -rn -o FSTYPE -t nfs4'),
      (type) => type === 'nfs4',
      { timeoutMs: 60_000, everyMs: 1000 },
    );
    expect(await activities.checkShare({ ...on(client, 'check'), share, token: 'after reboot' })).toMatchObject({
      changed: false,
    });
  });

  it('tell a mount that went stale', async () => {
    const script = `truncate -s 8M /root/over.img; mkfs.ext4 -q -F /root/over.img; exportfs -ua
      mount -o loop /root/over.img "/srv/it's \\$(a) share"; exportfs -ra`;
    await sh(server, script);
    const stale = await failureOf(activities.ensureMount({ ...on(client, 'mount'), share, owner }));
    expect(stale).toMatchObject({ type: 'MountStale', isPermanent: true });
    await sh(server, `exportfs -ua; umount "/srv/it's \\$(a) share"; exportfs -ra`);
    await sh(client, `umount -f '/mnt/a share'`);
    expect((await activities.ensureMount({ ...on(client, 'mount'), share, owner })).changed).toBe(true);
  });

  it('restart Elasticsearch once for a new path.repo', async () => {
    const paths = [share.mountPath];
    const input = on(client, 'path-repo');
    expect(await activities.ensurePathRepo({ ...input, paths })).toMatchObject({ changed: true });
    expect(await activities.readNodeService(input)).toMatchObject({ active: true, startedAfterConfigChange: false });
    expect(await activities.restartNodeService(input)).toMatchObject({ changed: true });
    const starts = () => sh(client, 'systemctl show -p InvocationID elasticsearch');
    await waitUntil(
      () => activities.readNodeService(input),
      (state) => state.active,
      { timeoutMs: 120_000, everyMs: 1000 },
    );
    const started = await starts();
    expect(await activities.restartNodeService(input)).toMatchObject({ changed: true });
    expect(await activities.readNodeService(input)).toMatchObject({ active: true, startedAfterConfigChange: true });
    expect(await starts()).toBe(started);
  });
});

/** A repository by hand: the copy reads only its index, and files are files. */
describe('a copy', () => {
  const from = `${share.exportPath}/from`;
  const to = '/srv/it\'s "copy"';
  const job = `shardlift-${run}-copy-batch-0001-1`;
  const copy = (over: object = {}) =>
    activities.copySnapshotFiles({
      ...on(server, 'copy'),
      job,
      from,
      to,
      snapshot: 's1',
      indices: ['a'],
      verify: 'checksum' as const,
      ...over,
    });
  const inside = (script: string) => sh(server, `cd "/srv/it's \\$(a) share/from" && ${script}`);
  const there = (script: string) => sh(server, `cd "/srv/it's \\"copy\\"" && ${script}`);
  const index = JSON.stringify({
    snapshots: [{ name: 's1', uuid: 'uuid-1' }],
    indices: { "a'$(x)": { id: '-AAA', snapshots: ['uuid-1'] } },
  });

  beforeAll(async () => {
    await sh(server, `mkdir -p "/srv/it's \\$(a) share/from/indices/-AAA/0"`);
    await inside(
      `printf %s '${index.replaceAll("'", `'\\''`)}' > index-7; for n in 1 2 3; do head -c 15000000 /dev/urandom > indices/-AAA/0/__$n; done
       echo s > snap-uuid-1.dat; echo m > meta-uuid-1.dat; chown -R 995:995 .; sync`,
    );
  });

  it('that fills the disk says so, and what it left can be removed', async () => {
    await sh(
      server,
      `truncate -s 20M /root/small.img; mkfs.ext4 -q -F /root/small.img; mkdir /srv/small; mount -o loop /root/small.img /srv/small; chown 995:995 /srv/small`,
    );
    const full = await failureOf(copy({ job: `${job}-full`, to: '/srv/small' }));
    expect(full).toMatchObject({ type: 'ShareFull', isPermanent: true });
    await activities.removeCopyDirectory({ ...on(server, 'remove'), location: '/srv/small' });
    expect(await sh(server, 'ls -A /srv/small; umount /srv/small; rmdir /srv/small')).toBe('lost+found');
  });

  it('goes on after a power cut in its midst, and is complete', async () => {
    const first = copy({ maxBytesPerSec: 5_000_000 }).catch((error: unknown) => error);
    await waitUntil(
      () => there('du -s . | cut -f1'),
      (kib) => Number(kib) > 8000,
      { timeoutMs: 60_000, everyMs: 300 },
    );
    await site.powerCut(server.name);
    await site.boot(server.name);
    await first;
    const second = await copy({ maxBytesPerSec: 50_000_000 });
    expect(second).toMatchObject({ changed: true, files: 5, bytes: 45_000_004 });
    const sums = 'find indices snap-* meta-* index-7 -type f | sort | xargs -d "\\n" sha256sum';
    expect(await there(sums)).toBe(await inside(sums));
    expect(await there('od -An -tx1 index.latest; stat -c %u:%g indices/-AAA/0/__1; ls -A')).toBe(
      '00 00 00 00 00 00 00 07\n995:995\n.shardlift-copy\nindex-7\nindex.latest\nindices\nmeta-uuid-1.dat\nsnap-uuid-1.dat',
    );
  });

  it('corrupted is found and mended by its comparison', async () => {
    await there(
      `touch -r indices/-AAA/0/__1 /tmp/t; printf X | dd of=indices/-AAA/0/__1 bs=1 seek=9 conv=notrunc 2>/dev/null; touch -r /tmp/t indices/-AAA/0/__1`,
    );
    expect((await copy({ job: `${job}-again` })).summary).toContain('differed');
    expect(await there('sha256sum < indices/-AAA/0/__1')).toBe(await inside('sha256sum < indices/-AAA/0/__1'));
  });

  it('is removed, and nothing else', async () => {
    const remove = { ...on(server, 'remove'), location: to };
    const snapshot = await activities.removeCopiedSnapshot({ ...remove, snapshot: 's1' });
    expect(snapshot.changed).toBe(true);
    expect((await activities.removeCopiedSnapshot({ ...remove, snapshot: 's1' })).changed).toBe(false);
    const foreign = await failureOf(activities.removeCopyDirectory({ ...remove, location: from }));
    expect(foreign).toMatchObject({ type: 'PathOccupied', isPermanent: true });
    await activities.removeCopyDirectory(remove);
    expect((await activities.removeCopyDirectory(remove)).changed).toBe(false);
    expect(await sh(server, 'ls /srv')).toBe("it's $(a) share");
    await sh(server, `rm -r "/srv/it's \\$(a) share/from"`);
  });
});

describe('undo', () => {
  it('leaves every file as it was, and finds nothing to do the second time', async () => {
    const undo = async (host: { name: string }, id: string) =>
      (await activities.undoHostChange({ ...on(host, 'undo'), id })).changed;
    await activities.undoPathRepo({ ...on(client, 'undo'), id: 'path-repo' });
    await activities.restartNodeService(on(client, 'undo'));
    const ids: [{ name: string }, string][] = [
      [client, 'mount-share'],
      [client, 'fstab-share'],
      [server, 'mount-share'],
      [server, 'fstab-share'],
      [server, 'export-share'],
      [server, 'service-nfs-server'],
      [server, 'directory-share'],
    ];
    for (const [host, id] of ids) expect([id, await undo(host, id)]).toEqual([id, true]);
    for (const [host, id] of ids) expect([id, await undo(host, id)]).toEqual([id, false]);
    expect(await contents()).toEqual(before);
    expect(await sh(server, 'ls /srv /mnt')).toBe('/mnt:\n\n/srv:');
    // The package has started the service: that was this run's doing too.
    expect(await sh(server, 'systemctl is-active nfs-server; systemctl is-enabled nfs-server')).toBe(
      'inactive\ndisabled',
    );
    await site.waitGreen('target');
  });
});
