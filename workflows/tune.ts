import { parseBytes } from '../contracts/bytes';
import type { diskWatermarks, TunedLimits } from '../contracts/decisions';
import type { MigrationRunbook } from '../contracts/runbook';

/** The runbook with other limits; those that its method does not know are refused before. */
export function tuned(runbook: MigrationRunbook, limits: TunedLimits): MigrationRunbook {
  const { copy, reindex } = runbook;
  const parts = limits.partsInFlight === undefined ? {} : { inFlight: limits.partsInFlight };
  if (reindex) {
    const { requestsPerSecond, ...others } = reindex;
    const rate = limits.requestsPerSecond === undefined ? requestsPerSecond : (limits.requestsPerSecond ?? undefined);
    return {
      ...runbook,
      reindex: {
        ...others,
        ...(rate === undefined ? {} : { requestsPerSecond: rate }),
        parts: { ...reindex.parts, ...parts },
      },
    };
  }
  if (!copy) return runbook;
  const { docsPerSec, bytesPerSec, ...rest } = copy.limits;
  const documents = limits.docsPerSec === undefined ? docsPerSec : (limits.docsPerSec ?? undefined);
  const bytes = limits.bytesPerSec === undefined ? bytesPerSec : (limits.bytesPerSec ?? undefined);
  return {
    ...runbook,
    copy: {
      ...copy,
      parts: { ...copy.parts, ...parts },
      ...(limits.failedDocuments === undefined ? {} : { failedDocuments: { most: limits.failedDocuments } }),
      limits: {
        ...rest,
        ...(limits.bulkBytes === undefined ? {} : { bulkBytes: limits.bulkBytes }),
        ...(limits.bulksInFlight === undefined ? {} : { bulksInFlight: limits.bulksInFlight }),
        ...(documents === undefined ? {} : { docsPerSec: documents }),
        ...(bytes === undefined ? {} : { bytesPerSec: bytes }),
        pauseAbove: {
          ...rest.pauseAbove,
          ...(limits.pauseAboveHeapPercent === undefined ? {} : { heapPercent: limits.pauseAboveHeapPercent }),
          ...(limits.pauseAboveDisk === undefined ? {} : { diskWatermark: limits.pauseAboveDisk }),
        },
      },
    },
  };
}

/** @returns why these limits must be refused; nothing when they may be taken. */
export function tuneRefusal({ method }: MigrationRunbook, limits: TunedLimits | undefined): string | undefined {
  const names = Object.keys(limits ?? {}) as (keyof TunedLimits)[];
  if (!limits || names.length === 0) return 'name at least one limit to change';
  const known: readonly (keyof TunedLimits)[] = { snapshot: [], copy: ofCopy, 'remote-reindex': ofReindex }[method];
  const unknown = names.filter((name) => !known.includes(name));
  if (method === 'snapshot') return 'a run by snapshot has no limits that can be changed while it goes on';
  if (unknown.length > 0) return `method ${method} has no ${unknown.join(', ')}; it has ${known.join(', ')}`;
  const disk = limits.pauseAboveDisk;
  if (disk !== undefined && !watermarks.includes(disk))
    return `pauseAboveDisk cannot be ${disk}: one of ${watermarks.join(', ')} is expected`;
  const wrong = names.find((name) => name !== 'pauseAboveDisk' && !isGood(limits[name]));
  return wrong === undefined ? undefined : `${wrong} cannot be ${String(limits[wrong])}: more than 0 is expected`;
}

const ofCopy = [
  'docsPerSec',
  'bytesPerSec',
  'bulkBytes',
  'bulksInFlight',
  'partsInFlight',
  'pauseAboveHeapPercent',
  'pauseAboveDisk',
  'failedDocuments',
] as const;
/** Their own list is a value, and this is a workflow's file. */
const watermarks: readonly (typeof diskWatermarks)[number][] = ['low', 'high', 'flood_stage', 'none'];
const ofReindex = ['requestsPerSecond', 'partsInFlight'] as const;

function isGood(value: number | string | null | undefined): boolean {
  if (value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value) && value > 0;
  try {
    return parseBytes(value ?? '') > 0;
  } catch {
    return false;
  }
}
