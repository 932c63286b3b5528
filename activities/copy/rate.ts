/**
 * How hard one cluster is worked: decided here, and only here, from what is told of it. Requests at once and bytes of a
 * request go up while answers come as quickly as before, and down at once when the cluster says, or shows, that it is too
 * much. No clock and no request in it.
 */
export interface Rate {
  /** Requests that may be under way at once; at least 1. */
  readonly limit: number;
  /** Of the bytes that a request may have: above 0, at most 1. */
  readonly share: number;
  /** Why it is not more; nothing while it grows, or has all it may have. */
  readonly held: string | undefined;
  /** Most requests at once, as the parts under way allow it. */
  most: number;
  /** Mark of a request that begins; goes into `refused`. */
  begin(): number;
  /** @param slowness how long it took, against what was usual: see `slowness`. */
  accepted(mark: number, slowness?: number): void;
  /** A full queue, a circuit breaker, no answer. */
  refused(mark: number, why: string): void;
  /** What the cluster's statistics show. */
  strained(why: string): void;
}

/** Up to here an answer is as quick as before: beyond it nothing grows. */
const holds = 1.5;
/** From here on there is less. */
const tooSlow = 3;
/** By latency alone there are never fewer: documents of another sort are slower too, and no sign of a cluster in need. */
const fewestForLatency = 2;
const smallestShare = 1 / 64;

/** @param first how many requests at once it begins with; Infinity for as many as it may. */
export function rateOf({ first, most }: { first: number; most: number }): Rate {
  let allowed = most;
  let limit = first;
  let share = 1 / 4;
  let generation = 0;
  /** Doubles with every round, until something speaks against it. */
  let isStarting = true;
  /** What there was before the last cut: once that is reached again, nothing is held back. */
  let before = 0;
  let held: { why: string; isLatency: boolean } | undefined;

  function cut(to: number, why: string, isLatency: boolean): void {
    const now = Math.min(limit, allowed);
    if (to < 1) share = Math.max(smallestShare, share / 2);
    before = held === undefined || held.isLatency ? now : Math.max(before, now);
    limit = Math.max(1, to);
    generation++;
    isStarting = false;
    held = { why, isLatency };
  }

  /** What is above is so because there are fewer parts now: it counts again with the next one. */
  function raise(by: number): void {
    if (limit < allowed) limit = Math.min(allowed, limit + by);
  }

  function grow(): void {
    if (isStarting) {
      share = Math.min(1, share * 1.5);
      raise(1);
    } else if (share < 1) share = Math.min(1, share * 1.1);
    else raise(1 / limit);
    if (held !== undefined && (held.isLatency || (share === 1 && limit >= Math.min(before, allowed)))) held = undefined;
  }

  return {
    get limit() {
      return Math.max(1, Math.floor(Math.min(limit, allowed)));
    },
    get share() {
      return share;
    },
    get held() {
      return held?.why;
    },
    get most() {
      return allowed;
    },
    set most(value) {
      allowed = value;
    },
    begin: () => generation,
    accepted(mark, slowness = 1) {
      if (slowness <= holds) return grow();
      isStarting = false;
      const why = `answers take ${slowness.toFixed(1)} times as long as at their best`;
      const now = Math.min(limit, allowed);
      if (slowness < tooSlow || now <= fewestForLatency) {
        if (held === undefined || held.isLatency) held = { why, isLatency: true };
      } else if (mark === generation) cut(Math.max(fewestForLatency, now * 0.7), why, true);
    },
    refused(mark, why) {
      // what began before the last cut tells nothing of the new limit: one storm is one cut
      if (mark === generation) cut(Math.min(limit, allowed) / 2, why, false);
    },
    strained(why) {
      cut(Math.min(limit, allowed) / 2, why, false);
    },
  };
}

/** Smaller requests would cost the cluster more than they spare it. */
const fewestBytes = 64 << 10;

export function bytesNow({ share }: Pick<Rate, 'share'>, most: number): number {
  return Math.min(most, Math.max(fewestBytes, share * most));
}

/** Below, an answer is quick, whatever it was before. */
const quickMs = 100;
/** Of smaller requests most of the time is not spent on their bytes. */
const tellingBytes = 256 << 10;

/**
 * How long requests of one sort take for their bytes, against their best of late. The best is forgotten slowly, so that
 * documents that have become dearer, or a cluster that is slower for good, are not held against it for ever.
 */
export function slowness(): { came(ms: number, bytes: number): number } {
  let recent: number | undefined;
  let best = Infinity;
  return {
    came(ms, bytes) {
      if (bytes < tellingBytes) return 1;
      const each = ms / bytes;
      recent = recent === undefined ? each : recent + (each - recent) * 0.3;
      best = recent < best ? recent : best + (recent - best) * 0.02;
      return ms < quickMs ? 1 : recent / best;
    },
  };
}
