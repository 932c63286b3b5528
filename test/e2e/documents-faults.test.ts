import { wholeRun, type FaultRun, type FaultRunEnd } from '../support/fault-run';
import { evenRates, faults, startLossyProxy, type LossyProxy } from '../support/lossy-proxy';
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
const table: string[][] = [];

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => {
  await operator?.stop();
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table)
    process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`);
});

/** Runs it, expects that nothing is missing or different, and has a row for the table. */
async function endsEqual(fault: string, howOften: () => string, run: FaultRun): Promise<FaultRunEnd> {
  const end = await wholeRun(operator, run);
  const { status, differences, documents, operations, unanswered, seconds } = end;
  const { catchUp } = status;
  const written = `${operations} operations (${unanswered} requests unanswered), ${catchUp?.rounds} rounds, ${catchUp?.written} written and ${catchUp?.deleted} deleted by them, ${seconds} s`;
  table.push([
    fault,
    howOften(),
    written,
    `${status.state}, ${documents} documents, ${differences.length} differences`,
  ]);
  expect(differences.slice(0, 20)).toEqual([]);
  expect([status.state, status.differences]).toEqual(['completed', []]);
  expect(operations).toBeGreaterThan(100);
  return end;
}

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
    const counts = () =>
      [...Object.keys(faults), 'passed']
        .map((fault) => `${proxies.reduce((sum, { done }) => sum + done[fault as 'passed'], 0)} ${fault}`)
        .join(', ');
    await endsEqual(`proxy before ${sides.join(' and ')}`, counts, {
      name,
      source: pair.source,
      target: pair.target,
      over,
      documents: isLong ? 20_000 : 4_000,
      docsPerSec: isLong ? 2_000 : 1_000,
      seed,
    }).finally(() => process.stdout.write(`${counts()}\n`));
    for (const { done } of proxies) for (const fault of Object.values(done)) expect(fault).toBeGreaterThan(0);
  }

  const long = isLong ? test : test.skip;
  test('before both clusters', () => proxied('proxy-both', ['source', 'target'], 0.05, 3));
  long('before the source', () => proxied('proxy-source', ['source'], 0.15, 5));
  long('before the target', () => proxied('proxy-target', ['target'], 0.15, 7));
});
