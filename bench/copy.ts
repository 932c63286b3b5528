import { json, request, segment } from '../lab/http';
import { loadFiller } from '../lab/loader';
import { run as runProgram } from '../lab/process';
import { progress, timed } from '../lab/progress';
import { waitFor } from '../lab/wait';
import { contentOf, samenessOf, type Content, type Sameness } from './copy-check';
import { corpora, mappings, type CopyCorpus, type CopySize } from './copy-corpora';
import { reportCopy, rowNames } from './copy-report';
import { inClient, noted, rotated, type CopyMeasurement, type CopyOptions } from './copy-rows';
import { copyByShardlift, type LoadSettings } from './copy-shardlift';
import { flushed, isMerged } from './elasticsearch';
import { build, runPrefix, withBenchLab, type BenchLab } from './lab';
import { elasticdump, pythonClient, runElasticdump, runPythonClient, type Peer, type Use } from './peers';
import { watchServers } from './server-use';
import { secondsOf } from './statistics';

const shards = 2;
/** The lab's newer servers have no `_reindex`: between two of these all peers can be measured. */
const version = '7.17.29';
const index = 'bench-copy-1';

export interface CopyBenchOptions extends CopyOptions {
  size: CopySize;
  peers: boolean;
  timeline: boolean;
}

/** What is measured in each round: one row, or several that come of one run. */
interface Contender {
  name: string;
  /** A tool of others: what it fails at leaves its row out, and is told. */
  isPeer?: boolean;
  /** What there is on the target when it begins. A scan only reads, and a run of ours makes its index by itself. */
  target?: 'empty index' | 'nothing' | 'as it is';
  /** Of the empty index, beside those of the source. */
  settings?: Record<string, unknown>;
  run(round: number): Promise<(Use & { name: string })[]>;
}

/** What was measured, and what could not be. */
export interface CopyFindings {
  measurements: CopyMeasurement[];
  leftOut: Map<string, string>;
  sameness: Map<string, Sameness>;
  temporalCpuSeconds: number[];
}

/** Copy, what bounds it, and its peers, side by side in interleaved rounds on two real clusters. */
export async function benchCopy(options: CopyBenchOptions): Promise<boolean> {
  build();
  const corpus = corpora[options.size];
  const clusters = {
    source: version,
    target: version,
    targetSettings: { 'reindex.remote.whitelist': '127.0.0.1:*' },
    ...(corpus.heap === undefined ? {} : { heap: corpus.heap }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  };
  return withBenchLab(clusters, async (lab) => {
    const bytes = await load(lab, corpus, options.documents);
    const found: CopyFindings = {
      measurements: [],
      leftOut: new Map(),
      sameness: new Map(),
      temporalCpuSeconds: [],
    };
    const contenders = await contendersOf(lab, corpus, options, found);
    const content = await timed('reading the source', () => contentOf(lab.pair.source.url, index, pageOf(corpus)));
    // Servers and a worker that have just started compile their own code first: who came first would pay for the others. After a
    // single pass the target's compiler still took 3 s of processor time in the first row, and a few tenths in those after it.
    await timed('warming up', async () => {
      for (const pass of [-1, 0])
        for (const contender of contenders) {
          if (contender.isPeer === true || isRaised(contender)) continue;
          await prepare(lab, contender);
          await contender.run(pass);
        }
    });
    found.temporalCpuSeconds.length = 0;
    for (let round = 1; round <= options.rounds; round += 1) {
      progress(`round ${round} of ${options.rounds}`);
      for (const contender of rotated(contenders, round, options.rounds))
        await measure(lab, contender, { round, corpus, content, bytes, found });
    }
    return reportCopy(options, corpus, found);
  });
}

const raisedSettings = { refresh_interval: '-1', 'translog.durability': 'async' };

function isRaised({ name }: Contender): boolean {
  return name === rowNames.raised || name === rowNames.raisedLoad;
}

interface Setting {
  round: number;
  corpus: CopyCorpus;
  content: Content;
  bytes: number;
  found: CopyFindings;
}

async function measure(
  lab: BenchLab,
  contender: Contender,
  { round, corpus, content, bytes, found }: Setting,
): Promise<void> {
  if (found.leftOut.has(contender.name)) return;
  const { url } = lab.pair.target;
  try {
    await prepare(lab, contender);
    const served = await watchServers(lab.pair);
    const uses = await contender.run(round);
    if (contender.target !== 'as it is') progress(`${contender.name}: ${await served(index)}`);
    if (contender.target !== 'as it is') {
      const copied = await contentOf(url, index, pageOf(corpus));
      const sameness = samenessOf(content, copied);
      if (contender.isPeer !== true && (sameness !== 'bytes' || copied.versions !== content.versions))
        throw new Error('documents are not the same to the byte, or have other versions');
      for (const { name } of uses) found.sameness.set(name, sameness);
    }
    for (const use of uses) found.measurements.push(noted({ ...use, documents: content.documents, bytes }));
  } catch (error) {
    if (contender.isPeer !== true) throw error;
    const why = error instanceof Error ? error.message : String(error);
    found.leftOut.set(contender.name, why);
    found.measurements = found.measurements.filter(({ name }) => name !== contender.name);
    progress(`${contender.name}: left out: ${why}`);
  }
}

async function contendersOf(
  lab: BenchLab,
  corpus: CopyCorpus,
  options: CopyBenchOptions,
  found: CopyFindings,
): Promise<Contender[]> {
  const [source, target] = [lab.pair.source.url, lab.pair.target.url];
  const scan = (documents: number) => ({ url: source, index, shards, documents });
  const way = { source, target, index };
  const bareLoad = (name: string, documents: number): Contender => {
    const run = () => inClient({ what: 'load', scan: scan(documents), target }, {});
    return { name, run: async () => [{ name, ...(await run()) }] };
  };
  const loads = corpus.loadDocuments.map((documents) => bareLoad(`${rowNames.load}, bulks of ${documents}`, documents));
  const reindexes = (options.peers ? corpus.reindexSizes : []).map((size): Contender => {
    const name = `${rowNames.reindex}, size ${size}`;
    return { name, isPeer: true, run: async () => [{ name, ...(await remoteReindex(lab, size)) }] };
  });
  const ofPeer = options.peers ? rowsOfPeer : () => Promise.resolve([]);
  const { limit, concurrency } = corpus.elasticdump;
  const chunk = corpus.pythonChunk;
  const shardlift = (name: string, settings: LoadSettings): Contender => ({
    name,
    target: 'nothing',
    run: async (round) => {
      const run = `${runPrefix}${settings}-${round}`;
      const copied = await copyByShardlift(lab, run, index, settings, options.timeline);
      if (settings === 'raised') return [{ name, ...copied.documents }];
      found.temporalCpuSeconds.push(copied.temporalCpuSeconds);
      return [
        { name, ...copied.documents },
        { name: rowNames.run, ...copied.run },
      ];
    },
  });
  return [
    shardlift(rowNames.copy, 'given'),
    ...(await ofPeer(elasticdump, found, (program) => ({
      [`${rowNames.elasticdump}, default`]: () => runElasticdump(program, way),
      [`${rowNames.elasticdump}, limit ${limit}, ${concurrency} at once`]: () =>
        runElasticdump(program, way, corpus.elasticdump),
    }))),
    loads[0] as Contender,
    ...reindexes,
    shardlift(rowNames.raised, 'raised'),
    {
      name: rowNames.scan,
      target: 'as it is',
      run: async () => {
        const use = await inClient({ what: 'scan', scan: scan(corpus.scanDocuments) }, {});
        return [{ name: rowNames.scan, ...use }];
      },
    },
    ...(await ofPeer(pythonClient, found, (program) => ({
      [`${rowNames.python}, default`]: () => runPythonClient(program, way),
      [`${rowNames.python}, chunk_size ${chunk}`]: () => runPythonClient(program, way, chunk),
    }))),
    ...loads.slice(1),
    { ...bareLoad(rowNames.raisedLoad, corpus.loadDocuments.at(-1) ?? 1), settings: raisedSettings },
  ];
}

/** The rows of a tool that can be had here; else it is noted why there are none. */
async function rowsOfPeer(
  peer: Peer,
  { leftOut }: CopyFindings,
  rows: (program: string) => Record<string, () => Promise<Use>>,
): Promise<Contender[]> {
  try {
    const program = await peer.ready();
    return Object.entries(rows(program)).map(([name, run]) => ({
      name,
      isPeer: true,
      run: async () => [{ name, ...(await run()) }],
    }));
  } catch (error) {
    const why = `version ${peer.version} cannot be had here: ${error instanceof Error ? error.message : String(error)}`;
    leftOut.set(peer.name, why);
    progress(`${peer.name}: left out: ${why}`);
    return [];
  }
}

/** So that an answer has some megabytes, whatever the documents have. */
function pageOf({ scanDocuments }: CopyCorpus): number {
  return Math.max(1, Math.ceil(scanDocuments / 2));
}

/** Answers with the bytes of all documents. */
async function load({ pair: { source } }: BenchLab, corpus: CopyCorpus, documents: number): Promise<number> {
  const manifest = await timed(`loading ${documents} ${corpus.title}`, () =>
    loadFiller({
      url: source.url,
      indices: 1,
      megabytesEach: 0,
      documents,
      make: corpus.make,
      // the servers' own: refreshed each second, each request on disk before it is acknowledged
      settings: {},
      mappings,
      shards,
      prefix: 'bench-copy',
    }),
  );
  await waitFor(() => isMerged(source.url), { what: 'merges to end', timeoutMs: 600_000, everyMs: 500 });
  return manifest.indices.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The empty index has the mappings and the settings of the source. */
async function prepare({ pair: { target } }: BenchLab, contender: Contender): Promise<void> {
  const { target: wanted = 'empty index', settings = {} } = contender;
  const url = `${target.url}/${segment(index)}`;
  // what the row before has left in memory to be written must not be paid for by this one
  await runProgram('sync', []);
  if (wanted === 'as it is') return;
  await request({ method: 'DELETE', url });
  if (wanted === 'nothing') return;
  const own = { number_of_shards: shards, number_of_replicas: 0 };
  await json({ method: 'PUT', url, body: { settings: { ...own, ...settings }, mappings } });
}

/** The target reads by itself: there is no client to be measured. */
async function remoteReindex({ pair: { source, target } }: BenchLab, size: number): Promise<Use> {
  const seconds = await secondsOf(async () => {
    const { status, body } = await request({
      method: 'POST',
      url: `${target.url}/_reindex`,
      timeoutMs: 3_600_000,
      body: { source: { remote: { host: source.url }, index, size }, dest: { index } },
    });
    if (status !== 200) throw new Error(`${status} ${body.toString('utf8', 0, 300)}`);
    const { failures } = JSON.parse(body.toString()) as { failures: unknown[] };
    if (failures.length > 0) throw new Error(JSON.stringify(failures[0]).slice(0, 300));
    await flushed(target.url, index);
  });
  return { seconds, cpuSeconds: 0, peakRssMb: 0 };
}
