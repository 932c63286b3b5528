import { decisionRefused } from '../contracts/decisions';
import type { FailureInfo } from '../contracts/failures';
import { ClientError } from './client-error';
import { exitCodes, type ExitCode } from './exit-codes';

/** The one place that turns an error into an exit code and words. */
export interface Explanation {
  code: ExitCode;
  message: string;
  remedy?: string;
}

/** gRPC status codes that mean something to an operator. */
const grpc = {
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
};

export const unreachable =
  'start one on this machine with `shardlift up`, or name yours with TEMPORAL_ADDRESS or --address';
export const noWorker = 'start one with `shardlift worker` (or `shardlift up`), with the same --task-queue';

interface ErrorLike {
  name?: string;
  message?: string;
  code?: unknown;
  details?: unknown;
  cause?: unknown;
  type?: unknown;
  workflowId?: unknown;
  exitCode?: unknown;
}

/** Errors are told apart by name and not by class: loading the classes would load all of the Temporal client. */
export function explainError(error: unknown): Explanation {
  if (error instanceof ClientError) return { code: error.code, message: error.message, remedy: error.remedy };
  const like = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as ErrorLike;
  const message = like.message ?? 'unknown error';
  switch (like.name) {
    case 'WorkflowNotFoundError':
      return {
        code: exitCodes.noSuchRun,
        message: `no such run${typeof like.workflowId === 'string' && like.workflowId !== '' ? `: ${like.workflowId}` : ''}`,
        remedy: '`shardlift list` shows the runs that there are',
      };
    case 'WorkflowExecutionAlreadyStartedError':
      return {
        code: exitCodes.refused,
        message: `a run of this name exists already${typeof like.workflowId === 'string' ? `: ${like.workflowId}` : ''}`,
        remedy: 'look at it with `shardlift status`, or give the runbook another name',
      };
    case 'WorkflowUpdateFailedError':
      return explainRefusal(like);
    case 'WorkflowUpdateRPCTimeoutOrCancelledError':
      return {
        code: exitCodes.failed,
        message: 'no worker answered in time; the decision may still reach the run later',
        remedy: `look at \`shardlift status\` before deciding again; if no worker runs, ${noWorker}`,
      };
    case 'WorkflowFailedError': {
      const info = failureInfoOf(error);
      const words = info ? `${info.message} (${info.where})` : rootMessage(error);
      return { code: exitCodes.failed, message: words, remedy: info?.remedy };
    }
    case 'NamespaceNotFoundError':
      return {
        code: exitCodes.failed,
        message: `the Temporal server has no such namespace (${message})`,
        remedy: 'name it with TEMPORAL_NAMESPACE or --namespace, or create it there',
      };
    case 'TransportError':
      // What the worker's own connection throws.
      return {
        code: exitCodes.failed,
        message: `the Temporal server cannot be reached (${message})`,
        remedy: unreachable,
      };
    default:
      return explainGrpc(error) ?? { code: exitCodes.failed, message: rootMessage(error) };
  }
}

function explainRefusal(error: ErrorLike): Explanation {
  const cause = error.cause as ErrorLike | undefined;
  const message = cause?.message ?? error.message ?? 'refused';
  if (cause?.type === decisionRefused) return { code: exitCodes.refused, message };
  return { code: exitCodes.failed, message: `the decision failed: ${message}` };
}

function explainGrpc(error: unknown): Explanation | undefined {
  const found = chain(error).find((each) => typeof each.code === 'number' && typeof each.details === 'string');
  const text = chain(error).map((each) => each.message ?? '');
  const details = typeof found?.details === 'string' ? found.details : (text[0] ?? '');
  const unanswered = text.some((each) =>
    /failed to connect before the deadline|ECONNREFUSED|ENOTFOUND|EAI_AGAIN/i.test(each),
  );
  if (found?.code === grpc.unavailable || unanswered) {
    return {
      code: exitCodes.failed,
      message: `the Temporal server cannot be reached (${details})`,
      remedy: unreachable,
    };
  }
  switch (found?.code) {
    case grpc.unauthenticated:
    case grpc.permissionDenied:
      return {
        code: exitCodes.failed,
        message: `the Temporal server refuses these credentials (${details})`,
        remedy: 'check TEMPORAL_API_KEY, the TLS settings and the namespace of the profile',
      };
    case grpc.deadlineExceeded:
      return {
        code: exitCodes.failed,
        message: 'no answer in time: the server is slow, or no worker runs',
        remedy: `if no worker runs, ${noWorker}`,
      };
    case grpc.failedPrecondition:
      return /poller|worker/i.test(details)
        ? { code: exitCodes.failed, message: `no worker runs (${details})`, remedy: noWorker }
        : { code: exitCodes.refused, message: details };
    case grpc.notFound:
      return { code: exitCodes.noSuchRun, message: `no such run (${details})` };
    default:
      return undefined;
  }
}

/** The error and its causes, outermost first. */
function chain(error: unknown): ErrorLike[] {
  const found: ErrorLike[] = [];
  for (let each = error as ErrorLike | undefined; each && typeof each === 'object' && found.length < 10;) {
    found.push(each);
    each = each.cause as ErrorLike | undefined;
  }
  return found;
}

/** The innermost words: the outer ones only say that something failed. */
function rootMessage(error: unknown): string {
  const messages = chain(error).map((each) => each.message ?? '');
  return messages.filter((each) => each !== '').at(-1) ?? String(error);
}

/** What our activities put in the details of their failures. */
function failureInfoOf(error: unknown): FailureInfo | undefined {
  for (const each of chain(error)) {
    const [info] = Array.isArray(each.details) ? (each.details as unknown[]) : [];
    if (typeof info === 'object' && info !== null && 'remedy' in info && 'where' in info) return info as FailureInfo;
  }
  return undefined;
}
