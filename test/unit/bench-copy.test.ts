import { samenessOf, type Content } from '../../bench/copy-check';
import { corpora, sizes } from '../../bench/copy-corpora';
import { ratiosOf } from '../../bench/copy-report';
import { rotated, rowsOf, type CopyRow } from '../../bench/copy-rows';
import { seededRandom } from '../../lab/corpus/random';

const row = (name: string, docsPerSecond: number, clientCpuSeconds = 0): CopyRow => ({
  name,
  docsPerSecond,
  clientCpuSeconds,
  mbPerSecond: 0,
  peakRssMb: 0,
});

const bounds = [
  row('bare bulk load, bulks of 1000', 100),
  row('bare bulk load, bulks of 4000', 150),
  row('bare scan', 300),
];

test('ratios: to the best load and scan together, and to the best peer; _reindex has no client', () => {
  const rows = [
    ...bounds,
    row('Shardlift copy', 90, 2),
    row('Shardlift copy, raised load settings', 1000, 0.1),
    row('elasticdump, default', 10, 20),
    row('elasticsearch-py reindex, default', 30, 10),
    row('remote _reindex, size 1000', 60, 0),
  ];
  const { ratios, bound } = ratiosOf(rows, 1000);
  expect(bound).toBeCloseTo(100);
  expect(ratios).toEqual({ toBestPeer: 1.5, toBound: 0.9, cpuToBestPeer: 5 });
});

test('without the tools of others their ratios are not there, and nothing stands for them', () => {
  const { ratios } = ratiosOf([...bounds, row('Shardlift copy', 90, 2)], 1000);
  expect(ratios).toEqual({ toBestPeer: null, toBound: 0.9, cpuToBestPeer: null });
  expect(() => ratiosOf([row('Shardlift copy', 90, 2)], 1000)).toThrow('bound');
});

test('rounds begin with another one each', () => {
  expect([1, 2, 3].map((round) => rotated(['a', 'b', 'c', 'd', 'e', 'f'], round, 3)[0])).toEqual(['a', 'c', 'e']);
  expect([1, 2, 3].map((round) => rotated(['a', 'b'], round, 3).join(''))).toEqual(['ab', 'ba', 'ab']);
  // and has another one before it
  expect([1, 2, 3].map((round) => rotated(['a', 'b', 'c', 'd'], round, 3).join(''))).toEqual(['abcd', 'badc', 'cdab']);
});

test('rows are medians of their rounds', () => {
  const round = (seconds: number) => ({
    name: 'x',
    documents: 100,
    bytes: 1e6,
    seconds,
    cpuSeconds: seconds,
    peakRssMb: 1,
  });
  expect(rowsOf([round(1), round(4), round(2)])).toEqual(
    [row('x', 50, 2)].map((each) => ({ ...each, mbPerSecond: 0.5, peakRssMb: 1 })),
  );
});

test('what was copied is the same to the byte, or in its values, or not at all', () => {
  const source: Content = { documents: 2, bytes: 'b', values: 'v', versions: '1' };
  expect(samenessOf(source, { ...source })).toBe('bytes');
  expect(samenessOf(source, { ...source, bytes: 'c' })).toBe('values');
  expect(() => samenessOf(source, { ...source, bytes: 'c', values: 'w' })).toThrow('contents');
  expect(() => samenessOf(source, { ...source, documents: 1 })).toThrow('1 of 2');
});

test.each(sizes)('documents of %s are JSON of the size that is said', (size) => {
  const random = seededRandom(1, size);
  const count = size === 'large' ? 30 : 2_000;
  const bytes = Array.from({ length: count }, (_, number) => {
    const { source } = corpora[size].make(random, number, 1_100);
    JSON.parse(source);
    return source.length;
  });
  const [least, most, mean] = [Math.min(...bytes), Math.max(...bytes), bytes.reduce((a, b) => a + b, 0) / count];
  const range = { kb: [900, 1_300, 1_100], mixed: [100, 130_000, 4_400], large: [1 << 20, 21 << 20, 3_500_000] }[size];
  expect(least).toBeGreaterThanOrEqual(range[0] as number);
  expect(most).toBeLessThanOrEqual(range[1] as number);
  expect(mean).toBeGreaterThan((range[2] as number) * 0.8);
  expect(mean).toBeLessThan((range[2] as number) * 1.4);
});
