import { isByField, type CatchUpActivities } from '../../contracts/catch-up';
import type { MigrationRunbook } from '../../contracts/runbook';
import { cancellationSignal, heartbeat } from '../context';
import type { CopyDependencies } from '../copy';
import { readingOf } from '../copy/part-reader';
import { workerRates } from '../copy/worker-rates';
import { askingAgain } from '../elasticsearch/asking-again';
import type { Cluster } from '../elasticsearch/cluster';
import { reporting } from '../elasticsearch/reporting';
import { permanent } from '../failure';
import { readFieldPositions } from './field-positions';
import { beginCatchUp, endCatchUp, readPositions } from './positions';
import { refusalBounds } from './refused-ranges';
import { catchUpRound } from './round';
import { joinRates, passing } from './round-rates';
import { readSeries } from './series';
import { failedDirectoryOf } from './write-shard';

/** Requests to the source at once: shards that are read side by side, each a page ahead. */
const readConnections = 8;

export function createCatchUpActivities({
  clusters,
  failedDocumentsDirectory,
  rates: ofWorker = workerRates(clusters),
}: CopyDependencies): CatchUpActivities {
  /** What they are asked here besides documents are reads, refreshes, and settings that are as they should be the second time. */
  async function bothSides(runbook: MigrationRunbook): Promise<{ source: Cluster; target: Cluster }> {
    const [source, target] = await Promise.all([
      clusters.connect(runbook, 'source'),
      clusters.connect(runbook, 'target'),
    ]);
    return { source: askingAgain(source), target: askingAgain(target) };
  }

  return {
    /** May run twice: it only reads. */
    async readPositions(input) {
      const { runbook, indices } = input;
      const source = await clusters.connect(runbook, 'source');
      if (!isByField(runbook.catchUp)) return { positions: await readPositions(source, indices) };
      const reader = await clusters.openBytes(runbook, 'source', { connections: readConnections });
      try {
        return { positions: await readFieldPositions(source, reader, input, cancellationSignal()) };
      } finally {
        reader.close();
      }
    },

    /** Twice: what is set already is left alone. */
    async beginCatchUp(input) {
      const { source, target } = await bothSides(input.runbook);
      return beginCatchUp(input, { source, target });
    },

    /**
     * Killed at any moment, the same positions are given again: documents that are there already are written once more as
     * what they are, or found newer; deletes that are done are no longer found. So a round may run twice, even at once.
     */
    async catchUpRound(input) {
      const { runbook, owner, limits } = input;
      const { source, target } = await bothSides(runbook);
      if (readingOf(source.version) === 'scroll' && input.positions.some(({ field }) => field === undefined)) {
        throw permanent({
          type: 'ClusterRequestFailed',
          message: `a source of ${source.version.text} has no sequence numbers`,
          where: 'source cluster',
          remedy: 'choose another catchUp.kind: sequence needs 6.0',
        });
      }
      const [reader, writer] = await Promise.all([
        clusters.openBytes(runbook, 'source', { connections: readConnections }),
        // beside the bulks, lookups of documents, which must not wait behind them
        clusters.openBytes(runbook, 'target', { connections: limits.bulksInFlight + 2 }),
      ]);
      const signal = cancellationSignal();
      const rates = joinRates(ofWorker, input);
      try {
        return await catchUpRound(input, {
          source,
          target,
          reader: passing(reader, rates.source),
          writer: passing(writer, rates.target),
          rates,
          allowed: refusalBounds(input),
          failedDirectory: failedDirectoryOf(failedDocumentsDirectory, owner),
          ...(signal ? { signal } : {}),
        });
      } finally {
        rates.leave();
        reader.close();
        writer.close();
      }
    },

    /** May run twice: it only reads, and answers with what there is at that moment. */
    async readSeries(input) {
      const report = () => heartbeat({ done: 0, total: 1, unit: 'indices', detail: 'reading the selection anew' });
      const [source, target] = await Promise.all([
        clusters.connect(input.runbook, 'source'),
        clusters.connect(input.runbook, 'target'),
      ]);
      return readSeries(input, {
        source: askingAgain(reporting(source, report)),
        target: askingAgain(reporting(target, report)),
      });
    },

    /** Twice: what is as it should be is left alone. */
    async endCatchUp(input) {
      const { source, target } = await bothSides(input.runbook);
      return endCatchUp(input, { source, target });
    },
  };
}
