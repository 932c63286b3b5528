import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { startCluster } from '../../lab/elasticsearch/cluster';
import { makeOwnedDirectory, serverUser } from '../../lab/elasticsearch/user';
import { dismantle, guard } from '../../lab/guard';
import { loadFiller } from '../../lab/loader';
import { lostOrChanged, must, startPairOperator, stateOf, type PairOperator } from '../support/pair-operator';
import { countOf, http, makeIndex, pairRunbook, sharedPair } from '../support/shared-pair';

/**
 * Whole runs that must not go on as they were started: the cause in words, nothing changed or lost, and after it is
 * mended the same run ends with every document there.
 */

jest.setTimeout(240_000);

const pair = sharedPair();
const everywhere = { source: pair.source, target: pair.target };
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
}, 120_000);
afterAll(async () => operator?.stop());

const bothSides = async () => ({ source: await stateOf(pair.source), target: await stateOf(pair.target) });
const lost = (indices: string[]) => lostOrChanged(everywhere.source, everywhere.target, indices);

test('a target older than the source is refused before anything is changed', async () => {
  await makeIndex(pair.target, 'swapped-a', 20);
  const before = await bothSides();
  await operator.start(
    pairRunbook('swapped', {
      source: { urls: [pair.target] },
      target: { urls: [pair.source] },
      freeze: 'beforeMove',
    }),
  );
  const failure = await operator.stuckAt('swapped', 'preflight/checks');
  expect(failure).toMatchObject({ type: 'PreflightFailed', remedy: expect.stringContaining('doctor') as string });
  expect(failure.why).toContain('cluster.versions');
  expect(failure.why).toMatch(/seen Elasticsearch 8\.\S+ to Elasticsearch 7\.\S+;/);
  expect(failure.why).toContain('no cluster restores a snapshot of a newer version: upgrade the target');
  await operator.tell('abort', 'swapped', '--yes', '--reason', 'the wrong way round');
  expect(await operator.ended('swapped')).toMatchObject({ state: 'aborted', changes: [] });
  expect(await bothSides()).toEqual(before);
});

test('an index made by 6.8 is named before it fails to restore into 8; without it the runbook goes through', async () => {
  const directory = makeLabDirectory(`six-${newLabName()}`);
  guard(directory);
  try {
    const six = await startCluster({
      version: '6.8.23',
      name: 'six',
      labDirectory: directory,
      nodes: 1,
      repositoryPaths: [pair.repositoryDir],
    });
    await loadFiller({ url: six.url, indices: 1, megabytesEach: 0.2, prefix: 'six' });
    const repository = { type: 'fs', settings: { location: path.join(pair.repositoryDir, 'six-old') } };
    await must(`${six.url}/_snapshot/six-old`, 'PUT', repository);
    await must(`${six.url}/_snapshot/six-old/all?wait_for_completion=true`, 'PUT', { include_global_state: false });
    await must(`${pair.source}/_snapshot/six-old`, 'PUT', repository);
    await must(`${pair.source}/_snapshot/six-old/all/_restore?wait_for_completion=true`, 'POST', { indices: 'six-*' });
    await must(`${pair.source}/_snapshot/six-old`, 'DELETE');
  } finally {
    await dismantle(directory);
  }
  await makeIndex(pair.source, 'six-2', 30);
  const before = await bothSides();
  await operator.start(pairRunbook('six'));
  const { why } = await operator.stuckAt('six', 'preflight/checks');
  expect(why).toContain('index.created-version');
  expect(why).toMatch(/too old for 8\.\S+: six-1 \(6\.8\.23\);.*reindex it on the source/);
  expect(why).not.toContain('six-2');
  // Its runbook is what is wrong, and a run keeps the one it was started with.
  await operator.tell('abort', 'six', '--yes', '--reason', 'six-1 has to be reindexed first');
  expect(await operator.ended('six')).toMatchObject({ state: 'aborted', changes: [] });
  expect(await bothSides()).toEqual(before);
  await operator.start(pairRunbook('six', { select: { include: ['six-*'], exclude: ['six-1'] } }));
  expect(await operator.ended('six')).toMatchObject({ state: 'completed', totals: { indicesDone: 1 } });
  expect(await lost(['six-2'])).toEqual([]);
  expect((await http(`${pair.target}/six-1`)).status).toBe(404);
});

test('a name that is taken on the target, before the run and in the midst of it: told, and never overwritten', async () => {
  for (const name of ['occupied-a', 'occupied-b']) await makeIndex(pair.source, name, 40);
  await makeIndex(pair.target, 'occupied-b', 3);
  const before = await bothSides();
  await operator.start(pairRunbook('occupied', { gates: ['move'] }));
  const early = await operator.stuckAt('occupied', 'preflight/checks');
  expect(early.why).toMatch(
    /index\.name-free.*taken: occupied-b \(an index\);.*nothing on the target is ever overwritten/,
  );
  await operator.retry('occupied');
  await operator.stuckAt('occupied', 'preflight/checks');
  expect(await bothSides()).toEqual(before);
  expect(await countOf(pair.target, 'occupied-b')).toBe(3);

  await must(`${pair.target}/occupied-b`, 'DELETE');
  await operator.retry('occupied');
  await operator.reach('occupied', 'the gate', ({ state }) => state === 'waiting');
  await makeIndex(pair.target, 'occupied-a', 5);
  await operator.tell('approve', 'occupied', 'move');
  const late = await operator.stuckAt('occupied', 'batch-0001/restore');
  expect(late).toMatchObject({ type: 'IndexNameTaken', where: 'target cluster: occupied-a' });
  expect(await countOf(pair.target, 'occupied-a')).toBe(5);
  expect((await http(`${pair.target}/occupied-b`)).status).toBe(404);

  await must(`${pair.target}/occupied-a`, 'DELETE');
  await operator.retry('occupied');
  expect(await operator.ended('occupied')).toMatchObject({ state: 'completed', differences: [] });
  expect(await lost(['occupied-a', 'occupied-b'])).toEqual([]);
});

test('a repository of somebody else and a directory that cannot be written: told, and gone through once mended', async () => {
  await makeIndex(pair.source, 'closed-off-a', 40);
  const location = path.join(pair.repositoryDir, 'closed-off');
  makeOwnedDirectory(location, await serverUser(), 0o500);
  await operator.start(pairRunbook('closed-off', { gates: ['move'] }));
  await operator.reach('closed-off', 'the gate', ({ state }) => state === 'waiting');
  const other = { type: 'fs', settings: { location: `${location}-of-another` } };
  await must(`${pair.source}/_snapshot/shardlift-closed-off`, 'PUT', other);
  await operator.tell('approve', 'closed-off', 'move');
  const taken = await operator.stuckAt('closed-off', 'prepare/source/repository');
  expect(taken).toMatchObject({ type: 'RepositoryConflict', where: 'source cluster' });
  expect(taken.why).toContain(`${location}-of-another`);
  expect((await http(`${pair.source}/_snapshot/shardlift-closed-off`)).body).toMatchObject({
    'shardlift-closed-off': other,
  });

  await must(`${pair.source}/_snapshot/shardlift-closed-off`, 'DELETE');
  await operator.retry('closed-off');
  // A share may come back by itself: the step goes on trying for some minutes, and says why.
  const refused = await operator.triedAgainAt('closed-off', 'prepare/source/repository', 'RepositoryNotWritable');
  expect(refused.why).toMatch(/source-1|access|denied/i);
  expect(refused.remedy).toContain('is the directory writable');
  expect((await http(`${pair.target}/closed-off-a`)).status).toBe(404);
  await chmod(location, 0o755);
  expect(await operator.ended('closed-off')).toMatchObject({ state: 'completed', differences: [] });
  expect(await lost(['closed-off-a'])).toEqual([]);
});

test('the command line: exit codes for what is wrong, and a secret that is put right while the run waits', async () => {
  const password = 'correct horse battery staple';
  const file = path.join(operator.directory, 'password');
  await makeIndex(pair.source, 'twice-told-a', 40);
  const source = { urls: [pair.source], auth: { basic: { username: 'mover', password: `\${file:${file}}` } } };
  const runbook = await operator.start(pairRunbook('twice-told', { source, gates: ['cutover'] }));
  const { why } = await operator.stuckAt('twice-told', 'preflight/checks');
  expect(why).toMatch(/cluster\.reachable.*cannot read \S+password: ENOENT.*put the file there on every machine/);

  const ends = async (code: number, words: RegExp, ...argv: string[]) => {
    const answer = await operator.shardlift(...argv);
    expect({ code: answer.code, words: answer.err }).toEqual({ code, words: expect.stringMatching(words) as string });
  };
  await ends(4, /twice-told is under way: nothing was started/, 'start', runbook);
  await ends(4, /no gate of twice-told waits/, 'approve', 'twice-told');
  await ends(4, /cutover is not open yet: the run has not come that far/, 'approve', 'twice-told', 'cutover');
  await ends(4, /this run has no gate move/, 'reject', 'twice-told', 'move', '--reason', 'no');
  await ends(4, /there is no step prepare\/nothing/, 'retry', 'twice-told', 'prepare/nothing');
  await ends(4, /cannot be skipped/, 'skip', 'twice-told', 'preflight/checks', '--yes', '--reason', 'hurry');
  await ends(4, /is not paused/, 'resume', 'twice-told');
  await ends(3, /nobody-knows/, 'status', 'nobody-knows');
  await ends(3, /nobody-knows/, 'retry', 'nobody-knows');
  await ends(3, /nobody-knows/, 'abort', 'nobody-knows', '--yes', '--reason', 'no');
  await ends(2, /not-there\.yaml/, 'start', path.join(operator.directory, 'not-there.yaml'));
  const mistyped = path.join(operator.directory, 'mistyped.yaml');
  await writeFile(mistyped, "kind: Migration\nname: Mistyped\nsource: { urls: ['http://127.0.0.1:9200'], tsl: {} }\n");
  await ends(2, /mistyped\.yaml:2:.*[\s\S]*tsl/, 'start', mistyped);

  await writeFile(file, `${password}\n`);
  await operator.retry('twice-told');
  await operator.reach('twice-told', 'the gate', ({ state }) => state === 'waiting');
  expect(await lost(['twice-told-a'])).toEqual([]);
  await operator.tell('approve', 'twice-told', '--reason', 'compared');
  const last = await operator.ended('twice-told');
  expect(last).toMatchObject({ state: 'completed', differences: [] });
  expect(JSON.stringify(last)).not.toContain(password);
  await ends(4, /has ended: completed/, 'approve', 'twice-told', 'cutover');
  await ends(4, /was completed: nothing was started/, 'start', runbook);
});
