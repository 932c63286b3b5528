import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { identify, isAlive, killSession, membersOf, startSession } from '../../lab/process';
import { waitFor } from '../../lab/wait';

const lab = path.join(__dirname, '../../lab');

test('what a killed process had started is gone soon after, and its directory with it', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'lab-guard-'));
  const script = `
    const { guard } = require('${lab}/guard.ts');
    const { record } = require('${lab}/cleanup.ts');
    const { startSession } = require('${lab}/process.ts');
    guard('${directory}');
    startSession('sleep', ['600'], { logFile: '${directory}/log' }).then((process) => {
      record('${directory}', { kind: 'session', what: 'sleep', process });
      console.log(JSON.stringify(process));
    });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { cwd: path.join(lab, '..') });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const sleeper = JSON.parse(line.toString()) as { pid: number; started: string };
  expect(isAlive(sleeper)).toBe(true);
  child.kill('SIGKILL');
  await waitFor(() => !isAlive(sleeper) && !existsSync(directory), { what: 'the watchdog', timeoutMs: 20_000 });
});

test('a later process with the same number is left alone', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'lab-guard-'));
  const session = await startSession('sleep', ['600'], { logFile: path.join(directory, 'log') });
  const earlier = { pid: session.pid, started: '1' };
  expect(membersOf(earlier)).toEqual([]);
  await killSession(earlier);
  expect(identify(session.pid)).toEqual(session);
  await killSession(session);
  expect(isAlive(session)).toBe(false);
  rmSync(directory, { recursive: true });
});

test('a child that made a session of its own ends with the one that started it', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'lab-guard-'));
  const script = `require('node:child_process').spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }); setInterval(() => {}, 1e6)`;
  const session = await startSession(process.execPath, ['-e', script], { logFile: path.join(directory, 'log') });
  const members = await waitFor(
    () => {
      const found = membersOf(session);
      return found.length === 2 ? found.map(identify) : undefined;
    },
    { what: 'the child', timeoutMs: 10_000 },
  );
  await killSession(session);
  expect(members.map(isAlive)).toEqual([false, false]);
  rmSync(directory, { recursive: true });
});
