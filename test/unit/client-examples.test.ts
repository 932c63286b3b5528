import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runbookJsonSchema, runbookJsonSchemaText, type SchemaNode } from '../../client/json-schema';
import { parseRunbook } from '../../client/runbook-file';

const root = path.join(__dirname, '../..');
const examples = readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.yaml'));

test('there are examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(4);
});

test.each(examples)('%s is a valid runbook and names the schema', (name) => {
  const text = readFileSync(path.join(root, 'examples', name), 'utf8');
  expect(parseRunbook(text, name).kind).toBe('Migration');
  expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/schema\/runbook\.schema\.json\n/);
});

test('schema/runbook.schema.json is what `npx tsx scripts/generate-schema.ts` writes', () => {
  expect(readFileSync(path.join(root, 'schema/runbook.schema.json'), 'utf8')).toBe(runbookJsonSchemaText());
});

test('every field of the schema is described', () => {
  const undescribed: string[] = [];
  const walk = (node: SchemaNode, at: string): void => {
    for (const [name, each] of Object.entries(node.properties ?? {})) {
      if (each.description === undefined) undescribed.push(`${at}.${name}`);
      walk(each, `${at}.${name}`);
    }
    if (node.items) walk(node.items, `${at}[]`);
  };
  walk(runbookJsonSchema(), '');
  expect(undescribed).toEqual([]);
});
