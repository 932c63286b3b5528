import type { DumpActivities, DumpedIndex } from '../../contracts/dump';
import type { ClusterConnection, MigrationRunbook, Side } from '../../contracts/runbook';
import { cancellationSignal, heartbeat } from '../context';
import { readErrorAnswer } from '../elasticsearch/classify-error';
import type { ByteClients, Clusters } from '../elasticsearch/cluster';
import { indexPath } from '../elasticsearch/index-names';
import { permanent } from '../failure';
import { dumpIndex, type Watch } from './dump-index';
import { loadFile } from './load-file';
import { forgetStates } from './state-file';

/** Who carries it out besides an activity: a command in the foreground. */
export type Outside = Watch<unknown>;

/** Dumps into files and loads from them. Checkpoints lie beside the data: whoever finds them goes on from there. */
export function createDumpActivities(
  { clusters }: { clusters: Clusters & ByteClients },
  outside: Outside = {},
): DumpActivities {
  // of a runbook nothing but one side's connection is looked at here
  const on = (side: Side, connection: ClusterConnection) => ({ [side]: connection }) as unknown as MigrationRunbook;
  const watch = (progressOf: (made: never) => object) => {
    const signal = outside.signal ?? cancellationSignal();
    return {
      ...(signal ? { signal } : {}),
      onProgress: (made: unknown) => {
        heartbeat(progressOf(made as never));
        outside.onProgress?.(made);
      },
    };
  };
  return {
    /** Reads only. */
    async listDumpIndices({ source, patterns }) {
      const cluster = await clusters.connect(on('source', source), 'source');
      const { status, body } = await cluster.request<{ index: string; uuid: string; status: string }[]>({
        method: 'GET',
        path: `/_cat/indices/${indexPath(patterns)}`,
        query: { format: 'json', h: 'index,uuid,status' },
        timeoutMs: 60_000,
        allow: [404],
      });
      // a name without * that is not there; a pattern that finds nothing is no error to the server
      if (status === 404) {
        throw permanent({
          type: 'IndexMissing',
          message: 'there is no index of this name',
          where: `source cluster: ${patterns.join(', ')}`,
          why: readErrorAnswer(status, body).reason,
          remedy: 'GET /_cat/indices lists those that are there; --index takes names, and patterns with *',
        });
      }
      const wantsDots = patterns.some((pattern) => pattern.startsWith('.'));
      return body
        .filter(({ index, status }) => status === 'open' && (wantsDots || !index.startsWith('.')))
        .map(({ index, uuid }): DumpedIndex => ({ name: index, uuid }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    /** Twice: see dump-index.ts. */
    async dumpIndex({ source, ...input }) {
      const runbook = on('source', source);
      const cluster = await clusters.connect(runbook, 'source');
      const reader = await clusters.openBytes(runbook, 'source', { connections: 2 });
      const progressOf = ({ documents, total }: { documents: number; total: number }) => ({
        done: Math.min(documents, total),
        total,
        unit: 'documents',
        detail: input.index.name,
      });
      try {
        return await dumpIndex({ ...input, ...watch(progressOf) }, { cluster, reader });
      } finally {
        reader.close();
      }
    },

    /** Twice: see load-file.ts. */
    async loadFile({ target, ...input }) {
      const runbook = on('target', target);
      const cluster = await clusters.connect(runbook, 'target');
      const writer = await clusters.openBytes(runbook, 'target', { connections: input.bulksInFlight ?? 4 });
      const progressOf = ({ written }: { written: number }) => ({
        done: written,
        total: 0,
        unit: 'documents',
        detail: input.file,
      });
      try {
        return await loadFile({ ...input, ...watch(progressOf) }, { cluster, writer });
      } finally {
        writer.close();
      }
    },

    /** Twice: there is nothing left to take away. */
    endDump: ({ directory }) => forgetStates(directory),
  };
}
