import { pause } from '../context';
import type { Cluster } from './cluster';

const mostAttempts = 8;
const firstWaitMs = 250;
const longestWaitMs = 5_000;
/** A cluster that is silent uses up the limit of each request: what takes longer is not passing. */
const longestMs = 30_000;

/**
 * A cluster whose every request is sent again while its failure may pass, for some 20 s. For work of many requests that
 * begins anew when one of them fails: before a proxy that loses one in ten, it would never come to its end. Only for
 * requests that may be sent twice.
 */
export function askingAgain(cluster: Cluster): Cluster {
  return {
    ...cluster,
    async request(params) {
      const startedMs = performance.now();
      for (let attempt = 1; ; attempt++) {
        try {
          return await cluster.request<never>(params);
        } catch (error) {
          const isOver = attempt >= mostAttempts || performance.now() - startedMs > longestMs;
          if (isOver || (error as { nonRetryable?: boolean | null }).nonRetryable !== false) throw error;
        }
        await pause(Math.min(longestWaitMs, firstWaitMs * 2 ** (attempt - 1)));
      }
    },
  };
}
