import { faultTable } from '../support/fault-table';
import { evenRates, faults, startLossyProxy, type Fault, type LossyProxy } from '../support/lossy-proxy';
import { startPairOperator, type PairOperator } from '../support/pair-operator';
import { sharedPair } from '../support/shared-pair';

/**
 * Whole runs of method copy with catchUp sequence while something breaks, and an application goes on writing. The small
 * form is for every day; SHARDLIFT_FAULTS=all has all of them, and more of each.
 */
const isLong = process.env['SHARDLIFT_FAULTS'] === 'all';

jest.setTimeout(isLong ? 900_000 : 300_000);

const pair = sharedPair();
let operator: PairOperator;
const table = faultTable();

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => {
  await operator?.stop();
  table.print();
});

describe('a proxy that drops, delays, cuts, repeats and mixes up', () => {
  const proxies: LossyProxy[] = [];
  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  async function proxied(name: string, sides: ('source' | 'target')[], rate: number, seed: number): Promise<void> {
    const over: Record<string, unknown> = {};
    for (const side of sides) {
      const proxy = await startLossyProxy({ to: pair[side], seed, rates: evenRates(rate) });
      proxies.push(proxy);
      over[side] = { urls: [proxy.url] };
    }
    let retries = 0;
    const counts = () =>
      [
        `${retries} retries of the preflight`,
        ...[...Object.keys(faults), 'passed'].map(
          (fault) => `${proxies.reduce((sum, { done }) => sum + done[fault as 'passed'], 0)} ${fault}`,
        ),
      ].join(', ');
    await table.endsEqual(operator, `proxy before ${sides.join(' and ')}`, counts, {
      name,
      source: pair.source,
      target: pair.target,
      over,
      documents: isLong ? 20_000 : 4_000,
      docsPerSec: isLong ? 2_000 : 1_000,
      seed,
      // where what cannot be reached is told at once: an operator has just sat down to it
      async mend(status) {
        expect(status.phase).toBe('preflight');
        retries += 1;
        await operator.retry(name);
      },
    });
    const never = (Object.keys(faults) as Fault[]).filter((fault) => proxies.every(({ done }) => done[fault] === 0));
    // few of the requests are such that HTTP lets a proxy send them again
    expect(never.filter((fault) => fault !== 'repeated')).toEqual([]);
  }

  const long = isLong ? test : test.skip;
  test('before both clusters', () => proxied('proxy-both', ['source', 'target'], isLong ? 0.15 : 0.1, 3));
  long('before the source', () => proxied('proxy-source', ['source'], 0.2, 5));
  long('before the target', () => proxied('proxy-target', ['target'], 0.2, 7));
});
