import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { completionScript } from '../../client/completion';
import { runCommandLine } from '../../client/main';
import { buildProgram } from '../../client/program';
import { testIo } from './client-fixtures';

jest.setTimeout(30_000);

const root = path.join(__dirname, '../..');
const example = path.join(root, 'examples/03-existing-repository.yaml');
let directory: string;

beforeAll(() => (directory = mkdtempSync(path.join(tmpdir(), 'shardlift-client-'))));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Nobody's configuration and no server: what these tests need must not depend on where they run. */
async function run(argv: string[], over: Parameters<typeof testIo>[0] = {}) {
  const io = testIo({ ...over, env: { XDG_STATE_HOME: directory, TEMPORAL_ADDRESS: '127.0.0.1:1', ...over.env } });
  const code = await runCommandLine(argv, io);
  return { code, out: io.out(), err: io.err() };
}

const verbs = buildProgram(testIo(), () => undefined).commands.map((command) => command.name());

test('the verbs are those of the design', () => {
  expect(verbs.sort()).toEqual(
    'abort approve completion doctor dump init list load pause plan reject report resume retry skip start status tune up validate watch worker'.split(
      ' ',
    ),
  );
});

test.each(verbs)('%s has a help with examples and the global options', async (verb) => {
  const { code, out } = await run([verb, '--help']);
  expect(code).toBe(0);
  expect(out).toContain(`Usage: shardlift ${verb}`);
  expect(out).toMatch(/Examples:\n {2}shardlift /);
  expect(out).toContain('--output <format>');
});

test('the help names the exit codes', async () => {
  expect((await run(['--help'])).out).toContain('7  completed with differences');
});

test('the version is the package’s', async () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  expect(await run(['--version'])).toMatchObject({ code: 0, out: `${version}\n` });
});

test.each([
  [['statsu'], "error: unknown command 'statsu'\n(Did you mean status?)"],
  [['status', '--al'], "error: unknown option '--al'\n(Did you mean --all?)"],
  [['start'], "error: missing required argument 'runbook.yaml'"],
  [['status', 'a', 'b'], 'too many arguments'],
  [['status', '-o', 'xml'], 'Allowed choices are table, json, yaml'],
  [['list', '--limit', 'many'], 'found "many", expected a whole number'],
  [['watch', 'x', '--timeout', 'soon'], '--timeout: found "soon", expected a time such as 45s, 30m or 2h'],
  [['start', example, '--timeout', '1h'], '--timeout and --until-gate mean something only with --wait'],
  [['completion', 'powershell'], 'Allowed choices are bash, zsh, fish'],
  [[], 'Usage: shardlift'],
])('%j is wrong input', async (argv, words) => {
  const { code, out, err } = await run(argv);
  expect(code).toBe(2);
  expect(err).toContain(words);
  expect(out).toBe('');
});

test('without a server every verb that needs one says what helps, at once', async () => {
  const started = Date.now();
  const { code, out, err } = await run(['status', 'logs']);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain('no Temporal server at 127.0.0.1:1: connection refused');
  expect(err).toContain('remedy: start one on this machine with `shardlift up`');
  expect(Date.now() - started).toBeLessThan(3000);
});

test('a wrong profile is wrong input', async () => {
  const { code, err } = await run(['status', '--profile', 'nonesuch'], { env: { TEMPORAL_ADDRESS: '' } });
  expect(code).toBe(2);
  expect(err).toContain('the Temporal configuration cannot be used');
});

describe('validate', () => {
  test('says that a runbook is valid', async () => {
    expect(await run(['validate', example])).toEqual({
      code: 0,
      out: `${example} is a valid runbook for the run move-by-nas.\n`,
      err: '',
    });
  });

  test('prints the defaults', async () => {
    const { out } = await run(['validate', example, '--print-runbook', '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({ name: 'move-by-nas', freeze: 'none', batches: { inFlight: 3 } });
  });

  test('prints the schema', async () => {
    const { out } = await run(['validate', '--print-schema']);
    expect(out).toBe(readFileSync(path.join(root, 'schema/runbook.schema.json'), 'utf8'));
  });

  test('prints problems on stderr, or as data on stdout', async () => {
    const input = 'kind: Migration\nnaem: logs\n';
    const asText = await run(['validate', '-'], { input });
    expect(asText).toMatchObject({ code: 2, out: '' });
    expect(asText.err).toContain(
      '<stdin>:2:1: naem: found unknown field "naem"; expected a known field; did you mean "name"?',
    );
    const asData = await run(['validate', '-', '-o', 'json'], { input });
    expect(asData.code).toBe(2);
    expect(JSON.parse(asData.out)).toMatchObject({
      valid: false,
      problems: expect.arrayContaining([expect.objectContaining({ line: 2, column: 1, path: 'naem' })]) as unknown,
    });
  });
});

describe('completion', () => {
  const script = (shell: 'bash' | 'zsh' | 'fish') =>
    completionScript(
      shell,
      buildProgram(testIo(), () => undefined),
    );

  test('of bash completes verbs and options', () => {
    const file = path.join(directory, 'completion.bash');
    writeFileSync(file, script('bash'));
    const complete = (...words: string[]) =>
      execFileSync('bash', [
        '-c',
        `source ${file}; COMP_WORDS=(shardlift ${words.map((each) => `'${each}'`).join(' ')}); COMP_CWORD=${words.length}; _shardlift; echo "\${COMPREPLY[@]}"`,
      ])
        .toString()
        .trim();
    expect(complete('sta')).toBe('start status');
    expect(complete('status', '--al')).toBe('--all');
    expect(complete('status', '-o', 'y')).toBe('yaml');
  });

  test.each(verbs)('of zsh and fish knows %s', (verb) => {
    expect(script('zsh')).toContain(`'${verb}:`);
    expect(script('fish')).toContain(`-a ${verb} -d`);
  });
});

test('help and status load neither the worker nor zod', () => {
  const code = `
    const { runCommandLine } = require('./client/main');
    const { processIo } = require('./client/io');
    runCommandLine(['status', '--address', '127.0.0.1:1'], processIo()).then(() => {
      const heavy = Object.keys(require.cache).filter((file) => /@temporalio.(worker|core-bridge)|node_modules.zod|ssh2|@elastic/.test(file));
      console.log('heavy: ' + heavy.length, heavy.slice(0, 3).join(' '));
    });`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', code], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toContain('heavy: 0');
});
