/** A figure beside what was asked for; what is more than wanted is said, and ends the process with 1 where that is asked for. */
export interface Figure {
  name: string;
  value: number;
  atMost: number;
  unit?: string;
}

export function isReached({ value, atMost }: Figure): boolean {
  return value <= atMost;
}

export function figureLine(figure: Figure): string {
  const { name, value, atMost, unit = '' } = figure;
  return `${name.padEnd(28)} ${`${value.toFixed(2)}${unit}`.padStart(12)}   wanted at most ${atMost}${unit}${isReached(figure) ? '' : '   MISSED'}`;
}
