import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { setMaxListeners } from 'node:events';
import type { LoadFileInput, LoadFileResult, LoadProgress } from '../../contracts/dump';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import { bulkBodies, type BulkBody } from '../copy/bulk-body';
import { bulkWriter, type RefusedDocument, type Written } from '../copy/bulk-writer';
import { rateOf } from '../copy/rate';
import { failedDocuments } from '../copy/failed-documents';
import { BrokenJson } from '../copy/json-bytes';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { blocksOf, type Block } from './blocks';
import { decompressed } from './compression';
import type { Watch } from './dump-index';
import { pagesOf } from './lines';
import { createFromFiles } from './metadata-files';
import { fileFailure, readState, stateFile, writeState } from './state-file';

type LoadFileOptions = Omit<LoadFileInput, 'target'> & Watch<LoadProgress>;

interface LoadState extends LoadProgress {
  /** Of the file: another one of that name is begun anew. */
  size: number;
  changedAtMs: number;
  isDone: boolean;
  causes: RefusalCause[];
}

const checkpointMs = 2_000;
const requestTimeoutMs = 120_000;
const patienceMs = 300_000;

/**
 * Loads a file of lines, ours or elasticdump's, plain or compressed. Bulks are acknowledged in any order; the checkpoint is
 * the end of the last one before which none is missing.
 *
 * Killed at any moment: it goes on behind the last checkpoint, and what lies between is written once more as the same
 * versions. Done already: nothing is sent. Documents that the target refuses are kept beside the data and stop nothing.
 */
export async function loadFile(
  options: LoadFileOptions,
  target: { cluster: Cluster; writer: ByteClient },
): Promise<LoadFileResult> {
  const { file, signal } = options;
  const directory = path.dirname(file);
  const name = path.basename(file);
  const seen = await stat(file).catch((error: unknown) => {
    throw fileFailure(error, file, 'the file cannot be read', 'is it there, and readable? then retry');
  });
  const whole = { size: seen.size, changedAtMs: seen.mtimeMs };
  const states = stateFile(directory, `load-${target.cluster.uuid}-${options.index ?? ''}-${name}`);
  const state = await stateOf(states, whole);
  const refusedDirectory = path.join(directory, 'refused');
  const refused = failedDocuments(refusedDirectory, name, options.index ?? name.replace(/\.json(\.\w+)?$/, ''));
  const before = [...state.causes];
  const settled = order(state);
  const bulks = pool(options, target, (document) => refused.add(document));
  let savedAt = Date.now();

  async function save(isDone: boolean): Promise<void> {
    await refused.written();
    // a kill may count a cause of a few documents twice, of those that are sent once more; the totals it does not
    Object.assign(state, settled.reached(), { isDone, causes: mergeCauses([...before, ...refused.causes()]) });
    await writeState(states, state);
    savedAt = Date.now();
  }
  function result(): LoadFileResult {
    const { isDone, causes, written, superseded, refused: count, textBytes } = state;
    const refusedFile = path.join(refusedDirectory, `${name}.ndjson`);
    return { isDone, causes, written, superseded, refused: count, textBytes, ...(count > 0 ? { refusedFile } : {}) };
  }

  if (state.isDone) return result();
  const known = new Set<string>();
  try {
    for await (const block of await textOf(file, state.textBytes, options.bulkBytes ?? 5 << 20)) {
      const pages = pagesIn(block, file, options.index);
      for (const { index } of pages) {
        if (known.has(index)) continue;
        // the files beside the data are called as the data is, whatever index the documents go to
        const from = name.replace(/\.json(\.\w+)?$/, '');
        const isRenamed = options.index !== undefined && options.index !== from;
        await createFromFiles(target.cluster, directory, from, { index, isRenamed });
        known.add(index);
      }
      const done = settled.next(block.through);
      await bulks.add(
        pages.map(({ index, page }) => ({ index, body: body(page) })),
        (made) => {
          done(made);
          options.onProgress?.(settled.reached());
        },
      );
      if (Date.now() - savedAt > checkpointMs) await save(false);
      if (signal?.aborted === true) break;
    }
    await bulks.drained();
  } catch (error) {
    await bulks.stop();
    await save(false);
    if (signal?.aborted !== true) throw error;
  }
  await save(signal?.aborted !== true);
  return result();
}

const body = bulkBodies({ versionType: 'external_gte' });

async function stateOf(states: string, whole: { size: number; changedAtMs: number }): Promise<LoadState> {
  const found = await readState<LoadState>(states);
  if (found?.size === whole.size && found.changedAtMs === whole.changedAtMs) return found;
  return { ...whole, written: 0, superseded: 0, refused: 0, textBytes: 0, isDone: false, causes: [] };
}

async function textOf(file: string, skip: number, blockBytes: number): Promise<AsyncGenerator<Block>> {
  // a block has a chunk at least
  const highWaterMark = Math.min(1 << 20, blockBytes);
  const handle = await open(file, 'r');
  const head = Buffer.alloc(4);
  await handle.read(head, 0, 4, 0);
  const input = handle.createReadStream({ start: 0, highWaterMark });
  const text = decompressed(input, head);
  // a plain text is gone on with in its middle; a compressed one is read from its beginning, and let go up to there
  if (text !== input || skip === 0) return guarded(blocksOf(text, blockBytes, skip), file);
  input.destroy();
  const rest = (await open(file, 'r')).createReadStream({ start: skip, highWaterMark });
  return guarded(moved(blocksOf(rest, blockBytes), skip), file);
}

async function* moved(blocks: AsyncGenerator<Block>, by: number): AsyncGenerator<Block> {
  for await (const { text, from, through } of blocks) yield { text, from: from + by, through: through + by };
}

async function* guarded(blocks: AsyncGenerator<Block>, file: string): AsyncGenerator<Block> {
  try {
    yield* blocks;
  } catch (error) {
    throw fileFailure(
      error,
      file,
      'the file cannot be read',
      'it is damaged or cut short: bring a whole one, then retry',
    );
  }
}

function pagesIn({ text, from }: Block, file: string, index: string | undefined): ReturnType<typeof pagesOf> {
  try {
    return pagesOf(text, index);
  } catch (error) {
    if (!(error instanceof BrokenJson)) throw error;
    throw permanent({
      type: 'CopyFailed',
      message: 'the file is no dump of documents, one a line',
      where: `${file}, the part behind byte ${from} of its text`,
      why: error.message,
      remedy: 'load what elasticdump --type=data or shardlift dump has written; mend or take out the line named',
    });
  }
}

interface Sending {
  index: string;
  body: BulkBody;
}

/** Bulks under way, as many as the target takes. */
function pool(
  { bulksInFlight = 4, signal }: LoadFileOptions,
  { writer }: { writer: ByteClient },
  onRefused: (document: RefusedDocument) => void,
) {
  const rate = rateOf({ first: 2, most: bulksInFlight });
  const stop = new AbortController();
  const stopSignal = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  setMaxListeners(0, stopSignal);
  const writers = new Map<string, ReturnType<typeof bulkWriter>>();
  const underWay = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;

  function writerOf(index: string) {
    const known = writers.get(index);
    if (known) return known;
    const made = bulkWriter({
      client: writer,
      index,
      rate,
      patienceMs,
      timeoutMs: requestTimeoutMs,
      signal: stopSignal,
    });
    writers.set(index, made);
    return made;
  }

  async function send(bodies: readonly Sending[]): Promise<Written> {
    const total: Written = { written: 0, superseded: 0, refused: 0 };
    for (const { index, body: each } of bodies) {
      const made = await writerOf(index)(each);
      for (const key of ['written', 'superseded', 'refused'] as const) total[key] += made[key];
      for (const document of made.refusals) onRefused(document);
    }
    return total;
  }

  const check = () => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    /** Returns once there is room for it. */
    async add(bodies: readonly Sending[], done: (made: Written) => void): Promise<void> {
      while (underWay.size >= rate.limit) await Promise.race(underWay);
      check();
      const sending: Promise<void> = send(bodies)
        .then(done)
        .catch((error: unknown) => {
          failure ??= { error };
          stop.abort();
        })
        .finally(() => underWay.delete(sending));
      underWay.add(sending);
    },
    async drained(): Promise<void> {
      await Promise.all(underWay);
      check();
    },
    async stop(): Promise<void> {
      stop.abort();
      await Promise.all(underWay);
    },
  };
}

/** How far everything is settled, whatever order it is settled in, and what came of it up to there. */
function order({ written, superseded, refused, textBytes }: LoadProgress) {
  const waiting: { through: number; made?: Written }[] = [];
  const reached: LoadProgress = { written, superseded, refused, textBytes };
  return {
    next(through: number): (made: Written) => void {
      const entry: (typeof waiting)[number] = { through };
      waiting.push(entry);
      return (done) => {
        entry.made = done;
        for (let first = waiting[0]; first?.made !== undefined; first = waiting[0]) {
          for (const key of ['written', 'superseded', 'refused'] as const) reached[key] += first.made[key];
          reached.textBytes = first.through;
          waiting.shift();
        }
      };
    },
    reached: (): LoadProgress => ({ ...reached }),
  };
}
