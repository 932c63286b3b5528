import { setTimeout as sleep } from 'node:timers/promises';
import type { CopyPart, CopyPartResult, CopyPartsInput, CopyPartsResult } from '../../contracts/document-activities';
import { mergeCauses } from '../../contracts/refusals';
import { cancellationSignal, heartbeat, lastHeartbeat } from '../context';
import { isPermanent } from '../failure';
import { copyPart, countOf, type CopiedPart, type CopySides, type PartCheckpoint } from './copy-part';
import type { FailedDocuments } from './failed-documents';

/** What a heartbeat carries besides progress. */
interface Checkpoint extends CopyPartsResult {
  /** Of the part after those; left out where nothing of it is acknowledged. */
  present?: PartCheckpoint;
}

/**
 * Copies parts in turn: one, or a group of small ones, which would cost an activity each otherwise. Killed at any moment,
 * the next attempt knows from the last heartbeat which of them are done, and goes on in the one that was under way; one that
 * had ended since then is copied once more, and found by its versions.
 *
 * A part that cannot be copied fails at the head of a group only: those before it are answered first, so that what they
 * had is told and counted once.
 */
export async function copyParts(
  { parts, limits, runbook }: CopyPartsInput,
  { rates, ...sides }: CopySides,
  failedOf: (part: CopyPart) => FailedDocuments,
): Promise<CopyPartsResult> {
  const signal = cancellationSignal();
  const { present, ...before } = checkpointIn(lastHeartbeat());
  let { causes } = before;
  const ended: CopyPartResult[] = [...before.parts];
  const tell = teller(parts);
  // joined once: who comes and goes has the clusters' statistics read anew
  let changed = () => undefined as void;
  const shared = rates(() => changed());
  const rated: CopySides = {
    ...sides,
    rates: (onChange) => {
      changed = onChange;
      return { ...shared, leave: () => (changed = () => undefined) };
    },
  };

  async function copyNext(part: CopyPart): Promise<CopiedPart> {
    const refused = ended.reduce((sum, each) => sum + each.refused, 0);
    const { mostRefused } = limits;
    const left = mostRefused === undefined ? {} : { mostRefused: Math.max(0, mostRefused - refused) };
    const reached = (checkpoint: PartCheckpoint, words: string) => {
      const which = parts.length === 1 ? '' : `, ${ended.length + 1} of ${parts.length} small parts`;
      tell({ parts: ended, causes, present: checkpoint }, `${part.index}${which}: ${words}`);
    };
    const turn = { part, limits: { ...limits, ...left }, runbook, failed: failedOf(part), reached };
    return copyPart({ ...turn, before: ended.length === before.parts.length ? present : undefined }, rated);
  }

  try {
    for (const part of parts.slice(ended.length)) {
      const startedAt = performance.now();
      const { causes: found, ...result } = await copyNext(part);
      ended.push(result);
      causes = mergeCauses([...causes, ...found]);
      if (!result.isDone) break;
      tell({ parts: ended, causes }, part.index);
      if (ended.length === parts.length || (await isStopped(dueMs(result, limits) + startedAt, signal))) break;
    }
  } catch (error) {
    if (ended.length === 0 || !isPermanent(error)) throw error;
  } finally {
    shared.leave();
  }
  return { parts: ended, causes };
}

/** Each part has a pace of its own: what a small one, which is one bulk, is ahead of the limits is waited for after it. */
function dueMs(
  result: CopyPartResult,
  { docsPerSec = Infinity, bytesPerSec = Infinity }: CopyPartsInput['limits'],
): number {
  return Math.max(countOf(result) / docsPerSec, result.bytes / bytesPerSec) * 1000;
}

async function isStopped(until: number, signal: AbortSignal | undefined): Promise<boolean> {
  const waitMs = until - performance.now();
  if (waitMs > 0) await sleep(waitMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  return signal?.aborted === true;
}

/** Says progress over all of the parts; the rate is from the first time on, whatever an earlier attempt had done. */
function teller(parts: readonly CopyPart[]) {
  const total = parts.reduce((sum, { documents }) => sum + documents, 0);
  let first: { done: number; atMs: number } | undefined;
  return (checkpoint: Checkpoint, detail: string) => {
    const { parts: ended, present } = checkpoint;
    const counts = [...ended, ...(present ? [present] : [])].map(countOf);
    const done = counts.reduce((sum, count) => sum + count, 0);
    const atMs = performance.now();
    first ??= { done, atMs };
    heartbeat({
      done: counts.reduce((sum, count, at) => sum + Math.min(count, parts[at]?.documents ?? 0), 0),
      total,
      unit: 'documents',
      ...(done > first.done ? { rate: ((done - first.done) * 1000) / (atMs - first.atMs) } : {}),
      detail,
      checkpoint: { ...checkpoint, parts: [...ended] },
    });
  };
}

function checkpointIn(details: unknown): Checkpoint {
  return (details as { checkpoint?: Checkpoint } | undefined)?.checkpoint ?? { parts: [], causes: [] };
}
