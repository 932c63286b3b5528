import { fork } from 'node:child_process';
import path from 'node:path';
import { progress } from '../lab/progress';
import type { ClientJob, CopyUse } from './copy-client';
import type { Sameness } from './copy-check';
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

/** Does the job in a process of its own; of another checkout, where its root is given. */
export function inClient(
  job: ClientJob,
  { profile, checkout = path.join(__dirname, '..') }: Pick<CopyOptions, 'profile'> & { checkout?: string },
): Promise<CopyUse> {
  return new Promise((resolve, reject) => {
    const client = fork(path.join(checkout, 'bench', 'copy-client.ts'), {
      cwd: checkout,
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

/** Each round begins with another one, every second goes backwards: none has the servers always as the same one has left them. */
export function rotated<T>(all: T[], round: number, rounds: number): T[] {
  // over all rounds every one has been everywhere about, if there are rounds enough
  const from = (rounds < all.length ? Math.floor(((round - 1) * all.length) / rounds) : round - 1) % all.length;
  const forwards = [...all.slice(from), ...all.slice(0, from)];
  return round % 2 === 1 ? forwards : [...forwards.slice(0, 1), ...forwards.slice(1).reverse()];
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

/** With what became of the documents, where each row was compared with the source. */
export function tableOf(rows: readonly CopyRow[], sameness: ReadonlyMap<string, Sameness> = new Map()): string {
  const width = Math.max(...rows.map(({ name }) => name.length)) + 1;
  const line = (name: string, ...columns: string[]) =>
    [name.padEnd(width), ...columns.map((text, at) => text.padStart(at < 2 ? 9 : 13))].join(' ').trimEnd();
  return [
    line('what', 'docs/s', 'MB/s', 'client CPU s', 'peak RSS MB', 'documents'),
    ...rows.map(({ name, docsPerSecond, mbPerSecond, clientCpuSeconds, peakRssMb }) => {
      const same = sameness.get(name);
      const figures = [
        docsPerSecond.toFixed(0),
        mbPerSecond.toFixed(1),
        clientCpuSeconds.toFixed(2),
        peakRssMb.toFixed(0),
      ];
      return line(name, ...figures, same === undefined ? '' : `same ${same}`);
    }),
  ].join('\n');
}
