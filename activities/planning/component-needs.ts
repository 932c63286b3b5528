import { matcher } from './select-indices';
import type { IndexSettings } from './view';

/**
 * Which plugin or module an index cannot be opened without. Plugins are installed by hand and may lack anywhere; modules
 * come with every full distribution, but not with a stripped one.
 */
const plugins: Record<string, string[]> = {
  'analysis-icu': ['icu_*'],
  'analysis-kuromoji': ['kuromoji*', 'ja_stop', 'hiragana_uppercase', 'katakana_uppercase'],
  'analysis-nori': ['nori*'],
  'analysis-smartcn': ['smartcn*'],
  'analysis-phonetic': ['phonetic'],
  'analysis-stempel': ['polish', 'polish_stem', 'polish_stop'],
  'analysis-ukrainian': ['ukrainian'],
  'analysis-ik': ['ik_smart', 'ik_max_word'],
  'analysis-pinyin': ['pinyin', 'pinyin_first_letter'],
  'analysis-stconvert': ['stconvert', 'tsconvert', 't2s', 's2t'],
  'mapper-annotated-text': ['annotated_text'],
  'mapper-murmur3': ['murmur3'],
  'mapper-size': ['_size'],
  'store-smb': ['smb_*'],
};

const modules: Record<string, string[]> = {
  'mapper-extras': [
    'scaled_float',
    'token_count',
    'rank_feature',
    'rank_features',
    'search_as_you_type',
    'match_only_text',
  ],
  'parent-join': ['join'],
  percolator: ['percolator'],
};

/** Analysis components that the server's core has itself, without the analysis-common module. */
const coreAnalysis: Record<string, string[]> = {
  analyzer: ['standard', 'simple', 'stop', 'whitespace', 'keyword', 'custom', 'default'],
  tokenizer: ['standard', 'keyword'],
  filter: ['standard', 'stop', 'shingle', 'hunspell', 'lowercase'],
  char_filter: [],
  normalizer: ['custom', 'lowercase'],
};

const rules = Object.entries({ ...plugins, ...modules }).flatMap(([component, names]) =>
  names.map((name) => ({ component, matches: matcher(name) })),
);

/** Plugins and modules that this index needs, as far as its field types and settings tell. */
export function componentsNeeded(fieldTypes: string[], settings: IndexSettings): string[] {
  const needed = new Set<string>();
  const add = (name: string) => {
    const found = rules.find(({ matches }) => matches(name))?.component;
    if (found) needed.add(found);
    return found !== undefined;
  };
  for (const type of fieldTypes) add(type);
  const store = settings['index.store.type'];
  if (typeof store === 'string') add(store);
  for (const { kind, name } of analysisReferences(settings)) {
    if (!add(name) && !(coreAnalysis[kind] ?? []).includes(name)) needed.add('analysis-common');
  }
  return [...needed].sort();
}

/** Built-in components that the analysis settings use: types, and names that are not defined in the settings themselves. */
function analysisReferences(settings: IndexSettings): { kind: string; name: string }[] {
  const own: Record<string, Set<string>> = {};
  const used: { kind: string; name: string; isType: boolean }[] = [];
  for (const [key, value] of Object.entries(settings)) {
    const match =
      /^index\.analysis\.(analyzer|tokenizer|filter|char_filter|normalizer)\.(.+)\.([^.]+?)(?:\.\d+)?$/.exec(key);
    const [, kind = '', name = '', property = ''] = match ?? [];
    if (!match) continue;
    (own[kind] ??= new Set()).add(name);
    if (property === 'type') used.push({ kind, name: [value].flat()[0] ?? '', isType: true });
    if (!['analyzer', 'normalizer'].includes(kind) || !['tokenizer', 'filter', 'char_filter'].includes(property))
      continue;
    for (const part of [value].flat()) used.push({ kind: property, name: part, isType: false });
  }
  return used.filter(({ kind, name, isType }) => name !== '' && (isType || !own[kind]?.has(name)));
}
