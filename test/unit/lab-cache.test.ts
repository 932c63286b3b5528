import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cached } from '../../lab/cache';

let root: string;
const before = process.env['XDG_CACHE_HOME'];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'lab-cache-'));
  process.env['XDG_CACHE_HOME'] = root;
});

afterEach(() => {
  if (before === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = before;
  rmSync(root, { recursive: true });
});

const entry = (build: (place: string) => Promise<void>) => ({
  name: 'thing',
  version: '1',
  building: 'a thing',
  build,
});

test('a build that fails half-way leaves nothing that could be taken for a whole one', async () => {
  const failing = entry(async (place) => {
    writeFileSync(path.join(place, 'half'), '');
    throw new Error('no room');
  });
  await expect(cached(failing)).rejects.toThrow('no room');
  expect(readdirSync(path.join(root, 'shardlift', 'thing'))).toEqual([]);
  const place = await cached(entry(async (directory) => writeFileSync(path.join(directory, 'whole'), 'yes')));
  expect(readFileSync(path.join(place, 'whole'), 'utf8')).toBe('yes');
  expect(existsSync(path.join(place, 'half'))).toBe(false);
});

test('what is built is built once, also by two at the same time', async () => {
  let builds = 0;
  const thing = entry(async (place) => {
    builds++;
    await new Promise((resolve) => setTimeout(resolve, 50));
    mkdirSync(path.join(place, 'part'));
  });
  const [first, second] = await Promise.all([cached(thing), cached(thing)]);
  expect(first).toBe(second);
  expect(builds).toBe(1);
});

test('the lock and the rest of a builder that was killed are cleared away', async () => {
  const parent = path.join(root, 'shardlift', 'thing');
  mkdirSync(path.join(parent, '1.4194000-1.tmp'), { recursive: true });
  writeFileSync(path.join(parent, '1.lock'), JSON.stringify({ pid: 4194000, started: '1' }));
  await cached(entry(async (place) => writeFileSync(path.join(place, 'whole'), '')));
  expect(readdirSync(parent)).toEqual(['1']);
});
