/** A small seeded generator (xoshiro128**): the same seed and name give the same numbers on every machine. */
export interface Random {
  /** An integer from 0 up to, not including, `bound`. */
  below(bound: number): number;
  pick<T>(values: readonly T[]): T;
  /** That many bytes of text that does not compress. */
  filler(bytes: number): string;
  /** Words as people write them, roughly that many bytes. */
  words(bytes: number): string;
}

function seedsOf(text: string): [number, number, number, number] {
  // FNV-1a, four times with different beginnings
  const hashes = [0x811c9dc5, 0x1234567, 0x9e3779b9, 0xdeadbeef].map((start) => {
    let hash = start;
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    return hash >>> 0;
  });
  return hashes as [number, number, number, number];
}

function generator(text: string): () => number {
  let [a, b, c, d] = seedsOf(text);
  const next = (): number => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  for (let round = 0; round < 16; round++) next();
  return next;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const POOL_BYTES = 4 << 20;
let fillerPool: string | undefined;
let wordPool: string | undefined;

/** Documents cut pieces out of a pool, since making every character anew would be slower than indexing it. */
function pools(): { filler: string; words: string } {
  if (fillerPool === undefined || wordPool === undefined) {
    const next = generator('pool');
    const bytes = Buffer.alloc(POOL_BYTES);
    for (let index = 0; index < POOL_BYTES; index++) bytes[index] = ALPHABET.charCodeAt(next() & 63);
    fillerPool = bytes.toString('latin1');
    const dictionary = Array.from({ length: 4_000 }, () => {
      const letters = Array.from({ length: 2 + (next() % 9) }, () => 'etaoinshrdlucmfwypvbgkjqxz'[next() % 26]);
      return letters.join('');
    });
    const words: string[] = [];
    for (let length = 0; length < POOL_BYTES / 4;) {
      const word = dictionary[Math.floor((next() % 4_000) * ((next() % 1_000) / 1_000))] as string;
      words.push(word);
      length += word.length + 1;
    }
    wordPool = words.join(' ');
  }
  return { filler: fillerPool, words: wordPool };
}

export function seededRandom(seed: number, name: string): Random {
  const next = generator(`${seed}/${name}`);
  const cut = (pool: string, bytes: number): string => {
    const start = next() % (pool.length - Math.min(bytes, pool.length - 1));
    return pool.slice(start, start + bytes);
  };
  return {
    below: (bound) => next() % bound,
    pick: (values) => values[next() % values.length] as (typeof values)[number],
    filler: (bytes) => cut(pools().filler, bytes),
    words: (bytes) => cut(pools().words, bytes).trim(),
  };
}
