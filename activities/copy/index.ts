import path from 'node:path';
import type { DocumentActivities } from '../../contracts/document-activities';
import { targetName } from '../../contracts/ids';
import type { ByteClients, Clusters } from '../elasticsearch/cluster';
import { copyPart } from './copy-part';
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
}: CopyDependencies): Pick<DocumentActivities, 'planParts' | 'copyPart'> {
  return {
    /** May run twice: it changes nothing but for a refresh, and answers with the source as it is then. */
    async planParts({ runbook, indices }) {
      const source = await clusters.connect(runbook, 'source');
      const most = runbook.copy?.parts.maxDocuments ?? runbook.reindex?.parts.maxDocuments;
      return { parts: await planParts(source, indices, most ?? Infinity) };
    },

    /** Twice: from the last checkpoint on; documents that are there already are found by their versions. */
    async copyPart(input) {
      const { runbook, owner, part } = input;
      const [source, target] = await Promise.all([
        clusters.connect(runbook, 'source'),
        clusters.connect(runbook, 'target'),
      ]);
      const { bulksInFlight, pauseAbove } = input.limits;
      const [reader, writer] = await Promise.all([
        clusters.openBytes(runbook, 'source', { connections: 2 }),
        clusters.openBytes(runbook, 'target', { connections: bulksInFlight }),
      ]);
      const name = partFileName(part.index, part.slice?.id ?? part.shard, part.afterSeqNo);
      const failed = failedDocuments(path.join(failedDocumentsDirectory, owner), name, targetName(runbook, part.index));
      try {
        const sides = {
          source,
          target,
          reader,
          writer,
          rates: (onChange: () => void) => rates.join(runbook, { bulksInFlight, pauseAbove, onChange }),
        };
        return await copyPart(input, sides, failed);
      } finally {
        reader.close();
        writer.close();
      }
    },
  };
}
