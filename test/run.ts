import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { dismantle, dismantleOnSignals } from '../lab/guard';
import { inNamespace } from '../lab/hosts/network';
import { requirePrerequisites } from '../lab/prerequisites';
import { progress } from '../lab/progress';
import { startSite } from '../lab/site';
import { startedSeconds } from '../lab/stopwatch';
import { temporalBinary } from '../lab/temporal';

/**
 * `npm test`: every test there is, or the projects that are named. Ends with a line `N passed, N failed, N skipped` over
 * all of them; what could not run has failed.
 */

const root = path.resolve(__dirname, '..');
const projects = ['static', 'unit', 'workflows', 'replay', 'e2e', 'site'] as const;
type Project = (typeof projects)[number];

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

function spawned(command: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, ...env } });
    child.once('error', () => resolve(127));
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** Format, lint, types, dead code and the build: each counts as one test. */
async function checkStatically(): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const script of ['format:check', 'lint', 'typecheck', 'knip']) {
    const code = await spawned(['npm', 'run', '--silent', script]);
    tally[code === 0 ? 'passed' : 'failed'] += 1;
    progress(`${script}: ${code === 0 ? 'passed' : 'FAILED'}`);
  }
  return tally;
}

interface JestResult {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numRuntimeErrorTestSuites: number;
  numTotalTests: number;
}

/** A file that does not even load, or a project in which nothing ran, counts as failed. */
async function runJest(project: Project, env: NodeJS.ProcessEnv = {}, namespace?: string): Promise<Tally> {
  const directory = mkdtempSync(path.join(tmpdir(), 'shardlift-test-'));
  const output = path.join(directory, 'result.json');
  try {
    // Projects that share servers run one file after the other.
    const serial = project === 'unit' ? [] : ['--runInBand'];
    const jest = [
      require.resolve('jest/bin/jest'),
      '--selectProjects',
      project,
      '--json',
      '--outputFile',
      output,
      ...serial,
    ];
    const command = [process.execPath, ...jest] as const;
    const code = await spawned(namespace === undefined ? [...command] : inNamespace(namespace, command), env);
    const result = JSON.parse(readFileSync(output, 'utf8')) as JestResult;
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    return {
      passed: result.numPassedTests,
      failed: failed === 0 && (code !== 0 || result.numTotalTests === 0) ? 1 : failed,
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } catch (error) {
    progress(`${project} did not run: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The site is started once, and its tests run inside its network namespace, where the hosts are. */
async function runOnSite(env: NodeJS.ProcessEnv): Promise<Tally> {
  try {
    const site = await startSite();
    try {
      return await runJest('site', { ...env, SHARDLIFT_TEST_SITE: site.directory }, site.namespace);
    } finally {
      await dismantle(site.directory);
    }
  } catch (error) {
    progress(`the site did not start: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function main(): Promise<number> {
  const seconds = startedSeconds();
  dismantleOnSignals();
  const named = process.argv.slice(2);
  const unknown = named.filter((name) => !(projects as readonly string[]).includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`no such test project: ${unknown.join(', ')}; there are ${projects.join(', ')}\n`);
    return 2;
  }
  const wanted = named.length > 0 ? projects.filter((project) => named.includes(project)) : projects;
  const needs = (project: Project): boolean => wanted.includes(project);
  const needsServers = needs('workflows') || needs('e2e') || needs('site');
  await requirePrerequisites({ site: needs('site'), temporal: needsServers, versions: [] });
  const env = needsServers ? { SHARDLIFT_TEMPORAL: await temporalBinary() } : {};
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const build = await spawned([process.execPath, path.join(root, 'scripts', 'build.cjs')]);
  if (build !== 0) total.failed += 1;
  const runProject = async (project: Project): Promise<void> => {
    const from = startedSeconds();
    const tally =
      project === 'static'
        ? await checkStatically()
        : project === 'site'
          ? await runOnSite(env)
          : await runJest(project, env);
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += tally[key];
    progress(`${project}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped in ${from()} s`);
  };
  const isBeside = (project: Project) => project === 'workflows' || project === 'replay' || project === 'e2e';
  for (const project of wanted) if (!isBeside(project) && project !== 'site') await runProject(project);
  // The hosts mostly wait for each other, so the other servers' tests run beside theirs.
  await Promise.all([
    needs('site') ? runProject('site') : undefined,
    (async () => {
      for (const project of wanted.filter(isBeside)) await runProject(project);
    })(),
  ]);
  progress(`all in all ${seconds()} s`);
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.stdout.write('0 passed, 1 failed, 0 skipped\n');
    process.exit(1);
  },
);
