/**
 * The ids of a shard, with their versions if wanted, boiled down to numbers, in as many buckets as are wanted: what has the same numbers has the same ids,
 * whatever order they came in. Twelve bytes a bucket, however many ids there are.
 */
export interface IdDigest {
  readonly buckets: number;
  /** The bucket is that of the id, whatever is told of it besides. */
  add(id: Buffer, besides?: Buffer): void;
  count(bucket: number): number;
  /** Buckets that hold other ids than the other digest's. */
  differing(other: IdDigest): number[];
  /** What a bucket holds, in a few characters. */
  of(bucket: number): string;
  /** For the comparison. */
  readonly sums: { counts: Uint32Array; added: Uint32Array; mixed: Uint32Array };
}

const least = 1 << 10;
const most = 1 << 20;
/** Ids of a differing bucket are all looked up, and that costs more than reading them: hardly any beside what was deleted. */
const bucketsOfId = 4;

export function bucketsFor(documents: number): number {
  let buckets = least;
  while (buckets < most && buckets < documents * bucketsOfId) buckets *= 2;
  return buckets;
}

/** `buckets` is a power of two. */
export function idDigest(buckets: number): IdDigest {
  const counts = new Uint32Array(buckets);
  const added = new Uint32Array(buckets);
  const mixed = new Uint32Array(buckets);
  return {
    buckets,
    sums: { counts, added, mixed },
    add(id, besides) {
      let [first, second] = hashes(id);
      const bucket = first & (buckets - 1);
      if (besides !== undefined) [first, second] = hashes(besides, first, second);
      counts[bucket] = (counts[bucket] as number) + 1;
      added[bucket] = (added[bucket] as number) + second;
      mixed[bucket] = (mixed[bucket] as number) ^ Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
    },
    count: (bucket) => counts[bucket] ?? 0,
    of: (bucket) => `${counts[bucket]} ${added[bucket]} ${mixed[bucket]}`,
    differing(other) {
      const found: number[] = [];
      for (let bucket = 0; bucket < buckets; bucket++)
        if (
          counts[bucket] !== other.sums.counts[bucket] ||
          added[bucket] !== other.sums.added[bucket] ||
          mixed[bucket] !== other.sums.mixed[bucket]
        )
          found.push(bucket);
      return found;
    },
  };
}

export function bucketOf(id: Buffer, buckets: number): number {
  return hashes(id)[0] & (buckets - 1);
}

/** Two hashes of 32 bits in one walk, each mixed once more at its end so that all its bits count. */
function hashes(id: Buffer, first = 0x811c9dc5, second = 0x2545f491): [number, number] {
  for (let at = 0; at < id.length; at++) {
    const byte = id[at] as number;
    first = Math.imul(first ^ byte, 0x01000193);
    second = Math.imul(second + byte, 0x5bd1e995) ^ (second >>> 15);
  }
  return [mix(first), mix(second)];
}

function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
