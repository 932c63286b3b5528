import { commandFailed } from './command-failures';
import { passing, stuck } from './failures';
import type { Host, UserIds } from './host';
import { execScript } from './host-files';
import {
  highestGeneration,
  parseRepositoryIndex,
  UnreadableRepository,
  type RepositoryIndex,
} from './repository-index';

/** A repository of tens of thousands of indices has an index of some tens of megabytes. */
const maxIndexBytes = 256 * 1024 * 1024;

export interface ReadRepository {
  generation: number;
  /** index-N, byte for byte. */
  bytes: Buffer;
  index: RepositoryIndex;
}

/**
 * The newest index-N of a repository. Snapshots may end meanwhile and replace it: then the listing is read again.
 * Undefined for a directory without one, or that is not there.
 */
export async function readRepository(host: Host, location: string, user: UserIds): Promise<ReadRepository | undefined> {
  for (let tries = 0; tries < 5; tries += 1) {
    const listing = await execScript(host, '[ -d "$1" ] || exit 44; cd -- "$1" && ls', [location], { asUser: user });
    if (listing.code === 44) return undefined;
    if (listing.code !== 0) {
      throw commandFailed(
        host.name,
        listing,
        `${location} cannot be read as ${user.uid}:${user.gid}`,
        `see "ls -la ${location}" on ${host.name}, then retry`,
        { at: location },
      );
    }
    const generation = highestGeneration(listing.stdout.split('\n'));
    if (generation === undefined) return undefined;
    const file = await host.exec(['cat', '--', `${location}/index-${generation}`], {
      asUser: user,
      maxStdoutBytes: maxIndexBytes,
    });
    if (file.code !== 0) continue;
    try {
      return { generation, bytes: file.bytes, index: parseRepositoryIndex(file.stdout) };
    } catch (error) {
      if (!(error instanceof UnreadableRepository)) throw error;
      throw stuck({
        type: 'CopyFailed',
        message: `index-${generation} of the repository cannot be understood`,
        host: host.name,
        at: location,
        why: error.message,
        remedy: 'see with GET _snapshot/<repository>/_all whether Elasticsearch reads it; if it does, report this',
      });
    }
  }
  throw passing({
    type: 'CopyFailed',
    message: 'the index of the repository changed each time it was read',
    host: host.name,
    at: location,
    remedy: 'the step tries again by itself; if it stays so, see what else takes snapshots into this repository',
  });
}

/** Who owns a directory: files in it are read and written by these numbers, which NFS understands. */
export async function ownerOf(host: Host, path: string): Promise<UserIds | undefined> {
  const result = await execScript(host, '[ -d "$1" ] || exit 44; exec stat -c "%u %g" -- "$1"', [path]);
  if (result.code === 44) return undefined;
  if (result.code !== 0) {
    throw commandFailed(host.name, result, `${path} cannot be looked at`, `see "ls -ld ${path}" on ${host.name}`, {
      at: path,
    });
  }
  const [uid, gid] = result.stdout.trim().split(' ').map(Number);
  return { uid: uid ?? 0, gid: gid ?? 0 };
}
