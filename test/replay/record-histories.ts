import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporalBinary } from '../../lab/temporal';
import { startEnvironment } from '../support/temporal-environment';
import { scenarios } from './scenarios';

/**
 * `npm run record-histories -- <version>`: runs the scenarios on a real server and keeps their histories for that released
 * version. Histories are append-only: one that is there is never written anew, since runs of that version may be under way.
 */
export const historiesDirectory = path.join(__dirname, 'histories');
export const manifestFile = path.join(historiesDirectory, 'manifest.json');

export interface ManifestEntry {
  file: string;
  type: string;
  version: string;
  sha256: string;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function main(version: string): Promise<void> {
  const manifest = existsSync(manifestFile) ? (JSON.parse(readFileSync(manifestFile, 'utf8')) as ManifestEntry[]) : [];
  const environment = await startEnvironment();
  const address = environment.environment.address;
  try {
    for (const scenario of scenarios()) {
      const kept = await environment.withWorker(scenario.activities, (taskQueue) =>
        scenario.run(environment.client, taskQueue),
      );
      for (const { type, workflowId } of kept) {
        const name = `${scenario.name}${workflowId.includes('/') ? `-${workflowId.split('/')[1] ?? ''}` : ''}`;
        const file = path.join(version, type, `${name}.json`);
        if (manifest.some((entry) => entry.file === file))
          throw new Error(`${file} is there already: histories are never rewritten`);
        // The CLI's JSON, as the SDK's own printing of a history is not what its replayer reads.
        const history = execFileSync(
          await temporalBinary(),
          ['workflow', 'show', '--address', address, '--workflow-id', workflowId, '--output', 'json'],
          { maxBuffer: 64 * 1024 ** 2 },
        )
          .toString()
          // Stack traces of failures name this checkout's place on the machine.
          .replaceAll(`${path.resolve(__dirname, '..', '..')}${path.sep}`, '');
        mkdirSync(path.dirname(path.join(historiesDirectory, file)), { recursive: true });
        writeFileSync(path.join(historiesDirectory, file), history);
        manifest.push({ file, type, version, sha256: sha256(history) });
      }
    }
  } finally {
    await environment.stop();
  }
  writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
}

if (require.main === module) {
  const version = process.argv[2];
  if (!version) throw new Error('name the version that is released: npm run record-histories -- 0.1.0');
  main(version).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}
