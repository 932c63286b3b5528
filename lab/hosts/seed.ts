import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { serverVersion } from '../elasticsearch/versions';
import { runOrThrow } from '../process';

/** User ids as the image has them (build-image.sh). */
const OPS = 1000;
const NOSUDO = 1001;
const ELASTICSEARCH = 995;

export interface SeedOptions {
  /** Name of the host. */
  name: string;
  /** Where the seed is written. */
  file: string;
  version: string;
  home: string;
  /** A file with an empty keystore. */
  keystore: string;
  /** Names of the class data archives that there are (images.ts). */
  archives: readonly string[];
  heap: string;
  settings: Record<string, string>;
  rootPublicKey: string;
  opsPublicKey: string;
}

/**
 * What makes one host differ from the others, as a tar archive that the host unpacks at its first boot. The host's SSH
 * key is made here too, so that it is known before anything was sent over the network. Returns its public half.
 */
export async function makeSeed(options: SeedOptions): Promise<string> {
  const stage = `${options.file}.stage`;
  const at = (...parts: string[]): string => path.join(stage, ...parts);
  mkdirSync(at('etc/ssh'), { recursive: true });
  writeFileSync(at('etc/hostname'), `${options.name}\n`);
  const hostKey = at('etc/ssh/ssh_host_ed25519_key');
  await runOrThrow('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', options.name, '-f', hostKey]);
  authorize(at('root/.ssh'), options.rootPublicKey, 0);
  authorize(at('home/ops/.ssh'), options.opsPublicKey, OPS);
  authorize(at('home/nosudo/.ssh'), options.opsPublicKey, NOSUDO);
  writeElasticsearchFiles(options, at);
  const publicKey = readFileSync(`${hostKey}.pub`, 'utf8');
  await runOrThrow('tar', ['-C', stage, '--numeric-owner', '-cf', options.file, '.']);
  rmSync(stage, { recursive: true });
  return publicKey.split(' ').slice(0, 2).join(' ');
}

function authorize(directory: string, publicKey: string, user: number): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, 'authorized_keys');
  writeFileSync(file, publicKey, { mode: 0o600 });
  chownSync(directory, user, user);
  chownSync(file, user, user);
}

function writeElasticsearchFiles(options: SeedOptions, at: (...parts: string[]) => string): void {
  const config = at('etc/elasticsearch');
  cpSync(path.join(options.home, 'config'), config, { recursive: true });
  const file = path.join(config, 'elasticsearch.yml');
  let text = readFileSync(file, 'utf8');
  for (const [key, value] of Object.entries(options.settings)) text = withSetting(text, key, value);
  writeFileSync(file, text);
  if (existsSync(options.keystore)) copyFileSync(options.keystore, path.join(config, 'elasticsearch.keystore'));
  const jvm = path.join(config, 'jvm.options');
  writeFileSync(jvm, packagedJvmOptions(readFileSync(jvm, 'utf8')));
  mkdirSync(path.join(config, 'jvm.options.d'), { recursive: true });
  writeFileSync(path.join(config, 'jvm.options.d/lab.options'), quickStart(options).join('\n'));
  mkdirSync(at('etc/default'), { recursive: true });
  const starter = [
    ...archiveOption(`${options.version}-cli.jsa`, options.archives),
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
  ];
  const cli = serverVersion(options.version).major >= 8 ? [`CLI_JAVA_OPTS=${starter.join(' ')}`] : [];
  writeFileSync(at('etc/default/elasticsearch'), [...cli, ''].join('\n'));
  mkdirSync(at('usr/share'), { recursive: true });
  symlinkSync(`/opt/elasticsearch-${options.version}`, at('usr/share/elasticsearch'));
  ownAsPackaged(config);
}

/** Sets it where the shipped file has it commented out, as an operator would, or else at the end. */
export function withSetting(text: string, key: string, value: string): string {
  const line = `${key}: ${value}`;
  const commented = new RegExp(`^#${key.replaceAll('.', '\\.')}:.*$`, 'm');
  return commented.test(text) ? text.replace(commented, () => line) : `${text.trimEnd()}\n${line}\n`;
}

/** With the paths of Elastic's own package, and without the collector, which lab.options chooses. */
function packagedJvmOptions(shipped: string): string {
  return shipped
    .split('\n')
    .filter((line) => !/UseG1GC|UseConcMarkSweepGC|CMSInit|^8(-\d*)?:/.test(line))
    .map((line) => line.replace(/file=(logs\/)?gc\.log/, 'file=/var/log/elasticsearch/gc.log'))
    .map((line) => line.replace(/ErrorFile=(logs\/)?/, 'ErrorFile=/var/log/elasticsearch/'))
    .map((line) => line.replace('HeapDumpPath=data', 'HeapDumpPath=/var/lib/elasticsearch'))
    .join('\n');
}

function archiveOption(name: string, archives: readonly string[]): string[] {
  return archives.includes(name) ? ['-Xshare:auto', `-XX:SharedArchiveFile=/opt/archives/${name}`] : [];
}

/**
 * A host has one slow CPU and little memory: what counts is that a node starts quickly. The parallel collector with one
 * thread is the cheapest that Elasticsearch's bootstrap checks let pass.
 */
function quickStart({ heap, version, archives }: SeedOptions): string[] {
  const options = [
    '+UseParallelGC',
    'ParallelGCThreads=1',
    'TieredStopAtLevel=1',
    '-AlwaysPreTouch',
    '-UsePerfData',
    '-HeapDumpOnOutOfMemoryError',
  ];
  const archive = archiveOption(`${version}.jsa`, archives);
  return [`-Xms${heap}`, `-Xmx${heap}`, ...options.map((option) => `-XX:${option}`), ...archive, ''];
}

/** Directories root:elasticsearch 2750, files 660. */
function ownAsPackaged(directory: string): void {
  for (const entry of readdirSync(directory)) {
    const file = path.join(directory, entry);
    if (statSync(file).isDirectory()) ownAsPackaged(file);
    else {
      lchownSync(file, 0, ELASTICSEARCH);
      chmodSync(file, 0o660);
    }
  }
  lchownSync(directory, 0, ELASTICSEARCH);
  chmodSync(directory, 0o2750);
}
