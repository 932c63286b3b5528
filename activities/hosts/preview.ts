import type { HostActivities } from '../../contracts/host-activities';
import type { HostChange } from '../../contracts/plan';
import type { RunbookHost } from '../../contracts/runbook';
import { heartbeat } from '../context';
import { exportsPath, previewExport } from './export';
import { readFile } from './host-files';
import type { HostOf } from './hosts';
import { fstabPath, previewFstab } from './mount';
import { previewPathRepo } from './path-repo';
import { previewAllowlist } from './remote-allowlist';
import { blockLabel, exportClients, mountLine, sharePaths } from './share-names';
import { readYml, ymlPath } from './yml-file';

type PreviewInput = Parameters<HostActivities['previewHostChanges']>[0];

/** What prepare would write on the hosts. Reads only, so it may run as often as it likes. */
export async function previewHostChanges(hostOf: HostOf, input: PreviewInput): Promise<HostChange[]> {
  const { runbook } = input;
  const total = runbook.hosts.length;
  let done = 0;
  const each = await Promise.all(
    runbook.hosts.map(async (host) => {
      const changes = await previewHost(hostOf, input, host);
      done += 1;
      heartbeat({ done, total, unit: 'checks', detail: `${host.name} looked at` });
      return changes;
    }),
  );
  return each.flat();
}

async function previewHost(
  hostOf: HostOf,
  { run, runbook, shares, remoteAllowlist }: PreviewInput,
  settings: RunbookHost,
): Promise<HostChange[]> {
  const changes: HostChange[] = [];
  const add = (what: string, diff: { before: string; after: string }) => {
    if (diff.before === diff.after) return;
    changes.push({ host: settings.name, what, before: withoutSecrets(diff.before), after: withoutSecrets(diff.after) });
  };
  for (const share of shares) {
    const isServer = share.server === settings.name;
    if (!isServer && !share.clients.some((client) => client.host === settings.name)) continue;
    const host = hostOf(runbook, settings.name);
    const label = blockLabel(run, share);
    if (isServer) {
      const file = await readFile(host, exportsPath);
      add(exportsPath, previewExport(file, label, share.exportPath, exportClients(runbook, share)));
    }
    const line = mountLine(runbook, share, settings.name);
    if (line) add(fstabPath, previewFstab(await readFile(host, fstabPath), label, line));
  }
  const paths = sharePaths(shares, settings);
  if (paths.length > 0) {
    const host = hostOf(runbook, settings.name);
    const path = ymlPath(settings);
    add(path, previewPathRepo(host, path, await readYml(host, path), paths));
  }
  if (remoteAllowlist && settings.role === 'target') {
    const host = hostOf(runbook, settings.name);
    const path = ymlPath(settings);
    add(path, previewAllowlist(host, path, await readYml(host, path), remoteAllowlist));
  }
  return changes;
}

/** A diff shows lines around the change: a password in the options of somebody else's mount must not leave the host. */
export function withoutSecrets(text: string): string {
  return text.replace(/\b(password|passwd|pass|credentials|secret|sec_key)=[^,\s]+/gi, '$1=…');
}
