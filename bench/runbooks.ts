import type { BenchLab } from './lab';
import { benchIndices } from './lab';

export interface RunbookOptions {
  /** Most bytes of a batch. */
  batchBytes: number;
  /** Elasticsearch's byte size for all three limits; left out, the servers' own stand. */
  limit?: string;
  gates?: string[];
}

/** The pair's runbook: both clusters reach one directory, files are copied to a second one on this very machine. */
export function benchRunbook(lab: BenchLab, name: string, { batchBytes, limit, gates = [] }: RunbookOptions): string {
  const { source, target } = lab.pair;
  const limits = ['maxSnapshotBytesPerSec', 'maxRestoreBytesPerSec', 'recoveryMaxBytesPerSec'];
  return `kind: Migration
name: ${name}
source: { urls: [${source.urls.join(', ')}] }
target: { urls: [${target.urls.join(', ')}] }
hosts:
  - { name: here, address: 127.0.0.1, role: storage, connection: local }
select: { include: ['${benchIndices}'] }
snapshot:
  repository:
    existing:
      location: ${lab.newDirectory(name)}
      copyLocation: ${lab.newDirectory(`${name}-copy`)}
      copyHost: here
${limit === undefined ? '' : limits.map((each) => `  ${each}: ${limit}\n`).join('')}batches: { maxSize: ${batchBytes}b, inFlight: 4 }
gates: [${gates.join(', ')}]
# the procedure by hand leaves its snapshots too
cleanup: { snapshots: keep }
`;
}
