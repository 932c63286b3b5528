import { ensureFirewall } from '../../activities/hosts/firewall';
import { installPackage } from '../../activities/hosts/packages';
import { undoHostChange } from '../../activities/hosts/undo';
import { hostRunbook, ScriptedHost, share } from './hosts-scripted-host';

/** Red Hat and firewalls by recorders: the lab's hosts are Debian, and their kernel has no packet filter. */
let host: ScriptedHost;
beforeEach(() => {
  host = new ScriptedHost();
});
afterEach(() => host.remove());

const input = { run: 'run', step: 's', runbook: hostRunbook(), host: 'h1' };
const owner = { uid: 995, gid: 995 };

describe('packages of the Red Hat family', () => {
  beforeEach(() => {
    // hides this machine's own apt: the family is told by which tools there are
    host.command('apt-get', 'exit 1');
    host.command('rpm', '[ -e "$root/installed" ] && { printf 2.5.4-1.el9; exit 0; }; exit 1');
    host.command('dnf', 'touch "$root/installed"; echo Complete!');
    host.command('systemctl', 'echo not-found');
  });
  // `command -v` finds the recorder too, so the look for the family is answered in its place
  const redHat = () => {
    const exec = host.exec.bind(host);
    host.exec = (argv, options) => {
      const isFamilyLook = argv[0] === 'sh' && argv[2]?.includes('echo redhat') === true;
      const redhat = { code: 0, stdout: 'redhat\n', stderr: '', bytes: Buffer.from('redhat\n') };
      return isFamilyLook ? Promise.resolve(redhat) : exec(argv, options);
    };
  };

  it('nfs-utils is installed once', async () => {
    redHat();
    const first = await installPackage(host, { ...input, package: 'nfs-client' });
    expect(first).toMatchObject({ changed: true, summary: 'nfs-utils 2.5.4-1.el9 is installed' });
    expect(first.changes[0]?.undo).toBeUndefined();
    // tried again after the answer was lost: it knows by its record that it was this run
    const second = await installPackage(host, { ...input, package: 'nfs-client' });
    expect(second).toMatchObject({ changed: true, summary: first.summary });
    expect(second.changes[0]).toMatchObject({ before: 'not installed', after: '2.5.4-1.el9' });
    expect(host.calls().filter((call) => call.startsWith('dnf'))).toEqual(['dnf -y install nfs-utils']);
  });

  it('a package that was there before is none of the run’s, nor is one whose record was taken back', async () => {
    redHat();
    host.write('installed', '');
    const found = { changed: false, summary: 'nfs-utils 2.5.4-1.el9 was installed already' };
    expect(await installPackage(host, { ...input, package: 'nfs-client' })).toMatchObject(found);
    host.command('rpm', '[ -e "$root/anew" ] && { printf 2.5.4-1.el9; exit 0; }; exit 1');
    host.command('dnf', 'touch "$root/anew"');
    expect(await installPackage(host, { ...input, package: 'nfs-client' })).toMatchObject({ changed: true });
    expect(await undoHostChange(host, { ...input, id: 'package-nfs-client' })).toMatchObject({
      changed: false,
      summary: 'the package nfs-utils stays',
    });
    expect(await installPackage(host, { ...input, package: 'nfs-client' })).toMatchObject(found);
  });

  it('a package that no source has is for a person; a mirror that is away is tried again', async () => {
    redHat();
    host.command('dnf', 'echo "Error: Unable to find a match: nfs-utils" >&2; exit 1');
    const missing = installPackage(host, { ...input, package: 'nfs-client' });
    await expect(missing).rejects.toMatchObject({ type: 'PackageInstallFailed', nonRetryable: true });
    host.command('dnf', 'echo "Curl error (28): Timeout was reached" >&2; exit 1');
    const away = installPackage(host, { ...input, package: 'nfs-client' });
    await expect(away).rejects.toMatchObject({ type: 'PackageInstallFailed', nonRetryable: false });
  });

  it('keeps what the service was before its package', async () => {
    redHat();
    await installPackage(host, { ...input, package: 'nfs-server' });
    expect(JSON.parse(host.read('var/lib/shardlift/run/service-nfs-server.json'))).toMatchObject({
      kind: 'service',
      before: { exists: false, isActive: false },
    });
  });
});

describe('firewalls', () => {
  const firewallInput = { ...input, share, owner };

  it('ufw: exactly the clients, once, and taken back', async () => {
    host.command(
      'ufw',
      `case "$1 $2" in
"status "*) echo 'Status: active';;
"show added") cat "$root/rules" 2>/dev/null || true;;
"delete allow") : > "$root/rules";;
*) echo "ufw allow from $5 to any port $9 proto $3 comment 'shardlift run'" >> "$root/rules";;
esac`,
    );
    expect(await ensureFirewall(host, firewallInput)).toMatchObject({ changed: true });
    expect(await ensureFirewall(host, firewallInput)).toMatchObject({ changed: true });
    const rule = 'allow proto tcp from 10.0.0.2 to any port 2049';
    expect(host.calls().filter((call) => call.includes('proto'))).toEqual([`ufw ${rule} comment shardlift run`]);
    await undoHostChange(host, { ...input, id: 'firewall-share' });
    expect(host.calls()).toContain(`ufw delete ${rule}`);
  });

  it('firewalld: at once and after a reboot', async () => {
    host.command('ufw', 'echo "Status: inactive"');
    host.command(
      'firewall-cmd',
      `case "$*" in
--state) echo running;;
*--query*) for a; do last=$a; done; [ -e "$root/$([ $# = 2 ] && echo later || echo now)" ];;
*--add*) touch "$root/$([ $# = 2 ] && echo later || echo now)";;
*--remove*) rm "$root/$([ $# = 2 ] && echo later || echo now)";;
esac`,
    );
    expect(await ensureFirewall(host, firewallInput)).toMatchObject({ changed: true });
    const rich = 'rule family="ipv4" source address="10.0.0.2" port port="2049" protocol="tcp" accept';
    expect(host.calls().filter((call) => call.includes('--add'))).toEqual([
      `firewall-cmd --permanent --add-rich-rule=${rich}`,
      `firewall-cmd --add-rich-rule=${rich}`,
    ]);
    await undoHostChange(host, { ...input, id: 'firewall-share' });
    expect(host.calls().filter((call) => call.includes('--remove'))).toHaveLength(2);
  });

  it('none: nothing to do', async () => {
    host.command('ufw', 'exit 1');
    host.command('firewall-cmd', 'exit 1');
    expect(await ensureFirewall(host, firewallInput)).toMatchObject({ changed: false });
  });
});
