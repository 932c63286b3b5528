import { fork } from 'node:child_process';
import path from 'node:path';
import { progress } from '../lab/progress';
import type { CopyJob, CopyUse } from './copy-client';
import { median, rounded } from './statistics';

export interface CopyOptions {
  documents: number;
  rounds: number;
  /** A directory for CPU profiles of the client processes. */
  profile?: string;
  json: boolean;
}

/** Name of what was measured, and what it took in one round. */
export interface CopyMeasurement extends CopyUse {
  name: string;
}

export interface CopyRow {
  name: string;
  docsPerSecond: number;
  mbPerSecond: number;
  clientCpuSeconds: number;
  peakRssMb: number;
}

/** Does the job in a process of its own. */
export function inClient(job: CopyJob, { profile }: Pick<CopyOptions, 'profile'>): Promise<CopyUse> {
  return new Promise((resolve, reject) => {
    const client = fork(path.join(__dirname, 'copy-client.ts'), {
      execArgv: ['--import', 'tsx', ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`])],
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    let done: { use?: CopyUse; error?: string } = {};
    client.once('message', (message) => (done = message as typeof done));
    client.once('exit', (code) => {
      if (done.use === undefined) reject(new Error(done.error ?? `the client process ended with ${code}`));
      else resolve(done.use);
    });
    client.once('error', reject);
    client.send(job);
  });
}

export function noted(measurement: CopyMeasurement): CopyMeasurement {
  const { name, documents, seconds, cpuSeconds, peakRssMb } = measurement;
  progress(
    `${name}: ${Math.round(documents / seconds)} documents/s, ${cpuSeconds.toFixed(2)} s of CPU, ${peakRssMb.toFixed(0)} MB`,
  );
  return measurement;
}

/** Medians over the rounds, in the order in which the names first came up. */
export function rowsOf(measurements: readonly CopyMeasurement[]): CopyRow[] {
  return [...new Set(measurements.map(({ name }) => name))].map((name) => {
    const same = measurements.filter((each) => each.name === name);
    const of = (value: (each: CopyMeasurement) => number) => rounded(median(same.map(value)), 2);
    return {
      name,
      docsPerSecond: of(({ documents, seconds }) => documents / seconds),
      mbPerSecond: of(({ bytes, seconds }) => bytes / 1e6 / seconds),
      clientCpuSeconds: of(({ cpuSeconds }) => cpuSeconds),
      peakRssMb: of((each) => each.peakRssMb),
    };
  });
}

export function tableOf(rows: readonly CopyRow[]): string {
  const head = `${'what'.padEnd(28)} ${'docs/s'.padStart(9)} ${'MB/s'.padStart(8)} ${'client CPU s'.padStart(13)} ${'peak RSS MB'.padStart(12)}`;
  const lines = rows.map(
    (row) =>
      `${row.name.padEnd(28)} ${row.docsPerSecond.toFixed(0).padStart(9)} ${row.mbPerSecond.toFixed(1).padStart(8)} ${row.clientCpuSeconds.toFixed(2).padStart(13)} ${row.peakRssMb.toFixed(0).padStart(12)}`,
  );
  return [head, ...lines].join('\n');
}
