import { isByField, type CatchUpActivities, type CatchUpRoundInput, type DeletesInput } from '../../contracts/catch-up';
import type { MigrationRunbook } from '../../contracts/runbook';
import { cancellationSignal, heartbeat } from '../context';
import type { CopyDependencies } from '../copy';
import { readingOf } from '../copy/part-reader';
import { workerRates, type PartRates } from '../copy/worker-rates';
import { askingAgain } from '../elasticsearch/asking-again';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { reporting } from '../elasticsearch/reporting';
import { permanent } from '../failure';
import { readFieldPositions } from './field-positions';
import { beginCatchUp, endCatchUp, readPositions } from './positions';
import { refusalBounds } from './refused-ranges';
import { catchUpRound } from './round';
import { joinSearch, joinRates, passing } from './round-rates';
import { searchDeletes } from './search-deletes';
import { readSeries } from './series';
import { failedDirectoryOf, type CatchUpSides } from './write-shard';

/** Requests to the source at once: shards that are read side by side, each a page ahead. */
const readConnections = 8;
/** To the target, of two indices with two groups of shards each. */
const searchConnections = 4;

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

  async function withSides<Answer>(
    input: CatchUpRoundInput | DeletesInput,
    rates: PartRates,
    connections: number,
    act: (sides: CatchUpSides) => Promise<Answer>,
  ): Promise<Answer> {
    const { runbook, owner } = input;
    const opened: ByteClient[] = [];
    try {
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
        clusters.openBytes(runbook, 'target', { connections }),
      ]);
      opened.push(reader, writer);
      const signal = cancellationSignal();
      return await act({
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
      for (const each of opened) each.close();
    }
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
      const { limits } = input;
      // beside the bulks, lookups of documents, which must not wait behind them
      return withSides(input, joinRates(ofWorker, input), limits.bulksInFlight + 2, (sides) =>
        catchUpRound(input, sides),
      );
    },

    /**
     * Killed at any moment, and given other positions the next time: what is deleted is no suspect any more. Twice at once, or
     * beside a round: a delete is of what was seen before the source was asked, and is refused otherwise.
     */
    async searchDeletes(input) {
      return withSides(input, joinSearch(ofWorker, input), searchConnections, (sides) => searchDeletes(input, sides));
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
