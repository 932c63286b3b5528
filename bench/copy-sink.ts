import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { ClientJob } from './copy-client';
import { inClient, noted, rotated, rowsOf, tableOf, type CopyMeasurement, type CopyOptions } from './copy-rows';
import { median, rounded } from './statistics';
import { figureLine, isReached, type Figure } from './wanted';

const documentBytes = 1024;
/** Parts that go at once in one worker process, as with two shards. */
const parts = 2;

const ownName = 'Shardlift copy';
const otherName = 'that of the other checkout';

/** What the client costs: source and target are a process that has its answers ready and counts lines. */
export async function benchCopySink(options: CopyOptions & { against?: string }): Promise<boolean> {
  const server = fork(path.join(__dirname, 'copy-sink-server.ts'), [String(documentBytes)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  try {
    const { port, firstSeqNo } = await ready(server);
    const end = { url: `http://127.0.0.1:${port}`, index: 'bench' };
    const each = Math.ceil(options.documents / parts);
    const measurements: CopyMeasurement[] = [];
    const job: ClientJob = {
      what: 'copy',
      source: { url: end.url, reading: 'sequence with pit' },
      target: end,
      parts: Array.from({ length: parts }, (_, shard) => ({
        index: 'bench',
        shard,
        afterSeqNo: firstSeqNo + shard * each - 1,
        toSeqNo: firstSeqNo + (shard + 1) * each - 1,
      })),
    };
    const contenders = [{ name: ownName, ...(options.profile === undefined ? {} : { profile: options.profile }) }];
    const other = options.against === undefined ? [] : [{ name: otherName, checkout: path.resolve(options.against) }];
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const { name, ...how } of rotated([...contenders, ...other], round, options.rounds)) {
        const use = await inClient(job, how);
        if (use.documents !== each * parts) throw new Error(`${use.documents} instead of ${each * parts} documents`);
        measurements.push(noted({ name, ...use }));
      }
    }
    return report(options, measurements);
  } finally {
    server.kill('SIGKILL');
  }
}

function ready(server: ChildProcess): Promise<{ port: number; firstSeqNo: number }> {
  return new Promise((resolve, reject) => {
    server.once('message', resolve);
    server.once('exit', (code) => reject(new Error(`the sink ended with ${code}`)));
  });
}

function report(options: CopyOptions, measurements: CopyMeasurement[]): boolean {
  const rows = rowsOf(measurements);
  const own = measurements.filter(({ name }) => name === ownName);
  const perCpuSecond = median(own.map(({ documents, cpuSeconds }) => documents / cpuSeconds));
  const figures: Figure[] = [
    { name: 'documents per CPU second', value: perCpuSecond, atLeast: 150_000 },
    { name: 'peak RSS', value: rows[0]?.peakRssMb ?? Number.NaN, atMost: 512, unit: ' MB' },
  ];
  const title = `${options.documents} documents of ${documentBytes} bytes, medians of ${options.rounds} rounds`;
  const text = [title, '', tableOf(rows), '', ...figures.map(figureLine), ''].join('\n');
  (options.json ? process.stderr : process.stdout).write(text);
  if (options.json)
    process.stdout.write(`${JSON.stringify({ rows, ratios: { documentsPerCpuSecond: rounded(perCpuSecond, 0) } })}\n`);
  return figures.every(isReached);
}
