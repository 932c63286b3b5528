/**
 * How many requests may be under way: up by one for each round that went through, down to a half when the cluster says
 * that it is too much, as TCP does it.
 */
export interface Concurrency {
  /** At least 1. */
  readonly limit: number;
  /** Mark of a request that begins; goes into `rejected`. */
  begin(): number;
  accepted(): void;
  rejected(mark: number): void;
}

export function additiveIncrease(options: { initial: number; most: number }): Concurrency {
  let limit = Math.min(options.initial, options.most);
  let generation = 0;
  return {
    get limit() {
      return Math.max(1, Math.floor(limit));
    },
    begin: () => generation,
    accepted() {
      limit = Math.min(options.most, limit + 1 / limit);
    },
    rejected(mark) {
      // what began before the last cut tells nothing of the new limit: one storm is one cut
      if (mark !== generation) return;
      generation++;
      limit = Math.max(1, limit / 2);
    },
  };
}
