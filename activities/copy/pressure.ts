import type { PauseAbove } from '../../contracts/document-activities';
import type { Side } from '../../contracts/runbook';
import { reserveOf } from '../planning/watermarks';

/** A cluster's need, as its statistics show it: what is too much, and what is so bad that nothing must be asked of it. */
export interface Reading {
  nodes: NodeReading[];
  health: string;
  /** Cluster settings with their defaults, flat: for the disk's watermarks. Of a target only. */
  settings?: Record<string, string>;
}

export interface NodeReading {
  name: string;
  holdsData: boolean;
  /** Of the old generation, where the server tells of it: what garbage is left in the young one says little. */
  heapPercent: number;
  pools: Record<string, PoolReading>;
  /** Circuit breakers, by name: how often they have tripped. */
  tripped: Record<string, number>;
  disk?: { totalBytes: number; freeBytes: number };
}

export interface PoolReading {
  threads: number;
  queue: number;
  rejected: number;
}

/** From here on a heap is under pressure: the share at which Elasticsearch's own advice begins. */
const strainedHeapPercent = 85;
/** Requests that wait for each thread. */
const longQueue = 4;

/** Whatever is too much by what happened since the reading before, or is at this moment. */
export function strainOf(before: Reading | undefined, now: Reading): string | undefined {
  for (const node of now.nodes) {
    const was = before?.nodes.find(({ name }) => name === node.name);
    const breaker = Object.keys(node.tripped).find(
      (name) => (node.tripped[name] ?? 0) > (was?.tripped[name] ?? Infinity),
    );
    if (breaker !== undefined) return `circuit breaker ${breaker} of ${node.name} tripped`;
    for (const [name, pool] of Object.entries(node.pools)) {
      const rejected = pool.rejected - (was?.pools[name]?.rejected ?? Infinity);
      if (rejected > 0) return `${name} pool of ${node.name} rejected ${rejected}`;
      if (pool.queue > longQueue * Math.max(1, pool.threads))
        return `${pool.queue} wait in the ${name} queue of ${node.name}`;
    }
    if (node.heapPercent >= strainedHeapPercent) return `heap of ${node.name} ${node.heapPercent} %`;
  }
  return undefined;
}

export interface Critical {
  kind: 'heap' | 'disk' | 'red';
  why: string;
}

/** @param wasRed whether it was so before anything was asked of it: then it is none of ours. */
export function criticalOf(
  { nodes, health, settings }: Reading,
  above: PauseAbove,
  { side, wasRed }: { side: Side; wasRed: boolean },
): Critical | undefined {
  if (above.red && health === 'red' && !wasRed) return { kind: 'red', why: 'the cluster has turned red' };
  for (const { name, holdsData, heapPercent, disk } of nodes) {
    if (side === 'target' && above.diskWatermark !== 'none' && holdsData && disk && settings) {
      const reserve = reserveOf(settings, above.diskWatermark);
      if (disk.freeBytes < reserve.bytesOf(disk.totalBytes)) {
        const used = Math.round((1 - disk.freeBytes / disk.totalBytes) * 100);
        return {
          kind: 'disk',
          why: `disk of ${name} is above its ${above.diskWatermark} watermark (${reserve.text}): ${used} % used`,
        };
      }
    }
    if (heapPercent >= above.heapPercent) return { kind: 'heap', why: `heap of ${name} ${heapPercent} %` };
  }
  return undefined;
}

/** Readings in a row that a heap must be critical: a collection may be about to come. */
const readingsOfHeap = 3;
/** Readings in a row without anything critical before it goes on. */
const readingsOfCalm = 3;
/** A heap that nothing works on is not collected either: after so many readings it is tried. */
const longestForHeap = 24;

/** Whether to stop, or to go on: never back and forth. Answers why it is stopped. */
export function pausing(): (critical: Critical | undefined) => string | undefined {
  let stopped: { kind: Critical['kind']; readings: number } | undefined;
  let why: string | undefined;
  let inARow = 0;
  return (critical) => {
    if (stopped === undefined) {
      inARow = critical === undefined ? 0 : inARow + 1;
      if (critical === undefined || (critical.kind === 'heap' && inARow < readingsOfHeap)) return undefined;
      stopped = { kind: critical.kind, readings: 0 };
      inARow = 0;
    } else {
      stopped.readings++;
      inARow = critical === undefined ? inARow + 1 : 0;
      if (critical !== undefined) stopped.kind = critical.kind;
    }
    why = critical?.why ?? why;
    if (inARow < readingsOfCalm && !(stopped.kind === 'heap' && stopped.readings >= longestForHeap)) return why;
    stopped = undefined;
    inARow = 0;
    return undefined;
  };
}
