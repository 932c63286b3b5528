import { formatBytes } from '../../../contracts/bytes';
import type { DirectoryRoom, HostFacts } from '../../../contracts/host-activities';
import type { MigrationPlan } from '../../../contracts/plan';
import type { MigrationRunbook } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import { failed, notApplicable, passed, type CheckSubject } from './make-check';

/**
 * Whether the snapshots, and their copy, fit where they are kept. One check for each file system: a share and its copy
 * mostly lie on the same one. What is there already counts as room, since a snapshot stores no file twice.
 */
export function checkShareRoom(runbook: MigrationRunbook, plan: MigrationPlan, hosts: HostFacts[]): Check[] {
  const each = plan.predicted.sourceShareBytes;
  const known = hosts.flatMap(({ host, room = [] }) => room.map((place) => ({ host, ...place })));
  if (known.length === 0) return [unknownRoom(runbook, plan, each)];
  const fileSystems = new Map<string, (DirectoryRoom & { host: string })[]>();
  for (const place of known) {
    const key = `${place.host} ${place.device}`;
    fileSystems.set(key, [...(fileSystems.get(key) ?? []), place]);
  }
  return [...fileSystems.values()].map((places) => {
    const needed = each * places.length;
    const free = places[0]?.freeBytes ?? 0;
    const used = places.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
    const paths = places.map(({ path }) => path).join(' and ');
    const subject: CheckSubject = {
      id: 'disk.share',
      level: 'mandatory',
      where: `${places[0]?.host}:${paths}`,
      wanted: `${formatBytes(needed)} for the snapshots${plan.copy && places.length > 1 ? ' and their copy' : ''}`,
    };
    const seen = `${formatBytes(free)} free${used > 0 ? `, ${formatBytes(used)} there already` : ''}`;
    if (free + used >= needed) return passed(subject, seen);
    const sooner =
      runbook.cleanup.snapshots === 'afterBatch'
        ? 'or lower batches.maxSize and batches.inFlight'
        : 'or let each batch delete its own snapshot (cleanup.snapshots: afterBatch)';
    return failed(subject, seen, `make room on the file system of ${paths}, choose another directory, ${sooner}`);
  });
}

/** No cluster tells how much room a repository's place has: without a host that sees it, a person has to look. */
function unknownRoom(runbook: MigrationRunbook, plan: MigrationPlan, bytes: number): Check {
  const share = runbook.snapshot?.repository.sharedFilesystem;
  const [repository] = plan.repositories;
  return notApplicable(
    {
      id: 'disk.share',
      level: 'mandatory',
      where: share ? `${share.server}:${share.exportPath}` : (repository?.location ?? repository?.name ?? ''),
      wanted: `${formatBytes(bytes)} for the snapshots${plan.copy ? ', and as much for the copy' : ''}`,
    },
    'no host of the runbook tells what is free there',
  );
}
