import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cached, recipeHash } from '../cache';
import { serverHome } from '../elasticsearch/home';
import { findServerJdk } from '../elasticsearch/jdk';
import { serverVersion } from '../elasticsearch/versions';
import { serverUser } from '../elasticsearch/user';
import { runOrThrow } from '../process';

export interface HostImages {
  /** The directory that hosts' kernels run in. */
  kernelRoot: string;
  baseImage: string;
  /** The package repository that the hosts install from. */
  packages: string;
  /** Read-only disk with the JDK and the Elasticsearch homes. */
  elasticsearchDisk: string;
  /** An empty keystore for each version. */
  keystores: string;
  /** Names of the class data archives on that disk. */
  archives: string[];
}

const SCRIPTS = __dirname;
const FILES = path.join(SCRIPTS, 'files');

function script(name: string): string {
  return path.join(SCRIPTS, name);
}

function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** Everything that hosts boot from: built on first use, kept in the cache, shared read-only by all labs. */
export async function hostImages(versions: readonly string[]): Promise<HostImages> {
  const kernel = await cached({
    name: 'hosts-kernel',
    version: 'uml',
    hash: recipeHash([script('build-kernel.sh'), script('mirror.sh')]),
    building: "fetching the hosts' kernel (first time, some 15 s)",
    build: async (place) => void (await runOrThrow('bash', [script('build-kernel.sh'), place])),
  });
  const image = await cached({
    name: 'hosts-image',
    version: 'bookworm',
    hash: recipeHash([script('build-image.sh'), ...filesBelow(FILES)], [kernel]),
    building: "building the hosts' image and package repository (first time, some 60 to 120 s)",
    build: async (place) => void (await runOrThrow('bash', [script('build-image.sh'), kernel, FILES, place])),
  });
  const disk = await elasticsearchDisk([...new Set(versions)].sort());
  return {
    kernelRoot: path.join(kernel, 'root'),
    baseImage: path.join(image, 'base.img'),
    packages: path.join(image, 'packages'),
    elasticsearchDisk: path.join(disk, 'elasticsearch.img'),
    keystores: path.join(disk, 'keystores'),
    archives: readFileSync(path.join(disk, 'archives'), 'utf8')
      .split('\n')
      .filter((name) => name !== ''),
  };
}

async function elasticsearchDisk(versions: string[]): Promise<string> {
  const homes: string[] = [];
  // one after another: each is heavy work for Maven, and all of them are quick once they are cached
  for (const version of versions) homes.push(`${version}=${await serverHome(version)}`);
  const newest = versions.some((version) => serverVersion(version).jdk === 21) ? 21 : 17;
  const jdk = findServerJdk(newest);
  if (jdk === undefined) throw new Error(`the hosts' Elasticsearch needs a JDK ${newest}`);
  const release = readFileSync(path.join(jdk.home, 'release'), 'utf8');
  const { uid, gid } = await serverUser();
  return cached({
    name: 'hosts-elasticsearch',
    version: versions.join('-'),
    hash: recipeHash(['build-elasticsearch-disk.sh', 'archive-classes.sh', 'quick-start-7.sh'].map(script), [
      ...homes,
      jdk.home,
      release,
    ]),
    building: "making the hosts' Elasticsearch disk (first time, some 30 s)",
    build: async (place) => {
      const args = [place, jdk.home, String(uid), String(gid), ...homes];
      await runOrThrow('bash', [script('build-elasticsearch-disk.sh'), ...args]);
    },
  });
}
