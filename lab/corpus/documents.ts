import type { Random } from './random';

/** A document to index: its source is text as it shall be stored, byte for byte. */
export interface CorpusDocument {
  id: string;
  routing?: string;
  source: string;
}

export type DocumentMaker = (random: Random, number: number, bytes: number) => CorpusDocument;

const NAMES = [
  'Ana García',
  'Jürgen Groß',
  '山田 太郎',
  'Zoë O’Brien',
  'Мария Иванова',
  'Nguyễn Văn An',
  '🦊 Fox & "Sons"',
  'Tab\there',
] as const;
const COUNTRIES = ['de', 'jp', 'br', 'us', 'pl', 'vn'] as const;

const ID_PREFIXES = ['', 'a b', 'ü', '%2F', '+', 'x'.repeat(60)] as const;

function day(random: Random): string {
  return new Date(
    Date.UTC(
      2024,
      random.below(12),
      1 + random.below(28),
      random.below(24),
      random.below(60),
      random.below(60),
      random.below(1_000),
    ),
  ).toISOString();
}

function fill(random: Random, bytes: number): string {
  return `"payload":"${random.filler(Math.max(8, bytes))}"`;
}

export const order: DocumentMaker = (random, number, bytes) => ({
  id: `order-${number}`,
  source: `{"order_id":${number},"placed_at":"${day(random)}","status":"${random.pick(['open', 'paid', 'shipped', 'returned'])}","total":${random.below(100_000)}.${random.below(10)}0,"customer":${JSON.stringify(random.pick(NAMES))},"note":"${random.words(Math.min(240, bytes / 4))}",${fill(random, bytes - 350)}}`,
});

export const product: DocumentMaker = (random, number, bytes) => {
  const variants = Array.from(
    { length: 1 + random.below(4) },
    (_, index) =>
      `{"sku":"p${number}-${index}","colour":"${random.pick(['red', 'green', 'blue'])}","stock":${random.below(500)}}`,
  );
  return {
    id: `product-${number}`,
    source: `{"title":"${random.words(60)}","description":"${random.words(bytes / 3)}","price":${random.below(1_000)}.0,"variants":[${variants.join(',')}],"tags":["${random.words(8)}","${random.words(8)}"],${fill(random, bytes / 2)}}`,
  };
};

/** Routed by country, so that ids alone do not tell the shard. */
export const customer: DocumentMaker = (random, number, bytes) => {
  const country = random.pick(COUNTRIES);
  return {
    id: `customer/${number}?a=b&c#${country}`,
    routing: country,
    source: `{"name":${JSON.stringify(random.pick(NAMES))},"country":"${country}","since":"${day(random)}",${fill(random, bytes - 120)}}`,
  };
};

export const place: DocumentMaker = (random, number, bytes) => ({
  id: String(number),
  source: `{"name":"${random.words(20)}","location":{"lat":${random.below(178) - 89}.${random.below(1_000)},"lon":${random.below(358) - 179}.${random.below(1_000)}},"opened":"${day(random).slice(0, 10)}",${fill(random, bytes - 150)}}`,
});

/** What a JSON parser in between would change: numbers past 2^53, `1.0`, exponents, order of keys, white space. */
export const precise: DocumentMaker = (random, number, bytes) => ({
  id: `n${number}`,
  source: `{ "big" : 9007199254740993, "big2":${9007199254740993n + BigInt(random.below(1_000_000))},"one":1.0,"thousand":1e3,"tiny":1.0E-7,"minus_zero":-0.0,\t"exact":"0.10","z":1,"a":${number}, "nested":{"b":2.50,"a":[1.0,1,1e0]},"unicode":"\\u00e9é\\/",${fill(random, bytes - 220)}}`,
});

export const note: DocumentMaker = (random, number, bytes) => ({
  id: `${ID_PREFIXES[number % ID_PREFIXES.length]}-${number}`,
  source: `{"text":"${random.words(Math.min(200, bytes))}","n":${number},"at":"${day(random)}",${fill(random, bytes - 260)}}`,
});

/** Ten children to a parent, on the parent's shard. */
export const threadOrPost: DocumentMaker = (random, number, bytes) => {
  const parent = number - (number % 11);
  const join = number === parent ? '"thread"' : `{"name":"post","parent":"t${parent}"}`;
  return {
    id: `t${number}`,
    routing: `t${parent}`,
    source: `{"relation":${join},"text":"${random.words(80)}",${fill(random, bytes - 130)}}`,
  };
};

export const filler: DocumentMaker = (random, number, bytes) => ({
  id: String(number),
  source: `{"n":${number},${fill(random, bytes - 26)}}`,
});
