import type { RemoteAllowlistInput } from './reindex';
import type { MigrationRunbook } from './runbook';
import type { Change, Check, HostRecordKind } from './status';
import type { HostChange, MigrationPlan, SharePlan } from './plan';

/**
 * Inputs and results of the activities in activities/hosts/. Every activity takes the whole runbook's host settings:
 * they hold no secrets, only references, and are small.
 */
export interface HostInput {
  /** Name of the run: host records and marked blocks carry it. */
  run: string;
  /** Id of the step, for evidence. */
  step: string;
  runbook: MigrationRunbook;
  /** Name of the host to work on. */
  host: string;
}

/** What a step that changes something answers: whether it had to, in words, and the evidence of each change. */
export interface StepOutcome {
  changed: boolean;
  summary: string;
  changes: Change[];
}

/** What a host says of itself; read-only. */
export interface HostFacts {
  host: string;
  family: 'debian' | 'redhat' | 'unknown';
  /** "Debian GNU/Linux 12 (bookworm)". */
  distribution: string;
  hostname: string;
  /** IP addresses of its interfaces, loopback left out. */
  addresses: string[];
  sudo: boolean;
  systemd: boolean;
  /** Of the runbook's service; exists is false where systemd does not know it. */
  service: { unit: string; exists: boolean; active: boolean; enabled: boolean; user: string };
  /** The elasticsearch user's ids; left out on hosts without it. */
  elasticsearchUser?: { name: string; uid: number; gid: number };
  /** Path of elasticsearch.yml, if it is there. */
  elasticsearchYml?: { path: string; parses: boolean; error?: string; pathRepo: string[] };
  /** Host's clock minus the worker's, halved round trip taken off. */
  clockOffsetMs: number;
  packages: { nfsServer: boolean; nfsClient: boolean; rsync: boolean };
  firewall: 'ufw' | 'firewalld' | 'none';
  /** Room where this host keeps snapshot files: what it exports, and what it copies between. Left out on other hosts. */
  room?: DirectoryRoom[];
}

export interface DirectoryRoom {
  /** As the runbook names it; measured at its nearest directory that is there. */
  path: string;
  /** Number of the file system that it lies on: two directories with one number share their room. */
  device: string;
  freeBytes: number;
  /** What the directory holds already; 0 where counting took too long. */
  usedBytes: number;
}

export interface PathRepoInput extends HostInput {
  /** Directories that path.repo must hold; others in it stay. */
  paths: string[];
}

export interface ShareHostInput extends HostInput {
  share: SharePlan;
  /** Name of the elasticsearch user's uid and gid that owns the exported directory. */
  owner: { uid: number; gid: number };
}

export interface ShareTokenInput extends HostInput {
  share: SharePlan;
  /** Text of the token: the run's name and the step's. */
  token: string;
}

/** What systemd knows of the Elasticsearch service: decides whether the running process has read the present file. */
export interface NodeServiceState {
  active: boolean;
  activeState: string;
  /** The process began after elasticsearch.yml was last changed. */
  startedAfterConfigChange: boolean;
  /** Milliseconds since 1970 on the host's clock; 0 when not running. */
  startedAtMs: number;
  /** Last lines of the journal when it is not active. */
  journal?: string;
}

export interface CopyJobInput extends HostInput {
  /** Id of the detached job: the same id is the same job. */
  job: string;
  /** Repository directories. */
  from: string;
  to: string;
  /** Name of the snapshot whose files are copied: only its own, then the repository's index. */
  snapshot: string;
  indices: string[];
  maxBytesPerSec?: number;
  verify: 'checksum' | 'size';
}

export interface CopyJobResult extends StepOutcome {
  bytes: number;
  files: number;
  seconds: number;
}

export interface HostChecksResult {
  checks: Check[];
  facts: HostFacts[];
}

/** What activities/hosts/index.ts makes. Each names in its comment why it may run twice. */
export interface HostActivities {
  /** Facts and checks of every host of the runbook; read-only. */
  inspectHosts(input: { run: string; runbook: MigrationRunbook }): Promise<HostChecksResult>;
  /** What prepare would change on the hosts, read-only: file contents before and after. */
  previewHostChanges(
    input: { run: string; runbook: MigrationRunbook } & Pick<MigrationPlan, 'shares' | 'remoteAllowlist'>,
  ): Promise<HostChange[]>;

  installPackage(input: HostInput & { package: 'nfs-server' | 'nfs-client' | 'rsync' }): Promise<StepOutcome>;
  /** On the server: the directory, owned by the elasticsearch user. */
  ensureShareDirectory(input: ShareHostInput): Promise<StepOutcome>;
  /** On the server: /etc/exports for exactly the clients, exportfs -ra. */
  ensureExport(input: ShareHostInput): Promise<StepOutcome>;
  /** On the server: the NFS service enabled and running. */
  ensureNfsService(input: HostInput): Promise<StepOutcome>;
  /** On the server: NFS let in from the clients where a firewall is active. */
  ensureFirewall(input: ShareHostInput): Promise<StepOutcome>;
  /** On a client: mount point, fstab line, mount. On the server: a bind mount where mountPath is not exportPath. */
  ensureMount(input: ShareHostInput): Promise<StepOutcome>;
  /** Writes a token on the server as the elasticsearch user and reads it on the client, and back where it may write. */
  checkShare(input: ShareTokenInput): Promise<StepOutcome>;

  /** path.repo in elasticsearch.yml, comments and order kept. Restarts nothing. */
  ensurePathRepo(input: PathRepoInput): Promise<StepOutcome>;
  /** The source's address in the setting that lets the node fetch from it; restarts nothing. */
  setRemoteAllowlist(input: RemoteAllowlistInput): Promise<StepOutcome>;
  /** Looks; changes nothing. */
  readNodeService(input: HostInput): Promise<NodeServiceState>;
  /** systemctl restart, unless the running process already started after the file's last change. */
  restartNodeService(input: HostInput): Promise<StepOutcome>;

  /** Starts the copy as a detached job, or finds it, and follows it to its end with heartbeats of type Progress. */
  copySnapshotFiles(input: CopyJobInput): Promise<CopyJobResult>;
  /** Removes the copied files of one snapshot (its own only). */
  removeCopiedSnapshot(input: HostInput & { location: string; snapshot: string }): Promise<StepOutcome>;
  /** Removes a directory that this run made for copies, and nothing else. */
  removeCopyDirectory(input: HostInput & { location: string }): Promise<StepOutcome>;
  /** Changes of this run that the host's records still know, newest first: what an activity did that never answered. */
  listHostRecords(input: HostInput): Promise<{ id: string; kind: HostRecordKind | 'pathRepo'; summary: string }[]>;
  /** Takes back one recorded change of this run on one host; ok when there is no record. */
  undoHostChange(input: HostInput & { id: string }): Promise<StepOutcome>;
  /** Takes back the elasticsearch.yml of this run; the restart is the caller's. */
  undoPathRepo(input: HostInput & { id: string }): Promise<StepOutcome>;
}
