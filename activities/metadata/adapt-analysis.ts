import type { MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import type { FlatSettings } from './adapt-settings';
import type { Server } from './lifetimes';

interface Findings {
  notes: MetadataNote[];
  refusals: MetadataRefusal[];
}

/** Names of built-in parts that 6.x still took in another spelling. */
const renamed: Record<string, Record<string, string>> = {
  filter: { nGram: 'ngram', edgeNGram: 'edge_ngram', delimited_payload_filter: 'delimited_payload' },
  tokenizer: { nGram: 'ngram', edgeNGram: 'edge_ngram', PathHierarchy: 'path_hierarchy' },
  char_filter: { htmlStrip: 'html_strip' },
};

const part = /^index\.analysis\.(analyzer|normalizer|tokenizer|filter|char_filter)\.(.+)\.([^.]+)$/;

/** Analysis for servers from 7.0 on: older spellings, filters that did nothing, and limits that came with it. */
export function adaptAnalysis(
  settings: FlatSettings,
  { isOldIndex, notes, refusals }: Findings & { target: Server; isOldIndex: boolean },
): FlatSettings {
  const adapted: FlatSettings = {};
  const own = ownNames(settings);
  const isStandardFilter = (name: string) =>
    name === 'standard'
      ? settings['index.analysis.filter.standard.type'] === undefined
      : settings[`index.analysis.filter.${name}.type`] === 'standard';

  for (const [key, value] of Object.entries(settings)) {
    const [, kind = '', name = '', property = ''] = part.exec(key) ?? [];
    if (kind === '') {
      adapted[key] = value;
      continue;
    }
    if (kind === 'filter' && settings[`index.analysis.filter.${name}.type`] === 'standard') {
      if (property === 'type')
        notes.push({ path: key, result: 'left out', why: 'the standard filter did nothing, and is gone in 7.0' });
      continue;
    }
    if (property === 'type' && kind === 'analyzer' && value === 'standard_html_strip') {
      refusals.push({
        path: key,
        why: 'the standard_html_strip analyzer is gone in 7.0',
        remedy: `give ${`index.analysis.analyzer.${name}`} type custom, tokenizer standard and char_filter html_strip by settings`,
      });
    }
    const table = property === 'type' ? renamed[kind] : renamed[property];
    const isChain = kind === 'analyzer' || kind === 'normalizer';
    if (table === undefined || (property !== 'type' && !isChain)) {
      adapted[key] = value;
      if (/_path$/.test(property))
        notes.push({
          path: key,
          result: 'same',
          why: 'this file must be in the configuration of every node of the target',
        });
      continue;
    }
    const rename = (each: string) => (property !== 'type' && own[property]?.has(each) ? each : (table[each] ?? each));
    const before = [value].flat();
    const after = (property === 'filter' ? before.filter((each) => !isStandardFilter(each)) : before).map(rename);
    adapted[key] = typeof value === 'string' && after.length === 1 ? after[0]! : after;
    if (JSON.stringify(before) === JSON.stringify(after)) adapted[key] = value;
    else {
      notes.push({
        path: key,
        result: 'changed',
        how: after.join(', ') || 'none',
        why:
          after.length < before.length
            ? 'the standard filter did nothing, and is gone in 7.0'
            : 'the older spelling is gone',
      });
    }
  }
  if (isOldIndex) raiseLimits(adapted, notes);
  return adapted;
}

/** What is defined in the settings themselves, by kind: its name is nobody else's spelling. */
function ownNames(settings: FlatSettings): Record<string, Set<string>> {
  const own: Record<string, Set<string>> = {};
  for (const key of Object.keys(settings)) {
    const [, kind, name] = part.exec(key) ?? [];
    if (kind !== undefined && name !== undefined) (own[kind] ??= new Set()).add(name);
  }
  return own;
}

/** Up to 6.x a wider spread of lengths only brought a warning; from 7.0 on an index must say how wide it may be. */
function raiseLimits(settings: FlatSettings, notes: MetadataNote[]): void {
  const raise = (path: string, standard: number, widest: number, what: string) => {
    if (widest <= Number(settings[path] ?? standard)) return;
    settings[path] = String(widest);
    notes.push({
      path,
      result: 'changed',
      how: String(widest),
      why: `${what}, which 7.0 refuses unless the index permits it`,
    });
  };
  let grams = 0;
  let shingles = 0;
  for (const [key, type] of Object.entries(settings)) {
    const base = /^(index\.analysis\.(?:filter|tokenizer)\..+)\.type$/.exec(key)?.[1];
    if (base === undefined) continue;
    const number = (name: string, standard: number) => Number(settings[`${base}.${name}`] ?? standard);
    if (type === 'ngram') grams = Math.max(grams, number('max_gram', 2) - number('min_gram', 1));
    if (type === 'shingle') {
      const unigram = settings[`${base}.output_unigrams`] === 'false' ? 0 : 1;
      shingles = Math.max(shingles, number('max_shingle_size', 2) - number('min_shingle_size', 2) + unigram);
    }
  }
  raise('index.max_ngram_diff', 1, grams, 'lengths of grams are further apart than 1');
  raise('index.max_shingle_diff', 3, shingles, 'lengths of shingles are further apart than 3');
}
