import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { temporalBinary } from '../../lab/temporal';
import { dataConverter } from '../../worker/data-converter';

Runtime.install({ logger: new DefaultLogger('ERROR') });

/** A real Temporal server with nothing in it, for one test file; the workflows are bundled once. */
export async function startEnvironment(extraArgs: string[] = []) {
  const [path, bundle] = await Promise.all([temporalBinary(), bundleWorkflows()]);
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path }, extraArgs },
    client: { dataConverter },
  });
  let queues = 0;
  return {
    environment,
    client: environment.client,
    stop: () => environment.teardown(),
    /** Runs a worker with these activities while `test` goes on; each on a task queue of its own. */
    async withWorker<T>(activities: object, test: (taskQueue: string) => Promise<T>): Promise<T> {
      const taskQueue = `test-${(queues += 1)}`;
      const worker = await Worker.create({
        connection: environment.nativeConnection,
        taskQueue,
        workflowBundle: bundle,
        activities,
        dataConverter,
        // as run-worker.ts has it: cancellations come with the answers to heartbeats
        maxHeartbeatThrottleInterval: '1s',
        defaultHeartbeatThrottleInterval: '1s',
      });
      return worker.runUntil(test(taskQueue));
    },
  };
}

export type Environment = Awaited<ReturnType<typeof startEnvironment>>;

export async function bundleWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({ workflowsPath: require.resolve('../../workflows'), logger: new DefaultLogger('ERROR') });
}
