import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pino from 'pino';
import { temporalSettings } from '../../client/connection';
import { livingEmbedded, writeEmbeddedState, type EmbeddedState } from '../../client/embedded-state';
import { identify, isAlive } from '../../client/process-identity';
import { Session } from '../../client/session';
import { lockDirectory } from '../../client/up/directory-lock';
import { choosePort } from '../../client/up/ports';
import { supervise } from '../../client/up/supervise';
import { findTemporal } from '../../client/up/temporal-binary';
import { testIo } from './client-fixtures';

let directory: string;
beforeEach(() => (directory = mkdtempSync(path.join(tmpdir(), 'shardlift-up-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const self = identify(process.pid);
/** A process that has ended: its number may be taken again, its start may not. */
const dead = { pid: process.pid, started: 'long ago' };
const never = () => Promise.reject(new Error('nothing to stop'));

describe('the lock of a directory', () => {
  test('is refused while its holder lives, with words', async () => {
    const lock = await lockDirectory(directory, never);
    await expect(lockDirectory(directory, never)).rejects.toMatchObject({
      code: 4,
      message: expect.stringContaining('runs already in') as string,
    });
    lock.release();
    (await lockDirectory(directory, never)).release();
  });

  test('of a dead holder is taken over, and its living server is stopped first', async () => {
    const server = spawn('sleep', ['60'], { detached: true });
    const identity = identify(server.pid as number);
    writeFileSync(path.join(directory, 'up.lock'), JSON.stringify({ up: dead, server: identity }));
    const stopped: unknown[] = [];
    const lock = await lockDirectory(directory, async (each) => {
      stopped.push(each);
      server.kill('SIGKILL');
    });
    expect(stopped).toEqual([identity]);
    lock.recordServer(self);
    expect(JSON.parse(readFileSync(path.join(directory, 'up.lock'), 'utf8'))).toEqual({ up: self, server: self });
  });

  test('does not touch a stranger that has got the number of the dead server', async () => {
    writeFileSync(path.join(directory, 'up.lock'), JSON.stringify({ up: dead, server: dead }));
    await expect(lockDirectory(directory, never)).resolves.toBeDefined();
  });

  test('that was cut off while being written counts as free', async () => {
    writeFileSync(path.join(directory, 'up.lock'), '{"up":');
    await expect(lockDirectory(directory, never)).resolves.toBeDefined();
  });
});

test('a process is known by its start as well as its number', () => {
  expect(isAlive(self)).toBe(true);
  expect(isAlive(dead)).toBe(false);
  expect(isAlive({ pid: process.pid, started: '' })).toBe(false);
});

describe('the embedded server', () => {
  const state = (name: string, over: Partial<EmbeddedState> = {}): EmbeddedState => ({
    directory: path.join(directory, name),
    address: '127.0.0.1:7777',
    uiUrl: '',
    namespace: 'default',
    taskQueue: 'mine',
    up: self,
    server: self,
    ...over,
  });
  const session = (env: Record<string, string> = {}) =>
    new Session(testIo({ env: { XDG_STATE_HOME: directory, ...env } }), { output: 'table', color: false });

  test('is found when nothing is configured', () => {
    writeEmbeddedState(session().io, state('a'));
    expect(temporalSettings(session())).toEqual({
      address: '127.0.0.1:7777',
      namespace: 'default',
      taskQueue: 'mine',
      options: {},
      origin: 'embedded',
    });
  });

  test('gives way to what is configured', () => {
    writeEmbeddedState(session().io, state('a'));
    const settings = temporalSettings(
      session({ TEMPORAL_ADDRESS: 'far:7233', TEMPORAL_NAMESPACE: 'prod', TEMPORAL_API_KEY: 'k' }),
    );
    expect(settings).toMatchObject({
      address: 'far:7233',
      namespace: 'prod',
      taskQueue: 'shardlift',
      origin: 'configured',
    });
    expect(settings.options).toMatchObject({ apiKey: 'k', tls: true });
  });

  test('is not found when it has ended', () => {
    writeEmbeddedState(session().io, state('a', { up: dead, server: dead }));
    expect(livingEmbedded(session().io)).toEqual([]);
    expect(temporalSettings(session()).origin).toBe('default');
  });

  test('must be named when there are two', () => {
    writeEmbeddedState(session().io, state('a'));
    writeEmbeddedState(session().io, state('b', { address: '127.0.0.1:8888' }));
    expect(() => temporalSettings(session())).toThrow(
      /several servers of `shardlift up` run; say which:\n.*\n.*127\.0\.0\.1:8888/,
    );
  });

  test('of a profile file', () => {
    const file = path.join(directory, 'temporal.toml');
    writeFileSync(file, '[profile.site]\naddress = "site:7233"\nnamespace = "ops"\n');
    const settings = temporalSettings(session({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'site' }));
    expect(settings).toMatchObject({ address: 'site:7233', namespace: 'ops' });
  });
});

describe('the temporal program', () => {
  const program = (...place: string[]) => {
    const file = path.join(directory, ...place, 'temporal');
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
    chmodSync(file, 0o755);
    return file;
  };

  test('is the one that is named, or on PATH, or the latest of the cache', () => {
    const [named, onPath] = [program('named'), program('bin')];
    program('cache', 'shardlift', 'temporal', '1.5.1');
    const latest = program('cache', 'shardlift', 'temporal', '1.10.0');
    const env = { XDG_CACHE_HOME: path.join(directory, 'cache') };
    expect(findTemporal(testIo({ env }), named)).toBe(named);
    expect(findTemporal(testIo({ env: { ...env, PATH: path.dirname(onPath) } }), undefined)).toBe(onPath);
    expect(findTemporal(testIo({ env }), undefined)).toBe(latest);
  });

  test('that is not there is asked for in words', () => {
    expect(() => findTemporal(testIo(), undefined)).toThrow('the Temporal server is not installed on this machine');
    expect(() => findTemporal(testIo({ env: { SHARDLIFT_TEMPORAL: '/nonexistent' } }), undefined)).toThrow(
      '/nonexistent cannot be executed',
    );
  });
});

test('a port that is taken is refused when it was asked for, and passed over when not', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(choosePort(port, 1, '--port')).rejects.toMatchObject({ code: 4 });
  expect(await choosePort(undefined, port, '--port')).not.toBe(port);
  await new Promise((resolve) => server.close(resolve));
  expect(await choosePort(port, 1, '--port')).toBe(port);
});

test('what ends is started again until the signal', async () => {
  const stop = new AbortController();
  const how: string[] = [];
  await supervise({
    name: 'thing',
    signal: stop.signal,
    log: pino({ level: 'silent' }),
    runOnce: async () => {
      how.push('run');
      if (how.length === 2) stop.abort();
      if (how.length === 1) throw new Error('broken');
      return 'ended';
    },
  });
  expect(how).toEqual(['run', 'run']);
});
