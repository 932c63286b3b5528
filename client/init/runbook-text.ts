import { parseBytes } from '../../contracts/bytes';
import type { Method } from '../../contracts/runbook-documents';
import type { ClusterAccess, ClusterAnswers } from './cluster-answers';

export interface InitHost {
  name: string;
  address: string;
  role: string;
}

export interface InitAnswers {
  name: string;
  method: Method;
  /** Why that one, as a sentence's end. */
  why: string;
  /** The source is written to while the run goes on; if so, whether it numbers its operations. */
  live?: { isNumbered: boolean };
  source: ClusterAccess & { answers?: ClusterAnswers };
  target: ClusterAccess & { answers?: ClusterAnswers };
  hosts: InitHost[];
  ssh: { user: string; privateKey: string; knownHosts: string };
  /** Host that serves the share; without one an existing directory or repository is used. */
  nfsServer?: string;
  exportPath: string;
  mountPath: string;
  targetReads: 'sameShare' | 'ownCopy';
  /** Instead of a share: a directory that all nodes reach already. */
  location?: string;
}

/**
 * A commented runbook: what is said in it is right for these clusters, what is not said has a good default.
 * @public loaded through lazy.ts, which knip cannot follow
 */
export function runbookText(answers: InitAnswers): string {
  return [
    `# Written by shardlift init. Next: shardlift plan ${answers.name}.yaml`,
    '# Completion and checks in an editor: shardlift validate --print-schema > runbook.schema.json',
    '# yaml-language-server: $schema=runbook.schema.json',
    'kind: Migration',
    '# Name of the run, of its snapshots and of its repository.',
    `name: ${answers.name}`,
    '',
    ...clusterText('source', answers.source),
    '',
    ...clusterText('target', answers.target),
    '',
    ...(answers.hosts.length > 0 ? [...sshText(answers), '', ...hostsText(answers.hosts), ''] : []),
    '# Which indices move. System indices never do.',
    'select:',
    '  include:',
    "    - '*'",
    '  # exclude:',
    "  #   - 'scratch-*'",
    '',
    ...methodText(answers),
    '',
    ...liveText(answers),
    '',
    ...batchesText(answers),
    '',
    '# Where a person must approve: before anything moves (move), before the cutover, before the finish.',
    'gates:',
    '  - cutover',
    '  - finish',
    '',
    '# cutover:',
    '#   clients: what the applications must be pointed at, shown when it is time',
    '',
    ...(answers.method === 'snapshot' ? cleanupText : []),
  ].join('\n');
}

const cleanupText = [
  'cleanup:',
  '  # keep | afterBatch | atFinish',
  '  snapshots: atFinish',
  '  # keep | restore: take mounts, exports and path.repo back at the finish',
  '  hosts: keep',
  '',
];

/** How documents get there. */
function methodText(answers: InitAnswers): string[] {
  const why = `# ${answers.why.replace(/[\r\n]/g, ' ')}. shardlift plan says where another method would be better.`;
  switch (answers.method) {
    case 'snapshot':
      return ['# snapshot: files are moved, the fastest way.', why, 'method: snapshot', '', ...repositoryText(answers)];
    case 'copy':
      return [
        '# copy: documents pass through the workers, as bytes.',
        why,
        'method: copy',
        'copy:',
        '  parts:',
        '    # Parts under way at once, over all workers; any worker of the task queue takes the next.',
        '    inFlight: 4',
        '  # limits:',
        '  #   docsPerSec: 20000          shardlift tune changes limits while it runs',
        '  # rename:',
        "  #   - { from: 'logs-*', to: 'old-logs-*' }",
      ];
    default:
      return [
        "# remote-reindex: the target's own _reindex fetches the documents.",
        why,
        'method: remote-reindex',
        'reindex:',
        '  parts:',
        '    # _reindex tasks at once.',
        '    inFlight: 2',
        '  # Where the nodes of the target reach the source, if not by the first of source.urls.',
        '  # remoteHost: http://old-1:9200',
      ];
  }
}

function liveText({ live }: InitAnswers): string[] {
  if (!live)
    return [
      '# Stop the writers before the run, or have it block writes to the indices of each batch:',
      '# freeze: beforeMove',
    ];
  if (!live.isNumbered)
    return [
      '# This source is older than 6.0 and numbers no operations, so what is written to it cannot be followed:',
      '# the indices of a batch take no writes from the moment in which it is moved.',
      'freeze: beforeMove',
    ];
  return [
    '# The source stays live: every add, update and delete follows by its sequence number, until the cutover.',
    'catchUp:',
    '  kind: sequence',
    '  interval: 10s',
    '  # The gate of the cutover opens once no more operations than these are left.',
    '  lagBelow: 1000',
    '# At the cutover writes to the source are blocked, the rest follows, and both sides are compared.',
    'freeze: atCutover',
  ];
}

/** Any text as a YAML value: JSON's quoted form is YAML too. */
function value(text: string): string {
  return /^[A-Za-z0-9/][A-Za-z0-9/_.@-]*$/.test(text) && !/^(true|false|null|yes|no|\d.*)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

function clusterText(
  side: 'source' | 'target',
  { url, ca, user, password, answers }: ClusterAccess & { answers?: ClusterAnswers },
): string[] {
  const seen = answers
    ? `${answers.name}, ${answers.version}, ${answers.nodes.length} ${answers.nodes.length === 1 ? 'node' : 'nodes'}`.replace(
        /[\r\n]/g,
        ' ',
      )
    : 'not asked';
  return [
    `# ${seen}. Name several nodes: the run goes on while one restarts.`,
    `${side}:`,
    '  urls:',
    `    - ${value(url)}`,
    ...(ca === undefined ? [] : ['  tls:', '    # Path on the worker.', `    ca: ${value(ca)}`]),
    ...(user === undefined
      ? []
      : [
          '  auth:',
          '    basic:',
          `      username: ${value(user)}`,
          '      # A reference, read by the worker: never the password itself.',
          `      password: ${value(password ?? `\${env:${side.toUpperCase()}_PASSWORD}`)}`,
        ]),
  ];
}

function sshText({ ssh }: InitAnswers): string[] {
  return [
    '# How the worker reaches the hosts. Host keys are always verified.',
    'ssh:',
    `  user: ${value(ssh.user)}`,
    `  privateKey: ${value(ssh.privateKey)}`,
    `  knownHosts: ${value(ssh.knownHosts)}`,
    '  sudo: true',
  ];
}

function hostsText(hosts: readonly InitHost[]): string[] {
  const lines = hosts.flatMap(({ name, address, role }) => [
    `  - name: ${value(name)}`,
    `    address: ${value(address)}`,
    `    role: ${value(role)}`,
  ]);
  return ['# source and target: nodes of that cluster; storage: NFS server without Elasticsearch.', 'hosts:', ...lines];
}

function repositoryText(answers: InitAnswers): string[] {
  const { nfsServer, exportPath, mountPath, targetReads, location } = answers;
  const lines =
    nfsServer === undefined
      ? [
          '    # A directory below path.repo that every node of both clusters reaches already; no host is changed.',
          '    existing:',
          `      location: ${value(location ?? '/mnt/snapshots')}`,
        ]
      : [
          '    # The run sets up NFS: a directory on that host, mounted on every node, in path.repo of every node.',
          '    sharedFilesystem:',
          `      server: ${value(nfsServer)}`,
          `      exportPath: ${value(exportPath)}`,
          `      mountPath: ${value(mountPath)}`,
          '      # sameShare: the target reads the same files; ownCopy: they are copied for it.',
          `      targetReads: ${targetReads}`,
        ];
  return [
    '# Where snapshots are kept.',
    'snapshot:',
    '  repository:',
    ...lines,
    "  # Elasticsearch's own limit is 40mb a second and node; raise it where network and disks allow.",
    '  # maxSnapshotBytesPerSec: 200mb',
    '  # maxRestoreBytesPerSec: 200mb',
    '  # recoveryMaxBytesPerSec: 200mb',
  ];
}

const sizes = ['1gb', '2gb', '5gb', '10gb', '20gb', '50gb', '100gb', '200gb'];

/** Some twenty batches: enough that the pipeline is always full, few enough to look through. */
function batchesText({ method, source: { answers: source } }: InitAnswers): string[] {
  const total = source?.sizeBytes ?? 0;
  const maxSize = sizes.find((size) => parseBytes(size) * 20 >= total) ?? '200gb';
  const seen =
    source === undefined
      ? ''
      : `# ${source.indices === 1 ? '1 index' : `${source.indices} indices`} with ${(total / 1024 ** 3).toFixed(1)} GiB of primary data were found.`;
  return [
    ...(seen === '' ? [] : [seen]),
    method === 'snapshot'
      ? '# Indices are packed into batches by size; while one restores, the next is snapshotted.'
      : '# Indices are packed into batches by size.',
    'batches:',
    `  maxSize: ${maxSize}`,
    '  inFlight: 3',
  ];
}
