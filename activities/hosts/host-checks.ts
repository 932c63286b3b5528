import type { HostFacts } from '../../contracts/host-activities';
import type { RunbookHost } from '../../contracts/runbook';
import type { Check } from '../../contracts/status';

/** Checks made from facts alone. Ids are stable; docs/checks.md explains each. Pure. */

type Result = Pick<Check, 'state' | 'seen' | 'wanted' | 'remedy'>;

export function check(id: string, level: Check['level'], where: string, result: Result): Check {
  const { remedy, ...rest } = result;
  return { id, level, where, ...rest, ...(result.state === 'failed' && remedy !== undefined ? { remedy } : {}) };
}

export function passedIf(condition: boolean, seen: string, wanted: string, remedy: string): Result {
  return { state: condition ? 'passed' : 'failed', seen, wanted, remedy };
}

/** A clock that is further off makes logs and `_seq_no` comparisons misleading, and TLS and tokens fail. */
const maxClockDifferenceMs = 1000;

/** @param onlyCopies nothing is served, mounted or restarted there: files are copied, and that is all. */
export function checksOfHost(host: RunbookHost, facts: HostFacts, onlyCopies = false): Check[] {
  const isNode = host.role === 'source' || host.role === 'target';
  const { service, elasticsearchUser: user, elasticsearchYml: yml } = facts;
  const checks = [
    check(
      'host.sudo',
      'mandatory',
      host.name,
      passedIf(
        facts.sudo,
        facts.sudo ? 'commands run as root' : 'sudo refuses',
        'root without a password',
        `on ${host.name}, write "<ssh user> ALL=(ALL) NOPASSWD: ALL" into /etc/sudoers.d/shardlift`,
      ),
    ),
    check(
      'host.distribution',
      'mandatory',
      host.name,
      onlyCopies
        ? passedIf(
            facts.family !== 'unknown',
            facts.distribution || 'unknown',
            'Debian or Red Hat family, for rsync',
            'let another host copy (snapshot.repository.existing.copyHost)',
          )
        : passedIf(
            facts.family !== 'unknown' && facts.systemd,
            `${facts.distribution || 'unknown'}${facts.systemd ? '' : ', without systemd'}`,
            'Debian or Red Hat family, with systemd',
            'take this host out of the runbook and use an existing repository (snapshot.repository.existing) instead',
          ),
    ),
  ];
  if (!isNode) return checks;
  return [
    ...checks,
    check(
      'host.service',
      'mandatory',
      host.name,
      passedIf(
        service.exists && service.active,
        !service.exists ? `no unit ${host.service}` : service.active ? 'active' : 'not active',
        `${host.service} active`,
        service.exists
          ? `start Elasticsearch ("systemctl start ${host.service}") on ${host.name}, and see "journalctl -u ${host.service}"`
          : 'correct hosts.service in the runbook',
      ),
    ),
    check(
      'host.service-enabled',
      'warning',
      host.name,
      passedIf(
        service.enabled,
        service.enabled ? 'enabled' : 'not enabled',
        'Elasticsearch comes back after a reboot',
        `"systemctl enable ${host.service}" on ${host.name}`,
      ),
    ),
    check(
      'host.config',
      'mandatory',
      host.name,
      !facts.sudo
        ? { state: 'not applicable', seen: 'it cannot be read without root', wanted: 'a file that can be edited' }
        : passedIf(
            yml?.parses === true,
            !yml ? 'no elasticsearch.yml there' : yml.parses ? yml.path : (yml.error ?? 'cannot be read'),
            `${host.configPath}/elasticsearch.yml that can be read and edited`,
            yml ? `mend ${yml.path} on ${host.name} at the place named` : 'correct hosts.configPath in the runbook',
          ),
    ),
    check(
      'host.elasticsearch-user-exists',
      'mandatory',
      host.name,
      passedIf(
        user !== undefined,
        user ? `${user.name} ${user.uid}:${user.gid}` : `no user ${service.user || 'elasticsearch'}`,
        'the user that Elasticsearch runs as',
        `install Elasticsearch on ${host.name}, or correct hosts.service in the runbook`,
      ),
    ),
  ];
}

/** What only all hosts together show. */
export function checksAcrossHosts(hosts: readonly RunbookHost[], facts: readonly HostFacts[]): Check[] {
  const isNode = (name: string) =>
    hosts.some((each) => each.name === name && each.role !== 'jump' && each.role !== 'storage');
  const nodes = facts.filter((each) => isNode(each.host));
  return [...userCheck(nodes), ...clockCheck(facts)];
}

/** NFS hands on numbers, not names: what differs makes files of one node unreadable to the next. */
function userCheck(nodes: readonly HostFacts[]): Check[] {
  const users = nodes.flatMap((each) =>
    each.elasticsearchUser
      ? [{ host: each.host, ids: `${each.elasticsearchUser.uid}:${each.elasticsearchUser.gid}` }]
      : [],
  );
  if (users.length === 0) return [];
  const groups = new Map<string, string[]>();
  for (const { ids, host } of users) groups.set(ids, [...(groups.get(ids) ?? []), host]);
  const [most] = [...groups].sort((a, b) => b[1].length - a[1].length);
  const others = users.filter((each) => each.ids !== most![0]).map((each) => each.host);
  const [uid, gid] = most![0].split(':');
  return [
    check(
      'host.elasticsearch-user',
      'mandatory',
      'all nodes',
      passedIf(
        groups.size === 1,
        [...groups].map(([ids, names]) => `${ids} on ${names.join(', ')}`).join('; '),
        'the same uid and gid on every node of both clusters',
        `on ${others.join(', ')}: stop Elasticsearch, "usermod -u ${uid}" and "groupmod -g ${gid}" for its user, chown its data, logs and configuration, start it`,
      ),
    ),
  ];
}

function clockCheck(facts: readonly HostFacts[]): Check[] {
  if (facts.length === 0) return [];
  const offsets = facts.map((each) => each.clockOffsetMs);
  const difference = Math.max(...offsets) - Math.min(...offsets);
  const sorted = [...offsets].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)]!;
  const worst = [...facts].sort((a, b) => Math.abs(b.clockOffsetMs - middle) - Math.abs(a.clockOffsetMs - middle))[0]!;
  return [
    check(
      'host.clock',
      'mandatory',
      'all hosts',
      passedIf(
        difference <= maxClockDifferenceMs,
        difference <= maxClockDifferenceMs
          ? `${difference} ms apart`
          : `${difference} ms apart; ${worst.host} is ${worst.clockOffsetMs - middle} ms off the others`,
        `at most ${maxClockDifferenceMs} ms apart`,
        `on ${worst.host}: "chronyc tracking" (or "timedatectl"), then "chronyc makestep"`,
      ),
    ),
  ];
}
