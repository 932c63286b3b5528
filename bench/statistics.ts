/** One thing measured once. */
export interface Measurement {
  name: string;
  seconds: number;
  bytes: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  if (high === undefined) throw new RangeError('the median of nothing');
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2;
}

/** A row for each name, in the order in which the names first came up, with the medians over the rounds. */
export function medians(measurements: readonly Measurement[]): Measurement[] {
  const names = [...new Set(measurements.map(({ name }) => name))];
  return names.map((name) => {
    const same = measurements.filter((each) => each.name === name);
    return { name, seconds: median(same.map((each) => each.seconds)), bytes: median(same.map((each) => each.bytes)) };
  });
}

export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

/** Seconds that some work takes. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}
