/**
 * What can go wrong, by meaning. A failure's type is the `type` of its ApplicationFailure; names are never reused for
 * another meaning. docs/failures.md has a section for each: cause, what the run does, remedy.
 */
export const failureTypes = [
  // the runbook and its secrets
  'RunbookInvalid',
  'SecretUnresolved',
  // reaching things
  'HostUnreachable',
  'HostKeyUnknown',
  'HostKeyChanged',
  'SshAuthenticationFailed',
  'SudoRefused',
  'CommandFailed',
  'ClusterUnreachable',
  'ClusterAuthenticationFailed',
  'ClusterPermissionDenied',
  'ClusterRequestFailed',
  'ClusterUnavailable',
  // checks
  'PreflightFailed',
  // hosts
  'HostNotSupported',
  'PackageInstallFailed',
  'PathOccupied',
  'ExportRefused',
  'MountPointNotEmpty',
  'MountFailed',
  'MountStale',
  'ShareNotWritable',
  'ShareFull',
  'ConfigUnreadable',
  'NodeDidNotReturn',
  'NodeUnknown',
  // snapshots
  'RepositoryConflict',
  'RepositoryNotWritable',
  'RepositoryMissingPath',
  'SnapshotPartial',
  'SnapshotFailed',
  'SnapshotMissing',
  'CopyFailed',
  'DocumentsRefused',
  'CopyDiffers',
  'RestoreRefused',
  'RestoreFailed',
  'BlobCorrupted',
  'IndexNameTaken',
  'IndexMissing',
  'AllocationFailed',
  // proof
  'VerificationFailed',
  'AliasConflict',
  // ours
  'Unexpected',
] as const;
export type FailureType = (typeof failureTypes)[number];

/** The first entry of an ApplicationFailure's details; what status and report show of a stuck step. */
export interface FailureInfo {
  type: FailureType;
  /** What failed, one sentence. */
  message: string;
  /** Host, node, cluster, index, file: whatever names the place. */
  where: string;
  /** What was seen: an error body, the last lines of a command's stderr. Never a secret. */
  why?: string;
  /** What the operator can do, in words. */
  remedy: string;
}
