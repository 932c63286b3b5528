import type { MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import { adaptField, type Json, type MappingContext } from './adapt-field';
import { adaptDateFormat } from './date-formats';
import { isElasticsearchFrom, isTypeless, serverName, understands, type Server } from './lifetimes';

export interface AdaptedMappings {
  /** As a request body has them: with the type's level where the target is 6.x. */
  mappings: Json;
  /** Name of the mapping type, where documents must name it. */
  type?: string;
  notes: MetadataNote[];
  refusals: MetadataRefusal[];
}

/** What may stand at the top of a mapping; a level with anything else is that of the mapping types of a server before 7.0. */
const rootParameters = new Set([
  ...['properties', 'dynamic', 'dynamic_templates', 'dynamic_date_formats', 'date_detection', 'numeric_detection'],
  ...['runtime', 'subobjects', 'include_in_all', 'enabled', 'transform'],
  ...['_all', '_source', '_routing', '_parent', '_field_names', '_meta', '_size', '_timestamp', '_ttl', '_type'],
  ...['_id', '_index', '_uid', '_data_stream_timestamp', '_doc_count', '_tier', '_feature'],
]);

export function adaptMappings(
  source: unknown,
  { from, target, isOldIndex }: { from: Server; target: Server; isOldIndex: boolean },
): AdaptedMappings {
  const notes: MetadataNote[] = [];
  const refusals: MetadataRefusal[] = [];
  const context: MappingContext = { from, target, isOldIndex, notes, refusals };
  const types = typesOf(isObject(source) ? source : {}, from);
  if ('_default_' in types) {
    delete types['_default_'];
    notes.push({
      path: '_default_',
      result: 'left out',
      why: 'defaults for new mapping types: the types are there already',
    });
  }
  const names = Object.keys(types);
  if (names.length > 1) {
    refusals.push({
      path: names.join(', '),
      why: `it has ${names.length} mapping types, from 6.0 on an index has one: documents of two types may have the same _id`,
      remedy:
        'on the source, reindex each type into an index of its own (_reindex with a type in source), move those, and leave this one out by select.exclude',
    });
    return { mappings: {}, notes, refusals };
  }
  const [name = '_doc'] = names;
  const mapping = adaptRoot(types[name] ?? {}, context);
  if (isTypeless(target)) {
    if (name !== '_doc')
      notes.push({ path: name, result: 'left out', why: 'there are no mapping types: documents are reached by _doc' });
    return { mappings: mapping, notes, refusals };
  }
  return { mappings: { [name]: mapping }, type: name, notes, refusals };
}

/** Type to mapping, whichever way the server was asked. */
function typesOf(source: Json, from: Server): Record<string, Json> {
  const keys = Object.keys(source);
  if (keys.length === 0) return {};
  const isTyped = !isTypeless(from) && keys.some((key) => !rootParameters.has(key));
  return isTyped ? ({ ...source } as Record<string, Json>) : { _doc: source };
}

function adaptRoot(mapping: Json, context: MappingContext): Json {
  const { notes, refusals, target, isOldIndex } = context;
  const adapted: Json = {};
  const leaveOut = (path: string, why: string) => notes.push({ path, result: 'left out', why });
  const isFrom6 = isTypeless(target) || isElasticsearchFrom(target, '6.0.0');
  for (const [key, value] of Object.entries(mapping)) {
    switch (key) {
      case '_all':
        if (!isFrom6) adapted[key] = value;
        else if (isObject(value) && value['enabled'] === false) leaveOut(key, 'there is no _all to switch off');
        else leaveOut(key, '_all is gone: ask the fields by name, or collect them by copy_to');
        break;
      case 'include_in_all':
        if (isFrom6) leaveOut(key, '_all is gone');
        else adapted[key] = value;
        break;
      case '_field_names':
        if (isTypeless(target)) leaveOut(key, 'it costs nothing any more, and cannot be switched off from 8.0 on');
        else adapted[key] = value;
        break;
      case '_parent':
        refusals.push({
          path: key,
          why: 'a join field takes the place of _parent from 6.0 on, and each document must have it in its body: bodies pass unchanged',
          remedy:
            'on the source, reindex into an index with a join field (_reindex with a script), move that one, and leave this one out by select.exclude',
        });
        break;
      case '_source':
        if (isObject(value) && value['enabled'] === false) {
          refusals.push({
            path: key,
            why: 'documents have no _source: there is nothing to copy',
            remedy: 'move this index by snapshot, or leave it out by select.exclude',
          });
        } else adapted[key] = adaptSource(value, context);
        break;
      case '_timestamp':
      case '_ttl':
        leaveOut(key, 'gone since 5.0 for new indices: keep such a time in a date field');
        break;
      case '_type':
      case '_id':
      case '_index':
      case '_uid':
      case 'transform':
        leaveOut(key, 'cannot be configured any more');
        break;
      case '_data_stream_timestamp':
        leaveOut(key, 'belongs to backing indices of data streams alone');
        break;
      case 'dynamic':
        adapted[key] = adaptDynamic(value, 'dynamic', context);
        break;
      case 'runtime':
        if (understands(target, runtimeFields)) adapted[key] = value;
        else leaveOut(key, `${serverName(target)} has no runtime fields: queries that use them fail`);
        break;
      case 'dynamic_date_formats':
        adapted[key] = (Array.isArray(value) ? value : [value]).map((each) => {
          if (typeof each !== 'string' || !isTypeless(target)) return each as unknown;
          return adaptFormat(each, key, context, isOldIndex);
        });
        break;
      case 'dynamic_templates':
        adapted[key] = (Array.isArray(value) ? (value as Json[]) : []).map((each) =>
          adaptDynamicTemplate(each, context),
        );
        break;
      case 'properties':
        adapted[key] = adaptProperties(value, 'properties', context);
        break;
      case 'subobjects':
        if (understands(target, subobjects) || value === true) adapted[key] = value;
        else refuseSubobjects(key, context);
        break;
      default:
        adapted[key] = value;
    }
  }
  return adapted;
}

const runtimeFields = { since: '7.11.0', openSearch: false };
const subobjects = { since: '8.3.0', openSearch: false };

function refuseSubobjects(path: string, { refusals, target }: MappingContext): void {
  refusals.push({
    path,
    why: `${serverName(target)} makes objects of field names with dots, which subobjects: false forbids`,
    remedy: 'leave the index out by select.exclude',
  });
}

function adaptSource(value: unknown, { target, notes }: MappingContext): unknown {
  if (
    !isObject(value) ||
    !('mode' in value) ||
    understands(target, { since: '8.4.0', until: '9.0.0', openSearch: false })
  )
    return value;
  const { mode, ...rest } = value;
  notes.push({
    path: '_source.mode',
    result: 'left out',
    why: `${serverName(target)} does not take it in mappings; _source is ${mode === 'synthetic' ? 'stored in place of synthetic' : 'stored'}`,
  });
  return rest;
}

function adaptDynamic(value: unknown, path: string, { target, notes }: MappingContext): unknown {
  if (value !== 'runtime' || understands(target, runtimeFields)) return value;
  notes.push({
    path,
    result: 'changed',
    how: 'false',
    why: `${serverName(target)} has no runtime fields; new ones stay unindexed`,
  });
  return 'false';
}

function adaptFormat(format: string, path: string, { notes, refusals }: MappingContext, isJoda: boolean): string {
  const adapted = adaptDateFormat(format, { isJoda });
  if ('refused' in adapted) {
    refusals.push({
      path,
      why: adapted.refused,
      remedy: 'make the index by hand on a cluster of the target, reindex into it, or leave it out by select.exclude',
    });
    return format;
  }
  if (adapted.format !== format)
    notes.push({ path, result: 'changed', how: adapted.format, why: adapted.notes.join('; ') });
  return adapted.format;
}

function adaptProperties(value: unknown, path: string, context: MappingContext): Json {
  const adapted: Json = {};
  for (const [name, field] of Object.entries(isObject(value) ? value : {})) {
    const at = `${path}.${name}`;
    adapted[name] = isObject(field) ? adaptDeep(field, at, context) : field;
  }
  return adapted;
}

/** A field with all that is below it. */
function adaptDeep(field: Json, path: string, context: MappingContext, isMultiField = false): Json {
  const adapted = adaptField(field, path, context);
  if (typeof adapted['format'] === 'string' && isTypeless(context.target) && isDate(adapted['type']))
    adapted['format'] = adaptFormat(adapted['format'], `${path}.format`, context, context.isOldIndex);
  if ('dynamic' in adapted) adapted['dynamic'] = adaptDynamic(adapted['dynamic'], `${path}.dynamic`, context);
  if ('subobjects' in adapted && adapted['subobjects'] !== true && !understands(context.target, subobjects))
    refuseSubobjects(`${path}.subobjects`, context);
  if (isObject(adapted['properties']))
    adapted['properties'] = adaptProperties(adapted['properties'], `${path}.properties`, context);
  if (isObject(adapted['fields'])) {
    if (isMultiField && isElasticsearchFrom(context.target, '8.0.0')) {
      context.refusals.push({
        path: `${path}.fields`,
        why: 'from 8.0 on a multi-field has no multi-fields of its own',
        remedy: 'leave the index out by select.exclude, and reindex it on the source into one without them',
      });
    }
    adapted['fields'] = Object.fromEntries(
      Object.entries(adapted['fields']).map(([name, each]) => [
        name,
        isObject(each) ? adaptDeep(each, `${path}.fields.${name}`, context, true) : each,
      ]),
    );
  }
  return adapted;
}

function isDate(type: unknown): boolean {
  return type === 'date' || type === 'date_nanos' || type === 'date_range';
}

function adaptDynamicTemplate(template: Json, context: MappingContext): Json {
  return Object.fromEntries(
    Object.entries(template).map(([name, rule]) => {
      if (!isObject(rule) || !isObject(rule['mapping'])) return [name, rule];
      const path = `dynamic_templates.${name}.mapping`;
      // A rule for strings that names no type of its own means "string", which is text and keyword by now.
      return [name, { ...rule, mapping: adaptDeep(rule['mapping'], path, context) }];
    }),
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
