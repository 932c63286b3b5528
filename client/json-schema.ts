import { z } from 'zod';
import { migrationRunbook } from '../contracts/runbook';

/** The part of JSON Schema that ours uses. */
export interface SchemaNode {
  type?: string;
  description?: string;
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  enum?: unknown[];
  [keyword: string]: unknown;
}

let made: SchemaNode | undefined;

/** The JSON Schema of what an operator writes: before defaults are filled in. */
export function runbookJsonSchema(): SchemaNode {
  made ??= {
    ...(z.toJSONSchema(migrationRunbook, { io: 'input', target: 'draft-2020-12' }) as SchemaNode),
    title: 'Shardlift runbook',
  };
  return made;
}

/** The text of schema/runbook.schema.json. */
export function runbookJsonSchemaText(): string {
  return `${JSON.stringify(runbookJsonSchema(), null, 2)}\n`;
}

/** What the schema says of the value at that path. */
export function schemaAt(schema: SchemaNode, path: readonly (string | number)[]): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>(
    (node, part) => (typeof part === 'number' ? node?.items : node?.properties?.[part]),
    schema,
  );
}
