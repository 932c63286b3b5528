import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

export interface Jdk {
  home: string;
  major: number;
}

/** Where Linux distributions, SDKMAN, Homebrew and macOS put them. */
function candidates(): string[] {
  const home = process.env['HOME'] ?? '/';
  const named = ['SHARDLIFT_JDK17', 'SHARDLIFT_JDK25', 'JDK17_HOME', 'JDK21_HOME', 'JDK25_HOME', 'JAVA_HOME'].map(
    (name) => process.env[name],
  );
  const parents = [
    '/usr/lib/jvm',
    '/usr/java',
    '/opt',
    path.join(home, '.sdkman/candidates/java'),
    '/Library/Java/JavaVirtualMachines',
  ];
  const children = parents.flatMap((parent) =>
    existsSync(parent) ? readdirSync(parent).map((name) => path.join(parent, name)) : [],
  );
  const onPath = (process.env['PATH'] ?? '').split(path.delimiter).map((place) => path.join(place, 'javac'));
  const fromPath = onPath
    .filter((file) => existsSync(file))
    .map((file) => path.dirname(path.dirname(realpathSync(file))));
  return [
    ...named.filter((place) => place !== undefined && place !== ''),
    ...children,
    ...children.map((place) => path.join(place, 'Contents/Home')),
    ...fromPath,
  ].filter((place): place is string => place !== undefined);
}

function jdkAt(home: string): Jdk | undefined {
  if (!existsSync(path.join(home, 'bin/java')) || !existsSync(path.join(home, 'bin/javac'))) return undefined;
  const release = path.join(home, 'release');
  if (!existsSync(release)) return undefined;
  const major = /^JAVA_VERSION="(\d+)/m.exec(readFileSync(release, 'utf8'))?.[1];
  return major === undefined ? undefined : { home, major: Number(major) };
}

/** An installed JDK of that major version, else the next newer one there is. */
export function findJdk(atLeast: 17 | 21): Jdk | undefined {
  const found = candidates().map(jdkAt);
  const good = found.filter((jdk): jdk is Jdk => jdk !== undefined && jdk.major >= atLeast);
  return good.sort((a, b) => a.major - b.major)[0];
}

/** The JDK for a server: 17 exactly where the server is older than the later ones, which it would not start on. */
export function findServerJdk(wanted: 17 | 21): Jdk | undefined {
  const jdk = findJdk(wanted);
  return wanted === 17 && jdk?.major !== 17 ? undefined : jdk;
}
