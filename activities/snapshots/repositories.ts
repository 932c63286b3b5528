import type { ClusterActivities } from '../../contracts/cluster-activities';
import type { RepositoryPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Clusters } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { changedBy, unchanged } from '../outcome';

type RepositoryAnswer = Record<string, { type: string; settings?: Record<string, string> }>;

type RepositoryActivities = Pick<
  ClusterActivities,
  'isRepositoryRegistered' | 'registerRepository' | 'verifyRepository' | 'unregisterRepository'
>;

/** Verification writes a file from the master and reads it on every node: slow on a share that has just been mounted. */
const verifyTimeoutMs = 60_000;

export function createRepositoryActivities({ clusters }: { clusters: Clusters }): RepositoryActivities {
  return {
    /** Twice: reads only. */
    async isRepositoryRegistered({ runbook, side, repository }) {
      const cluster = await clusters.connect(runbook, side);
      const path = `/_snapshot/${encodeURIComponent(repository)}`;
      return (await cluster.request({ method: 'GET', path, allow: [404] })).status !== 404;
    },

    /**
     * Twice: a registration with the same type, place and limits is left alone, so the second run finds its own. One of
     * the same name at another place belongs to somebody else and is never replaced.
     */
    async registerRepository({ runbook, step, repository, wasRegistered }) {
      const cluster = await clusters.connect(runbook, repository.side);
      const path = `/_snapshot/${encodeURIComponent(repository.name)}`;
      const found = await cluster.request<RepositoryAnswer>({ method: 'GET', path, allow: [404] });
      const present = found.status === 404 ? undefined : found.body[repository.name];
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
      const wanted = settingsOf(repository, runbook);
      const location = present?.settings?.location;
      if (present && (present.type !== 'fs' || location !== wanted.location)) {
        throw permanent({
          type: 'RepositoryConflict',
          message: `another repository is registered as ${repository.name}`,
          where,
          why: `type ${present.type}, location ${location ?? 'none'}; wanted fs at ${wanted.location}`,
          remedy:
            'choose another snapshot.repository.name in a new runbook, or unregister the other one if nobody needs it, then retry',
        });
      }
      const isAsWanted = present && Object.entries(wanted).every(([key, value]) => present.settings?.[key] === value);
      if (isAsWanted && wasRegistered) return unchanged(`${repository.name} is registered at ${wanted.location}`);
      // Verified in a step of its own, which says which node cannot write.
      if (!isAsWanted)
        await cluster.request({
          method: 'PUT',
          path,
          query: { verify: false },
          body: { type: 'fs', settings: wanted },
        });
      return changedBy(step, `registered ${repository.name} at ${wanted.location}`, {
        where,
        what: `repository ${repository.name}`,
        before: wasRegistered ? JSON.stringify(present?.settings) : 'not registered',
        after: JSON.stringify(wanted),
        ...(wasRegistered
          ? {}
          : {
              undo: {
                kind: 'repository',
                side: repository.side,
                repository: repository.name,
                summary: `unregister ${repository.name} on the ${repository.side}; its files stay`,
              },
            }),
      });
    },

    /** Twice: reads only, but for a test file that Elasticsearch removes itself. */
    async verifyRepository({ runbook, repository }) {
      const cluster = await clusters.connect(runbook, repository.side);
      const path = `/_snapshot/${encodeURIComponent(repository.name)}/_verify`;
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
      const path = `/_snapshot/${encodeURIComponent(repository)}`;
      const answer = await cluster.request({ method: 'DELETE', path, allow: [404] });
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

function settingsOf(repository: RepositoryPlan, { snapshot }: MigrationRunbook): Record<string, string> {
  const { maxSnapshotBytesPerSec, maxRestoreBytesPerSec } = snapshot;
  return {
    location: repository.location ?? '',
    compress: String(snapshot.compress),
    ...(repository.readonly ? { readonly: 'true' } : {}),
    ...(maxSnapshotBytesPerSec ? { max_snapshot_bytes_per_sec: maxSnapshotBytesPerSec } : {}),
    ...(maxRestoreBytesPerSec ? { max_restore_bytes_per_sec: maxRestoreBytesPerSec } : {}),
  };
}
