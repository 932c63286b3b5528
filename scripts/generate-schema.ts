import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runbookJsonSchemaText } from '../client/json-schema';

// npx tsx scripts/generate-schema.ts: a unit test fails as long as the file is not what this writes.
writeFileSync(path.join(__dirname, '../schema/runbook.schema.json'), runbookJsonSchemaText());
