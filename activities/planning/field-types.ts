import type { FieldType } from '../../contracts/document-activities';

/** Field types that a mapping uses, each once, and the metadata fields that are switched on in it (`_size`). */
export function fieldTypesOf(mapping: unknown): string[] {
  const found = new Set<string>();
  if (isRecord(mapping)) {
    if (isRecord(mapping['_size']) && mapping['_size']['enabled'] === true) found.add('_size');
    if ('properties' in mapping || 'runtime' in mapping || 'dynamic_templates' in mapping) collect(mapping, found);
    // before 7.0 there is a level for the mapping type
    else for (const type of Object.values(mapping)) for (const name of fieldTypesOf(type)) found.add(name);
  }
  return [...found].sort();
}

/** Whether `_source` is switched off in it, or fields are left out of it, for any mapping type. */
export function losesSource(mapping: unknown): boolean {
  if (!isRecord(mapping)) return false;
  const source = mapping['_source'];
  if (isRecord(source)) {
    const isLimited = [source['includes'], source['excludes']].some((each) => Array.isArray(each) && each.length > 0);
    if (source['enabled'] === false || source['mode'] === 'disabled' || isLimited) return true;
  }
  // before 7.0 there is a level for the mapping type
  return (
    !('properties' in mapping) &&
    Object.values(mapping).some((type) => isRecord(type) && '_source' in type && losesSource(type))
  );
}

/** A field as a mapping has it. */
export interface MappedField {
  type: string;
  /** Why it cannot be searched and sorted by, if so. */
  obstacle?: string;
}

/** By its path with dots. An object is no field. */
export function fieldAt(mapping: unknown, path: string): MappedField | undefined {
  if (!isRecord(mapping)) return undefined;
  const runtime = isRecord(mapping['runtime']) ? mapping['runtime'][path] : undefined;
  if (isRecord(runtime)) return { type: 'runtime', obstacle: 'it is a runtime field, which is in no index' };
  if ('properties' in mapping || 'runtime' in mapping) return below(mapping, path);
  // before 7.0 there is a level for the mapping type
  for (const type of Object.values(mapping)) {
    const found = isRecord(type) && 'properties' in type ? below(type, path) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** Names may have dots themselves, and what lies below a field is another way to index it. */
function below(parent: Record<string, unknown>, path: string): MappedField | undefined {
  for (const children of [parent['properties'], parent['fields']].filter(isRecord)) {
    for (const [name, child] of Object.entries(children)) {
      if (!isRecord(child) || (path !== name && !path.startsWith(`${name}.`))) continue;
      const found = path === name ? fieldOf(child) : below(child, path.slice(name.length + 1));
      if (!found) continue;
      return child['type'] === 'nested' ? { ...found, obstacle: 'it is inside of nested objects' } : found;
    }
  }
  return undefined;
}

function fieldOf(field: Record<string, unknown>): MappedField | undefined {
  const { type } = field;
  if (typeof type !== 'string' || type === 'object' || type === 'nested') return undefined;
  const isOff = (option: string) => field[option] === false || field[option] === 'false' || field[option] === 'no';
  if (isOff('index')) return { type, obstacle: 'it is not indexed (index: false)' };
  if (isOff('doc_values')) return { type, obstacle: 'it has no doc_values' };
  return { type };
}

export function isDate(type: FieldType): boolean {
  return type === 'date' || type === 'date_nanos';
}

const integers = new Set(['long', 'integer', 'short', 'byte', 'unsigned_long']);
const decimals = new Set(['double', 'float', 'half_float', 'scaled_float']);

/** How its values are reckoned with; nothing where they are neither times nor numbers. */
export function fieldTypeOf(type: string): FieldType | undefined {
  if (type === 'date' || type === 'date_nanos') return type;
  if (integers.has(type)) return 'integer';
  return decimals.has(type) ? 'decimal' : undefined;
}

function collect(mapping: Record<string, unknown>, found: Set<string>): void {
  const fields = [mapping['properties'], mapping['fields']].filter(isRecord).flatMap((of) => Object.values(of));
  for (const template of Array.isArray(mapping['dynamic_templates'])
    ? (mapping['dynamic_templates'] as unknown[])
    : []) {
    for (const rule of isRecord(template) ? Object.values(template) : []) {
      if (isRecord(rule)) fields.push(rule['mapping']);
    }
  }
  for (const field of fields) {
    if (!isRecord(field)) continue;
    if (typeof field['type'] === 'string' && !field['type'].startsWith('{')) found.add(field['type']);
    collect(field, found);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
