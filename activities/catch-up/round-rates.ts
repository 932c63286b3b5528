import type { CatchUpRoundInput, DeletesInput } from '../../contracts/catch-up';
import { heartbeatAgain } from '../context';
import type { RateGate } from '../copy/rate-gate';
import type { PartRates, WorkerRates } from '../copy/worker-rates';
import type { ByteClient } from '../elasticsearch/byte-client';

/** Shards, or indices, that a round reads side by side. */
export const readAtOnce = 4;

/** A round's place among the parts of its worker: as many readers as it has shards at once, and the bulks of one part. */
export function joinRates(rates: WorkerRates, { runbook, limits }: CatchUpRoundInput): PartRates {
  const { bulksInFlight, pauseAbove } = limits;
  const tell = () => heartbeatAgain(first.words(limits.bulkBytes));
  const first = rates.join(runbook, { bulksInFlight, pauseAbove, onChange: tell });
  const silent = { bulksInFlight: 0, pauseAbove, onChange: () => undefined };
  const others = Array.from({ length: readAtOnce - 1 }, () => rates.join(runbook, silent));
  return {
    ...first,
    leave() {
      for (const each of [first, ...others]) each.leave();
    },
  };
}

/** A search for deletes writes no documents: it waits as its worker's parts do, says why, and takes no bulks from them. */
export function joinSearch(
  rates: WorkerRates,
  { runbook, limits: { bulkBytes, pauseAbove } }: DeletesInput,
): PartRates {
  const tell = () => heartbeatAgain(joined.words(bulkBytes));
  const joined = rates.join(runbook, { bulksInFlight: 0, pauseAbove, onChange: tell });
  return joined;
}

/** What a round asks for waits while its cluster is in need: lookups and deletes, too. What was opened is closed all the same. */
export function passing(client: ByteClient, gate: RateGate): ByteClient {
  return {
    async send(request) {
      if (request.method !== 'DELETE') await gate.open(request.signal);
      return client.send(request);
    },
    close: () => client.close(),
  };
}
