import { readingOf } from '../activities/copy/part-reader';
import type { PartRange } from '../activities/copy/part-reader';
import { parseVersion, type Version } from '../activities/elasticsearch/version';
import { differences, digestIndices } from '../lab/digest';
import { dismantleOnSignals } from '../lab/guard';
import { json, request, segment } from '../lab/http';
import { loadFiller } from '../lab/loader';
import { startPair, type Pair } from '../lab/pair';
import { progress, timed } from '../lab/progress';
import { waitFor } from '../lab/wait';
import type { CopyJob } from './copy-client';
import { inClient, noted, rowsOf, tableOf, type CopyMeasurement, type CopyOptions, type CopyRow } from './copy-rows';
import { isMerged } from './elasticsearch';
import { rounded, secondsOf } from './statistics';
import { figureLine, isReached, type Figure } from './wanted';

const documentBytes = 1024;
const shards = 2;
/** The lab's newer servers have no `_reindex`: between two of these all peers can be measured. */
const version = '7.17.29';

const names = {
  copy: 'Shardlift copy',
  load: 'bare bulk load',
  scan: 'bare scan',
  reindex: 'remote _reindex',
} as const;
const reindexSizes = [1000, 5000];

/** Copy, what bounds it, and its peers, side by side in interleaved rounds on two real clusters. */
export async function benchCopy(options: CopyOptions): Promise<boolean> {
  dismantleOnSignals();
  const pair = await startPair({
    source: version,
    target: version,
    targetSettings: { 'reindex.remote.whitelist': '127.0.0.1:*' },
  });
  try {
    const index = await load(pair, options.documents);
    const parts = await partsOf(pair.source.url, index);
    const known: Version = { text: version, ...parseVersion(version), distribution: 'elasticsearch' };
    const measurements: CopyMeasurement[] = [];
    const job = (what: CopyJob['what']): CopyJob => ({
      what,
      source: { url: pair.source.url, reading: readingOf(known) },
      target: { url: pair.target.url, index },
      parts,
    });
    const measure = async (what: CopyJob['what']): Promise<void> => {
      if (what !== 'scan') await emptyTarget(pair, index);
      const use = await inClient(job(what), options);
      if (what !== 'scan') await checkCount(pair.target.url, index, options.documents);
      measurements.push(noted({ name: names[what], ...use }));
    };
    // servers that have just started compile their own code first: what is measured before would pay for the others
    await emptyTarget(pair, index);
    await timed('warming up', () => inClient(job('copy'), {}));
    for (let round = 1; round <= options.rounds; round += 1) {
      progress(`round ${round}`);
      await measure('load');
      await measure('scan');
      for (const size of reindexSizes) {
        await emptyTarget(pair, index);
        const reindexed = await remoteReindex(pair, index, size, documentBytes * options.documents);
        if (reindexed !== undefined) measurements.push(noted(reindexed));
      }
      // last, so that the digest at the end is of what it has copied
      await measure('copy');
    }
    await timed('comparing every document on both sides', () => checkDigests(pair, index));
    return report(options, rowsOf(measurements));
  } finally {
    await pair.stop();
  }
}

async function load({ source }: Pair, documents: number): Promise<string> {
  const manifest = await timed(`loading ${documents} documents`, () =>
    loadFiller({
      url: source.url,
      indices: 1,
      megabytesEach: (documents * documentBytes) / 1e6,
      documentBytes,
      shards,
      prefix: 'bench-copy',
    }),
  );
  await waitFor(() => isMerged(source.url), { what: 'merges to end', timeoutMs: 600_000, everyMs: 500 });
  return manifest.indices[0]?.name ?? '';
}

/** A part for each shard, up to the last sequence number that it has given. */
async function partsOf(url: string, index: string): Promise<PartRange[]> {
  const { indices } = await json<{
    indices: Record<string, { shards: Record<string, { seq_no: { max_seq_no: number } }[]> }>;
  }>({ url: `${url}/${segment(index)}/_stats?level=shards` });
  return Object.entries(indices[index]?.shards ?? {}).map(([shard, copies]) => ({
    index,
    shard: Number(shard),
    afterSeqNo: -1,
    toSeqNo: Math.max(...copies.map(({ seq_no }) => seq_no.max_seq_no)),
  }));
}

/** With the mappings and the settings of the source. */
async function emptyTarget({ source, target }: Pair, index: string): Promise<void> {
  const path = `/${segment(index)}`;
  const there = await json<Record<string, { mappings: object }>>({ url: `${source.url}${path}/_mapping` });
  await request({ method: 'DELETE', url: `${target.url}${path}` });
  const settings = { number_of_shards: shards, number_of_replicas: 0, refresh_interval: '-1' };
  await json({
    method: 'PUT',
    url: `${target.url}${path}`,
    body: { settings, mappings: there[index]?.mappings },
  });
}

async function checkCount(url: string, index: string, documents: number): Promise<void> {
  await json({ method: 'POST', url: `${url}/${segment(index)}/_refresh` });
  const { count } = await json<{ count: number }>({ url: `${url}/${segment(index)}/_count` });
  if (count !== documents) throw new Error(`${count} documents on the target instead of ${documents}`);
}

async function checkDigests({ source, target }: Pair, index: string): Promise<void> {
  const [before, after] = await Promise.all(
    [source.url, target.url].map((url) => digestIndices({ url, indices: [index] })),
  );
  const found = differences(before ?? {}, after ?? {});
  if (found.length > 0) throw new Error(found.join('; '));
}

/** The target reads by itself: there is no client to be measured. */
async function remoteReindex(
  { source, target }: Pair,
  index: string,
  size: number,
  bytes: number,
): Promise<CopyMeasurement | undefined> {
  let documents = 0;
  let isKnown = true;
  const seconds = await secondsOf(async () => {
    const { status, body } = await request({
      method: 'POST',
      url: `${target.url}/_reindex`,
      timeoutMs: 3_600_000,
      body: { source: { remote: { host: source.url }, index, size }, dest: { index } },
    });
    isKnown = status === 200;
    if (isKnown) ({ created: documents } = JSON.parse(body.toString()) as { created: number });
    else progress(`remote _reindex: ${status} ${body.toString('utf8', 0, 300)}`);
  });
  const use = { documents, bytes, seconds, cpuSeconds: 0, peakRssMb: 0 };
  return isKnown ? { name: `${names.reindex}, size ${size}`, ...use } : undefined;
}

function report(options: CopyOptions, rows: CopyRow[]): boolean {
  const rate = (name: string) => rows.find((row) => row.name === name)?.docsPerSecond ?? Number.NaN;
  const bound = 1 / (1 / rate(names.load) + 1 / rate(names.scan));
  const peers = rows.filter(({ name }) => name.startsWith(names.reindex)).map(({ docsPerSecond }) => docsPerSecond);
  const ratios = {
    toBestPeer: peers.length === 0 ? null : rounded(rate(names.copy) / Math.max(...peers)),
    toBound: rounded(rate(names.copy) / bound),
    // of the clients among the peers none is measured yet
    cpuToBestPeer: null,
  };
  const figures: Figure[] = [
    { name: 'toBound', value: ratios.toBound, atLeast: 0.95 },
    ...(ratios.toBestPeer === null ? [] : [{ name: 'toBestPeer', value: ratios.toBestPeer, atLeast: 1 }]),
  ];
  const title = `${options.documents} documents of ${documentBytes} bytes, ${version} to ${version}, medians of ${options.rounds} interleaved rounds; bound ${bound.toFixed(0)} documents/s`;
  const text = [title, '', tableOf(rows), '', ...figures.map(figureLine), ''].join('\n');
  (options.json ? process.stderr : process.stdout).write(text);
  if (options.json) process.stdout.write(`${JSON.stringify({ rows, ratios })}\n`);
  return figures.every(isReached);
}
