import type { Progress } from '../../contracts/status';
import type { JobLook } from './jobs';

/** Longer than any server's restart, shorter than a night: what moves nothing for so long needs a person. */
export const stuckAfterMs = 600_000;

/** "  1234567  45%  1.23MB/s  0:00:10 (xfr#3, to-chk=1/10)": the bytes of an rsync with --info=progress2. */
function progressBytes(line: string): number {
  return Number(/^\s*([\d,]+)\s+\d+%/.exec(line)?.[1]?.replaceAll(',', '') ?? 0);
}

const details: Record<string, string> = {
  measuring: 'listing files',
  waiting: 'waiting for another throttled copy',
  copying: 'copying',
  syncing: 'waiting for the disk',
  comparing: 'comparing copies with the originals',
  repairing: 'copying files again that differed',
  publishing: 'writing the index',
};

/** Turns looks at a copy into progress, and notices when nothing moves. */
export class CopyFollower {
  private movedAtMs: number;
  private last = '';
  private first: { atMs: number; done: number } | undefined;

  constructor(nowMs: number) {
    this.movedAtMs = nowMs;
  }

  seen(job: JobLook, nowMs: number): { progress: Progress; isStuck: boolean } {
    const mark = [job.phase, job.progress, job.moved].join('\n');
    // a copy that waits for its turn moves nothing, and is all right
    if (mark !== this.last || job.phase === 'waiting') this.movedAtMs = nowMs;
    this.last = mark;

    const [total = 0, needed = 0] = job.total;
    const isCopied = ['syncing', 'comparing', 'publishing', 'done'].includes(job.phase);
    const done = isCopied
      ? total
      : Math.min(total, total - needed + (job.phase === 'copying' ? progressBytes(job.progress) : 0));
    if (job.phase === 'copying') this.first ??= { atMs: nowMs, done };
    const seconds = this.first ? (nowMs - this.first.atMs) / 1000 : 0;
    const rate = this.first && seconds >= 1 ? Math.round((done - this.first.done) / seconds) : undefined;
    return {
      progress: {
        done,
        total,
        unit: 'bytes',
        detail: details[job.phase] ?? job.phase,
        ...(rate !== undefined && rate > 0 && !isCopied ? { rate, etaSeconds: Math.ceil((total - done) / rate) } : {}),
      },
      isStuck: nowMs - this.movedAtMs >= stuckAfterMs,
    };
  }
}
