import { z } from 'zod';
import { byteSizePattern } from './bytes';
import { metadataSettings } from './metadata';
import { catchUpSettings, copySettings, methods, reindexSettings } from './runbook-documents';

/**
 * The runbook: what an operator writes. One schema validates it, documents it and makes the JSON Schema for editors
 * (`schema/runbook.schema.json`). Objects are strict: an unknown field is an error, never ignored.
 */

/** What names a run: a Temporal workflow id, a snapshot name prefix, a repository name and a directory name at once. */
const runName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'lower-case letters, digits and hyphens, at most 63, as in a host name',
  );

/** A secret is named, never written: it is read inside the worker and reaches no history, log or argument list. */
export const secretReferencePattern = /^\$\{(env|file):([^}\r\n]+)\}$/;
const secretReference = z
  .string()
  .regex(
    secretReferencePattern,
    'a reference to the secret, ${env:NAME} or ${file:/absolute/path}, never the secret itself',
  );

// eslint-disable-next-line no-control-regex -- refusing control characters is the point
const absolutePathPattern = /^\/[^\u0000-\u001f\u007f]*[^/\u0000-\u001f\u007f]$/;

/** A path that goes into /etc/exports, /etc/fstab and elasticsearch.yml. Control characters have no honest use in it. */
const absolutePath = z
  .string()
  .max(1024)
  .regex(absolutePathPattern, 'an absolute path without a slash at its end and without control characters')
  .refine((path) => !path.split('/').some((part) => part === '..' || part === '.'), 'a path without . and .. in it');

const byteSize = z.string().regex(byteSizePattern, 'a byte size as Elasticsearch writes it, such as 500mb or 1.5tb');

const auth = z
  .strictObject({
    basic: z
      .strictObject({
        username: z.string().min(1).describe('User name.'),
        password: secretReference.describe('Reference to the password.'),
      })
      .describe('HTTP basic authentication.')
      .optional(),
    apiKey: secretReference.describe('Reference to an API key in its encoded form (base64 of id:key).').optional(),
  })
  .refine((value) => (value.basic === undefined) !== (value.apiKey === undefined), 'exactly one of basic and apiKey')
  .describe('How to authenticate; left out where security is off.');

const cluster = z.strictObject({
  urls: z
    .array(z.url({ protocol: /^https?$/, hostname: /.+/ }))
    .min(1)
    .refine(
      (urls) => urls.every((url) => !/\/\/[^/]*@/.test(url)),
      'addresses without user name and password: those belong under auth',
    )
    .describe('HTTP addresses of nodes. Give several: a run goes on while one of them restarts.'),
  tls: z
    .strictObject({
      ca: absolutePath.describe('Path, on the worker, of the PEM file of the certificate authority.').optional(),
      fingerprint: z
        .string()
        .regex(/^([0-9A-Fa-f]{2}:?){32}$/, 'a SHA-256 fingerprint in hexadecimal')
        .describe("SHA-256 fingerprint of the certificate authority's certificate, as Elasticsearch 8 prints it.")
        .optional(),
    })
    .describe('What a certificate is checked against besides the system certificates. Checking cannot be switched off.')
    .optional(),
  auth: auth.optional(),
});

const ssh = z.strictObject({
  user: z.string().min(1).describe('User to log in as.').optional(),
  port: z.int().min(1).max(65535).describe('Port of sshd.').optional(),
  privateKey: secretReference.describe('Reference to the private key, OpenSSH or PEM format.').optional(),
  passphrase: secretReference.describe('Reference to the passphrase of the private key.').optional(),
  knownHosts: absolutePath.describe('Path, on the worker, of a known_hosts file (plain or hashed names).').optional(),
  hostKey: z
    .string()
    .regex(/^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+$/, 'a public host key as in known_hosts: type and base64')
    .describe('The one host key to accept, as type and base64. Takes the place of knownHosts.')
    .optional(),
  jumpHost: z.string().min(1).describe('Name of another host of this runbook to connect through.').optional(),
  sudo: z.boolean().describe('Run privileged commands through sudo -n (true) or directly, as root (false).').optional(),
});

const host = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'letters, digits, dots, underscores and hyphens')
    .describe('What this host is called in status and report.'),
  address: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.:-]*$/, 'a host name or an IP address')
    .describe('Host name or IP address that the worker connects to, and that exports and mounts name.'),
  role: z
    .enum(['source', 'target', 'storage', 'jump'])
    .describe(
      'source or target: a node of that cluster; storage: NFS server without Elasticsearch; jump: only passed through.',
    ),
  node: z.string().describe('Elasticsearch node name, where it cannot be found by address.').optional(),
  connection: z.enum(['ssh', 'local']).default('ssh').describe("ssh, or local: the worker's own machine, without SSH."),
  ssh: ssh.describe('What differs from the common ssh settings.').optional(),
  service: z
    .string()
    .regex(/^[A-Za-z0-9@:._-]+$/, 'a systemd unit name')
    .describe('systemd unit of Elasticsearch.')
    .default('elasticsearch.service'),
  configPath: absolutePath.describe('Directory of elasticsearch.yml.').default('/etc/elasticsearch'),
});

const nfsOptions = z
  .array(z.string().regex(/^[A-Za-z0-9_]+(=[A-Za-z0-9_.:-]+)?$/, 'an option such as hard or nfsvers=4.2'))
  .describe(
    'Mount options besides rw or ro. hard is the default of NFS and the only safe one for a repository; with lookupcache=positive a node does not take a directory that another one has just made for absent.',
  )
  // Without lookupcache a node remembers for up to 30 s that a directory is not there: two nodes that make the
  // repository's directories at once fail with FileAlreadyExistsException, and the snapshot is PARTIAL (seen with 7.17).
  .default(['hard', '_netdev', 'lookupcache=positive']);

const sharedFilesystem = z
  .strictObject({
    server: z.string().describe('Name of the host that serves the share by NFS: one of the nodes, or a storage host.'),
    exportPath: absolutePath.describe('Directory on the server that is exported.'),
    mountPath: absolutePath.describe('Where every node finds the share; it goes into path.repo.'),
    mountOptions: nfsOptions,
    targetReads: z
      .enum(['sameShare', 'ownCopy'])
      .default('sameShare')
      .describe(
        'sameShare: the target mounts the same share read-only. ownCopy: snapshot files are copied to a directory of the target.',
      ),
    copy: z
      .strictObject({
        server: z.string().describe('NFS server of the copy; the same one as above unless given.').optional(),
        exportPath: absolutePath
          .describe('Directory exported for the copy; needed with a server of its own.')
          .optional(),
        mountPath: absolutePath.describe('Where the nodes of the target find the copy.').optional(),
        maxBytesPerSec: byteSize.describe('Most that the copy may take, for all batches together.').optional(),
        verify: z
          .enum(['checksum', 'size'])
          .default('checksum')
          .describe('How copied files are compared with the original: by reading both again, or by size.'),
      })
      .describe('With ownCopy: where the copy goes and how fast.')
      .optional(),
  })
  .describe('A directory on a host, shared by NFS: the run sets it up on every host.');

const repository = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]*$/, 'lower-case letters, digits, hyphens and underscores')
      .describe('Name under which it is registered on both clusters; shardlift-<run> unless given.')
      .optional(),
    sharedFilesystem: sharedFilesystem.optional(),
    existing: z
      .strictObject({
        location: absolutePath
          .describe('A directory below path.repo that all nodes of both clusters reach already; the run registers it.')
          .optional(),
        copyLocation: absolutePath
          .describe('With location: a second directory that the target reads, filled by copying on copyHost.')
          .optional(),
        copyHost: z.string().describe('With copyLocation: name of the host that copies.').optional(),
        copyMaxBytesPerSec: byteSize.describe('With copyLocation: most that the copy may take.').optional(),
        source: z.string().min(1).describe('Repository already registered on the source, of any type.').optional(),
        target: z
          .string()
          .min(1)
          .describe('Repository already registered on the target that reads the same place, read-only.')
          .optional(),
      })
      .refine(
        (value) => (value.location === undefined) === (value.source !== undefined && value.target !== undefined),
        {
          message: 'either location, or source and target',
        },
      )
      .refine((value) => (value.copyLocation === undefined) === (value.copyHost === undefined), {
        message: 'copyLocation and copyHost go together',
      })
      .describe('A repository, or a directory for one, that is there already; no host is changed for it.')
      .optional(),
  })
  .refine((value) => (value.sharedFilesystem === undefined) !== (value.existing === undefined), {
    message: 'exactly one of sharedFilesystem and existing',
  })
  .describe('Where snapshots are kept.');

/** The gates that a runbook may ask for, in the order in which a run meets them. */
const gateNames = ['move', 'cutover', 'finish'] as const;
export type GateName = (typeof gateNames)[number];

const migrationFields = z.strictObject({
  kind: z.literal('Migration').describe('What sort of runbook this is.'),
  name: runName.describe('Name of the run: one run of this name exists at a time.'),
  source: cluster.describe('The cluster that documents come from.'),
  target: cluster.describe('The cluster that documents go to.'),
  ssh: ssh.describe('How hosts are reached, unless a host says otherwise.').default({}),
  hosts: z.array(host).describe('The machines that the run may work on.').default([]),
  select: z
    .strictObject({
      include: z.array(z.string().min(1)).min(1).default(['*']).describe('Index names or patterns with *.'),
      exclude: z.array(z.string().min(1)).default([]).describe('Index names or patterns to leave out.'),
      hidden: z.boolean().default(false).describe('Take hidden indices (index.hidden) too. System indices never move.'),
      closed: z.boolean().default(true).describe('Take closed indices too; they are closed on the target again.'),
    })
    .describe('Which indices move.')
    .prefault({}),
  method: z
    .enum(methods)
    .default('snapshot')
    .describe(
      'How documents get there. snapshot: fastest, where the target can restore what the source made. copy: document by document through the workers, between any versions. remote-reindex: the target fetches them itself.',
    ),
  snapshot: z
    .strictObject({
      repository,
      compress: z.boolean().default(true).describe("Compress the repository's metadata files."),
      maxSnapshotBytesPerSec: byteSize
        .describe("Limit for each node of the source, a repository setting. Elasticsearch's own default is 40mb.")
        .optional(),
      maxRestoreBytesPerSec: byteSize.describe('Limit for each node of the target, a repository setting.').optional(),
      recoveryMaxBytesPerSec: byteSize
        .describe(
          'indices.recovery.max_bytes_per_sec of the target for the length of the run; put back at its end. Restores obey it too.',
        )
        .optional(),
    })
    .describe('With method snapshot: how snapshots are taken and restored.')
    .optional(),
  copy: copySettings.optional(),
  reindex: reindexSettings.optional(),
  catchUp: catchUpSettings.optional(),
  metadata: metadataSettings.optional(),
  batches: z
    .strictObject({
      maxSize: byteSize.default('50gb').describe('Most bytes of primary shards in a batch; a larger index goes alone.'),
      maxIndices: z.int().min(1).max(1000).default(100).describe('Most indices in a batch.'),
      inFlight: z.int().min(1).max(10).default(3).describe('Most batches under way at once.'),
    })
    .describe('How indices are packed into batches.')
    .prefault({}),
  freeze: z
    .enum(['none', 'beforeMove', 'atCutover'])
    .default('none')
    .describe(
      'beforeMove: the indices of a batch get a write block on the source before they are moved. atCutover, with catchUp: all of them at the cutover, before the last of what was written is caught up with. none: stop writing by other means; verification finds what came later.',
    ),
  gates: z
    .array(z.enum(gateNames))
    .default(['cutover', 'finish'])
    .describe('Where a person must approve: before anything moves, before the cutover, before the finish.'),
  cutover: z
    .strictObject({
      aliases: z.boolean().default(true).describe("Put the source's aliases on the moved indices, in one request."),
      clients: z
        .string()
        .max(2000)
        .describe('What the applications must be pointed at, shown at the cutover.')
        .optional(),
    })
    .describe('What the cutover does.')
    .prefault({}),
  cleanup: z
    .strictObject({
      snapshots: z
        .enum(['keep', 'afterBatch', 'atFinish'])
        .default('atFinish')
        .describe("A batch's snapshot is kept, deleted once that batch is verified, or deleted at the finish."),
      hosts: z
        .enum(['keep', 'restore'])
        .default('keep')
        .describe(
          'restore: repositories, path.repo, mounts, exports and fstab lines of this run are taken back at the finish.',
        ),
    })
    .describe('What is left behind.')
    .prefault({}),
});

/** A runbook, whole and consistent. What contradicts itself is told together with what is malformed (`when`). */
export const migrationRunbook = migrationFields
  .superRefine(checkReferences, { when: () => true })
  .transform((runbook) => ({
    ...runbook,
    // the method's own section has a default for each of its fields, and so may be left out whole
    ...(runbook.method === 'copy' ? { copy: runbook.copy ?? copySettings.parse({}) } : {}),
    ...(runbook.method === 'remote-reindex' ? { reindex: runbook.reindex ?? reindexSettings.parse({}) } : {}),
  }));

/** What may be missing in a runbook that is not valid yet. */
type Draft<T> = T extends readonly (infer Item)[]
  ? Draft<Item>[]
  : T extends object
    ? { [K in keyof T]?: Draft<T[K]> }
    : T;

const isMapping = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What one part of a runbook says of another. It sees malformed runbooks too, so it takes nothing for granted. */
function checkReferences(parsed: unknown, context: z.core.$RefinementCtx): void {
  if (!isMapping(parsed)) return;
  const runbook = parsed as Draft<z.output<typeof migrationFields>>;
  const hosts = (Array.isArray(runbook.hosts) ? runbook.hosts : []).map((each) => (isMapping(each) ? each : undefined));
  const common = isMapping(runbook.ssh) ? runbook.ssh : {};
  const names = new Map(hosts.map((each) => [each?.name, each]));
  const wrong = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  hosts.forEach((each, index) => {
    if (each === undefined) return;
    if (each.name !== undefined && names.get(each.name) !== each) {
      wrong(['hosts', index, 'name'], 'a name that no other host has');
    }
    const own = each.ssh?.jumpHost;
    const jump = own ?? (each.role === 'jump' ? undefined : common.jumpHost);
    if (jump !== undefined && !names.has(jump)) {
      wrong(
        own === undefined ? ['ssh', 'jumpHost'] : ['hosts', index, 'ssh', 'jumpHost'],
        'the name of a host below hosts',
      );
    }
    if (each.connection === 'local') return;
    if (!(each.ssh?.user ?? common.user)) wrong(['hosts', index], 'an ssh user, here or under ssh');
    if (!(each.ssh?.privateKey ?? common.privateKey)) wrong(['hosts', index], 'an ssh privateKey, here or under ssh');
    if (!(each.ssh?.hostKey ?? each.ssh?.knownHosts ?? common.hostKey ?? common.knownHosts)) {
      wrong(['hosts', index], 'an ssh hostKey or knownHosts, here or under ssh: host keys are always verified');
    }
  });
  checkMethod(runbook, wrong);
  const { sharedFilesystem: share, existing } = runbook.snapshot?.repository ?? {};
  const at = ['snapshot', 'repository'];
  const known = (name: string | undefined, path: string[]) => {
    if (name !== undefined && !names.has(name)) wrong([...at, ...path], 'the name of a host below hosts');
  };
  if (isMapping(share)) {
    known(share.server, ['sharedFilesystem', 'server']);
    known(share.copy?.server, ['sharedFilesystem', 'copy', 'server']);
    if (share.copy?.server !== undefined && share.copy.server !== share.server) {
      const copy = [...at, 'sharedFilesystem', 'copy'];
      if (!share.copy.exportPath) wrong(copy, 'an exportPath, since the copy has a server of its own');
      if (!share.copy.mountPath) wrong(copy, 'a mountPath, since the copy has a server of its own');
    }
    for (const role of ['source', 'target'] as const) {
      if (!hosts.some((each) => each?.role === role))
        wrong(['hosts'], `a host with the role ${role}, to mount the share`);
    }
  }
  known(existing?.copyHost, ['existing', 'copyHost']);
}

/** A section that nobody would read is a mistake of the writer's, and so is one that is missing. */
function checkMethod(
  runbook: Draft<z.output<typeof migrationFields>>,
  wrong: (path: (string | number)[], message: string) => void,
): void {
  const { method = 'snapshot', snapshot, copy, reindex, catchUp } = runbook;
  // told by itself: what is no method says nothing of the sections
  if (!methods.includes(method)) return;
  if (method === 'snapshot' && snapshot === undefined)
    wrong(['snapshot'], 'where snapshots are kept, as method is snapshot');
  if (method !== 'snapshot' && snapshot !== undefined) wrong(['snapshot'], `nothing here, as method is ${method}`);
  if (method !== 'copy' && copy !== undefined) wrong(['copy'], `nothing here, as method is ${method}`);
  if (method !== 'remote-reindex' && reindex !== undefined) wrong(['reindex'], `nothing here, as method is ${method}`);
  const needsField = catchUp?.kind === 'time-field' || catchUp?.kind === 'append-only';
  if (needsField && catchUp.field === undefined) wrong(['catchUp'], `a field, as kind is ${catchUp.kind}`);
  // What follows would have to go through it a second time where a document was deleted and made anew.
  if (catchUp !== undefined && (copy?.pipeline ?? reindex?.pipeline) !== undefined)
    wrong([method === 'copy' ? 'copy' : 'reindex', 'pipeline'], 'no pipeline, as catchUp writes documents as they are');
  if (runbook.freeze === 'atCutover' && catchUp === undefined) wrong(['freeze'], 'catchUp, which atCutover is for');
  if (runbook.freeze === 'beforeMove' && catchUp !== undefined)
    wrong(['freeze'], 'atCutover or none: beforeMove leaves nothing to catch up with');
  // A document that an update takes out of the query would stay on the target for ever.
  const isByNumber = catchUp?.kind === 'sequence' || catchUp?.kind === 'time-series';
  if (isByNumber && (copy?.query ?? reindex?.query) !== undefined)
    wrong(['catchUp', 'kind'], `another kind than ${catchUp.kind}, as a query chooses the documents`);
}

/** A runbook with its defaults filled in: what a run is started with. Secrets in it are references. */
export type MigrationRunbook = z.output<typeof migrationRunbook>;
export type ClusterConnection = z.output<typeof cluster>;
export type RunbookHost = z.output<typeof host>;
/** The two sides of a migration, in code and in messages. */
export type Side = 'source' | 'target';
