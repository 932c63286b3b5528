import { ApplicationFailure } from '@temporalio/common';
import {
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import { ClientError } from '../../client/client-error';
import { exitCodeOf, exitCodes } from '../../client/exit-codes';
import { explainError } from '../../client/explain-error';
import { decisionRefused } from '../../contracts/decisions';

const refused = ApplicationFailure.create({ type: decisionRefused, message: 'the gate is not open' });
const broken = ApplicationFailure.create({
  type: 'ClusterUnreachable',
  message: 'no node answers',
  details: [{ type: 'ClusterUnreachable', message: 'no node answers', where: 'source', remedy: 'start one' }],
});
const grpcError = (code: number, details: string) =>
  Object.assign(new Error(`${code} X: ${details}`), { code, details });
const serviceError = (cause: Error) =>
  Object.assign(new Error('Failed to query Workflow'), { name: 'ServiceError', cause });

test.each([
  ['no such run', new WorkflowNotFoundError('not found', 'logs', undefined), 3, 'no such run: logs'],
  ['refused by the run', new WorkflowUpdateFailedError('Workflow Update failed', refused), 4, 'the gate is not open'],
  [
    'a decision that broke',
    new WorkflowUpdateFailedError('Workflow Update failed', broken),
    1,
    'the decision failed: no node answers',
  ],
  [
    'a run of that name',
    new WorkflowExecutionAlreadyStartedError('exists', 'logs', 'migrationWorkflow'),
    4,
    'a run of this name exists already: logs',
  ],
  [
    'no worker took a decision',
    new WorkflowUpdateRPCTimeoutOrCancelledError('timeout'),
    1,
    'no worker answered in time; the decision may still reach the run later',
  ],
  [
    'a failed plan',
    new WorkflowFailedError('Workflow execution failed', broken, 'RETRY_POLICY_NOT_SET'),
    1,
    'no node answers (source)',
  ],
  [
    'no server',
    serviceError(grpcError(14, 'No connection established')),
    1,
    'the Temporal server cannot be reached (No connection established)',
  ],
  [
    'no worker',
    serviceError(grpcError(9, 'no poller seen for task queue recently, worker may be down')),
    1,
    'no worker runs (no poller seen for task queue recently, worker may be down)',
  ],
  [
    'a slow answer',
    serviceError(grpcError(4, 'Deadline exceeded')),
    1,
    'no answer in time: the server is slow, or no worker runs',
  ],
  [
    'a wrong key',
    serviceError(grpcError(16, 'Request unauthorized.')),
    1,
    'the Temporal server refuses these credentials (Request unauthorized.)',
  ],
  ['our own', new ClientError(exitCodes.timedOut, 'too late'), 6, 'too late'],
  ['anything else', new Error('outer', { cause: new Error('inner') }), 1, 'inner'],
  ['no error at all', 'a text', 1, 'a text'],
])('%s', (_, error, code, message) => {
  expect(explainError(error)).toMatchObject({ code, message });
});

test('what cannot be reached says what helps', () => {
  expect(explainError(serviceError(grpcError(14, 'x'))).remedy).toMatch(/shardlift up.*TEMPORAL_ADDRESS/);
  expect(explainError(serviceError(grpcError(9, 'no poller seen'))).remedy).toMatch(/shardlift worker/);
  expect(explainError(new WorkflowFailedError('failed', broken, 'RETRY_POLICY_NOT_SET')).remedy).toBe('start one');
});

test.each([
  ['completed', 0],
  ['running', 0],
  ['undoing', 0],
  ['failed', 1],
  ['aborted', 1],
  ['stuck', 5],
  ['waiting', 5],
  ['paused', 5],
  ['completed with differences', 7],
] as const)('a run that is %s is exit code %i', (state, code) => {
  expect(exitCodeOf(state)).toBe(code);
});
