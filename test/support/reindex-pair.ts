import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { batchWorkflowId } from '../../contracts/ids';
import type { RunStatus } from '../../contracts/status';
import { startPair } from '../../lab/pair';
import { asValue, documentDifferences, readDocuments } from './read-documents';
import { countOf, http } from './shared-pair';
import { allSteps, startOperator, statusOf } from './site-run';
import { waitUntil } from './wait-until';

const example = readFileSync(path.join(__dirname, '..', '..', 'examples', '08-remote-reindex.yaml'), 'utf8');

/** Two 7.17 whose target may fetch from the source, an operator's command line, and a worker that can be killed. */
export async function startReindexPair() {
  const targetSettings = { 'reindex.remote.whitelist': ['127.0.0.1:*'] };
  const pair = await startPair({ source: '7.17.29', target: '7.17.29', heap: '512m', targetSettings });
  const operator = await startOperator(pair, 'operator');
  await operator.startWorker();

  async function tell(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await operator.cli.run(argv, { capture: true });
    if (code !== 0) throw new Error(`shardlift ${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  return {
    pair,
    operator,
    tell,
    /** The example under another name and with other indices, on the pair; more of its text replaced where it says so. */
    fromExample(run: string, replaced: [RegExp | string, string][] = []): string {
      let text = example;
      const all: [RegExp | string, string][] = [
        ['http://127.0.0.1:9200', pair.source.url],
        ['http://127.0.0.1:9201', pair.target.url],
        ['shop-by-reindex', run],
        ["'fetched-*'", `'${run}-*'`],
        ...replaced,
      ];
      for (const [from, to] of all) text = text.replace(from, to);
      const file = path.join(pair.directory, `${run}.yaml`);
      writeFileSync(file, text);
      return file;
    },

    /** Waits until the run is so. One that gets stuck on the way is an error. */
    async reach(run: string, what: string, isSo: (status: RunStatus) => boolean): Promise<RunStatus> {
      const status = await waitUntil(
        () => statusOf(operator, run).catch(() => undefined),
        (seen) => seen !== undefined && (seen.state === 'stuck' || isSo(seen)),
        { timeoutMs: 240_000, everyMs: 200, what: `${run}: ${what}` },
      );
      const stuck = status ? allSteps(status).filter(({ state }) => state === 'stuck') : [];
      if (!status || stuck.length > 0) throw new Error(JSON.stringify(stuck.map(({ id, failure }) => [id, failure])));
      return status;
    },

    /** Ids, routing, versions and values of both sides; and how many bodies are spelled otherwise. */
    async compare(index: string): Promise<{ unlike: string[]; documents: number; respelled: number }> {
      const read = (form?: (source: string) => string) =>
        Promise.all([
          readDocuments(pair.source.url, index, form),
          readDocuments(pair.target.url, index, form),
        ] as const);
      const [from, to] = await read(asValue);
      const [bytes, fetched] = await read();
      const respelled = [...bytes].filter(([key, document]) => fetched.get(key) !== document).length;
      return { unlike: documentDifferences(from, to), documents: from.size, respelled };
    },

    async tasksUnderWay(): Promise<string[]> {
      const { body } = await http<{ nodes?: Record<string, { tasks: Record<string, unknown> }> }>(
        `${pair.target.url}/_tasks?actions=*reindex`,
      );
      return Object.values(body.nodes ?? {}).flatMap(({ tasks }) => Object.keys(tasks));
    },

    async fetched(index: string, atLeast: number): Promise<void> {
      const look = async () => {
        await http(`${pair.target.url}/${index}/_refresh`, 'POST');
        return countOf(pair.target.url, index).catch(() => 0);
      };
      await waitUntil(look, (count) => count >= atLeast, {
        timeoutMs: 120_000,
        what: `${atLeast} documents of ${index}`,
      });
    },

    /** `_reindex` tasks that each part of the first batch took, in the order in which the parts ended. */
    async tasksOfParts(run: string): Promise<number[]> {
      const { events } = await operator.client.workflow.getHandle(batchWorkflowId(run, 1)).fetchHistory();
      return (events ?? []).flatMap(({ activityTaskCompletedEventAttributes: completed }) => {
        const [payload] = completed?.result?.payloads ?? [];
        const text = Buffer.from(payload?.data ?? []).toString();
        const result = (text.startsWith('{') ? JSON.parse(text) : {}) as { isDone?: boolean; tasks?: number };
        return result.isDone === undefined || result.tasks === undefined ? [] : [result.tasks];
      });
    },

    async stop(): Promise<void> {
      await operator.stop();
      await pair.stop();
    },
  };
}

export type ReindexPair = Awaited<ReturnType<typeof startReindexPair>>;
