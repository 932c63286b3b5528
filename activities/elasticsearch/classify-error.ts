import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { FailureInfo, FailureType } from '../../contracts/failures';
import { permanent, transient } from '../failure';

/** An error answer of Elasticsearch: `{"error":{"type","reason","root_cause"},"status"}`, or a bare text. */
export interface ErrorAnswer {
  status: number;
  type: string;
  reason: string;
}

interface Cause {
  type?: string;
  reason?: string;
  caused_by?: Cause;
}

const mostCauses = 5;

export function readErrorAnswer(status: number, body: unknown): ErrorAnswer {
  const error = (body as { error?: unknown } | null | undefined)?.error;
  if (typeof error === 'string') return { status, type: '', reason: error };
  const reasons: string[] = [];
  // The system's own words, such as "Read-only file system", are the last of the chain.
  for (let at = error as Cause | undefined; at && reasons.length < mostCauses; at = at.caused_by) {
    if (at.reason && !reasons.includes(at.reason)) reasons.push(at.reason);
  }
  // of a search, what its shards said
  for (const { reason } of (error as { root_cause?: Cause[] } | undefined)?.root_cause ?? []) {
    if (reason && !reasons.includes(reason) && reasons.length < mostCauses) reasons.push(reason);
  }
  const why = reasons.join(': ');
  return {
    status,
    type: (error as Cause | undefined)?.type ?? '',
    reason: why || (typeof body === 'string' ? body : JSON.stringify(body ?? '')).slice(0, 2000),
  };
}

type Rule = { type: FailureType; retry: boolean; message: string; remedy: string };

/** By exception type, before the status is looked at. Types as Elasticsearch prints them, in snake case. */
const byType: Record<string, Rule> = {
  concurrent_snapshot_execution_exception: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'another snapshot operation is under way',
    remedy: 'wait until it has ended, or cancel it if it is not wanted, then retry',
  },
  snapshot_in_progress_exception: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'a snapshot is using this index',
    remedy: 'wait until the snapshot has ended, then retry',
  },
  snapshot_missing_exception: {
    type: 'SnapshotMissing',
    retry: false,
    message: 'the snapshot is not in the repository',
    remedy: 'was it deleted by hand? retry takes the step again',
  },
  repository_missing_exception: {
    type: 'RepositoryConflict',
    retry: false,
    message: 'the repository is not registered',
    remedy: 'register it again as the plan shows, then retry',
  },
  repository_verification_exception: {
    type: 'RepositoryNotWritable',
    retry: true,
    message: 'not every node can use the repository',
    remedy:
      "on the node named: is the share mounted, is the directory writable for the elasticsearch user's uid, does path.repo hold it? then retry",
  },
  index_not_found_exception: {
    type: 'IndexMissing',
    retry: false,
    message: 'an index is not there (any more)',
    remedy:
      'bring it back and retry; if it was deleted on purpose, abort and start a run without it (select.exclude): a skip would leave its whole batch unmoved',
  },
  snapshot_restore_exception: {
    type: 'RestoreRefused',
    retry: false,
    message: 'the target refuses to restore this snapshot',
    remedy:
      'see the reason; an index that the target has already is never overwritten: delete it there by hand if it is not needed, then retry',
  },
  master_not_discovered_exception: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'the cluster has no elected master',
    remedy: 'bring the master-eligible nodes back, then retry',
  },
  // not of Elasticsearch: see brokenAnswer
  broken_answer: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'an answer came damaged, or that of another request came',
    remedy: 'look at the proxy or load balancer before the cluster; it is asked again',
  },
  invalid_index_name_exception: {
    type: 'ClusterRequestFailed',
    retry: false,
    message: 'the index name is refused',
    remedy: 'leave the index out by select.exclude',
  },
};

const byStatus: Record<number, Rule> = {
  401: {
    type: 'ClusterAuthenticationFailed',
    retry: false,
    message: 'user name, password or API key is refused',
    remedy:
      'correct the secret that auth refers to, on the worker (one from the environment needs the worker to be started again), then retry',
  },
  403: {
    type: 'ClusterPermissionDenied',
    retry: false,
    message: 'the user may not do this',
    remedy: 'grant the privilege named in the reason (docs/security.md has the list), then retry',
  },
  408: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'the cluster took too long',
    remedy: 'look at its load, then retry',
  },
  429: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'the cluster is overloaded and refuses work',
    remedy: 'take load off it, then retry',
  },
  502: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'a proxy before the cluster cannot reach it',
    remedy: 'look at the proxy and the nodes, then retry',
  },
  503: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'the cluster is not available',
    remedy: 'look at its health and its master, then retry',
  },
  504: {
    type: 'ClusterUnavailable',
    retry: true,
    message: 'the cluster did not answer in time',
    remedy: 'look at its load, then retry',
  },
};

/**
 * The one place that decides what an error answer means. What is unknown: 5xx may pass and is tried again, which is safe
 * as each activity looks before it acts; 4xx will be refused again and is not.
 */
export function classifyAnswer(where: string, answer: ErrorAnswer): ApplicationFailure {
  const rule = special(answer) ?? byType[answer.type] ?? byStatus[answer.status];
  const why = `HTTP ${answer.status} ${answer.type}: ${answer.reason}`.slice(0, 2000);
  if (rule) return failure(rule, where, why);
  return failure(
    {
      type: 'ClusterRequestFailed',
      retry: answer.status >= 500,
      message: 'the cluster refused a request',
      remedy: 'see the reason; retry once it is mended',
    },
    where,
    why,
  );
}

/** Answers whose type alone says too little. */
function special({ type, status, reason }: ErrorAnswer): Rule | undefined {
  // what a shard says that is being opened, as after the restart of its node; or a scroll that died with it
  if (type === 'search_phase_execution_exception' && status === 404) {
    return {
      type: 'ClusterUnavailable',
      retry: true,
      message: 'a shard cannot be searched for now',
      remedy:
        'is a node of the cluster restarting? GET _cat/shards says which shards are not started; retry once they are',
    };
  }
  if (/doesn't match any of the locations specified by path\.repo/.test(reason)) {
    return {
      type: 'RepositoryMissingPath',
      retry: false,
      message: 'a node does not have the directory in path.repo',
      remedy: 'put it into path.repo in elasticsearch.yml of every node and restart the nodes one by one, then retry',
    };
  }
  // An earlier attempt's request came through after all, after its answer was given up: the next attempt looks, and
  // follows what is ours, or says by name what is not.
  if (type === 'invalid_snapshot_name_exception' && /already exists|in.progress/i.test(reason)) {
    return {
      type: 'ClusterUnavailable',
      retry: true,
      message: 'a snapshot of that name has just been begun',
      remedy: 'retry follows it',
    };
  }
  if (type === 'snapshot_restore_exception' && /same name already exists/.test(reason)) {
    return {
      type: 'RestoreRefused',
      retry: true,
      message: 'an index of that name has just come into being on the target',
      remedy: 'retry looks whose it is',
    };
  }
  if (/No space left on device/i.test(reason)) {
    return {
      type: 'ShareFull',
      retry: false,
      message: 'the share is full',
      remedy: 'make room on the share (delete what is not needed, or grow it), then retry',
    };
  }
  // Refused before anything is written, as every snapshot here must be whole. A node that restarts comes back by itself.
  if (type === 'snapshot_exception' && /don't have primary shards/.test(reason)) {
    return {
      type: 'SnapshotFailed',
      retry: true,
      message: 'a primary shard is on no node: a snapshot without it would not be whole',
      remedy:
        'bring the nodes back that hold the indices named (_cat/shards says which shards are unassigned), then retry',
    };
  }
  if (/Stale file handle/i.test(reason)) {
    return {
      type: 'MountStale',
      retry: false,
      message: 'a mount of the share is stale',
      remedy: 'on the node named: umount -f and mount the share again, then retry',
    };
  }
  if (
    /CorruptIndexException|CorruptedBlob|checksum failed|checksums do not match|corrupt/i.test(reason) ||
    /^corrupt_(index|state)_exception$/.test(type)
  ) {
    return {
      type: 'BlobCorrupted',
      retry: false,
      message: 'a file of the snapshot is damaged',
      remedy:
        'check the disk of the share; retry of a restore takes a new snapshot of the batch, copies it and restores it again',
    };
  }
  if (/Read-only file system/i.test(reason)) {
    return {
      type: 'ShareNotWritable',
      retry: false,
      message: 'the share is mounted read-only',
      remedy: 'export and mount it read-write for the nodes of the source, then retry',
    };
  }
  // Lifted by the cluster itself, once there is room again; older ones leave that to the operator, and say FORBIDDEN.
  if (type === 'cluster_block_exception' && /TOO_MANY_REQUESTS\/12/.test(reason)) {
    return {
      type: 'ClusterUnavailable',
      retry: true,
      message: 'the disk of a node is over its flood stage: its indices take no writes',
      remedy:
        'make room on the disks of the cluster, or add nodes (GET _cat/allocation?v says which is full): the block is lifted by itself, and the run goes on',
    };
  }
  if (type === 'cluster_block_exception' && /FORBIDDEN\/9/.test(reason)) {
    return {
      type: 'ClusterRequestFailed',
      retry: false,
      message:
        'an index has index.blocks.metadata set, which closes the settings and aliases of all indices to reading',
      remedy: 'take index.blocks.metadata off that index, or leave it out by select.exclude, then retry',
    };
  }
  if (type === 'cluster_block_exception' && /FORBIDDEN\/(5|8|12|13)/.test(reason)) {
    return {
      type: 'ClusterRequestFailed',
      retry: false,
      message: 'an index or the cluster is write-blocked',
      remedy: 'if the disk is over its flood stage, make room; then remove the block and retry',
    };
  }
  return undefined;
}

/** Errors without an answer: connection refused or lost, time limit, TLS. */
export function classifyTransport(where: string, error: unknown): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const {
    name = '',
    message = String(error),
    meta,
  } = error as { name?: string; message?: string; meta?: { meta?: { connection?: { url?: unknown } } } };
  if (/RequestAborted/.test(name)) return new CancelledFailure('cancelled');
  const why =
    `${name}: ${message}`.slice(0, 1000) +
    (meta?.meta?.connection?.url instanceof URL ? ` (${meta.meta.connection.url.host})` : '');
  if (/certificate|self.signed|altnames|wrong version number|EPROTO|unable to verify/i.test(message)) {
    return failure(
      {
        type: 'ClusterUnreachable',
        retry: false,
        message: "the cluster's TLS certificate is not trusted, or it does not speak TLS",
        remedy:
          'set tls.ca or tls.fingerprint of the cluster, or correct http and https in urls; certificate checks cannot be switched off',
      },
      where,
      why,
    );
  }
  if (/ProductNotSupported/.test(name)) {
    return failure(
      {
        type: 'ClusterRequestFailed',
        retry: false,
        message: 'what answers there is not Elasticsearch',
        remedy: 'correct urls of the cluster; a proxy must pass the X-Elastic-Product header',
      },
      where,
      why,
    );
  }
  return failure(
    {
      type: 'ClusterUnreachable',
      retry: true,
      message: 'no node of the cluster answers',
      remedy: 'are the nodes up, is the address right, does a firewall let the worker through? then retry',
    },
    where,
    why,
  );
}

/** Whether a request was given up by its own limit: what it asked for may well go on. */
export function timedOut(error: unknown): boolean {
  if (!(error instanceof ApplicationFailure) || error.type !== 'ClusterUnreachable') return false;
  return (error.details as FailureInfo[] | undefined)?.[0]?.why?.startsWith('TimeoutError') ?? false;
}

function failure(rule: Rule, where: string, why: string): ApplicationFailure {
  const info: FailureInfo = { type: rule.type, message: rule.message, where, why, remedy: rule.remedy };
  return (rule.retry ? transient : permanent)(info);
}
