import type { HostFacts } from '../../contracts/host-activities';
import type { RunbookHost } from '../../contracts/runbook';
import { readPathRepo, UnreadableYml } from './elasticsearch-yml';
import type { Host } from './host';
import { decodeFile, execScript } from './host-files';
import { ymlPath } from './yml-file';

/** Everything in one go: a host far away answers once, not twenty times. Values are one line each. */
const factsScript = `
unit=$1 config=$2
value() { printf '%s=%s\\n' "$1" "$(printf %s "$2" | tr '\\n' ' ')"; }
value distribution "$(. /etc/os-release 2>/dev/null; printf %s "$PRETTY_NAME")"
value hostname "$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname)"
value addresses "$(ip -o addr show scope global 2>/dev/null | sed -n 's/.* inet6\\{0,1\\} \\([^ /]*\\).*/\\1/p')"
[ -d /run/systemd/system ] && value systemd yes
if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then value family debian
elif command -v rpm >/dev/null 2>&1 && { command -v dnf >/dev/null 2>&1 || command -v yum >/dev/null 2>&1; }; then value family redhat; fi
value load "$(systemctl show -p LoadState --value -- "$unit" 2>/dev/null)"
value active "$(systemctl is-active -- "$unit" 2>/dev/null)"
value enabled "$(systemctl is-enabled -- "$unit" 2>/dev/null)"
user=$(systemctl show -p User --value -- "$unit" 2>/dev/null)
value user "$user"
[ -n "$user" ] || user=elasticsearch
if id -u "$user" >/dev/null 2>&1; then value ids "$user $(id -u "$user") $(id -g "$user")"; fi
has() { dpkg-query -W -f='\${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed || rpm -q "$1" >/dev/null 2>&1; }
{ has nfs-kernel-server || rpm -q nfs-utils >/dev/null 2>&1; } && value server yes
{ has nfs-common || rpm -q nfs-utils >/dev/null 2>&1; } && value client yes
command -v rsync >/dev/null 2>&1 && value rsync yes
if command -v ufw >/dev/null 2>&1 && ufw status 2>/dev/null | grep -q '^Status: active'; then value firewall ufw
elif command -v firewall-cmd >/dev/null 2>&1 && [ "$(firewall-cmd --state 2>/dev/null)" = running ]; then value firewall firewalld; fi
if [ -f "$config" ]; then echo config=; cat -- "$config"; fi
true
`;

export async function readFacts(host: Host, settings: RunbookHost, sudo: boolean): Promise<HostFacts> {
  const config = ymlPath(settings);
  const result = await execScript(host, factsScript, [settings.service, config], { privileged: sudo });
  return { ...parseFacts(host.name, config, result.bytes), sudo, clockOffsetMs: await clockOffset(host) };
}

export function parseFacts(name: string, config: string, bytes: Buffer): Omit<HostFacts, 'sudo' | 'clockOffsetMs'> {
  const mark = bytes.indexOf('\nconfig=\n');
  const head = bytes.subarray(0, mark < 0 ? bytes.length : mark).toString('utf8');
  const values = new Map(
    head.split('\n').map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1).trim()]),
  );
  const value = (key: string) => values.get(key) ?? '';
  const family = value('family');
  const firewall = value('firewall');
  const [user, uid, gid] = value('ids').split(' ');
  return {
    host: name,
    family: family === 'debian' || family === 'redhat' ? family : 'unknown',
    distribution: value('distribution'),
    hostname: value('hostname'),
    addresses: value('addresses').split(' ').filter(Boolean),
    systemd: value('systemd') === 'yes',
    service: {
      unit: '',
      exists: value('load') === 'loaded',
      active: value('active') === 'active',
      enabled: value('enabled') === 'enabled',
      user: value('user') || (user ?? ''),
    },
    ...(user && uid && gid ? { elasticsearchUser: { name: user, uid: Number(uid), gid: Number(gid) } } : {}),
    ...(mark < 0 ? {} : { elasticsearchYml: readYml(config, bytes.subarray(mark + '\nconfig=\n'.length)) }),
    packages: {
      nfsServer: value('server') === 'yes',
      nfsClient: value('client') === 'yes',
      rsync: value('rsync') === 'yes',
    },
    firewall: firewall === 'ufw' || firewall === 'firewalld' ? firewall : 'none',
  };
}

function readYml(path: string, bytes: Buffer): NonNullable<HostFacts['elasticsearchYml']> {
  const file = decodeFile(bytes);
  if (file.encoding !== 'utf8') return { path, parses: false, error: 'it is no UTF-8', pathRepo: [] };
  try {
    return { path, parses: true, pathRepo: readPathRepo(file.text) };
  } catch (error) {
    if (!(error instanceof UnreadableYml)) throw error;
    return { path, parses: false, error: error.message, pathRepo: [] };
  }
}

/** The answer was given between our question and its arrival: half of the quickest round trip is the uncertainty. */
async function clockOffset(host: Host): Promise<number> {
  let best = { roundTripMs: Infinity, offsetMs: 0 };
  for (let tries = 0; tries < 3; tries += 1) {
    const askedAtMs = Date.now();
    const result = await host.exec(['date', '+%s%N'], { privileged: false });
    const answeredAtMs = Date.now();
    const hostMs = Number(result.stdout.trim()) / 1e6;
    const roundTripMs = answeredAtMs - askedAtMs;
    if (roundTripMs < best.roundTripMs) best = { roundTripMs, offsetMs: hostMs - (askedAtMs + answeredAtMs) / 2 };
  }
  return Math.round(best.offsetMs);
}
