import type { RunbookHost } from '../../contracts/runbook';
import { stuck } from './failures';
import type { Host, UserIds } from './host';
import { execScript } from './host-files';

const script = `
user=$(systemctl show -p User --value "$1" 2>/dev/null)
[ -n "$user" ] || user=elasticsearch
id -u "$user" >/dev/null 2>&1 || exit 44
echo "$user" "$(id -u "$user")" "$(id -g "$user")"
`;

/** The user that Elasticsearch's service runs as, by number; undefined on a host without it. */
async function findElasticsearchUser(
  host: Host,
  settings: RunbookHost,
): Promise<(UserIds & { name: string }) | undefined> {
  const result = await execScript(host, script, [settings.service], { privileged: false });
  if (result.code !== 0) return undefined;
  const [name = '', uid, gid] = result.stdout.trim().split(' ');
  return { name, uid: Number(uid), gid: Number(gid) };
}

export async function elasticsearchUser(host: Host, settings: RunbookHost): Promise<UserIds> {
  const user = await findElasticsearchUser(host, settings);
  if (user) return user;
  throw stuck({
    type: 'HostNotSupported',
    message: `${host.name} has no Elasticsearch user`,
    host: host.name,
    at: settings.service,
    remedy: `install Elasticsearch on ${host.name}, or correct hosts.service in the runbook, then retry`,
  });
}
