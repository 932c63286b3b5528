import { rateOf, slowness, type Rate } from './rate';
import type { ByteClient } from '../elasticsearch/byte-client';

/**
 * Where the requests of all parts of a worker to one cluster wait for their turn: first come, first served, so that parts
 * share what there is. A request costs two calls; nothing is done for a document.
 */
export interface RateGate {
  readonly rate: Rate;
  /** Why nothing passes at present. */
  readonly stopped: string | undefined;
  /** A part that may have so many requests under way. Answers what takes it off again. */
  join(most: number): () => void;
  enter(signal?: AbortSignal): Promise<void>;
  /** Call once for each `enter`. */
  leave(): void;
  /** For a request that has passed and is to be sent again: waits while nothing may pass. */
  open(signal?: AbortSignal): Promise<void>;
  stop(why: string): void;
  resume(): void;
}

interface Waiting {
  /** Takes no room: it has it already. */
  isInside: boolean;
  pass(): void;
}

export function rateGate({ first, most = 0 }: { first: number; most?: number }): RateGate {
  const rate = rateOf({ first, most });
  const waiting: Waiting[] = [];
  let underWay = 0;
  let stopped: string | undefined;

  const mayPass = (isInside: boolean) => stopped === undefined && (isInside || underWay < rate.limit);

  function admit(): void {
    for (let at = 0; at < waiting.length;) {
      const next = waiting[at] as Waiting;
      if (mayPass(next.isInside)) {
        waiting.splice(at, 1);
        if (!next.isInside) underWay++;
        next.pass();
      } else at++;
    }
  }

  function turn(isInside: boolean, signal?: AbortSignal): Promise<void> {
    if (mayPass(isInside) && (isInside || waiting.length === 0)) {
      if (!isInside) underWay++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('cancelled'));
      };
      const entry: Waiting = {
        isInside,
        pass: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      if (signal?.aborted === true) return reject(signal.reason as Error);
      signal?.addEventListener('abort', leave, { once: true });
      waiting.push(entry);
    });
  }

  return {
    rate,
    get stopped() {
      return stopped;
    },
    join(each) {
      rate.most += each;
      admit();
      return () => void (rate.most -= each);
    },
    enter: (signal) => turn(false, signal),
    leave() {
      underWay--;
      admit();
    },
    open: (signal) => turn(true, signal),
    stop(why) {
      stopped = why;
    },
    resume() {
      stopped = undefined;
      admit();
    },
  };
}

/** What is asked of a source, through its gate. Closing what was opened needs no turn. */
export function gated(client: ByteClient, gate: RateGate): ByteClient {
  const latency = slowness();
  return {
    async send(request) {
      if (request.method === 'DELETE') return client.send(request);
      await gate.enter(request.signal);
      const mark = gate.rate.begin();
      const startedMs = performance.now();
      try {
        const answer = await client.send(request);
        if (answer.status === 429 || answer.status >= 500) gate.rate.refused(mark, `HTTP ${answer.status}`);
        else gate.rate.accepted(mark, latency.came(performance.now() - startedMs, answer.body.length));
        return answer;
      } finally {
        gate.leave();
      }
    },
    close: () => client.close(),
  };
}
