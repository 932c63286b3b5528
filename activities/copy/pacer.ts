import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until so many documents and bytes more stay within the limits. Nothing is saved up: an idle second is lost. */
export function pacer({
  docsPerSec = Infinity,
  bytesPerSec = Infinity,
}: {
  docsPerSec?: number;
  bytesPerSec?: number;
}) {
  let freeAt = 0;
  return async (documents: number, bytes: number, signal?: AbortSignal): Promise<void> => {
    const now = performance.now();
    const waitMs = freeAt - now;
    freeAt = Math.max(now, freeAt) + Math.max(documents / docsPerSec, bytes / bytesPerSec) * 1000;
    if (waitMs > 0) await sleep(waitMs, undefined, signal ? { signal } : {});
  };
}
