import fc from 'fast-check';

/** JSON texts as people and programs write them, kept as text: a printer would lose what matters. */
const space = fc.constantFrom('', '', '', ' ', '\n', '\t', '\r\n  ');
const escape = fc.constantFrom('\\"', '\\\\', '\\n', '\\u00e9', '\\ud83e\\udd8a', '\\/', '\\u005fsource');
const stringText = fc
  .array(
    fc.oneof(
      escape,
      fc.constantFrom('_source', '"_source":'.replaceAll('"', '\\"'), '}', ']', '{', ',', '//', '/*', 'é', '🦊', '山'),
      fc.string({ maxLength: 60 }).map((text) => JSON.stringify(text).slice(1, -1)),
    ),
    { maxLength: 8 },
  )
  .map((pieces) => `"${pieces.join('')}"`);
const literal = fc.constantFrom('1.0', '9007199254740993', '-0.0', '1e3', '1.0E-7', 'true', 'false', 'null', '0');
const key = fc.oneof(fc.constantFrom('"_source"', '"_id"', '"hits"', '"sort"', '"same"', '"same"'), stringText);

const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4, depthSize: 'small' }, literal, stringText, tie('array'), tie('object')),
  array: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
    .map((elements) => `[${elements.map((pieces) => pieces.join('')).join(',')}]`),
  object: fc
    .array(fc.tuple(space, key, space, space, tie('value'), space), { maxLength: 5 })
    .map((members) => `{${members.map(([a, k, b, c, v, d]) => `${a}${k}${b}:${c}${v}${d}`).join(',')}}`),
}));

/** A document: an object whose bytes must come through as they are. Its keys may come twice. */
export const document = fc
  .array(fc.tuple(space, key, space, value, space), { maxLength: 6 })
  .map((members) => `{${members.map(([a, k, b, v, c]) => `${a}${k}:${b}${v}${c}`).join(',')}}`);

export interface RawHit {
  id: string;
  routing?: string;
  version: number;
  seqNo: number;
  source: string;
}

export const rawHit: fc.Arbitrary<RawHit> = fc.record(
  { id: stringText, routing: stringText, version: fc.nat(), seqNo: fc.maxSafeNat(), source: document },
  { requiredKeys: ['id', 'version', 'seqNo', 'source'] },
);

/** Members of a hit in the order that `order` says, with others in between. */
export function hitText(hit: RawHit, order = 0, sort = hit.seqNo): string {
  const members = [
    '"_index":"i"',
    `"_id":${hit.id}`,
    '"_score":null',
    `"_version":${hit.version}`,
    `"_seq_no":${hit.seqNo}`,
    '"_ignored":["_source","}"]',
    `"_source":${hit.source}`,
    ...(hit.routing === undefined ? [] : [`"_routing":${hit.routing}`]),
    `"sort":[${sort}]`,
  ];
  const turn = order % members.length;
  return `{${[...members.slice(turn), ...members.slice(0, turn)].join(',')}}`;
}

export function answerText(hits: readonly string[], around = ''): string {
  return `{"took":3,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},${around}"hits":{"max_score":null,"hits":[${hits.join(',')}]}}`;
}
