import { json, segment } from '../lab/http';
import type { Pair } from '../lab/pair';
import { cpuTicks, ticksPerSecond } from './process-use';

/** What the servers did for a row: where the time goes when it is not the client's. */

interface IndexStats {
  indexing: { index_time_in_millis: number };
  refresh: { total: number; total_time_in_millis: number };
  merges: { total: number; total_time_in_millis: number };
  flush: { total: number; total_time_in_millis: number };
}

/** Call it before; what it answers, called afterwards, says what it took in one line. */
export async function watchServers({ source, target }: Pair): Promise<(index: string) => Promise<string>> {
  const perSecond = await ticksPerSecond();
  const pids = [source, target].map(({ nodes }) => nodes[0]?.pid ?? 0);
  const before = pids.map(cpuTicks);
  return async (index) => {
    const [from, to] = pids.map((pid, at) => ((cpuTicks(pid) - (before[at] ?? 0)) / perSecond).toFixed(1));
    const { _all } = await json<{ _all: { total: IndexStats } }>({
      url: `${target.url}/${segment(index)}/_stats/indexing,refresh,merge,flush`,
    });
    const { indexing, refresh, merges, flush } = _all.total;
    const each = (what: string, { total, total_time_in_millis: ms }: IndexStats['refresh']) =>
      `${total} ${what} ${(ms / 1000).toFixed(1)} s`;
    const threads = [
      `indexing ${(indexing.index_time_in_millis / 1000).toFixed(1)} s`,
      each('refreshes', refresh),
      each('merges', merges),
      each('flushes', flush),
    ];
    return `source ${from} s of CPU; target ${to} s, of its threads' time: ${threads.join(', ')}`;
  };
}
