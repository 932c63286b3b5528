import { parseFacts } from '../../activities/hosts/facts';
import { firewallRules, nfsPorts, ufwHas } from '../../activities/hosts/firewall-rules';
import { checksAcrossHosts, checksOfHost } from '../../activities/hosts/host-checks';
import { mountedAt } from '../../activities/hosts/mount-state';
import { mountLine, sharePaths } from '../../activities/hosts/share-names';
import { connectionKey, sshTarget } from '../../activities/hosts/ssh-settings';
import type { HostFacts } from '../../contracts/host-activities';
import { hostRunbook, share } from './hosts-scripted-host';

const printed = (yml?: string) =>
  Buffer.from(
    [
      'distribution=Debian GNU/Linux 12 (bookworm)',
      'hostname=h1',
      'addresses=10.0.0.1 fd00::1 ',
      'systemd=yes',
      'family=debian',
      'load=loaded',
      'active=active',
      'enabled=enabled',
      'user=elasticsearch',
      'ids=elasticsearch 995 994',
      'client=yes',
      ...(yml === undefined ? [] : ['config=', yml]),
    ].join('\n'),
  );
const facts = (over: Partial<HostFacts> = {}): HostFacts => ({
  ...parseFacts('h1', '/etc/elasticsearch/elasticsearch.yml', printed('a: 1\n')),
  sudo: true,
  clockOffsetMs: 0,
  ...over,
});
const runbook = hostRunbook();
const failed = (checks: { state: string; id: string }[]) =>
  checks.filter((check) => check.state === 'failed').map((check) => check.id);

describe('facts of a host', () => {
  it('are read from what its script prints', () => {
    expect(facts()).toMatchObject({
      family: 'debian',
      addresses: ['10.0.0.1', 'fd00::1'],
      service: { exists: true, active: true, enabled: true, user: 'elasticsearch' },
      elasticsearchUser: { uid: 995, gid: 994 },
      elasticsearchYml: { parses: true, pathRepo: [] },
      packages: { nfsServer: false, nfsClient: true, rsync: false },
      firewall: 'none',
    });
    expect(parseFacts('h', '/x', printed()).elasticsearchYml).toBeUndefined();
    expect(parseFacts('h', '/x', printed('a: [')).elasticsearchYml).toMatchObject({ parses: false });
    expect(parseFacts('h', '/x', printed('path.repo: /a,/b')).elasticsearchYml?.pathRepo).toEqual(['/a', '/b']);
  });

  it('of a good host fail no check', () => expect(failed(checksOfHost(runbook.hosts[0]!, facts()))).toEqual([]));

  it.each<[string, Partial<HostFacts>, string[]]>([
    ['no sudo', { sudo: false }, ['host.sudo']],
    ['an unknown distribution', { family: 'unknown' }, ['host.distribution']],
    ['no Elasticsearch user', { elasticsearchUser: undefined }, ['host.elasticsearch-user-exists']],
    ['no elasticsearch.yml', { elasticsearchYml: undefined }, ['host.config']],
  ])('%s fails its check, with a remedy', (_, over, ids) => {
    const checks = checksOfHost(runbook.hosts[0]!, facts(over));
    expect(failed(checks)).toEqual(ids);
    expect(checks.filter((check) => check.state === 'failed').every((check) => check.remedy)).toBe(true);
  });

  it('of all hosts are compared: ids by number, clocks with each other', () => {
    const good = [facts(), facts({ host: 'h2', clockOffsetMs: 900 })];
    expect(failed(checksAcrossHosts(runbook.hosts, good))).toEqual([]);
    const user = { name: 'elasticsearch', uid: 1000, gid: 1000 };
    const bad = [facts(), facts({ host: 'h2', clockOffsetMs: 1500, elasticsearchUser: user })];
    const checks = checksAcrossHosts(runbook.hosts, bad);
    expect(failed(checks)).toEqual(['host.elasticsearch-user', 'host.clock']);
    expect(checks[0]?.seen).toBe('995:994 on h1; 1000:1000 on h2');
  });
});

describe('mounts', () => {
  const table = [
    '22 1 0:21 / / rw - ext4 /dev/root rw',
    '40 22 0:40 / /mnt/a\\040share rw,relatime - nfs4 10.0.0.1:/srv/it\\047s rw,vers=4.2',
    '41 22 0:41 / /mnt/x rw - tmpfs none rw',
    '42 41 0:42 / /mnt/x ro,relatime - nfs4 10.0.0.1:/x rw',
  ].join('\n');

  it('are found in the kernel’s table, the topmost counting', () => {
    expect(mountedAt(table, '/mnt/a share')).toEqual({ source: "10.0.0.1:/srv/it's", type: 'nfs4', access: 'rw' });
    expect(mountedAt(table, '/mnt/x')).toEqual({ source: '10.0.0.1:/x', type: 'nfs4', access: 'ro' });
    expect(mountedAt(table, '/mnt')).toBeUndefined();
  });

  it('of the server itself are by bind, or none', () => {
    expect(mountLine(runbook, share, 'h1')).toMatchObject({ source: '/srv/es', type: 'none', options: ['bind'] });
    expect(mountLine(runbook, { ...share, mountPath: '/srv/es' }, 'h1')).toBeUndefined();
    expect(mountLine(runbook, share, 'h2')).toMatchObject({ source: '10.0.0.1:/srv/es', options: ['rw', 'hard'] });
  });

  it('go into path.repo of the side that works on them', () => {
    const copy = { ...share, id: 'copy' as const, mountPath: '/mnt/copy' };
    const [source, target] = runbook.hosts;
    expect([sharePaths([share], source!), sharePaths([share], target!)]).toEqual([['/mnt/es'], ['/mnt/es']]);
    expect([sharePaths([share, copy], source!), sharePaths([share, copy], target!)]).toEqual([
      ['/mnt/es'],
      ['/mnt/copy'],
    ]);
  });
});

describe('firewall rules', () => {
  it('are one port for NFS 4, and more for version 3', () => {
    expect(nfsPorts(['hard', 'nfsvers=4.2'])).toEqual([{ port: 2049, protocol: 'tcp' }]);
    expect(nfsPorts(['vers=3']).map((each) => each.port)).toContain(111);
    expect(firewallRules(['10.0.0.2'], ['nfsvers=3'])).toHaveLength(6);
  });

  it('are found in what ufw shows', () => {
    const rule = { address: '10.0.0.2', port: 2049, protocol: 'tcp' } as const;
    expect(ufwHas("Added user rules:\nufw allow from 10.0.0.2 to any port 2049 proto tcp comment 'x'\n", rule)).toBe(
      true,
    );
    expect(ufwHas('ufw allow from 10.0.0.22 to any port 2049 proto tcp\n', rule)).toBe(false);
    expect(ufwHas('ufw deny from 10.0.0.2 to any port 2049 proto tcp\n', rule)).toBe(false);
  });
});

describe('ssh settings', () => {
  const hosts = [
    { name: 'j', address: '10.0.0.9', role: 'jump', ssh: { user: 'jumper' } },
    { name: 'h1', address: '10.0.0.1', role: 'source', ssh: { knownHosts: '/own' } },
    { name: 'h2', address: '10.0.0.2', role: 'target', ssh: { port: 2222, sudo: false } },
  ];
  const ssh = { user: 'ops', privateKey: '${env:KEY}', hostKey: 'ssh-ed25519 AAAA', jumpHost: 'j' };
  const book = hostRunbook({ hosts, ssh });

  it('of a host come before the common ones', () => {
    expect(sshTarget(book, 'h1')).toMatchObject({ user: 'ops', knownHosts: '/own', hostKey: undefined, sudo: true });
    expect(sshTarget(book, 'h2')).toMatchObject({ port: 2222, hostKey: 'ssh-ed25519 AAAA', sudo: false });
    expect(sshTarget(book, 'h2').jump).toMatchObject({ name: 'j', user: 'jumper', jump: undefined });
    expect(connectionKey(sshTarget(book, 'h1'))).not.toBe(connectionKey(sshTarget(book, 'h2')));
  });

  it('refuse a jump host that leads back to itself', () => {
    const circle = hostRunbook({
      ssh,
      hosts: [{ ...hosts[0], ssh: { jumpHost: 'h1' } }, { ...hosts[1], ssh: { jumpHost: 'j' } }, hosts[2]],
    });
    expect(() => sshTarget(circle, 'h1')).toThrow(/leads back/);
  });
});
