import type { ClusterActivities, RegisteredRepository } from '../../contracts/cluster-activities';
import type { RepositoryPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { changedBy, unchanged } from '../outcome';

type RepositoryAnswer = Record<string, { type: string; settings?: Record<string, string> }>;

type RepositoryActivities = Pick<
  ClusterActivities,
  'readRepository' | 'registerRepository' | 'putRepositoryBack' | 'verifyRepository' | 'unregisterRepository'
>;

/** Verification writes a file from the master and reads it on every node: slow on a share that has just been mounted. */
const verifyTimeoutMs = 60_000;

export function createRepositoryActivities({ clusters }: { clusters: Clusters }): RepositoryActivities {
  return {
    /** Twice: reads only. */
    async readRepository({ runbook, side, repository }) {
      return (await read(await clusters.connect(runbook, side), repository)) ?? null;
    },

    /**
     * Registers the run's repository. One that was there before the run is somebody's: it must lie at the same place and,
     * on the source, be writable; it keeps its settings, and only the limits that the runbook names are laid over them.
     * Twice: what was there before comes from the history, so a second run after a lost answer finds its own registration,
     * puts nothing, and still answers with the change and its undo. One at another place is never replaced.
     */
    async registerRepository({ runbook, step, repository, before }) {
      const cluster = await clusters.connect(runbook, repository.side);
      const present = await read(cluster, repository.name);
      const where = `${repository.side} cluster`;
      if (!repository.register) {
        if (present) return unchanged(`${repository.name} is registered`);
        throw permanent({
          type: 'RepositoryConflict',
          message: `the repository ${repository.name} is not registered`,
          where,
          remedy: 'register it, or let the run do so by snapshot.repository.existing.location, then retry',
        });
      }
      const place = repository.location ?? '';
      for (const found of [before, present]) if (found) refuseOther(repository, found);
      const settings = before
        ? { ...(present ?? before).settings, ...limitsOf(runbook) }
        : {
            location: place,
            compress: String(runbook.snapshot?.compress ?? true),
            ...(repository.readonly ? { readonly: 'true' } : {}),
            ...limitsOf(runbook),
          };
      const wanted = { type: 'fs', settings };
      if (!isSame(present, wanted)) await put(cluster, repository.name, wanted);
      if (isSame(before, wanted)) return unchanged(`${repository.name} is registered at ${place}`);
      const change = { where, what: `repository ${repository.name}`, after: JSON.stringify(settings) };
      if (before) {
        return changedBy(step, `set the limits of ${repository.name}, which was registered at ${place} already`, {
          ...change,
          before: JSON.stringify(before.settings),
          undo: {
            kind: 'repositorySettings',
            side: repository.side,
            repository: repository.name,
            registered: before,
            summary: `put the settings of ${repository.name} on the ${repository.side} back`,
          },
        });
      }
      return changedBy(step, `registered ${repository.name} at ${place}`, {
        ...change,
        before: 'not registered',
        undo: {
          kind: 'repository',
          side: repository.side,
          repository: repository.name,
          summary: `unregister ${repository.name} on the ${repository.side}; its files stay`,
        },
      });
    },

    /** Twice: settings that are back are left alone, and so is a repository that was registered elsewhere since. */
    async putRepositoryBack({ runbook, step, side, repository, registered }) {
      const cluster = await clusters.connect(runbook, side);
      const present = await read(cluster, repository);
      if (present && !isSamePlace(present, registered)) {
        return unchanged(`${repository} is left alone: it is registered at another place by now`);
      }
      if (isSame(present, registered)) return unchanged(`${repository} has its former settings`);
      await put(cluster, repository, registered);
      return changedBy(step, `put the settings of ${repository} back`, {
        where: `${side} cluster`,
        what: `repository ${repository}`,
        before: present ? JSON.stringify(present.settings) : 'not registered',
        after: JSON.stringify(registered.settings),
      });
    },

    /** Twice: reads only, but for a test file that Elasticsearch removes itself. */
    async verifyRepository({ runbook, repository }) {
      const cluster = await clusters.connect(runbook, repository.side);
      const path = `${repositoryPath(repository.name)}/_verify`;
      const answer = await cluster.request<{ nodes: Record<string, { name: string }> }>({
        method: 'POST',
        path,
        timeoutMs: verifyTimeoutMs,
      });
      const verified = Object.values(answer.body.nodes).map((node) => node.name);
      const nodes = await cluster.request<{ nodes: Record<string, { name: string; roles?: string[] }> }>({
        method: 'GET',
        path: '/_nodes/_all/settings',
        query: { filter_path: 'nodes.*.name,nodes.*.roles' },
      });
      // Only nodes that hold data or may be master take part in snapshots.
      const wanted = Object.values(nodes.body.nodes)
        .filter(({ roles = ['data'] }) => roles.some((role) => role === 'master' || role.startsWith('data')))
        .map((node) => node.name);
      const missing = wanted.filter((name) => !verified.includes(name));
      if (missing.length > 0) {
        throw permanent({
          type: 'RepositoryNotWritable',
          message: `the repository ${repository.name} was not seen by every node`,
          where: `${repository.side} cluster: ${missing.join(', ')}`,
          remedy: 'is the share mounted there, and has the node been restarted with path.repo? then retry',
        });
      }
      return unchanged(`${repository.name} is seen by ${verified.sort().join(', ')}`);
    },

    /** Twice: one that is not there is done. Files are never touched. */
    async unregisterRepository({ runbook, step, side, repository }) {
      const cluster = await clusters.connect(runbook, side);
      const answer = await cluster.request({ method: 'DELETE', path: repositoryPath(repository), allow: [404] });
      if (answer.status === 404) return unchanged(`${repository} is not registered`);
      return changedBy(step, `unregistered ${repository}; its files stay`, {
        where: `${side} cluster`,
        what: `repository ${repository}`,
        before: 'registered',
        after: 'not registered',
      });
    },
  };
}

async function read(cluster: Cluster, repository: string): Promise<RegisteredRepository | undefined> {
  const { status, body } = await cluster.request<RepositoryAnswer>({
    method: 'GET',
    path: repositoryPath(repository),
    query: { flat_settings: true },
    allow: [404],
  });
  const found = status === 404 ? undefined : body[repository];
  return found && { type: found.type, settings: found.settings ?? {} };
}

/** Verified in a step of its own, which says which node cannot write. */
async function put(cluster: Cluster, repository: string, body: RegisteredRepository): Promise<void> {
  await cluster.request({ method: 'PUT', path: repositoryPath(repository), query: { verify: false }, body });
}

function repositoryPath(repository: string): string {
  return `/_snapshot/${encodeURIComponent(repository)}`;
}

/** The preflight's repository.free asks the same; what was registered since is met here. */
function refuseOther(repository: RepositoryPlan, found: RegisteredRepository): void {
  const wanted = { type: 'fs', settings: { location: repository.location ?? '' } };
  const isReadonly = found.settings['readonly'] === 'true';
  const isWritten = !repository.readonly;
  if (isSamePlace(found, wanted) && !(isWritten && isReadonly)) return;
  throw permanent({
    type: 'RepositoryConflict',
    message: `another repository is registered as ${repository.name}`,
    where: `${repository.side} cluster`,
    why: `type ${found.type}, location ${found.settings['location'] ?? 'none'}${isReadonly ? ', read-only' : ''}; wanted fs at ${wanted.settings.location}${isWritten ? ', writable' : ''}`,
    remedy:
      'choose another snapshot.repository.name in a new runbook, or unregister the other one if nobody needs it, then retry',
  });
}

function isSamePlace(one: RegisteredRepository, other: RegisteredRepository): boolean {
  return one.type === other.type && one.settings['location'] === other.settings['location'];
}

/** A setting too many is a difference too: a limit that is to go must not stay. */
function isSame(one: RegisteredRepository | null | undefined, other: RegisteredRepository): boolean {
  const text = ({ type, settings }: RegisteredRepository) => JSON.stringify([type, Object.entries(settings).sort()]);
  return !!one && text(one) === text(other);
}

function limitsOf({ snapshot }: MigrationRunbook): Record<string, string> {
  const { maxSnapshotBytesPerSec, maxRestoreBytesPerSec } = snapshot ?? {};
  return {
    ...(maxSnapshotBytesPerSec ? { max_snapshot_bytes_per_sec: maxSnapshotBytesPerSec } : {}),
    ...(maxRestoreBytesPerSec ? { max_restore_bytes_per_sec: maxRestoreBytesPerSec } : {}),
  };
}
