import path from 'node:path';
import { cached, recipeHash } from '../cache';
import { runOrThrow } from '../process';
import { findJdk } from './jdk';
import { serverVersion } from './versions';

const RECIPES = path.join(__dirname, 'recipes');
const ASSEMBLE = path.join(__dirname, 'assemble.sh');

/** The server's home: assembled on first use, read-only from then on, shared by all nodes. */
export async function serverHome(version: string): Promise<string> {
  const { product, compiles } = serverVersion(version);
  const files = [ASSEMBLE, path.join(RECIPES, `${version}.sh`)];
  if (compiles) files.push(path.join(RECIPES, 'rest-root.java.in'));
  return cached({
    name: product,
    version,
    hash: recipeHash(files),
    building: `assembling ${product === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${version} with Maven (first time, some 5 to 60 s)`,
    build: async (place) => {
      const javac = compiles ? compiler(version) : undefined;
      const env = javac === undefined ? process.env : { ...process.env, JAVAC_HOME: javac };
      await runOrThrow('bash', [ASSEMBLE, version, place], { env });
    },
  });
}

function compiler(version: string): string {
  const release = serverVersion(version).jdk;
  const jdk = findJdk(release);
  if (jdk === undefined)
    throw new Error(`assembling Elasticsearch ${version} needs a JDK ${release} or later with javac`);
  return jdk.home;
}
