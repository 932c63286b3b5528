import { setTimeout as sleep } from 'node:timers/promises';
import { allSteps, type LiveStatus } from '../../client/live-status';
import type { MigrationRunbook } from '../../contracts/runbook';
import { runbookOf } from './fixtures';
import { documentDifferences, readDocuments } from './read-documents';
import { must } from './pair-operator';
import { http, makeIndex } from './shared-pair';
import { startWriter } from './source-writer';
import { waitUntil } from './wait-until';

/** Whoever starts runs and decides in them: in this process, or by the built command line. */
export interface Driver {
  start(runbook: MigrationRunbook): Promise<unknown>;
  tell(...argv: string[]): Promise<string>;
  status(run: string): Promise<LiveStatus>;
}

export interface FaultRun {
  name: string;
  /** Where the clusters are, for the writer and the reader. */
  source: string;
  target: string;
  /** How the run reaches them, where that is another way; and the rest of the runbook. */
  over?: Record<string, unknown>;
  documents: number;
  /** Of the copy, so that it can be met in its midst. */
  docsPerSec: number;
  seed: number;
  /** Of the source's indices, beside the test's own. */
  settings?: Record<string, unknown>;
  copy?: Record<string, unknown>;
  /** Nobody writes: then every document of the copy can be counted. */
  isQuiet?: boolean;
  patienceMs?: number;
  /** Before it starts: what is changed on the source later would rightly be told as a difference. */
  prepare?(): Promise<void>;
  /** What is done to it, and when. */
  copying?(): Promise<void>;
  following?(): Promise<void>;
  draining?(): Promise<void>;
  /** What has made it stuck is mended here; without it, a run that gets stuck is an error. */
  mend?(status: LiveStatus): Promise<void>;
}

/** What an operator would read in `status` of a run that is held up. */
export function reasonsOf(status: LiveStatus): string {
  return JSON.stringify(allSteps(status).filter(({ state }) => state !== 'done'));
}

export interface FaultRunEnd {
  status: LiveStatus;
  operations: number;
  unanswered: number;
  documents: number;
  differences: string[];
  seconds: number;
}

/**
 * A whole run of method copy with catchUp sequence, while an application adds, updates, deletes and creates again, until
 * the write block of the cutover meets it. An independent reader then compares id, routing, version and bytes of each
 * document.
 */
export async function wholeRun(driver: Driver, run: FaultRun): Promise<FaultRunEnd> {
  const { name, source, target } = run;
  const beganAt = Date.now();
  const indices = [`${name}-orders`, `${name}-carts`];
  const settings = { number_of_replicas: 0, 'index.gc_deletes': '1s', ...run.settings };
  await makeIndex(source, `${name}-orders`, run.documents, { ...settings, number_of_shards: 2 });
  await makeIndex(source, `${name}-carts`, Math.ceil(run.documents / 5), settings);
  await run.prepare?.();
  const alias = `${name}-alias`;
  await must(`${source}/${name}-orders/_alias/${alias}`, 'PUT');
  const writers = (run.isQuiet === true ? [] : indices).map((index, number) =>
    startWriter(source, index, {
      seed: run.seed + number,
      ids: Math.ceil(run.documents / 4),
      isPatient: true,
      mostPauseMs: 400,
    }),
  );
  // fields that come to the source after the run has begun would rightly be told as a difference
  if (run.isQuiet !== true) for (const index of indices) await hasFieldsOfWriter(source, index);
  const patience = { timeoutMs: run.patienceMs ?? 240_000, everyMs: 200 };
  let mending = Promise.resolve();

  function reach(what: string, isRight: (status: LiveStatus) => boolean): Promise<LiveStatus | undefined> {
    return waitUntil(
      async () => {
        const status = await driver.status(name).catch(() => undefined);
        if (status?.state !== 'stuck' || status.endedAt !== undefined) return status;
        if (run.mend === undefined) throw new Error(`${name} is stuck: ${stuckOf(status)}`);
        await (mending = mending.then(() => run.mend?.(status)));
        return undefined;
      },
      (status) => status !== undefined && isRight(status),
      { ...patience, what: `${name}: ${what}` },
    );
  }

  try {
    await driver.start(
      runbookOf(name, {
        source: { urls: [source] },
        target: { urls: [target] },
        method: 'copy',
        snapshot: undefined,
        select: { include: [`${name}-*`] },
        copy: {
          parts: { maxDocuments: 2_000 },
          limits: { bulkBytes: '20kb', docsPerSec: run.docsPerSec },
          ...run.copy,
        },
        catchUp: { kind: 'sequence', interval: '1s', lagBelow: 2_000 },
        freeze: 'atCutover',
        gates: ['cutover'],
        ...run.over,
      }),
    );
    const isCopying = ({ batches }: LiveStatus) =>
      batches.some(({ steps }) => steps.some(({ id, state }) => id.endsWith('/documents') && state === 'running'));
    if (run.copying) {
      await reach('the copy', isCopying);
      await run.copying();
    }
    if (run.following) {
      await reach('the catch-up', ({ catchUp }) => (catchUp?.rounds ?? 0) > 0);
      await run.following();
    }
    await reach('the gate', ({ state }) => state === 'waiting');
    // a proxy or a server that is away may have the answer: asked until it is there
    await driver.tell('approve', name, 'cutover', '--reason', 'test');
    await run.draining?.();
    await reach('the end', ({ endedAt }) => endedAt !== undefined);
  } finally {
    for (const writer of writers) await writer.stop();
  }
  const status = await driver.status(name);
  const nothing = new Map<string, string>();
  const differences: string[] = [];
  let documents = 0;
  for (const index of indices) {
    const [there, here] = await Promise.all([source, target].map((url) => readPatiently(url, index)));
    documents += there?.size ?? 0;
    differences.push(...documentDifferences(there ?? nothing, here ?? nothing).map((each) => `${index} ${each}`));
  }
  if ((await http(`${target}/${name}-orders/_alias/${alias}`)).status !== 200) differences.push(`${alias} is missing`);
  return {
    status,
    operations: writers.reduce((sum, writer) => sum + writer.operations, 0),
    unanswered: writers.reduce((sum, writer) => sum + writer.failures, 0),
    documents,
    differences,
    seconds: Math.round((Date.now() - beganAt) / 1000),
  };
}

/** A cluster whose queues were made small refuses the reader, too. */
async function readPatiently(url: string, index: string): Promise<Map<string, string>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readDocuments(url, index);
    } catch (error) {
      if (attempt >= 20 || !/not every shard|rejected_execution/.test((error as Error).message)) throw error;
    }
    await sleep(500);
  }
}

async function hasFieldsOfWriter(source: string, index: string): Promise<void> {
  await waitUntil(
    async () => JSON.stringify((await http(`${source}/${index}/_mapping`)).body),
    (mapping) => mapping.includes('"big"'),
    { what: `the first documents of the writer in ${index}` },
  );
}

export function stuckOf(status: LiveStatus): string {
  const stuck = allSteps(status).filter(({ state }) => state === 'stuck');
  return JSON.stringify(stuck.map(({ id, failure }) => ({ id, failure })));
}
