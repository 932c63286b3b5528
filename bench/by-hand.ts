import { runOrThrow } from '../lab/process';
import * as elasticsearch from './elasticsearch';
import type { BenchLab } from './lab';
import { secondsOf } from './statistics';

/** Names of the indices that go together. */
export type Batch = string[];

/** The repository of the source, and the copy of its directory that the target reads. */
interface Places {
  from: string;
  to: string;
}

async function register({ pair, newDirectory }: BenchLab, repository: string): Promise<Places> {
  const [from, to] = [newDirectory(repository), newDirectory(`${repository}-copy`)];
  await elasticsearch.registerRepository(pair.source.url, repository, { location: from });
  await elasticsearch.registerRepository(pair.target.url, repository, { location: to, readonly: true });
  return { from, to };
}

async function copy({ from, to }: Places): Promise<void> {
  await runOrThrow('rsync', ['-a', `${from}/`, `${to}/`]);
}

/**
 * What an operator does without Shardlift, and without a pause for thought: batch after batch a snapshot, a copy of the
 * repository's directory, a restore, each waited for to its end, with the limits that servers come with.
 */
export async function byHand(lab: BenchLab, batches: Batch[]): Promise<number> {
  const { source, target } = lab.pair;
  const repository = 'by-hand';
  return secondsOf(async () => {
    const places = await register(lab, repository);
    for (const [position, indices] of batches.entries()) {
      const snapshot = `batch-${position + 1}`;
      await elasticsearch.takeSnapshot(source.url, repository, snapshot, indices);
      await copy(places);
      await elasticsearch.restore(target.url, repository, snapshot, indices);
    }
  });
}

export interface Stages {
  snapshot: number;
  copy: number;
  restore: number;
}

/**
 * Seconds of each stage alone over everything at once: with those limits no order of work is quicker than the slowest of
 * them.
 */
export async function stagesAlone(lab: BenchLab, indices: string[]): Promise<Stages> {
  const { source, target } = lab.pair;
  const repository = 'alone';
  const places = await register(lab, repository);
  return {
    snapshot: await secondsOf(() => elasticsearch.takeSnapshot(source.url, repository, 'all', indices)),
    copy: await secondsOf(() => copy(places)),
    restore: await secondsOf(() => elasticsearch.restore(target.url, repository, 'all', indices)),
  };
}
