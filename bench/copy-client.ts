import { openByteClient } from '../activities/elasticsearch/byte-client';
import { pump } from '../activities/copy/pump';
import type { PartRange, Reading } from '../activities/copy/part-reader';
import { bareLoad, bareScan, type ScanJob } from './copy-bare';

/**
 * A client process whose processor time and memory are its own: what it is to do comes as a message, what it took goes back
 * as one. Its start is not counted, and neither is what it makes ready.
 */
export type ClientJob = PumpJob | { what: 'scan'; scan: ScanJob } | { what: 'load'; scan: ScanJob; target: string };

/** The product's own reading and writing, without a worker around it. */
export interface PumpJob {
  what: 'copy';
  source: { url: string; reading: Reading };
  target: { url: string; index: string };
  parts: PartRange[];
}

export interface CopyUse {
  documents: number;
  bytes: number;
  seconds: number;
  cpuSeconds: number;
  peakRssMb: number;
}

/** All connections go to one node each. */
const connections = 16;

async function copy({ source, target, parts }: PumpJob): Promise<Pick<CopyUse, 'documents' | 'bytes'>> {
  const from = openByteClient({ where: 'source cluster', urls: [source.url], connections });
  const to = openByteClient({ where: 'target cluster', urls: [target.url], connections });
  try {
    const done = await Promise.all(
      parts.map((part) =>
        pump({
          part,
          source: { client: from, reading: source.reading },
          target: { client: to, index: target.index, versionType: 'external' },
          // as a heartbeat would
          onProgress: (progress) => JSON.stringify(progress),
        }),
      ),
    );
    return {
      documents: done.reduce((sum, { written }) => sum + written, 0),
      bytes: done.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } finally {
    from.close();
    to.close();
  }
}

async function measured(work: () => Promise<Pick<CopyUse, 'documents' | 'bytes'>>): Promise<CopyUse> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const done = await work();
  const { user, system } = process.cpuUsage(before);
  return {
    ...done,
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
  };
}

async function main(job: ClientJob): Promise<CopyUse> {
  switch (job.what) {
    case 'copy':
      return measured(() => copy(job));
    case 'scan':
      return measured(() => bareScan(job.scan));
    case 'load': {
      const send = await bareLoad(job.scan, job.target);
      return measured(send);
    }
  }
}

process.once('message', (job: ClientJob) => {
  main(job).then(
    (use) => process.send?.({ use }, () => process.exit(0)),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, () =>
        process.exit(1),
      ),
  );
});
process.on('disconnect', () => process.exit(0));
