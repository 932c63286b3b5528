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
