import type { ApplicationFailure } from '@temporalio/common';
import { classifyAnswer, classifyTransport, readErrorAnswer } from '../../activities/elasticsearch/classify-error';
import type { FailureInfo } from '../../contracts/failures';

/** Bodies as real servers sent them, shortened. */
const answers: [string, number, unknown, FailureInfo['type'], 'retried' | 'stuck'][] = [
  [
    'wrong password',
    401,
    error('security_exception', 'unable to authenticate user [x]'),
    'ClusterAuthenticationFailed',
    'stuck',
  ],
  [
    'missing privilege',
    403,
    error('security_exception', 'action [cluster:monitor/main] is unauthorized'),
    'ClusterPermissionDenied',
    'stuck',
  ],
  ['overload', 429, error('circuit_breaking_exception', '[parent] Data too large'), 'ClusterUnavailable', 'retried'],
  ['no master', 503, error('master_not_discovered_exception', ''), 'ClusterUnavailable', 'retried'],
  ['a proxy in trouble', 502, '<html>Bad Gateway</html>', 'ClusterUnavailable', 'retried'],
  [
    'a master that has the share read-only: its system says so, three causes down',
    500,
    {
      error: {
        type: 'repository_verification_exception',
        reason: '[r] path  is not accessible on master node',
        caused_by: {
          type: 'repository_exception',
          reason: '[r] cannot create blob store',
          caused_by: { type: 'file_system_exception', reason: '/mnt/es/r: Read-only file system' },
        },
      },
    },
    'ShareNotWritable',
    'stuck',
  ],
  [
    'another snapshot under way',
    503,
    error('concurrent_snapshot_execution_exception', 'a snapshot is already running'),
    'ClusterUnavailable',
    'retried',
  ],
  [
    'a search of a shard that is being opened after the restart of its node',
    404,
    {
      error: {
        type: 'search_phase_execution_exception',
        reason: 'all shards failed',
        root_cause: [
          {
            type: 'illegal_index_shard_state_exception',
            reason:
              'CurrentState[RECOVERING] operations only allowed when shard state is one of [POST_RECOVERY, STARTED]',
          },
        ],
      },
    },
    'ClusterUnavailable',
    'retried',
  ],
  ['an index deleted', 404, error('index_not_found_exception', 'no such index [a]'), 'IndexMissing', 'stuck'],
  [
    'our own snapshot, begun by an attempt that never heard of it',
    400,
    error(
      'invalid_snapshot_name_exception',
      'Invalid snapshot name [s], snapshot with the same name is already in-progress',
    ),
    'ClusterUnavailable',
    'retried',
  ],
  [
    'our own restore, likewise',
    500,
    error(
      'snapshot_restore_exception',
      'cannot restore index [a] because an open index with same name already exists in the cluster',
    ),
    'RestoreRefused',
    'retried',
  ],
  [
    'a version that cannot be restored',
    500,
    error('snapshot_restore_exception', 'the snapshot was created with version [6.8.23]'),
    'RestoreRefused',
    'stuck',
  ],
  [
    'a directory outside of path.repo',
    500,
    error('repository_exception', "location [/x] doesn't match any of the locations specified by path.repo"),
    'RepositoryMissingPath',
    'stuck',
  ],
  [
    'a node that cannot write',
    500,
    error('repository_verification_exception', 'store location is not accessible on the node'),
    'RepositoryNotWritable',
    'retried',
  ],
  [
    'a primary shard that is on no node',
    500,
    error('snapshot_exception', "[r:s] Indices don't have primary shards [a]"),
    'SnapshotFailed',
    'retried',
  ],
  [
    'a damaged file that says what a snapshot holds',
    500,
    error('corrupt_state_exception', 'checksums do not match read [787135141] but expected [2726994651]'),
    'BlobCorrupted',
    'stuck',
  ],
  [
    'the same, below what it was read for',
    500,
    {
      error: {
        type: 'snapshot_exception',
        reason: '[r:s] failed to get snapshot info',
        caused_by: { type: 'corrupt_state_exception', reason: 'checksums do not match read [1] but expected [2]' },
      },
    },
    'BlobCorrupted',
    'stuck',
  ],
  ['a full share', 500, error('exception', 'java.io.IOException: No space left on device'), 'ShareFull', 'stuck'],
  [
    'a stale mount',
    500,
    error('exception', 'java.nio.file.FileSystemException: /mnt/x: Stale file handle'),
    'MountStale',
    'stuck',
  ],
  [
    'a damaged file',
    500,
    error('corrupt_index_exception', 'checksum failed (hardware problem?)'),
    'BlobCorrupted',
    'stuck',
  ],
  [
    'closed metadata',
    403,
    error('cluster_block_exception', 'index [a] blocked by: [FORBIDDEN/9/index metadata (api)];'),
    'ClusterRequestFailed',
    'stuck',
  ],
  ['a bad request', 400, error('illegal_argument_exception', 'unknown setting'), 'ClusterRequestFailed', 'stuck'],
  ['an unknown server error', 500, error('null_pointer_exception', 'null'), 'ClusterRequestFailed', 'retried'],
];

function error(type: string, reason: string): unknown {
  return { error: { type, reason, root_cause: [{ type, reason }] } };
}

function infoOf(failure: unknown): FailureInfo {
  return (failure as ApplicationFailure).details?.[0] as FailureInfo;
}

test.each(answers)('%s', (_name, status, body, type, then) => {
  const failure = classifyAnswer('source cluster, GET /', readErrorAnswer(status, body));
  expect([failure.type, failure.nonRetryable ? 'stuck' : 'retried']).toEqual([type, then]);
  const info = infoOf(failure);
  expect(info).toMatchObject({ type, where: 'source cluster, GET /' });
  expect(info.why).toContain(`HTTP ${status}`);
  expect(info.remedy.length).toBeGreaterThan(10);
});

test('a connection that is refused may come back; a certificate that is not trusted will not', () => {
  const refused = classifyTransport(
    'target cluster',
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { name: 'ConnectionError' }),
  );
  expect(refused).toMatchObject({ type: 'ClusterUnreachable', nonRetryable: false });
  const untrusted = classifyTransport(
    'target cluster',
    Object.assign(new Error('self-signed certificate in chain'), { name: 'ConnectionError' }),
  );
  expect(untrusted).toMatchObject({ type: 'ClusterUnreachable', nonRetryable: true });
  expect(infoOf(untrusted).remedy).toContain('tls.ca');
});

test('an abort is a cancellation, no failure of the cluster', () => {
  expect(
    classifyTransport('x', Object.assign(new Error('Request aborted'), { name: 'RequestAbortedError' })).name,
  ).toBe('CancelledFailure');
});
