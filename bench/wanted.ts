/** A figure beside what was asked for; what is not reached is said, and ends the process with 1 where that is asked for. */
export type Figure = { name: string; value: number; unit?: string } & (
  { atMost: number; atLeast?: undefined } | { atLeast: number; atMost?: undefined }
);

export function isReached({ value, atMost = Infinity, atLeast = -Infinity }: Figure): boolean {
  return value <= atMost && value >= atLeast;
}

export function figureLine(figure: Figure): string {
  const { name, value, unit = '', atMost, atLeast } = figure;
  const wanted = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${name.padEnd(28)} ${`${value.toFixed(2)}${unit}`.padStart(12)}   wanted ${wanted}${unit}${isReached(figure) ? '' : '   MISSED'}`;
}
