import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { defaultTaskQueue, queries, workflowTypes } from '../contracts/messages';
import type { RunStatus } from '../contracts/status';
import { dismantle, dismantleOnSignals, guard } from '../lab/guard';
import { makeLabDirectory, newLabName } from '../lab/directories';
import { progress } from '../lab/progress';
import { waitFor } from '../lab/wait';
import { runbookOf } from '../test/support/fixtures';
import { dataConverter } from '../worker/data-converter';
import { build, runPrefix, startEngine } from './lab';
import { report } from './report';
import { median } from './statistics';

/** Asked while so many of the batches are done: by then nearly every batch has a full set of steps to tell of. */
const askedFrom = 0.9;

/** How long `status` answers while a run of many batches goes on, on a real Temporal server. */
export async function benchStatus(options: { batches: number; asks: number; json: boolean }): Promise<boolean> {
  build();
  dismantleOnSignals();
  const directory = makeLabDirectory(`status-${newLabName()}`);
  guard(directory);
  let worker: ChildProcess | undefined;
  const engine = await startEngine(directory, { withWorker: false });
  try {
    const { address } = engine.temporal;
    worker = fork(path.join(__dirname, 'recorded-worker.ts'), [address, String(options.batches), String(askedFrom)], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    const connection = await Connection.connect({ address });
    const client = new Client({ connection, dataConverter });
    const run = `${runPrefix}status`;
    const handle = await client.workflow.start(workflowTypes.migration, {
      workflowId: run,
      taskQueue: defaultTaskQueue,
      args: [{ runbook: runbookOf(run, { batches: { inFlight: 10 } }) }],
    });
    await waitUntilUnderWay(() => handle.query<RunStatus>(queries.status), options.batches);
    const query: number[] = [];
    const command: number[] = [];
    for (let ask = 0; ask < options.asks; ask += 1) {
      query.push(await millisecondsOf(() => handle.query(queries.status)));
      command.push(
        await millisecondsOf(async () => {
          const { code, stderr } = await engine.cli.run(['status', run], { capture: true });
          if (code !== 0) throw new Error(`shardlift status ended with ${code}: ${stderr}`);
        }),
      );
      await sleep(200);
    }
    const { batches, state } = await handle.query<RunStatus>(queries.status);
    const done = batches.filter((batch) => batch.state === 'done').length;
    if (state !== 'running') throw new Error(`the run was over (${state}) before all was asked`);
    const help = await millisecondsOf(() => engine.cli.run(['--version'], { capture: true }));
    await handle.terminate();
    await connection.close();
    return report(
      `a run of ${options.batches} batches, ${done} of them done at the end; medians of ${options.asks} (slowest: query ${Math.max(...query).toFixed(0)} ms, command ${Math.max(...command).toFixed(0)} ms; --version alone ${help.toFixed(0)} ms)`,
      options,
      [
        { name: 'the query itself', value: median(query), atMost: 200, unit: ' ms' },
        { name: '`shardlift status`, whole', value: median(command), atMost: 200, unit: ' ms' },
      ],
    );
  } finally {
    worker?.kill('SIGKILL');
    await engine.stop();
    await dismantle(directory);
  }
}

async function waitUntilUnderWay(status: () => Promise<RunStatus>, batches: number): Promise<void> {
  let told = 0;
  await waitFor(
    async () => {
      const seen = (await status()).batches.filter(({ state }) => state === 'done').length;
      if (seen >= told + batches / 5) progress(`${(told = seen)} of ${batches} batches are done …`);
      return seen >= batches * askedFrom;
    },
    { what: 'the batches to be done', timeoutMs: 30 * 60_000, everyMs: 1_000 },
  );
}

async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
