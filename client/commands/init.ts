import { writeFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { Method } from '../../contracts/runbook-documents';
import { ClientError } from '../client-error';
import { exitCodes, type ExitCode } from '../exit-codes';
import { shellWord } from '../format';
import type { ClusterAccess, ClusterAnswers } from '../init/cluster-answers';
import { answer, hostsOf, parseHost } from '../init/questions';
import type { InitAnswers } from '../init/runbook-text';
import { lazy } from '../lazy';
import type { CarryOut } from '../program';
import type { Session } from '../session';
import { examples } from './help';

/** Not the schema's own list: that would load all of it for every verb. */
const methods = ['snapshot', 'copy', 'remote-reindex'] satisfies Method[];

interface InitOptions {
  name?: string;
  source?: string;
  sourceUser?: string;
  sourcePassword?: string;
  sourceCa?: string;
  target?: string;
  targetUser?: string;
  targetPassword?: string;
  targetCa?: string;
  host?: string[];
  sshUser?: string;
  sshKey?: string;
  knownHosts?: string;
  nfsServer?: string;
  exportPath?: string;
  mountPath?: string;
  ownCopy?: boolean;
  method?: string;
  live?: boolean;
  location?: string;
  out?: string;
}

export function addInitVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('init')
    .summary('write a runbook from two live clusters')
    .description(
      'Asks two live clusters for their nodes and sizes and writes a commented runbook. What flags do not say is asked\n' +
        'for, on a terminal. The method is what the versions of both allow. Nothing is changed anywhere, and an existing file is never overwritten.',
    )
    .option('--name <run>', 'name of the run: lower-case letters, digits, hyphens')
    .option('--source <url>', 'address of a node of the cluster that documents come from')
    .option('--source-user <name>', 'user name there')
    .option('--source-password <reference>', 'reference to its password: ${env:NAME} or ${file:/path}')
    .option('--source-ca <file>', 'PEM file of the certificate authority')
    .option('--target <url>', 'address of a node of the cluster that documents go to')
    .option('--target-user <name>', 'user name there')
    .option('--target-password <reference>', 'reference to its password')
    .option('--target-ca <file>', 'PEM file of the certificate authority')
    .addOption(
      new Option('--method <name>', 'snapshot, copy or remote-reindex; what the versions allow unless given').choices(
        methods,
      ),
    )
    .option('--live', 'the source is written to while the run goes on: later writes follow until the cutover')
    .option('--host <name=address:role>', 'a machine, role source, target, storage or jump; repeat it', collect)
    .option('--ssh-user <name>', 'user to log in as on the hosts')
    .option('--ssh-key <reference>', 'reference to the private key')
    .option('--known-hosts <file>', 'known_hosts file on the worker')
    .option('--nfs-server <host>', 'host that is to serve the share')
    .option('--export-path <path>', 'directory that it exports')
    .option('--mount-path <path>', 'where every node mounts it')
    .option('--own-copy', 'the target gets its own copy of the snapshot files')
    .addOption(
      new Option(
        '--location <path>',
        'no share to set up: a directory below path.repo that all nodes reach already',
      ).conflicts(['host', 'nfsServer', 'exportPath', 'mountPath', 'ownCopy']),
    )
    .option('--out <file.yaml>', 'file to write; <name>.yaml unless given, - is stdout')
    .addHelpText(
      'after',
      examples(
        ['shardlift init', 'asks for what it needs'],
        ['shardlift init --name logs --source http://old-1:9200 --target http://new-1:9200 --nfs-server old-1', ''],
        ['shardlift init --name logs --source http://old-1:9200 --target http://new-1:9200 --method copy --live', ''],
        [
          'shardlift init --name logs --source http://old-1:9200 --target http://new-1:9200 --location /mnt/snapshots',
          '',
        ],
      ),
    )
    .action((options: InitOptions, command: Command) => carryOut(command, (session) => init(session, options)));
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

async function init(session: Session, options: InitOptions): Promise<ExitCode> {
  const source = await access(session, 'source', options);
  const target = await access(session, 'target', options);
  const name = await answer(session, options.name, 'Name of the run', '--name', 'migration');
  const { askCluster } = lazy.clusterAnswers();
  const [seenSource, seenTarget] = await Promise.all([
    askCluster(session.io, 'source', source),
    askCluster(session.io, 'target', target),
  ]);
  const { method, why } = await methodAnswer(session, options, seenSource, seenTarget);
  const isLive = await liveAnswer(session, options);
  const where = await placeAnswers(session, options, method, seenSource, seenTarget);
  const answers: InitAnswers = {
    name,
    method,
    why,
    ...(isLive ? { live: { isNumbered: lazy.chooseMethod().hasSequenceNumbers(seenSource) } } : {}),
    source: { ...source, answers: seenSource },
    target: { ...target, answers: seenTarget },
    ...where,
  };
  const text = lazy.runbookText().runbookText(answers);
  const file = options.out ?? `${name}.yaml`;
  // Its own output goes through the same check as anybody's: a wrong answer is told before a file is written.
  lazy.runbookFile().parseRunbook(text, file);
  if (options.method === undefined) session.note(`method ${method}: ${why}`);
  if (file === '-') {
    session.io.stdout.write(text);
    return exitCodes.done;
  }
  writeNew(file, text);
  const result = {
    file,
    run: name,
    method,
    source: summary(seenSource),
    target: summary(seenTarget),
    hosts: answers.hosts,
  };
  session.print(result, () => `Wrote ${file}. Look through it, then: shardlift plan ${shellWord(file)}`);
  return exitCodes.done;
}

async function access(session: Session, side: 'source' | 'target', options: InitOptions): Promise<ClusterAccess> {
  const which = side === 'source' ? 'the documents come from' : 'the documents go to';
  const url = await answer(session, options[side], `Address of the cluster that ${which}`, `--${side}`);
  if (!/^https?:\/\/[^/@]+(\/|$)/.test(url)) {
    throw new ClientError(
      exitCodes.inputWrong,
      `--${side}: expected an address such as http://node-1:9200, without user and password`,
    );
  }
  return { url, ca: options[`${side}Ca`], user: options[`${side}User`], password: options[`${side}Password`] };
}

/** What fits, unless a person wants another one: then it is written, with what speaks against it. */
async function methodAnswer(
  session: Session,
  options: InitOptions,
  source: ClusterAnswers,
  target: ClusterAnswers,
): Promise<{ method: Method; why: string }> {
  const proposed = lazy.chooseMethod().proposeMethod({ ...source, indices: source.created }, target);
  // files need a place: a directory, or machines on which one can be made
  const hasPlace = options.location !== undefined || options.host !== undefined || hostsOf(source, target).length > 0;
  const fitting =
    proposed.method === 'snapshot' && !hasPlace
      ? { method: 'copy' as const, why: 'no directory and no hosts for a repository are named' }
      : proposed;
  const question = `Method (${methods.join(', ')}); ${fitting.why}`;
  const answered = await answer(session, options.method, question, '--method', fitting.method);
  const method = methods.find((each) => each === answered);
  if (method === undefined)
    throw new ClientError(exitCodes.inputWrong, `--method: found "${answered}", expected ${methods.join(', ')}`);
  if (method === fitting.method) return fitting;
  const isRefused = method === 'snapshot' && proposed.method !== 'snapshot';
  return { method, why: isRefused ? `Chosen by hand, though ${fitting.why}` : 'Chosen by hand' };
}

async function liveAnswer(session: Session, options: InitOptions): Promise<boolean> {
  const given = options.live === true ? 'yes' : undefined;
  const question = 'Is the source written to while the run goes on, yes or no';
  return /^y(es)?$/i.test(await answer(session, given, question, '--live', 'no'));
}

/** Where files are kept, and the machines that make it so; documents need neither, unless hosts are named. */
async function placeAnswers(
  session: Session,
  options: InitOptions,
  method: Method,
  source: ClusterAnswers,
  target: ClusterAnswers,
) {
  const paths = {
    exportPath: options.exportPath ?? '/srv/shardlift',
    mountPath: options.mountPath ?? '/mnt/shardlift',
  };
  const targetReads: InitAnswers['targetReads'] = options.ownCopy === true ? 'ownCopy' : 'sameShare';
  const ssh = { user: '', privateKey: '', knownHosts: '' };
  const needsHosts = method === 'snapshot' || (method === 'remote-reindex' && options.host !== undefined);
  if (!needsHosts) return { ...paths, targetReads, ssh, hosts: [] };
  if (options.location !== undefined) return { ...paths, targetReads, ssh, hosts: [], location: options.location };
  const hosts = options.host ? options.host.map(parseHost) : hostsOf(source, target);
  if (method === 'snapshot' && hosts.length === 0) {
    throw new ClientError(
      exitCodes.inputWrong,
      'it is not known which hosts are to share files: the clusters name none, or one machine has nodes of both',
      'name a directory that both read by --location, or the hosts by --host',
    );
  }
  const first = hosts.find((each) => each.role === 'storage') ?? hosts.find((each) => each.role === 'source');
  const nfsServer =
    method === 'snapshot'
      ? await answer(session, options.nfsServer, 'Host that is to serve the share by NFS', '--nfs-server', first?.name)
      : undefined;
  ssh.user = await answer(session, options.sshUser, 'User to log in as on the hosts', '--ssh-user', 'ops');
  ssh.privateKey = await answer(
    session,
    options.sshKey,
    'Reference to the private key',
    '--ssh-key',
    '${env:SHARDLIFT_SSH_KEY}',
  );
  ssh.knownHosts = await answer(
    session,
    options.knownHosts,
    'known_hosts file on the worker',
    '--known-hosts',
    '/etc/ssh/ssh_known_hosts',
  );
  return { ...paths, targetReads, ssh, hosts, ...(nfsServer === undefined ? {} : { nfsServer }) };
}

function summary({ name, version, nodes, indices, sizeBytes }: ClusterAnswers) {
  return { name, version, nodes: nodes.length, indices, sizeBytes };
}

/** Created only if it is not there yet, in one step: no moment in which another's file could be lost. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new ClientError(
        exitCodes.refused,
        `${file} exists already and is left as it is`,
        'name another file with --out',
      );
    }
    throw new ClientError(exitCodes.failed, `${file} cannot be written: ${(error as Error).message}`);
  }
}
