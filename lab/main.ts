import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { recordsOf } from './cleanup';
import { labDirectory, labsRoot } from './directories';
import { DEFAULT_SOURCE, DEFAULT_TARGET, serverVersions } from './elasticsearch/versions';
import { dismantle } from './guard';
import { loadCorpus, type CorpusScale } from './loader';
import { runInNamespace } from './namespace';
import { startPair } from './pair';
import { requirePrerequisites } from './prerequisites';
import { membersOf } from './process';
import { attachSite, startSite } from './site';

interface UpOptions {
  source: string;
  target: string;
  name?: string;
  load?: CorpusScale;
  nodes: number;
}

/** What `up` printed, kept so that `status` can say it again. */
const NOTES = 'notes.txt';

async function up(kind: string, options: UpOptions): Promise<void> {
  const site = kind === 'site';
  await requirePrerequisites({ site, temporal: false, versions: [options.source, options.target] });
  const notes = site ? await upSite(options) : await upPair(options);
  process.stdout.write(`${notes}\n`);
}

async function upSite(options: UpOptions): Promise<string> {
  const site = await startSite({ source: options.source, target: options.target, name: options.name, detached: true });
  if (options.load !== undefined) await loadCorpus({ url: site.source.url, via: site.via, scale: options.load });
  const hosts = site.hosts.map(
    ({ name, address, cluster }) => `      - { name: ${name}, address: ${address} }   # ${cluster}`,
  );
  const server = site.source.hosts[0]?.address ?? '';
  const notes = [
    `site ${site.name} is up (${site.directory})`,
    `  enter its network:  npm run lab -- enter ${site.name}`,
    `  log in to a host:   ip netns exec ${site.namespace} ssh -i ${site.sshKeyPath} -o UserKnownHostsFile=${site.knownHostsPath} ops@${server}`,
    `  stop it:            npm run lab -- down ${site.name}`,
    '  for a runbook:',
    `    source urls: [${site.source.urls.join(', ')}]   # ${site.source.version}`,
    `    target urls: [${site.target.urls.join(', ')}]   # ${site.target.version}`,
    '    ssh user: ops',
    `    ssh key: ${site.sshKeyPath}`,
    `    known hosts file: ${site.knownHostsPath}`,
    '    hosts:',
    ...hosts,
  ].join('\n');
  writeFileSync(path.join(site.directory, NOTES), notes);
  return notes;
}

async function upPair(options: UpOptions): Promise<string> {
  const { source, target, name, nodes } = options;
  const pair = await startPair({ source, target, name, sourceNodes: nodes, targetNodes: nodes, detached: true });
  if (options.load !== undefined) await loadCorpus({ url: pair.source.url, scale: options.load });
  const notes = [
    `pair ${pair.name} is up (${pair.directory})`,
    `  stop it:  npm run lab -- down ${pair.name}`,
    '  for a runbook:',
    `    source urls: [${pair.source.urls.join(', ')}]   # ${source}`,
    `    target urls: [${pair.target.urls.join(', ')}]   # ${target}`,
    `    repository directory of both: ${pair.repositoryDir}`,
  ].join('\n');
  writeFileSync(path.join(pair.directory, NOTES), notes);
  return notes;
}

function labs(): string[] {
  return readdirSync(labsRoot()).filter((name) => existsSync(path.join(labDirectory(name), 'cleanup.jsonl')));
}

function status(): void {
  const names = labs();
  if (names.length === 0) process.stdout.write('no lab is up\n');
  for (const name of names) {
    const directory = labDirectory(name);
    const notes = path.join(directory, NOTES);
    process.stdout.write(existsSync(notes) ? `${readFileSync(notes, 'utf8')}\n` : `lab ${name} (${directory})\n`);
    const sessions = recordsOf(directory).flatMap((entry) => (entry.kind === 'session' ? [entry] : []));
    for (const { what, process: identity } of sessions) {
      if (membersOf(identity).length > 0) process.stdout.write(`  running: ${what} (process ${identity.pid})\n`);
    }
  }
}

async function down(name: string | undefined, { all = false }: { all?: boolean }): Promise<void> {
  const known = labs();
  if (name === undefined && known.length > 1 && !all) {
    process.stderr.write(`several labs are up, name one, or give --all: ${known.join(', ')}\n`);
    process.exitCode = 2;
    return;
  }
  if (name !== undefined && !known.includes(name)) {
    process.stderr.write(`there is no lab ${name}; there is: ${known.join(', ') || 'none'}\n`);
    process.exitCode = 3;
    return;
  }
  for (const lab of name === undefined ? known : [name]) {
    await dismantle(labDirectory(lab));
    process.stdout.write(`${lab} is down\n`);
  }
}

/** A shell, or a command, in a site's network. */
async function enter(name: string, command: string[]): Promise<void> {
  const shell = process.env['SHELL'] ?? '/bin/bash';
  process.exitCode = await runInNamespace(attachSite(name).namespace, command.length > 0 ? command : [shell]);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 5) throw new InvalidArgumentError('wanted: 1 to 5');
  return value;
}

const program = new Command('lab')
  .enablePositionalOptions()
  .description('Real clusters on this machine: two clusters on loopback, or hosts with SSH and systemd.');
program
  .command('up')
  .description('start a lab that runs until `down`')
  .argument('<kind>', 'site: hosts with two clusters; pair: two clusters on loopback')
  .addOption(
    new Option('--source <version>', 'server version of the source').choices(serverVersions()).default(DEFAULT_SOURCE),
  )
  .addOption(
    new Option('--target <version>', 'server version of the target').choices(serverVersions()).default(DEFAULT_TARGET),
  )
  .option('--name <name>', 'name of the lab (default: a random one)')
  .addOption(new Option('--load <scale>', 'fill the source with documents').choices(['small', 'demo', 'large']))
  .option('--nodes <number>', 'nodes of each cluster (pair)', count, 1)
  .action(async (kind: string, options: UpOptions) => {
    if (kind !== 'site' && kind !== 'pair')
      program.error(`there is no lab "${kind}": wanted is site or pair`, { exitCode: 2 });
    await up(kind, options);
  });
program.command('status').description('what is up').action(status);
program
  .command('enter')
  .description("run a command, or a shell, inside a site's network")
  .argument('<name>', 'of the site')
  .argument('[command...]')
  .passThroughOptions()
  .action(enter);
program
  .command('down')
  .description('stop a lab and remove all of it')
  .argument('[name]', 'which, if several are up')
  .option('--all', 'all of them')
  .action(down);

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
