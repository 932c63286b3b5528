import { joinRates, passing } from '../../activities/catch-up/round-rates';
import { rateGate } from '../../activities/copy/rate-gate';
import type { WorkerRates } from '../../activities/copy/worker-rates';
import type { CatchUpRoundInput } from '../../contracts/catch-up';
import type { ByteClient, ByteRequest } from '../../activities/elasticsearch/byte-client';

const request = (method: ByteRequest['method']): ByteRequest => ({ method, path: `/${method}`, timeoutMs: 1 });

test('a round reads several shards at once, and has the bulks of one part among those of its worker', () => {
  const [source, target] = [rateGate({ first: Infinity }), rateGate({ first: 2 })];
  const rates: WorkerRates = {
    join: (_runbook, { bulksInFlight }) => {
      const left = [source.join(1), target.join(bulksInFlight)];
      return { source, target, words: () => '', leave: () => left.forEach((leave) => leave()) };
    },
  };
  const joined = joinRates(rates, { limits: { bulkBytes: 1, bulksInFlight: 3 } } as CatchUpRoundInput);
  expect([source.rate.most, target.rate.most]).toEqual([4, 3]);
  joined.leave();
  expect([source.rate.most, target.rate.most]).toEqual([0, 0]);
});

test('what a round asks for waits while its cluster is in need; what was opened is closed, and an abort is heard', async () => {
  const sent: string[] = [];
  const client: ByteClient = {
    send: ({ method }) => {
      sent.push(method);
      return Promise.resolve({ status: 200, body: Buffer.of() });
    },
    close: () => undefined,
  };
  const gate = rateGate({ first: 1, most: 1 });
  gate.stop('the cluster has turned red');
  const waiting = passing(client, gate);
  const abort = new AbortController();
  const asked = waiting.send(request('POST'));
  const aborted = waiting.send({ ...request('POST'), signal: abort.signal });
  abort.abort(new Error('told to stop'));
  await expect(aborted).rejects.toThrow('told to stop');
  await waiting.send(request('DELETE'));
  expect(sent).toEqual(['DELETE']);
  gate.resume();
  await asked;
  expect(sent).toEqual(['DELETE', 'POST']);
});
