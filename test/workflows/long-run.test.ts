import { workflowTypes } from '../../contracts/messages';
import type { RunStatus } from '../../contracts/status';
import { planOf, runbookOf } from '../support/fixtures';
import { recordedActivities } from '../support/recorded-activities';
import { startEnvironment, type Environment } from '../support/temporal-environment';

jest.setTimeout(180_000);

let environment: Environment;

beforeAll(async () => {
  // A server that suggests to continue as new early: what takes days of batches takes seconds here.
  environment = await startEnvironment(['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=150']);
}, 300_000);
afterAll(async () => environment?.stop());

test('a long run continues as new between batches, and nothing of it is forgotten or done twice', async () => {
  const batches = 24;
  const { activities, calls } = recordedActivities(planOf(batches));
  await environment.withWorker(activities, async (taskQueue) => {
    const runbook = runbookOf('long-run');
    const handle = await environment.client.workflow.start<(input: unknown) => Promise<RunStatus>>(
      workflowTypes.migration,
      {
        workflowId: runbook.name,
        taskQueue,
        args: [{ runbook }],
      },
    );
    const status = await handle.result();
    const chain = [];
    for await (const info of environment.client.workflow.list({ query: "WorkflowId = 'long-run'" }))
      chain.push(info.status.name);
    expect(chain.filter((name) => name === 'CONTINUED_AS_NEW').length).toBeGreaterThan(0);
    expect(status.state).toBe('completed');
    expect(status.totals).toMatchObject({ indices: batches, indicesDone: batches });
    expect(status.steps.find((step) => step.id === 'preflight/checks')?.state).toBe('done');
    for (const activity of ['takeSnapshot', 'restoreIndices']) {
      const made = calls.filter((call) => call.startsWith(`${activity} `));
      expect(made).toHaveLength(batches);
      expect(new Set(made).size).toBe(batches);
    }
    expect(calls.filter((call) => call.startsWith('registerRepository'))).toHaveLength(2);
  });
});
