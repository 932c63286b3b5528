import path from 'node:path';
import { makeLabDirectory, newLabName } from './directories';
import { startCluster, type ElasticsearchCluster } from './elasticsearch/cluster';
import { makeOwnedDirectory, serverUser } from './elasticsearch/user';
import { DEFAULT_SOURCE, DEFAULT_TARGET } from './elasticsearch/versions';
import { dismantle, guard } from './guard';
import { progress } from './progress';
import { startedSeconds } from './stopwatch';

export interface PairOptions {
  name?: string;
  source?: string;
  target?: string;
  sourceNodes?: number;
  targetNodes?: number;
  heap?: string;
  /** Settings for every node, beside the lab's own. */
  settings?: Record<string, unknown>;
  sourceSettings?: Record<string, unknown>;
  targetSettings?: Record<string, unknown>;
  jvmOptions?: readonly string[];
  /** Without `path.repo`, for tests of its absence. */
  withoutRepositoryPath?: boolean;
  /** Goes on when this process ends, until `lab down`. */
  detached?: boolean;
}

export interface Pair {
  name: string;
  directory: string;
  source: ElasticsearchCluster;
  target: ElasticsearchCluster;
  /** `path.repo` of all nodes; writable by them, and by us. */
  repositoryDir: string;
  stop(): Promise<void>;
}

/** Two clusters on loopback and a directory both can use for repositories. */
export async function startPair(options: PairOptions = {}): Promise<Pair> {
  const seconds = startedSeconds();
  const name = options.name ?? `pair-${newLabName()}`;
  const directory = makeLabDirectory(name);
  if (options.detached !== true) guard(directory);
  try {
    const repositoryDir = path.join(directory, 'repository');
    makeOwnedDirectory(repositoryDir, await serverUser());
    const shared = {
      labDirectory: directory,
      heap: options.heap,
      jvmOptions: options.jvmOptions,
      repositoryPaths: options.withoutRepositoryPath === true ? undefined : [repositoryDir],
    };
    const [source, target] = await Promise.all([
      startCluster({
        ...shared,
        version: options.source ?? DEFAULT_SOURCE,
        name: 'source',
        nodes: options.sourceNodes ?? 1,
        settings: { ...options.settings, ...options.sourceSettings },
      }),
      startCluster({
        ...shared,
        version: options.target ?? DEFAULT_TARGET,
        name: 'target',
        nodes: options.targetNodes ?? 1,
        settings: { ...options.settings, ...options.targetSettings },
      }),
    ]);
    progress(
      `pair ${name} is up: ${source.version} at ${source.url}, ${target.version} at ${target.url} (${seconds()} s)`,
    );
    return { name, directory, source, target, repositoryDir, stop: () => dismantle(directory) };
  } catch (error) {
    await dismantle(directory);
    throw error;
  }
}
