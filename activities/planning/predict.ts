import { formatBytes, parseBytes } from '../../contracts/bytes';
import type { BatchPlan, CopyPlan, IndexFacts, MigrationPlan } from '../../contracts/plan';
import type { MigrationRunbook } from '../../contracts/runbook';
import { bytesOnTarget } from './checks/room-checks';

/** What a node takes of a snapshot or restore when nothing is set: Elasticsearch's default. */
const defaultNodeBytesPerSec = 40 * 1024 ** 2;
/** Nothing throttles an unlimited copy but disks and network: a gigabit link's worth is assumed. */
const assumedCopyBytesPerSec = 110 * 1024 ** 2;
/** Requests, polls and allocation, for each batch and stage: seen on small batches, where bytes take no time. */
const stageOverheadSeconds = 1.5;

export interface PredictionInput {
  runbook: MigrationRunbook;
  batches: BatchPlan[];
  copy?: CopyPlan;
  sourceDataNodes: number;
  targetDataNodes: number;
  /** indices.recovery.max_bytes_per_sec of the target, in effect now. */
  targetRecoveryLimit?: string;
}

interface Stage {
  name: string;
  bytesPerSec: number;
  from: string;
}

/** Time and room, from rate limits alone: the limits rule the speed unless disks or network are slower. */
export function predict(input: PredictionInput): MigrationPlan['predicted'] {
  if (input.runbook.method !== 'snapshot') return predictDocuments(input);
  const { runbook, batches, copy } = input;
  const stages = [snapshotStage(input), ...(copy ? [copyStage(copy)] : []), restoreStage(input)];
  const inFlight = Math.min(runbook.batches.inFlight, Math.max(1, batches.length));
  const slowest = stages.reduce((a, b) => (b.bytesPerSec < a.bytesPerSec ? b : a));
  const seconds = pipelineSeconds(batches, stages, inFlight);
  const indices = batches.flatMap((batch) => batch.indices);
  const how = batches.length > 1 && inFlight > 1 ? `${inFlight} batches in flight` : 'one batch after the other';
  return {
    seconds: Math.ceil(seconds),
    sourceShareBytes: shareBytes(runbook, batches),
    targetDiskBytes: indices.reduce((sum: number, index: IndexFacts) => sum + bytesOnTarget(index), 0),
    from: `${stages.map(({ name, from }) => `${name} ${from}`).join('; ')}; ${how}, slowest: ${slowest.name}. Disks and network may be slower`,
  };
}

/**
 * Documents of one kilobyte that a data node indexes in a second, about: seen on two cores with all of the pipeline on
 * them. Clusters differ by a factor of ten, so it is said what was assumed.
 */
const assumedDocsPerSec = 10_000;

/** Document by document the target's indexing rules, unless the runbook holds it lower. */
function predictDocuments({ runbook, batches, targetDataNodes }: PredictionInput): MigrationPlan['predicted'] {
  const indices = batches.flatMap((batch) => batch.indices);
  const documents = indices.reduce((sum, index) => sum + index.documents, 0);
  const assumed = assumedDocsPerSec * Math.max(1, targetDataNodes);
  const limit = runbook.copy?.limits.docsPerSec ?? Infinity;
  const rate = Math.min(assumed, limit);
  const from =
    limit < assumed
      ? `the limit of ${limit} documents a second`
      : `${assumedDocsPerSec} documents a second a data node assumed`;
  return {
    seconds: Math.ceil(documents / rate + batches.length * stageOverheadSeconds * 3),
    sourceShareBytes: 0,
    targetDiskBytes: indices.reduce((sum, index) => sum + bytesOnTarget(index), 0),
    from: `${from}; the target's own indexing rules`,
  };
}

/** Each stage takes one batch at a time, a batch goes through the stages in order, at most so many are under way. */
export function pipelineSeconds(batches: BatchPlan[], stages: { bytesPerSec: number }[], inFlight: number): number {
  const free = stages.map(() => 0);
  const ends: number[] = [];
  for (const [number, { sizeBytes }] of batches.entries()) {
    let at = ends[number - inFlight] ?? 0;
    for (const [index, { bytesPerSec }] of stages.entries()) {
      at = Math.max(at, free[index] ?? 0) + sizeBytes / bytesPerSec + stageOverheadSeconds;
      free[index] = at;
    }
    ends.push(at);
  }
  return Math.max(0, ...ends);
}

function snapshotStage({ runbook, sourceDataNodes }: PredictionInput): Stage {
  const limit = runbook.snapshot?.maxSnapshotBytesPerSec;
  return perNode('snapshot', [limit ? parseBytes(limit) : defaultNodeBytesPerSec], sourceDataNodes);
}

function restoreStage({ runbook, targetDataNodes, targetRecoveryLimit }: PredictionInput): Stage {
  const { maxRestoreBytesPerSec: own, recoveryMaxBytesPerSec: raised } = runbook.snapshot ?? {};
  const recovery = raised ?? targetRecoveryLimit;
  const limits = [recovery === undefined ? defaultNodeBytesPerSec : bytesOf(recovery)];
  if (own) limits.push(parseBytes(own));
  return perNode('restore', limits, targetDataNodes);
}

/** A limit of 0 or less means none. */
function bytesOf(text: string): number {
  try {
    return parseBytes(text) || Infinity;
  } catch {
    return Infinity;
  }
}

function perNode(name: string, limits: number[], nodes: number): Stage {
  const lowest = Math.min(...limits);
  const each = Number.isFinite(lowest) ? lowest : assumedCopyBytesPerSec;
  const words = Number.isFinite(lowest)
    ? `${formatBytes(each)}/s a node`
    : `unlimited, ${formatBytes(each)}/s a node assumed`;
  const count = Math.max(1, nodes);
  return { name, bytesPerSec: each * count, from: `${words} on ${count} ${count === 1 ? 'node' : 'nodes'}` };
}

function copyStage({ maxBytesPerSec }: CopyPlan): Stage {
  const bytesPerSec = maxBytesPerSec ?? assumedCopyBytesPerSec;
  return { name: 'copy', bytesPerSec, from: `${formatBytes(bytesPerSec)}/s${maxBytesPerSec ? '' : ' assumed'}` };
}

/** Snapshots deleted batch by batch leave the share to those in flight; else all of them lie there together. */
function shareBytes(runbook: MigrationRunbook, batches: BatchPlan[]): number {
  const sizes = batches.map(({ sizeBytes }) => sizeBytes).sort((a, b) => b - a);
  const held = runbook.cleanup.snapshots === 'afterBatch' ? sizes.slice(0, runbook.batches.inFlight) : sizes;
  return held.reduce((sum, bytes) => sum + bytes, 0);
}
