import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Worker } from '@temporalio/worker';
import { workflowTypes } from '../../contracts/messages';
import { dataConverter } from '../../worker/data-converter';
import { bundleWorkflows } from '../support/temporal-environment';
import { historiesDirectory, manifestFile, sha256, type ManifestEntry } from './record-histories';

jest.setTimeout(120_000);

/** A released workflow must go on replaying what was recorded of it: a run of days outlives an upgrade of its worker. */
const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as ManifestEntry[];

const historyOf = (entry: ManifestEntry): unknown =>
  JSON.parse(readFileSync(path.join(historiesDirectory, entry.file), 'utf8'));

test('every registered workflow type has a history, and every history is listed, unchanged', () => {
  expect(new Set(manifest.map((entry) => entry.type))).toEqual(new Set(Object.values(workflowTypes)));
  const files = readdirSync(historiesDirectory, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.json') && file !== 'manifest.json',
  );
  expect(files.sort()).toEqual(manifest.map((entry) => entry.file).sort());
  for (const entry of manifest) {
    expect([entry.file, sha256(readFileSync(path.join(historiesDirectory, entry.file), 'utf8'))]).toEqual([
      entry.file,
      entry.sha256,
    ]);
  }
});

test('the histories replay, all of them', async () => {
  const histories = manifest.map((entry) => ({ workflowId: entry.file, history: historyOf(entry) }));
  const replayed: string[] = [];
  const results = Worker.runReplayHistories({ workflowBundle: await bundleWorkflows(), dataConverter }, histories);
  for await (const result of results) {
    if (result.error) throw new Error(`${result.workflowId} does not replay: ${result.error.message}`);
    replayed.push(result.workflowId);
  }
  expect(replayed).toHaveLength(manifest.length);
  expect(replayed.length).toBeGreaterThan(0);
});

test('a history that the workflows did not make is caught', async () => {
  const entry = manifest.find((each) => each.type === workflowTypes.plan);
  if (!entry) throw new Error('no history of a plan');
  const history = historyOf(entry) as {
    events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
  };
  const scheduled = history.events.find((event) => event.activityTaskScheduledEventAttributes);
  if (!scheduled?.activityTaskScheduledEventAttributes) throw new Error('no activity in the history');
  scheduled.activityTaskScheduledEventAttributes.activityType.name = 'deleteEverything';
  const results = Worker.runReplayHistories({ workflowBundle: await bundleWorkflows(), dataConverter }, [
    { workflowId: 'doctored', history },
  ]);
  const errors: unknown[] = [];
  for await (const result of results) errors.push(result.error);
  expect(String(errors[0])).toMatch(/[Nn]ondetermini|DeterminismViolation/);
});

test('there is one protobufjs under the Temporal packages: with two, histories do not load at all', () => {
  const root = path.join(__dirname, '..', '..');
  const tree = JSON.parse(
    execFileSync('npm', ['ls', 'protobufjs', '--json', '--all'], { cwd: root }).toString(),
  ) as Tree;
  const versions = new Set<string>();
  const visit = (node: Tree, under: string[]): void => {
    for (const [name, child] of Object.entries(node.dependencies ?? {})) {
      const isGrpc = under.some((each) => each.startsWith('@grpc/'));
      if (name === 'protobufjs' && child.version && !isGrpc) versions.add(child.version);
      visit(child, [...under, name]);
    }
  };
  visit(tree, []);
  expect([...versions]).toEqual([expect.stringMatching(/^8\./)]);
});

interface Tree {
  version?: string;
  dependencies?: Record<string, Tree>;
}
