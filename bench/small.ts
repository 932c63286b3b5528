import { loadFiller } from '../lab/loader';
import { progress } from '../lab/progress';
import { checkCounts } from './elasticsearch';
import { build, runPrefix, withBenchLab } from './lab';
import { benchRunbook } from './runbooks';
import { report } from './report';
import { runShardlift, timeline } from './shardlift-run';
import { median } from './statistics';

/** One index of a megabyte from `start` to the end, by way of a copy: all of it is fixed cost. */
export async function benchSmall(options: { rounds: number; json: boolean; timeline: boolean }): Promise<boolean> {
  build();
  return withBenchLab({}, async (lab) => {
    const { indices } = await loadFiller({ url: lab.pair.source.url, indices: 1, megabytesEach: 1, prefix: 'bench' });
    const documents = new Map(indices.map(({ name, docs }) => [name, docs]));
    const seconds: number[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      await lab.reset();
      const name = `${runPrefix}small-${round}`;
      const file = lab.runbook(name, benchRunbook(lab, name, { batchBytes: 1 << 30 }));
      const run = await runShardlift(lab, name, file);
      await checkCounts(lab.pair.target.url, documents);
      seconds.push(run.seconds);
      progress(`round ${round}: ${run.seconds.toFixed(1)} s`);
      if (options.timeline) process.stderr.write(`${timeline(run.status)}\n`);
    }
    await lab.reset();
    return report('one small index, start to end', options, [
      { name: 'start --wait', value: median(seconds), atMost: 15, unit: ' s' },
    ]);
  });
}
