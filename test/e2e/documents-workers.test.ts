import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveStatus } from '../../client/live-status';
import { killSession, type ProcessIdentity } from '../../lab/process';
import { shardlift } from '../../lab/shardlift';
import type { Driver } from '../support/fault-run';
import { faultTable } from '../support/fault-table';
import { evenRates, startLossyProxy } from '../support/lossy-proxy';
import { runbookOf } from '../support/fixtures';
import { http, makeIndex, sharedPair } from '../support/shared-pair';
import { startOperator, type Operator } from '../support/site-run';
import { waitUntil } from '../support/wait-until';

/**
 * The Temporal server dies in a copy; workers stand still, or lose it, for longer than their heartbeats may be missing: then
 * what they hold must not be written beside the new attempt, or after an abort. Workers are processes of their own, so these are slow:
 * only with SHARDLIFT_FAULTS=all. documents-crash.test.ts kills workers every day.
 */
const describeLong = process.env['SHARDLIFT_FAULTS'] === 'all' ? describe : describe.skip;

jest.setTimeout(900_000);

/** Above the heartbeat timeout of activities that move documents, 15 s. */
const longerThanHeartbeatsMs = 22_000;

describeLong('workers and their server', () => {
  const pair = sharedPair();
  const table = faultTable();
  let operator: Operator;
  let directory: string;
  let driver: Driver;

  beforeAll(async () => {
    operator = await startOperator(pair, 'documents-workers');
    directory = path.join(pair.directory, 'documents-workers');
    const tell = async (...argv: string[]) => {
      const { code, stdout, stderr } = await operator.cli.run(argv, { capture: true });
      if (code !== 0) throw new Error(`shardlift ${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
      return stdout;
    };
    driver = {
      tell,
      async start(runbook) {
        mkdirSync(path.join(directory, 'runs'), { recursive: true });
        const file = path.join(directory, 'runs', `${runbook.name}.yaml`);
        writeFileSync(file, JSON.stringify(runbook));
        return tell('start', file);
      },
      // the run itself hears little of its catch-up: the verb asks that, too
      status: async (run) => JSON.parse(await tell('status', run, '-o', 'json')) as LiveStatus,
    };
  }, 120_000);
  afterAll(async () => {
    await operator?.stop();
    table.print();
  });

  /** Workers whose process is known, at an address of the server that may be another than its own. */
  async function worker(name: string, address = operator.temporal.address): Promise<ProcessIdentity> {
    const env = { TEMPORAL_ADDRESS: address, SHARDLIFT_USER: 'test' };
    const started = await shardlift({ directory, env }).start(['worker'], name);
    endings.push(() => killSession(started));
    return started;
  }
  /** After each test, also one that has failed: what is left open would keep jest from its end. */
  const endings: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const ending of endings.splice(0)) await ending();
  });
  const logOf = (name: string) => readFileSync(path.join(directory, `${name}.log`), 'utf8');

  test('the Temporal server is killed in a copy, and in the catch-up', async () => {
    await worker('of-killed-server');
    const kill = async () => {
      await operator.temporal.kill9();
      await sleep(2_000);
      await operator.temporal.restart();
    };
    await table.endsEqual(driver, 'Temporal server', () => 'kill -9 in the copy and in the catch-up', {
      name: 'temporal-dies',
      source: pair.source,
      target: pair.target,
      documents: 12_000,
      docsPerSec: 1_000,
      seed: 43,
      copying: kill,
      following: kill,
    });
  });

  test('a worker stands still in a copy: every document is counted once', async () => {
    const workers = [await worker('still-1'), await worker('still-2')];
    const documents = 12_000;
    const last = await table.endsEqual(driver, 'worker stands still', () => 'SIGSTOP for 22 s in the copy', {
      name: 'still-copy',
      source: pair.source,
      target: pair.target,
      documents,
      docsPerSec: 300,
      seed: 47,
      isQuiet: true,
      async copying() {
        await sleep(5_000);
        const [first] = workers;
        if (first) process.kill(first.pid, 'SIGSTOP');
        await sleep(longerThanHeartbeatsMs);
        if (first) process.kill(first.pid, 'SIGCONT');
      },
    });
    const summary = last.status.batches[0]?.steps.find(({ id }) => id.endsWith('/documents'))?.summary ?? '';
    const [written, found] = [/^(\d+) documents/, /(\d+) were there already/].map((each) =>
      Number(each.exec(summary)?.[1] ?? 0),
    );
    expect([summary, (written ?? 0) + (found ?? 0)]).toEqual([summary, documents + Math.ceil(documents / 5)]);
  });

  test('workers stand still in turn while they follow a live source', async () => {
    const slow = await startLossyProxy({ to: pair.target, seed: 53, rates: { delayed: 0.9 } });
    endings.push(() => slow.close());
    const workers = [await worker('turn-1'), await worker('turn-2')];
    await table.endsEqual(driver, 'workers stand still in turn', () => 'SIGSTOP for 22 s, 4 times', {
      name: 'still-following',
      source: pair.source,
      target: pair.target,
      over: { target: { urls: [slow.url] } },
      documents: 6_000,
      docsPerSec: 2_000,
      seed: 53,
      patienceMs: 400_000,
      async following() {
        for (let turn = 0; turn < 4; turn++) {
          const pid = workers[turn % 2]?.pid ?? 0;
          await sleep(3_000);
          process.kill(pid, 'SIGSTOP');
          await sleep(longerThanHeartbeatsMs);
          process.kill(pid, 'SIGCONT');
        }
        slow.set({});
      },
    });
  });

  test('a worker loses the Temporal server in the copy and in the catch-up', async () => {
    const way = await tcpWay(operator.temporal.address);
    endings.push(() => way.close());
    const lossy = await startLossyProxy({ to: pair.target, seed: 59, rates: evenRates(0.1) });
    endings.push(() => lossy.close());
    await worker('cut-off', way.address);
    await worker('beside');
    const cut = async () => {
      await sleep(3_000);
      way.cut();
      await sleep(longerThanHeartbeatsMs + 10_000);
      way.mend();
    };
    await table.endsEqual(
      driver,
      'worker loses the Temporal server',
      () => '32 s in the copy and in the catch-up, a proxy of 10% faults before the target',
      {
        name: 'cut-off',
        source: pair.source,
        target: pair.target,
        over: { target: { urls: [lossy.url] } },
        documents: 12_000,
        docsPerSec: 250,
        seed: 59,
        patienceMs: 400_000,
        copying: cut,
        following: cut,
      },
    );
    expect(logOf('cut-off')).toMatch(/Temporal has not answered the worker for \d+ s/);
  });

  test('a run is aborted while a worker of it has lost the Temporal server: nothing is made anew', async () => {
    const way = await tcpWay(operator.temporal.address);
    endings.push(() => way.close());
    const run = 'cut-off-aborted';
    const orders = `${pair.target}/${run}-orders`;
    const isThere = async () => (await http(`${orders}/_count`)).status === 200;
    await makeIndex(pair.source, `${run}-orders`, 20_000, { number_of_shards: 2 });
    await worker('cut-off-alone', way.address);
    const copy = { parts: { maxDocuments: 2_000 }, limits: { bulkBytes: '5kb', docsPerSec: 250 } };
    const clusters = { source: { urls: [pair.source] }, target: { urls: [pair.target] } };
    const ofDocuments = { method: 'copy', snapshot: undefined, copy, ...clusters };
    await driver.start(runbookOf(run, { ...ofDocuments, select: { include: [`${run}-*`] } }));
    const documents = async () => {
      await http(`${orders}/_refresh`, 'POST');
      return (await http<{ count?: number }>(`${orders}/_count`)).body.count ?? 0;
    };
    await waitUntil(documents, (found) => found > 500, { timeoutMs: 120_000, what: 'the copy' });

    way.cut();
    const cutAt = Date.now();
    const beside = await worker('beside-aborted');
    // it does go on: else nothing would be seen here
    const before = await documents();
    await waitUntil(documents, (found) => found > before, { what: 'what it goes on writing' });
    // the server may hand the decision to the one that is cut off, twice, 10 s each time: then it reaches the run without an answer
    await driver.tell('abort', run, '--yes', '--reason', 'test').catch((error: Error) => {
      if (!error.message.includes('the decision may still reach the run later')) throw error;
    });
    const ended = await waitUntil(
      () => driver.status(run).catch(() => undefined),
      (status) => status?.endedAt !== undefined,
      { timeoutMs: 120_000, what: 'the end of the abort' },
    );
    expect([ended?.state, ended?.differences, await isThere()]).toEqual(['aborted', [], false]);
    // what it held is thousands of documents, for a minute
    const anew = await waitUntil(isThere, Boolean, { timeoutMs: 15_000, what: 'an index made anew' }).catch(
      () => false,
    );
    expect(anew).toBe(false);
    process.stdout.write(`aborted and undone ${Math.round((Date.now() - cutAt) / 1000 - 15)} s after the cut\n`);
    expect(logOf('cut-off-alone')).toMatch(/Temporal has not answered the worker for \d+ s/);

    way.mend();
    await killSession(beside);
    await waitUntil(
      async () => logOf('cut-off-alone'),
      (log) => log.includes('Temporal answers the worker again'),
      {
        timeoutMs: 60_000,
        what: 'the worker to be heard again',
      },
    );
    // and it works again, alone
    const after = 'cut-off-after';
    await makeIndex(pair.source, `${after}-orders`, 500);
    await driver.start(runbookOf(after, { ...ofDocuments, select: { include: [`${after}-*`] } }));
    const last = await waitUntil(
      () => driver.status(after).catch(() => undefined),
      (status) => status?.endedAt !== undefined,
      { timeoutMs: 120_000, what: 'the next run' },
    );
    expect([last?.state, await isThere()]).toEqual(['completed', false]);
  });
});

/** A way to a server that swallows everything while it is cut: nobody is told that the other side is gone. */
async function tcpWay(to: string) {
  const [host = '', port = ''] = to.split(':');
  let isCut = false;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), host);
    for (const [from, onward] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => void (isCut || onward.write(chunk)));
      from.on('error', () => undefined);
      from.on('close', () => onward.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    cut: () => void (isCut = true),
    /** What was swallowed is missing in the midst: those connections are of no use any more. */
    mend() {
      isCut = false;
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
