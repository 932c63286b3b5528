import type { HostChange, SharePlan } from '../../contracts/plan';
import type { MigrationRunbook, RunbookHost } from '../../contracts/runbook';
import { heartbeat } from '../context';
import { exportsPath, previewExport } from './export';
import { readFile } from './host-files';
import type { HostOf } from './hosts';
import { fstabPath, previewFstab } from './mount';
import { previewPathRepo, readYml, ymlPath } from './path-repo';
import { blockLabel, exportClients, mountLine, sharePaths } from './share-names';

/** What prepare would write on the hosts. Reads only, so it may run as often as it likes. */
export async function previewHostChanges(
  hostOf: HostOf,
  { run, runbook, shares }: { run: string; runbook: MigrationRunbook; shares: SharePlan[] },
): Promise<HostChange[]> {
  const total = runbook.hosts.length;
  let done = 0;
  const each = await Promise.all(
    runbook.hosts.map(async (host) => {
      const changes = await previewHost(hostOf, run, runbook, shares, host);
      done += 1;
      heartbeat({ done, total, unit: 'checks', detail: `${host.name} looked at` });
      return changes;
    }),
  );
  return each.flat();
}

async function previewHost(
  hostOf: HostOf,
  run: string,
  runbook: MigrationRunbook,
  shares: readonly SharePlan[],
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
  return changes;
}

/** A diff shows lines around the change: a password in the options of somebody else's mount must not leave the host. */
export function withoutSecrets(text: string): string {
  return text.replace(/\b(password|passwd|pass|credentials|secret|sec_key)=[^,\s]+/gi, '$1=…');
}
