import { progress } from '../lab/progress';
import { benchCatchUp } from './catch-up';
import { benchCopy } from './copy';
import { corpora, type CopySize } from './copy-corpora';
import { benchCopySink } from './copy-sink';

/** So many that the whole ends within about 20 minutes of an idle machine with two cores. */
const rounds: Record<CopySize, number> = { kb: 3, mixed: 2, large: 1 };
const sinkDocuments = 600_000;
const watchedSeconds = 60;

/** Everything that is measured of `copy` and catch-up, one after the other, each with a report of its own. */
export async function benchDocuments({ json }: { json: boolean }): Promise<boolean> {
  const parts: [string, () => Promise<boolean>][] = [
    ['copy --sink', () => benchCopySink({ documents: sinkDocuments, rounds: 5, json })],
    ...Object.entries(rounds).map(([name, count]): [string, () => Promise<boolean>] => {
      const size = name as CopySize;
      const { documents } = corpora[size];
      const copy = { size, documents, rounds: count, peers: true, timeline: false, json };
      return [`copy --size ${size} --rounds ${count}`, () => benchCopy(copy)];
    }),
    ['catch-up', () => benchCatchUp({ seconds: watchedSeconds, perSecond: 1_000, json })],
  ];
  let isGood = true;
  for (const [what, measure] of parts) {
    (json ? process.stderr : process.stdout).write(`\n== ${what}\n`);
    try {
      isGood = (await measure()) && isGood;
    } catch (error) {
      // the others say what they say all the same
      progress(`${what} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      isGood = false;
    }
  }
  return isGood;
}
