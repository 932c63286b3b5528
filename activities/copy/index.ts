import path from 'node:path';
import type { CopyPart, DocumentActivities } from '../../contracts/document-activities';
import { targetName } from '../../contracts/ids';
import type { ByteClients, Clusters } from '../elasticsearch/cluster';
import { copyParts } from './copy-parts';
import { failedDocuments, partFileName } from './failed-documents';
import { planParts } from './plan-parts';
import { workerRates, type WorkerRates } from './worker-rates';

export interface CopyDependencies {
  clusters: Clusters & ByteClients;
  /** Directory of this worker for documents that targets refuse. */
  failedDocumentsDirectory: string;
  /** Of this worker; those of these activities alone unless given. */
  rates?: WorkerRates;
}

export function createCopyActivities({
  clusters,
  failedDocumentsDirectory,
  rates = workerRates(clusters),
}: CopyDependencies): Pick<DocumentActivities, 'planParts' | 'copyParts'> {
  return {
    /** May run twice: it changes nothing but for a refresh, and answers with the source as it is then. */
    async planParts({ runbook, indices }) {
      const source = await clusters.connect(runbook, 'source');
      const most = runbook.copy?.parts.maxDocuments ?? runbook.reindex?.parts.maxDocuments;
      return { parts: await planParts(source, indices, most ?? Infinity) };
    },

    /** Twice: from the last checkpoint on; documents that are there already are found by their versions. */
    async copyParts(input) {
      const { runbook, owner } = input;
      const [source, target] = await Promise.all([
        clusters.connect(runbook, 'source'),
        clusters.connect(runbook, 'target'),
      ]);
      const { bulksInFlight, pauseAbove } = input.limits;
      const [reader, writer] = await Promise.all([
        clusters.openBytes(runbook, 'source', { connections: 2 }),
        clusters.openBytes(runbook, 'target', { connections: bulksInFlight }),
      ]);
      const join = (onChange: () => void) => rates.join(runbook, { bulksInFlight, pauseAbove, onChange });
      const failedOf = ({ index, slice, shard, afterSeqNo }: CopyPart) => {
        const name = partFileName(index, slice?.id ?? shard, afterSeqNo);
        return failedDocuments(path.join(failedDocumentsDirectory, owner), name, targetName(runbook, index));
      };
      try {
        return await copyParts(input, { source, target, reader, writer, rates: join }, failedOf);
      } finally {
        reader.close();
        writer.close();
      }
    },
  };
}
