import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startCluster } from '../../lab/elasticsearch/cluster';
import { makeLabDirectory, newLabName } from '../../lab/directories';
import { dismantle, guard } from '../../lab/guard';
import { must, startPairOperator, type PairOperator } from '../support/pair-operator';
import { documentDifferences, readDocuments } from '../support/read-documents';
import { http, sharedPair } from '../support/shared-pair';

/**
 * A live data stream of an OpenSearch, to indices behind an alias. SHARDLIFT_STREAMS names other pairs of versions, as
 * "1.3.14/2.19.6,2.19.6/3.6.0"; without a target it is the shared one.
 */
const table = (process.env['SHARDLIFT_STREAMS'] ?? '2.19.6').split(',').map((pair) => {
  const [from = '', to] = pair.split('/');
  return { from, to };
});

jest.setTimeout(300_000);

const directory = makeLabDirectory(`streams-${newLabName()}`);
guard(directory);
let operator: PairOperator;

beforeAll(async () => {
  operator = await startPairOperator();
});
afterAll(async () => {
  await operator?.stop();
  await dismantle(directory);
});

/** Of its own: the shared target has aliases of other tests. */
const stream = 'logs-streamed';

async function urlOf(name: string, version: string): Promise<string> {
  return (await startCluster({ version, name, labDirectory: directory, nodes: 1, heap: '512m' })).url;
}

/** As an application does: through the stream, new documents only. */
async function append(url: string, from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, at) => {
    const id = from + at;
    return `{"create":{"_index":"${stream}","_id":"${id}"}}\n{"@timestamp":${1_700_000_000_000 + id},"exact":1.0,"text":"é ${id}"}\n`;
  });
  const { body } = await http<{ errors: boolean }>(`${url}/_bulk?refresh=true`, 'POST', lines.join(''));
  expect(body.errors).toBe(false);
}

/** And now and then somebody mends what is there, in the backing index itself. */
async function mend(url: string, index: string, id: number): Promise<void> {
  const found = await http<{ _seq_no: number; _primary_term: number }>(`${url}/${index}/_doc/${id}`);
  const { _seq_no, _primary_term } = found.body;
  await must(`${url}/${index}/_doc/${id}?if_seq_no=${_seq_no}&if_primary_term=${_primary_term}`, 'PUT', {
    '@timestamp': 1,
    text: 'mended',
  });
}

/** The example with only addresses and names put in their place. */
function fromExample(run: string, source: string, target: string): string {
  const text = readFileSync(path.join(__dirname, '..', '..', 'examples', '12-follow-data-stream.yaml'), 'utf8')
    .replace('http://127.0.0.1:9200', source)
    .replace('http://127.0.0.1:9201', target)
    .replace('name: app-stream', `name: ${run}`)
    .replaceAll('logs-app', stream);
  const file = path.join(operator.directory, `${run}.yaml`);
  writeFileSync(file, text);
  return file;
}

test.each(table)(
  '$from: a live data stream arrives behind an alias, documents and versions kept',
  async ({ from, to }) => {
    const run = `stream-${from}-${to ?? 'shared'}`.replace(/[^a-z0-9]+/g, '-');
    const [source, target] = await Promise.all([
      urlOf(`${run}-source`, from),
      to === undefined ? sharedPair().target : urlOf(`${run}-target`, to),
    ]);
    await must(`${source}/_index_template/${stream}`, 'PUT', {
      index_patterns: [stream],
      data_stream: {},
      template: {
        settings: { number_of_replicas: 0, number_of_shards: 2 },
        mappings: { properties: { '@timestamp': { type: 'date' }, text: { type: 'text' } } },
      },
    });
    await append(source, 0, 500);
    await must(`${source}/${stream}/_rollover`, 'POST');
    await append(source, 500, 800);
    const backing = [1, 2, 3].map((number) => `.ds-${stream}-00000${number}`);
    const [first = '', second = '', third = ''] = backing;

    const file = fromExample(run, source, target);
    // under its own name it is refused
    const asIs = path.join(operator.directory, `${run}-as-is.yaml`);
    writeFileSync(asIs, readFileSync(file, 'utf8').replace("to: 'ds-*'", "to: '.ds-*'"));
    expect((await operator.shardlift('plan', asIs)).out).toMatch(/index\.data-stream[\s\S]*under other names/);

    await operator.tell('start', file);
    await operator.reach(run, 'the gate', ({ state }) => state === 'waiting');
    await append(source, 800, 900);
    await must(`${source}/${stream}/_rollover`, 'POST');
    await append(source, 900, 1000);
    await mend(source, first, 7);
    await mend(source, second, 600);
    await must(`${source}/${first}/_doc/8`, 'DELETE');
    await operator.reach(run, 'the new backing index', ({ catchUp }) => catchUp?.series?.followed === 3);
    await operator.tell('approve', run, 'cutover', '--reason', 'test');
    const status = await operator.ended(run);
    expect([status.state, status.differences]).toEqual(['completed', []]);

    for (const index of backing) {
      const documents = await readDocuments(source, index);
      expect([index, documents.size]).toEqual([index, { [first]: 499, [second]: 400, [third]: 100 }[index]]);
      expect(documentDifferences(documents, await readDocuments(target, index.slice(1)))).toEqual([]);
    }
    // applications go on by the stream's name: searches find all of it, and what is new goes to the newest
    await append(target, 1000, 1010);
    const counted = await http<{ count: number }>(`${target}/${stream}/_count`);
    expect(counted.body.count).toBe(1009);
    expect((await readDocuments(target, third.slice(1))).size).toBe(110);
    const settings = await http<Record<string, { settings: Record<string, string> }>>(
      `${target}/${third.slice(1)}/_settings?flat_settings=true`,
    );
    expect(settings.body[third.slice(1)]?.settings['index.hidden']).toBeUndefined();
    const rolled = await http<{ new_index: string }>(`${target}/${stream}/_rollover`, 'POST');
    expect(rolled.body.new_index).toBe(`ds-${stream}-000004`);
  },
);
