import type { Cluster } from './cluster';

/**
 * A cluster whose every answer is reported: for surveys of many requests, any of which may take minutes, where the wait for
 * the next answer must be all that a heartbeat timeout measures.
 */
export function reporting(cluster: Cluster, report: () => void): Cluster {
  return {
    ...cluster,
    async request(params) {
      const answer = await cluster.request<never>(params);
      report();
      return answer;
    },
  };
}
