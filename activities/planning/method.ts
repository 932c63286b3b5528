import { formatBytes, parseBytes } from '../../contracts/bytes';
import type { ClusterFacts, IndexFacts } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Method } from '../../contracts/runbook-documents';
import { compareVersions, isAtLeast, parseVersion } from '../elasticsearch/version';
import { canHold, oldestIndexVersion } from './versions';

/** Which method fits two clusters; docs/choosing-a-method.md tells operators the same at length. */

export interface Server {
  version: string;
  distribution: 'elasticsearch' | 'opensearch';
}

/** Why the target restores no snapshot of the source; nothing when it does, as far as the clusters' own versions go. */
export function snapshotRefusal(source: Server, target: Server): string | undefined {
  const [from, to] = [parseVersion(source.version), parseVersion(target.version)];
  if (source.distribution === 'opensearch' && target.distribution === 'elasticsearch') {
    return 'Elasticsearch restores no snapshot of OpenSearch: documents have to be copied instead';
  }
  if (source.distribution === 'elasticsearch' && target.distribution === 'opensearch') {
    if (compareVersions(source.version, '7.11.0') >= 0) {
      return 'OpenSearch restores snapshots of Elasticsearch up to 7.10 only: documents have to be copied instead';
    }
    // OpenSearch 1 stands where Elasticsearch 7 does, 2 where 8 does
    if (to.major + 6 > from.major + 1) return 'go by an OpenSearch 1 first, or copy the documents instead';
    return undefined;
  }
  if (compareVersions(target.version, source.version) < 0) {
    return 'no cluster restores a snapshot of a newer version: upgrade the target to at least the version of the source';
  }
  if (to.major > from.major + 1) {
    return `a snapshot of ${from.major}.x restores into ${from.major}.x and ${from.major + 1}.x only: upgrade the source to ${to.major - 1}.x first (indices made before ${to.major - 1}.0 must be reindexed there), or copy the documents instead`;
  }
  return undefined;
}

/**
 * `_reindex` reads older versions than its own. A newer one's documents have no mapping type, which those before 8.0 (and
 * OpenSearch 1) insist on; and an OpenSearch is taken for the ancient Elasticsearch of that number.
 */
export function reindexRefusal(source: Server, target: Server): string | undefined {
  const [from, to] = [parseVersion(source.version), parseVersion(target.version)];
  if (target.distribution === 'elasticsearch' && source.distribution === 'opensearch')
    return "set method to copy: Elasticsearch's _reindex takes an OpenSearch for an Elasticsearch of that number, and speaks to it as to that";
  const hasNoTypes = from.major >= (source.distribution === 'opensearch' ? 2 : 8);
  const isNewer = target.distribution === 'elasticsearch' ? from.major > to.major : to.major === 1 && hasNoTypes;
  return isNewer
    ? "set method to copy: the target's _reindex cannot read the answers of a source that is so much newer"
    : undefined;
}

/** Below, moving files gains less than a share costs to set up; above, it saves the target from indexing anew. */
const filesPay = parseBytes('5gb');

interface Created {
  name: string;
  createdVersion: string;
}

/** What `init` writes: files where the versions allow it, else documents. */
export function proposeMethod(
  source: Server & { indices: readonly Created[] },
  target: Server & { minimumIndexVersion?: string },
): { method: Method; why: string } {
  const refusal = snapshotRefusal(source, target);
  if (refusal !== undefined) return { method: 'copy', why: refusal };
  const old = tooOld(source.indices, target);
  if (old.length > 0) return { method: 'copy', why: `${oldText(old, target)}, and cannot be restored there` };
  return { method: 'snapshot', why: `${target.version} restores what ${source.version} made` };
}

/** Whether a source's operations are numbered, so that each of them can be followed. */
export function hasSequenceNumbers({ version, distribution }: Server): boolean {
  return distribution === 'opensearch' || isAtLeast({ text: version }, '6.0.0');
}

/** What an operator should know of the method that the runbook names: another one would be better, or none other does. */
export function adviseMethod(
  runbook: MigrationRunbook,
  source: ClusterFacts,
  target: ClusterFacts & { minimumIndexVersion?: string },
  indices: readonly IndexFacts[],
): string | undefined {
  const refusal = snapshotRefusal(source, target);
  const old = tooOld(indices, target);
  const bytes = indices.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  switch (runbook.method) {
    case 'snapshot':
      if (refusal !== undefined || old.length === indices.length)
        return `Only ${reindexRefusal(source, target) === undefined ? 'copy and remote-reindex' : 'copy'} can do this: ${refusal ?? oldText(old, target)}.`;
      if (old.length > 0)
        return `Snapshot cannot move all of it: ${oldText(old, target)}. Exclude them here, and copy them in a run of their own.`;
      if (bytes < filesPay && runbook.snapshot?.repository.sharedFilesystem && indices.every(isCopyable))
        return `Copy would be simpler: it is ${formatBytes(bytes)} only, and no share would have to be set up and no node restarted.`;
      return undefined;
    case 'copy':
      return refusal === undefined && old.length === 0 && bytes >= filesPay && !isReshaped(runbook)
        ? `Snapshot would be faster where both sides reach a directory: these versions allow it, ${formatBytes(bytes)} would move as files, and the target would not index anew.`
        : undefined;
    default:
      if (!hasSequenceNumbers(source))
        return `Copy would be better: ${source.version} numbers no operations, so each index is one task, which a lost node has begin anew.`;
      return 'Copy would be as fast and keep each document to the byte, where workers reach both clusters well; remote-reindex is right where only the nodes of the target reach the source, or workers have no CPU to spare.';
  }
}

function tooOld(indices: readonly Created[], target: Server & { minimumIndexVersion?: string }): Created[] {
  const oldest = target.minimumIndexVersion ?? oldestIndexVersion(target.version);
  return indices.filter(({ createdVersion }) => !canHold(createdVersion, oldest));
}

function oldText(old: readonly Created[], { version }: Server): string {
  const [first] = old;
  const which = old.length === 1 ? `${first?.name} was` : `${old.length} indices, such as ${first?.name}, were`;
  return `${which} created by ${first?.createdVersion}, which is too old for ${version}`;
}

/** A closed index has no documents that could be read. */
function isCopyable({ status }: IndexFacts): boolean {
  return status === 'open';
}

/** A snapshot keeps names, shards and documents as they are. */
function isReshaped({ copy }: MigrationRunbook): boolean {
  if (!copy) return false;
  const { rename, settings, query, pipeline, dropFields } = copy;
  const isOther = rename.length + dropFields.length + Object.keys(settings).length > 0;
  return isOther || query !== undefined || pipeline !== undefined;
}
