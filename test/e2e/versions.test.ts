import { allSteps, type LiveStatus } from '../../client/live-status';
import { createClusters } from '../../activities/elasticsearch/cluster';
import { createVerificationActivities } from '../../activities/verification';
import { startPair, type Pair } from '../../lab/pair';
import { asValue, documentDifferences, readDocuments } from '../support/read-documents';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { indexOf as facts, runbookOf } from '../support/fixtures';
import { countOf, http } from '../support/shared-pair';

/**
 * Moves between versions by copy and by remote reindex, each on two real clusters: what was there before, and what is written while the run waits at the
 * cutover. SHARDLIFT_VERSIONS=all goes through the whole table, or names pairs as "6.8.23/8.19.21,…".
 */
const sources = ['5.6.16', '6.8.23', '7.10.2', '7.17.29', '8.19.21', '1.3.14', '2.19.6'];
const targets = ['7.17.29', '8.19.21', '9.5.3', '2.19.6', '3.6.0'];
const wanted = process.env['SHARDLIFT_VERSIONS'] ?? '6.8.23/8.19.21';
const table =
  wanted === 'all'
    ? sources.flatMap((source) => targets.map((target) => [source, target] as const))
    : wanted.split(',').map((pair) => pair.split('/') as unknown as readonly [string, string]);

/** Of each target that has `_reindex` in the lab, its setting; Maven has no such module of the others. */
const allowlist: Record<string, string> = {
  '7.17.29': 'reindex.remote.whitelist',
  '2.19.6': 'reindex.remote.allowlist',
  '3.6.0': 'reindex.remote.allowlist',
};
const isOpenSearch = (version: string) => /^[123]\./.test(version);
/** Checks that refuse to fetch from there: no Elasticsearch fetches from an OpenSearch, nor from a newer major. */
function refusalsOf(source: string, target: string): string[] {
  const isNewer = Number.parseInt(source) > Number.parseInt(target);
  const isUnread = !isOpenSearch(target) && (isOpenSearch(source) || isNewer);
  return [
    ...(isUnread ? ['cluster.versions'] : []),
    ...(allowlist[target] === undefined ? ['reindex.module', 'reindex.allowlist'] : []),
  ];
}
const methods = ['copy', 'remote-reindex'] as const;

jest.setTimeout(300_000);

let operator: PairOperator;
const clusters = createClusters();
const verification = createVerificationActivities({ clusters });
const results: string[] = [];

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => {
  process.stdout.write(`\nsource -> target: copy, catch-up; remote-reindex, catch-up\n${results.join('\n')}\n`);
  await operator?.stop();
  await clusters.close();
});

/** 1.x, 2.x and 3.x are OpenSearch. Before 7.0 an index has a mapping type, and each request names it. */
const typeOf = (version: string) => (/^[56]\./.test(version) ? 'doc' : undefined);

async function fill(url: string, index: string, version: string): Promise<void> {
  const type = typeOf(version);
  const properties = { n: { type: 'long' }, text: { type: 'text' }, at: { type: 'date', format: 'epoch_millis' } };
  await must(`${url}/${index}`, 'PUT', {
    settings: { number_of_shards: 2, number_of_replicas: 0 },
    mappings: type === undefined ? { properties } : { [type]: { properties } },
  });
  await write(url, index, version, 0, 500);
  await write(url, index, version, 100, 150);
}

async function write(url: string, index: string, version: string, from: number, to: number): Promise<void> {
  const type = typeOf(version);
  const kind = type === undefined ? '' : `,"_type":"${type}"`;
  const lines = Array.from({ length: to - from }, (_, at) => {
    const id = from + at;
    const routing =
      id % 3 === 0 ? `,"${type === 'doc' && version.startsWith('5') ? '_routing' : 'routing'}":"r${id % 7}"` : '';
    return `{"index":{"_index":"${index}"${kind},"_id":"${id}"${routing}}}\n{"n":${id},"f":1.0,"text":"é ${id}", "at":${1_700_000_000_000 + id}}\n`;
  });
  const { body } = await http<{ errors: boolean }>(`${url}/_bulk?refresh=true`, 'POST', lines.join(''));
  expect(body.errors).toBe(false);
}

/** As a bulk does that was let in before the write block: an update that no field shows, and a delete. */
async function writeLate(url: string, index: string, version: string): Promise<void> {
  const block = (on: true | null) => must(`${url}/${index}/_settings`, 'PUT', { 'index.blocks.write': on });
  await block(null);
  const kind = typeOf(version) === undefined ? '' : ',"_type":"doc"';
  await http(
    `${url}/_bulk?refresh=true`,
    'POST',
    `{"index":{"_index":"${index}"${kind},"_id":"4"}}\n{"n":-4}\n{"delete":{"_index":"${index}"${kind},"_id":"5"}}\n`,
  );
  await block(true);
}

async function remove(url: string, index: string, version: string, ids: number[]): Promise<void> {
  const kind = typeOf(version) === undefined ? '' : ',"_type":"doc"';
  const lines = ids.map((id) => {
    const routing = id % 3 === 0 ? `,"${version.startsWith('5') ? '_routing' : 'routing'}":"r${id % 7}"` : '';
    return `{"delete":{"_index":"${index}"${kind},"_id":"${id}"${routing}}}\n`;
  });
  await http(`${url}/_bulk?refresh=true`, 'POST', lines.join(''));
}

function reasonOf(status: LiveStatus): string {
  const stuck = allSteps(status).find(({ state }) => state === 'stuck');
  return `${stuck?.id ?? ''}: ${stuck?.failure?.why ?? stuck?.failure?.message ?? ''}`.slice(0, 600);
}

async function tryOut(
  pair: Pair,
  { source, target, method }: { source: string; target: string; method: (typeof methods)[number] },
): Promise<string> {
  const run = `v-${method}-${source}-${target}`.replace(/[^a-z0-9]+/g, '-').slice(0, 60);
  const index = indexOf(method);
  // what has no sequence numbers is followed by the time in its documents
  const catchUp = source.startsWith('5') ? { kind: 'time-field', field: 'at' } : { kind: 'sequence' };
  const runbook = runbookOf(run, {
    source: { urls: [pair.source.url] },
    target: { urls: [pair.target.url] },
    method,
    snapshot: undefined,
    select: { include: [`${index}*`] },
    gates: ['cutover'],
    catchUp: { ...catchUp, interval: '1s' },
    freeze: 'atCutover',
  });
  await fill(pair.source.url, index, source);
  const refused = method === 'copy' ? [] : await operator.refusedBy(runbook);
  expect(refused).toEqual(method === 'copy' ? [] : refusalsOf(source, target));
  if (refused.length > 0) return `refused in plan by ${refused.join(', ')}`;
  await operator.start(runbook);
  const waiting = await operator.reach(run, 'the gate', ({ state }) => state === 'waiting' || state === 'stuck');
  if (waiting.state === 'stuck') return `refused: ${reasonOf(waiting)}`;
  await write(pair.source.url, index, source, 490, 520);
  await remove(pair.source.url, index, source, [1, 2, 3, 300]);
  // an index that nobody planned holds the comparison up, after the drain
  await must(`${pair.source.url}/${index}-late`, 'PUT', {});
  await operator.tell('approve', run, 'cutover', '--reason', 'test');
  await operator.stuckAt(run, 'cutover/verify');
  await must(`${pair.source.url}/${index}-late`, 'DELETE');
  await writeLate(pair.source.url, index, source);
  const { positions = [] } = (await operator.status(run)).catchUp ?? {};
  const compared = await verification.verifyIndices({ run, runbook, step: 'test', indices: [facts(index)], positions });
  expect(compared.differences.map(({ what }) => what).join()).toContain('after it was drained: 2 operations');
  await operator.retry(run);
  const ended = await operator.reach(run, 'its end', ({ endedAt, state, catchUp }) => {
    // a few rounds drain what is written here: more say why they do not
    if ((catchUp?.rounds ?? 0) > 40) throw new Error(JSON.stringify(catchUp));
    return endedAt !== undefined || state === 'stuck';
  });
  if (ended.state === 'stuck') throw new Error(reasonOf(ended));
  const unlike = await unlikeOf(pair, method);
  expect([ended.state, ended.differences, unlike]).toEqual(['completed', [], []]);
  const count = await countOf(pair.target.url, index);
  const followed = `${ended.catchUp?.written} written ${ended.catchUp?.deleted} deleted`;
  return `500, catch-up by ${catchUp.kind} ${followed}, ${count} equal`;
}

const indexOf = (method: (typeof methods)[number]) => (method === 'copy' ? 'things' : 'fetched');

/** A remote reindex prints bodies anew: they are compared as values. */
async function unlikeOf({ source, target }: Pair, method: (typeof methods)[number]): Promise<string[]> {
  const form = method === 'copy' ? undefined : asValue;
  const [from, to] = await Promise.all([source, target].map(({ url }) => readDocuments(url, indexOf(method), form)));
  return documentDifferences(from ?? new Map<string, string>(), to ?? new Map<string, string>());
}

test.each(table)('%s to %s', async (source, target) => {
  const setting = allowlist[target];
  const targetSettings = setting === undefined ? {} : { [setting]: ['127.0.0.1:*'] };
  const pair = await startPair({ source, target, heap: '512m', targetSettings });
  const found: string[] = [];
  try {
    for (const method of methods) {
      try {
        found.push(`${method} ${await tryOut(pair, { source, target, method })}`);
      } catch (error) {
        const unlike = await unlikeOf(pair, method).catch((unread: unknown) => [String(unread)]);
        const why = (error as Error).message.slice(0, 300);
        found.push(`${method} FAILED ${why}; unlike: ${unlike.slice(0, 5).join('; ') || 'none'}`);
        throw error;
      }
    }
  } finally {
    results.push(`${source} -> ${target}: ${found.join('; ')}`);
    await pair.stop();
  }
});
