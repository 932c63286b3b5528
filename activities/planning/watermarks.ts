import { formatBytes, parseBytes } from '../../contracts/bytes';
import type { NodeView } from './view';

/** What a disk watermark keeps free on a node. */
export interface Reserve {
  /** As set: "85%" or "10gb". */
  text: string;
  bytesOf(totalBytes: number): number;
}

const defaults = { low: '85%', high: '90%', flood_stage: '95%' };
const prefix = 'cluster.routing.allocation.disk';

/** A watermark is a share that may be used ("85%", "0.85") or bytes that must stay free ("10gb"). */
export function reserveOf(settings: Record<string, string>, watermark: keyof typeof defaults): Reserve {
  if (settings[`${prefix}.threshold_enabled`] === 'false') return { text: 'switched off', bytesOf: () => 0 };
  const text = settings[`${prefix}.watermark.${watermark}`] ?? defaults[watermark];
  const used = /^([\d.]+)%$/.exec(text)?.[1] ?? (/^[01](\.\d+)?$/.test(text) ? String(Number(text) * 100) : undefined);
  if (used !== undefined) {
    const headroom = maxHeadroom(settings, watermark);
    const bytesOf = (total: number) => Math.min(headroom, Math.round((total * (100 - Number(used))) / 100));
    return { text: headroom === Infinity ? text : `${text}, at most ${formatBytes(headroom)} free`, bytesOf };
  }
  const bytes = bytesOrNothing(text) ?? 0;
  return { text, bytesOf: () => bytes };
}

/** From 8.5 on a share is capped, so that large disks need not stay a tenth empty. -1 where the watermark was set by hand. */
function maxHeadroom(settings: Record<string, string>, watermark: string): number {
  return bytesOrNothing(settings[`${prefix}.watermark.${watermark}.max_headroom`] ?? '-1') ?? Infinity;
}

function bytesOrNothing(text: string): number | undefined {
  try {
    return parseBytes(text);
  } catch {
    return undefined;
  }
}

export function isData({ roles }: NodeView): boolean {
  return roles.some((role) => role === 'data' || (role.startsWith('data_') && role !== 'data_frozen'));
}
