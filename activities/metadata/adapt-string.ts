import type { Json, MappingContext } from './adapt-field';

/** What `string` fields had that neither text nor keyword has. */
const ofNeither = ['doc_values', 'precision_step', 'omit_norms', 'index_analyzer', 'omit_term_freq_and_positions'];
const ofKeyword = new Set([
  ...['type', 'index', 'store', 'boost', 'fields', 'ignore_above', 'null_value', 'copy_to', 'include_in_all'],
  ...['doc_values', 'eager_global_ordinals', 'similarity', 'norms', 'index_options'],
]);
const ofText = new Set([
  ...['type', 'index', 'store', 'boost', 'fields', 'copy_to', 'include_in_all', 'analyzer', 'search_analyzer'],
  ...['search_quote_analyzer', 'similarity', 'norms', 'index_options', 'term_vector', 'position_increment_gap'],
  ...['fielddata', 'fielddata_frequency_filter', 'eager_global_ordinals'],
]);

/**
 * `string` of an index made by 2.x: what was analyzed is text, with a keyword below it for sorting and aggregations, which
 * it could do before; the rest is keyword. The rule is that by which 5.x itself took old mappings for new indices.
 */
export function adaptString(source: Json, path: string, { notes }: MappingContext): Json {
  const isText = source['index'] === undefined || source['index'] === 'analyzed';
  const field: Json = { ...source, type: isText ? 'text' : 'keyword' };
  delete field['index'];
  if (source['index'] === 'no') field['index'] = false;
  for (const name of ofNeither) if (isText || name !== 'doc_values') delete field[name];
  const fielddata = source['fielddata'];
  if (isObject(fielddata) || typeof fielddata === 'string') {
    delete field['fielddata'];
    if (isObject(fielddata) && fielddata['loading'] === 'eager_global_ordinals') field['eager_global_ordinals'] = true;
  }
  // One that has multi-fields has them for that; one that is a multi-field can have none.
  if (isText && !isObject(source['fields']) && !/\.fields\.[^.]+$/.test(path))
    field['fields'] = { keyword: { type: 'keyword', ignore_above: 256 } };
  const known = isText ? ofText : ofKeyword;
  const lost = Object.keys(field).filter((name) => !known.has(name));
  for (const name of lost) delete field[name];
  notes.push({
    path: `${path}.type`,
    result: 'changed',
    how: isText ? (field['fields'] === source['fields'] ? 'text' : 'text, with a keyword below it') : 'keyword',
    why: `string is gone since 5.0${lost.length > 0 ? `; without ${lost.join(', ')}` : ''}`,
  });
  return field;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
