import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { defaultTaskQueue } from '../contracts/messages';
import { planOf } from '../test/support/fixtures';
import { recordedActivities } from '../test/support/recorded-activities';
import { dataConverter } from '../worker/data-converter';

/**
 * A worker process with the built workflows and activities that do nothing: address of the server, number of batches, and
 * the share of them that go at once. The others take as long as real ones do, so that the run goes on while it is asked.
 */
async function main([address = '', batches = '1', fast = '0']: string[]): Promise<void> {
  // whoever started us is gone: so is the server
  process.on('disconnect', () => process.exit(0));
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const total = Number(batches);
  const slowFrom = total * Number(fast);
  let taken = 0;
  const plan = planOf(total);
  // small ones go side by side: a thousand are done in minutes
  for (const batch of plan.batches) batch.sizeBytes = 1024 ** 2;
  const { activities } = recordedActivities(plan, {
    takeSnapshot: async () => {
      if ((taken += 1) > slowFrom) await sleep(2_000);
      return { changed: true, summary: 'taken', changes: [], state: 'SUCCESS', failures: [], bytes: 1, files: 1 };
    },
  });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue: defaultTaskQueue,
    workflowBundle: { codePath: path.join(__dirname, '..', 'dist', 'workflow-bundle.js') },
    activities,
    dataConverter,
    // as the product's own worker
    maxCachedWorkflows: 200,
  });
  await worker.run();
}

void main(process.argv.slice(2));
