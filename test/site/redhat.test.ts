import { ConnectionPool, createHostActivities } from '../../activities/hosts';
import type { FailureInfo } from '../../contracts/failures';
import type { SharePlan } from '../../contracts/plan';
import { migrationRunbook } from '../../contracts/runbook';
import { sharedSite } from '../support/site-run';

/**
 * A host of the Red Hat family, and firewalls, as far as a Debian host without a packet filter can play them: recorders
 * stand in for rpm, dnf, firewall-cmd and ufw, apt and dpkg are hidden. SSH, sudo, the shell and systemd are real.
 */
jest.setTimeout(5 * 60_000);

const site = sharedSite();
const host = site.target.hosts[0]!;
const client = site.source.hosts[1]!;
const run = 'redhat-test';
const runbook = migrationRunbook.parse({
  kind: 'Migration',
  name: run,
  source: { urls: [site.source.url] },
  target: { urls: [site.target.url] },
  ssh: { user: 'ops', privateKey: `\${file:${site.sshKeyPath}}`, knownHosts: site.knownHostsPath, sudo: true },
  hosts: [host, client].map(({ name, address, cluster }) => ({ name, address, role: cluster })),
  snapshot: {
    repository: { sharedFilesystem: { server: host.name, exportPath: '/srv/share', mountPath: '/mnt/share' } },
  },
});
const share: SharePlan = {
  id: 'share',
  server: host.name,
  exportPath: '/srv/share',
  mountPath: '/mnt/share',
  mountOptions: ['hard'],
  clients: [{ host: client.name, access: 'rw' }],
};
const on = (step: string) => ({ run, step, runbook, host: host.name });
const firewallInput = { ...on('firewall'), share, owner: { uid: 995, gid: 995 } };

/** What the recorders know and have heard. */
const state = '/var/lib/recorders';
/** As packages bring it: there, neither enabled nor running. */
const unit = '/usr/lib/systemd/system/nfs-server.service';
const hidden = ['apt-get', 'dpkg-query', 'dpkg', 'apt-cache'].map((tool) => `/usr/bin/${tool}`);

const sh = async (script: string) => {
  const { code, stdout, stderr } = await site.exec(host.name, script);
  if (code !== 0) throw new Error(`${script}: code ${code}: ${stderr}`);
  return stdout.trim();
};

/** Puts a script in the place of a command, first on the path of sudo; it tells with which rights it was called with what. */
async function recorder(name: string, script: string): Promise<void> {
  const place = recorders[name]!;
  const whole = `#!/bin/sh\nstate=${state}\nprintf '%s %s %s\\n' "$(id -un)" ${name} "$*" >> "$state/calls"\n${script}\n`;
  await sh(`base64 -d > ${place} <<'END'\n${Buffer.from(whole).toString('base64')}\nEND\nchmod 755 ${place}`);
}

/** rpm is asked without sudo too, and the path of a user has no sbin. */
const recorders: Record<string, string> = {
  rpm: '/usr/local/bin/rpm',
  dnf: '/usr/local/bin/dnf',
  'firewall-cmd': '/usr/local/sbin/firewall-cmd',
  ufw: '/usr/local/sbin/ufw',
};

const calls = async (name: string) =>
  (await sh(`grep -E '^[a-z]+ ${name} ' ${state}/calls || true`)).split('\n').filter((line) => line !== '');
const forget = () => sh(`: > ${state}/calls`);

async function failureOf(promise: Promise<unknown>) {
  const error = (await promise.then(
    () => ({}),
    (thrown: unknown) => thrown,
  )) as { type?: string; nonRetryable?: boolean; details?: [FailureInfo] };
  return { type: error.type, isPermanent: error.nonRetryable, ...error.details?.[0] };
}

let pool: ConnectionPool;
let activities: ReturnType<typeof createHostActivities>;

const cleanScript = `
for tool in ${hidden.join(' ')}; do while mountpoint -q "$tool"; do umount "$tool" || exit 1; done; done
if [ -e ${state} ]; then systemctl disable -q --now nfs-server 2>/dev/null; rm -f ${unit}; systemctl daemon-reload; fi
rm -rf ${Object.values(recorders).join(' ')} ${state} /var/lib/shardlift/${run}
`;

beforeAll(async () => {
  await sh(cleanScript);
  // the names are open to the unprivileged question too
  await sh(`install -d -m 1777 ${state}; touch ${state}/calls; chmod 666 ${state}/calls`);
  // neither a file nor to be run: as if it were not there, for as long as this host runs
  await sh(`for tool in ${hidden.join(' ')}; do [ ! -e "$tool" ] || mount --bind /dev/null "$tool"; done`);
  await recorder(
    'rpm',
    `[ "$1" = -q ] || exit 1
for name; do :; done
[ -e "$state/installed-$name" ] || { echo "package $name is not installed"; exit 1; }
case "$*" in *--qf*) printf '2.5.4-26.el9_4';; *) echo "$name-2.5.4-26.el9_4.x86_64";; esac`,
  );
  await recorder('dnf', dnf);
  pool = new ConnectionPool();
  activities = createHostActivities({ pool });
});

afterAll(async () => {
  pool?.close();
  await sh(cleanScript);
});

/** Installs what a source of packages has, and the unit that comes with it. */
const dnf = `[ "$(id -u)" = 0 ] || { echo "Error: This command has to be run with superuser privileges (under the root user on most systems)." >&2; exit 1; }
for name; do :; done
echo "Last metadata expiration check: 0:12:31 ago on Mon 03 Jun 2024 10:11:12 AM UTC."
touch "$state/installed-$name"
if [ "$name" = nfs-utils ]; then
  printf '%s\\n' '[Unit]' 'Description=NFS server' '[Service]' Type=oneshot RemainAfterExit=yes ExecStart=/bin/true '[Install]' WantedBy=multi-user.target > ${unit}
  systemctl daemon-reload
fi
echo "Complete!"`;

describe('the Red Hat family', () => {
  const facts = async () => {
    const { facts, checks } = await activities.inspectHosts({ run, runbook });
    const failed = checks.filter((check) => check.where.startsWith(host.name) && check.state === 'failed');
    return { failed, ...facts.find((each) => each.host === host.name)! };
  };

  it('is known by its tools, and what it lacks is seen', async () => {
    const seen = await facts();
    expect(seen).toMatchObject({
      family: 'redhat',
      firewall: 'none',
      sudo: true,
      packages: { nfsServer: false, nfsClient: false },
    });
    expect(seen.failed).toEqual([]);
    expect(await calls('dnf')).toEqual([]);
  });

  it('a package that no source has is for a person; a mirror that is away is tried again', async () => {
    await recorder('dnf', 'echo "No match for argument: $3"; echo "Error: Unable to find a match: $3" >&2; exit 1');
    const missing = await failureOf(activities.installPackage({ ...on('package'), package: 'nfs-client' }));
    expect(missing).toMatchObject({ type: 'PackageInstallFailed', isPermanent: true });
    expect(missing.why).toContain('Unable to find a match: nfs-utils');
    expect(missing.remedy).toContain('dnf repolist');
    const curl = 'Curl error (28): Timeout was reached for https://mirrors.example.org/BaseOS/x86_64/os/repodata';
    await recorder(
      'dnf',
      `echo "Errors during downloading metadata for repository 'baseos':" >&2
echo "  - ${curl}" >&2; echo "Error: Failed to download metadata for repo 'baseos'" >&2; exit 1`,
    );
    const away = await failureOf(activities.installPackage({ ...on('package'), package: 'nfs-client' }));
    expect(away).toMatchObject({ type: 'PackageInstallFailed', isPermanent: false });
    expect(away.why).toContain(curl);
    expect(away.remedy).toContain('dnf install nfs-utils');
    await recorder('dnf', dnf);
  });

  it('nfs-utils is installed once, as root, for the server and its clients; rsync on its own', async () => {
    await forget();
    const server = { ...on('package'), package: 'nfs-server' as const };
    const installed = await activities.installPackage(server);
    expect(installed).toMatchObject({ changed: true, summary: 'nfs-utils 2.5.4-26.el9_4 is installed' });
    expect(installed.changes[0]).toMatchObject({ before: 'not installed', after: '2.5.4-26.el9_4' });
    expect(installed.changes[0]?.undo).toBeUndefined();
    // as after an answer that was lost: it was this run all the same
    expect(await activities.installPackage(server)).toMatchObject({ changed: true, summary: installed.summary });
    // begun while the mirror was away, and found done by the server's step: installed by this run, too
    expect(await activities.installPackage({ ...server, package: 'nfs-client' })).toMatchObject({ changed: true });
    expect(await activities.installPackage({ ...server, package: 'rsync' })).toMatchObject({ changed: true });
    expect(await calls('dnf')).toEqual(['root dnf -y install nfs-utils', 'root dnf -y install rsync']);
    expect((await facts()).packages).toMatchObject({ nfsServer: true, nfsClient: true });
  });

  it('the service that came with the package is enabled and started, and put back as it was', async () => {
    const service = () => sh('systemctl is-enabled nfs-server; systemctl is-active nfs-server; true');
    expect(await service()).toBe('disabled\ninactive');
    expect(await activities.ensureNfsService(on('service'))).toMatchObject({ changed: true });
    expect(await service()).toBe('enabled\nactive');
    const undo = () => activities.undoHostChange({ ...on('undo'), id: 'service-nfs-server' });
    expect(await undo()).toMatchObject({ changed: true });
    expect(await service()).toBe('disabled\ninactive');
    expect(await undo()).toMatchObject({ changed: false });
  });
});

describe('firewalls', () => {
  const undo = () => activities.undoHostChange({ ...on('undo'), id: 'firewall-share' });
  const isRoot = '[ "$(id -u)" = 0 ] || { echo "You need to be root" >&2; exit 1; }';

  it('firewalld: let in at once and after a reboot, once, and taken back', async () => {
    const rich = `rule family="ipv4" source address="${client.address}" port port="2049" protocol="tcp" accept`;
    const other = 'rule family="ipv4" source address="192.0.2.1" port port="22" protocol="tcp" accept';
    await sh(`for rules in now later; do echo '${other}' > ${state}/$rules; done`);
    await recorder(
      'firewall-cmd',
      `${isRoot}
rules=$state/now
if [ "$1" = --permanent ]; then rules=$state/later; shift; fi
rule=\${1#*=}
has() { grep -qxF -- "$rule" "$rules"; }
case "$1" in
--state) echo running;;
--query-rich-rule=*) if has; then echo yes; else echo no; exit 1; fi;;
--add-rich-rule=*) if has; then echo "Warning: ALREADY_ENABLED: '$rule' already in 'public'" >&2; else echo "$rule" >> "$rules"; fi; echo success;;
--remove-rich-rule=*) grep -vxF -- "$rule" "$rules" > "$rules.new"; mv "$rules.new" "$rules"; echo success;;
*) echo "usage: see firewall-cmd man page" >&2; exit 2;;
esac`,
    );
    await forget();
    expect(await activities.ensureFirewall(firewallInput)).toMatchObject({ changed: true });
    expect(await sh(`cat ${state}/now`)).toBe(`${other}\n${rich}`);
    expect(await sh(`cat ${state}/later`)).toBe(`${other}\n${rich}`);
    await activities.ensureFirewall(firewallInput);
    expect((await calls('firewall-cmd')).filter((call) => call.includes('--add'))).toEqual([
      `root firewall-cmd --permanent --add-rich-rule=${rich}`,
      `root firewall-cmd --add-rich-rule=${rich}`,
    ]);
    // lost at run time only, as by a reload of somebody else's: found, and added again
    await sh(`echo '${other}' > ${state}/now`);
    await activities.ensureFirewall(firewallInput);
    expect(await sh(`cat ${state}/now`)).toBe(`${other}\n${rich}`);
    expect(await undo()).toMatchObject({ changed: true });
    expect(await sh(`cat ${state}/now ${state}/later`)).toBe(`${other}\n${other}`);
    expect(await undo()).toMatchObject({ changed: false });
    const { facts } = await activities.inspectHosts({ run, runbook });
    expect(facts.find((each) => each.host === host.name)?.firewall).toBe('firewalld');
  });

  it('ufw: exactly the clients, once, and taken back', async () => {
    const rule = `ufw allow from ${client.address} to any port 2049 proto tcp`;
    await sh(`echo "ufw allow 22/tcp" > ${state}/added`);
    await recorder(
      'ufw',
      `${isRoot}
line() { echo "ufw allow from $5 to any port $9 proto $3"; }
case "$1 $2" in
"status ") printf 'Status: active\\n\\nTo                         Action      From\\n';;
"show added") echo "Added user rules (see 'ufw status' for running firewall):"; cat "$state/added";;
"allow proto") echo "$(line "$@") comment '\${11}'" >> "$state/added"; echo "Rule added";;
"delete allow") shift; wanted=$(line "$@"); grep -vF -- "$wanted" "$state/added" > "$state/added.new"; mv "$state/added.new" "$state/added"; echo "Rule deleted";;
*) echo "ERROR: Invalid syntax" >&2; exit 1;;
esac`,
    );
    await forget();
    expect(await activities.ensureFirewall(firewallInput)).toMatchObject({ changed: true });
    await activities.ensureFirewall(firewallInput);
    expect(await sh(`cat ${state}/added`)).toBe(`ufw allow 22/tcp\n${rule} comment 'shardlift ${run}'`);
    const asked = `allow proto tcp from ${client.address} to any port 2049`;
    expect((await calls('ufw')).filter((call) => call.includes('proto'))).toEqual([
      `root ufw ${asked} comment shardlift ${run}`,
    ]);
    // ufw before firewalld, where a host has both
    expect(await calls('firewall-cmd')).toEqual([]);
    expect(await undo()).toMatchObject({ changed: true });
    expect(await sh(`cat ${state}/added`)).toBe('ufw allow 22/tcp');
    expect((await calls('ufw')).at(-1)).toBe(`root ufw delete ${asked}`);
  });
});
