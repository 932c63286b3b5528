import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { digestIndices, differences } from '../../lab/digest';
import { stopSession, type ProcessIdentity } from '../../lab/process';
import { http, pairRunbook, sharedPair } from '../support/shared-pair';
import { startOperator, statusOf, type Operator } from '../support/site-run';

/** A worker that copies documents of 20 MB among small ones, all parts at once, stays below 512 MB. */

/** Half a gigabyte is written, copied and read on both sides: mostly the servers' time, and a busy machine takes five times as long. */
jest.setTimeout(600_000);

const pair = sharedPair();
const index = 'heavy-papers';
const shards = 4;
const largeBytes = 20 << 20;
const large = 24;
const smallBetween = 400;
let operator: Operator;
let worker: ProcessIdentity;

beforeAll(async () => {
  operator = await startOperator(pair, 'copy-memory');
  worker = await operator.cli.start(['worker'], 'worker');
});
afterAll(async () => {
  if (worker) await stopSession(worker);
  await operator?.stop();
});

/** Small ones first, so that pages have grown when the large ones come. */
async function fill(): Promise<void> {
  const made = await http(`${pair.source}/${index}`, 'PUT', {
    settings: { number_of_shards: shards, number_of_replicas: 0, refresh_interval: '-1' },
    mappings: { dynamic: false, properties: { n: { type: 'long' } } },
  });
  expect(made.status).toBe(200);
  for (let each = 0; each < large; each += 1) {
    const lines = Array.from(
      { length: smallBetween },
      (_, at) => `{"index":{"_id":"small-${each}-${at}"}}\n{"n":${at},"text":"${'small '.repeat(20)}"}\n`,
    );
    const text = `paper ${each} `.repeat(largeBytes / 8).slice(0, largeBytes);
    lines.push(`{"index":{"_id":"large-${each}"}}\n{"n":${each},"text":"${text}"}\n`);
    const { body } = await http<{ errors: boolean }>(`${pair.source}/${index}/_bulk`, 'POST', lines.join(''));
    expect(body.errors).toBe(false);
  }
  await http(`${pair.source}/${index}/_refresh`, 'POST');
}

function peakRssMb(): number {
  const status = readFileSync(`/proc/${worker.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

test('documents of 20 MB among small ones: the worker stays below 512 MB', async () => {
  const run = 'heavy';
  await fill();
  const file = path.join(pair.directory, 'copy-memory', 'heavy.yaml');
  const runbook = { method: 'copy', snapshot: undefined, copy: { parts: { inFlight: shards } } };
  writeFileSync(file, JSON.stringify(pairRunbook(run, runbook)));
  const ended = await operator.cli.run(['start', file, '--wait'], { capture: true });
  expect([ended.code, ended.stderr]).toEqual([0, expect.any(String)]);
  const status = await statusOf(operator, run);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  const peak = peakRssMb();
  process.stdout.write(
    `${large} documents of 20 MB in ${shards} parts: the worker had ${peak.toFixed(0)} MB at most\n`,
  );
  expect(peak).toBeLessThan(512);
  const [from, to] = await Promise.all([pair.source, pair.target].map((url) => digestOf(url)));
  expect(differences(from ?? {}, to ?? {}, { versions: true })).toEqual([]);
});

/** Of 50 documents a few are large. */
const digestOf = (url: string) => digestIndices({ url, indices: [index], page: 50 });
