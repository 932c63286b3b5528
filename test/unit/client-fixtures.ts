import { PassThrough, Writable } from 'node:stream';
import pc from 'picocolors';
import type { PlanAnswer } from '../../contracts/plan';
import type { StepStatus } from '../../contracts/status';
import type { Io, OutputStream } from '../../client/io';
import type { LiveBatch, LiveStatus } from '../../client/live-status';
import { indexOf, nodeOf, planOf } from '../support/fixtures';

export const plain = pc.createColors(false);
export const noon = new Date('2026-11-21T12:00:00.000Z');

const mib = 1024 ** 2;
const at = (minutes: number) => new Date(noon.getTime() - minutes * 60_000).toISOString();

function stepOf(id: string, from: number, to: number | undefined, over: Partial<StepStatus> = {}): StepStatus {
  const phase = id.startsWith('batch-') ? 'move' : (id.split('/')[0] as StepStatus['phase']);
  return {
    id,
    phase,
    title: id.split('/').slice(1).join(' '),
    state: to === undefined ? 'running' : 'done',
    attempt: 1,
    startedAt: at(from),
    ...(to === undefined ? {} : { endedAt: at(to), changed: true, summary: 'as it should be' }),
    ...over,
  };
}

function batchOf(number: number, state: LiveBatch['state'], steps: LiveBatch['steps']): LiveBatch {
  return {
    number,
    indices: 12,
    sizeBytes: 512 * mib,
    documents: 1_234_567,
    state,
    steps,
    snapshots: [],
    writeBlocked: [],
    differences: [],
    accepted: [],
    refused: [],
    positions: [],
    changes: [],
  };
}

/** A run in the middle of its work: one batch done, one stuck, one under way, one retried by Temporal, one waiting. */
export function runningStatus(over: Partial<LiveStatus> = {}): LiveStatus {
  return {
    run: 'logs',
    kind: 'Migration',
    state: 'stuck',
    isPaused: false,
    phase: 'move',
    now: 'stuck at batch-0002/restore: the target refuses to restore orders',
    startedAt: at(62),
    steps: [stepOf('preflight/checks', 62, 61), stepOf('prepare/share/mount/h12', 61, 58, { summary: 'mounted' })],
    batches: [
      batchOf(1, 'done', [
        stepOf('batch-0001/snapshot', 58, 50),
        stepOf('batch-0001/restore', 50, 41),
        stepOf('batch-0001/verify', 41, 40),
      ]),
      batchOf(2, 'stuck', [
        stepOf('batch-0002/snapshot', 50, 41),
        stepOf('batch-0002/restore', 41, undefined, {
          state: 'stuck',
          attempt: 2,
          failure: {
            type: 'RestoreRefused',
            message: 'the target refuses to restore orders',
            where: 'new-cluster / orders',
            why: 'cannot restore index [orders]\nbecause it is open',
            remedy: 'close or delete the index on the target, then retry',
          },
        }),
      ]),
      batchOf(3, 'running', [
        {
          ...stepOf('batch-0003/snapshot', 4, undefined),
          progress: { done: 128 * mib, total: 512 * mib, unit: 'bytes', rate: 40 * mib, etaSeconds: 9.6 },
        },
      ]),
      batchOf(4, 'running', [
        {
          ...stepOf('batch-0004/snapshot', 2, undefined),
          retrying: {
            attempt: 4,
            lastFailure: 'no node of the source answers',
            nextAttemptAt: new Date(noon.getTime() + 12_000).toISOString(),
          },
        },
      ]),
      batchOf(5, 'waiting', []),
    ],
    gates: [{ gate: 'cutover', state: 'closed', asks: '' }],
    decisions: [
      { verb: 'retry', subject: 'batch-0002/restore', by: 'alice@ops', reason: 'index closed', at: at(20) },
      { verb: 'pause', by: 'bob', reason: '', at: at(15) },
    ],
    totals: {
      bytes: 5 * 512 * mib,
      bytesDone: 512 * mib,
      documents: 5 * 1_234_567,
      documentsDone: 1_234_567,
      indices: 60,
      indicesDone: 12,
    },
    differences: [],
    checks: planAnswer().checks,
    changes: [
      {
        step: 'prepare/share/export',
        at: at(60),
        where: 'h11',
        what: '/etc/exports',
        before: '# exports\n/home 10.0.0.9(ro)\n',
        after: '# exports\n/home 10.0.0.9(ro)\n/srv/snapshots 10.0.0.12(rw)\n',
        undo: { kind: 'host', host: 'h11', record: 'export', id: 'export-share', summary: 'the line is taken out' },
      },
    ],
    warnings: [],
    ...over,
  };
}

export function waitingStatus(): LiveStatus {
  return runningStatus({
    state: 'waiting',
    phase: 'verify',
    now: 'waits for an approval of cutover: aliases on new',
    batches: [],
    gates: [{ gate: 'cutover', state: 'open', asks: 'aliases on new', openedAt: at(12) }],
  });
}

export function endedStatus(over: Partial<LiveStatus> = {}): LiveStatus {
  const running = runningStatus();
  return runningStatus({
    state: 'completed with differences',
    phase: 'finish',
    now: 'completed with differences',
    endedAt: at(1),
    batches: running.batches.slice(0, 1),
    differences: [{ where: 'batch-0002/restore', what: 'skipped by alice@ops: not needed' }],
    cutover: 'point the applications at http://new:9200',
    ...over,
  });
}

/** A copy of a live source: one batch with refused documents, one under way, and the catch-up at work. */
export function copyingStatus(over: Partial<LiveStatus> = {}): LiveStatus {
  const refused = {
    index: 'orders',
    type: 'mapper_parsing_exception',
    reason: 'failed to parse field [day]',
    count: 3,
    example: '17',
    remedy: 'correct the mapping there, then retry with --failed',
  };
  const moved = { parts: 4, partsDone: 4, written: 1_200_000, superseded: 34_564 };
  return runningStatus({
    state: 'running',
    now: 'batch-0002: documents',
    batches: [
      {
        ...batchOf(1, 'done with differences', [
          stepOf('batch-0001/create', 58, 57),
          stepOf('batch-0001/documents', 57, 41),
          stepOf('batch-0001/verify', 41, 40),
        ]),
        refused: [refused],
        moved,
      },
      {
        ...batchOf(2, 'running', [
          stepOf('batch-0002/create', 41, 40),
          {
            ...stepOf('batch-0002/documents', 40, undefined),
            progress: { done: 400_000, total: 1_234_567, unit: 'documents', rate: 9000, etaSeconds: 92.7 },
          },
        ]),
        moved: { parts: 4, partsDone: 1, written: 312_000, superseded: 0 },
      },
      batchOf(3, 'waiting', []),
    ],
    ...over,
  });
}

/** The same run at its end. */
export function followedStatus(): LiveStatus {
  const { batches } = copyingStatus();
  return copyingStatus({
    state: 'completed with differences',
    now: 'completed with differences',
    phase: 'finish',
    endedAt: at(1),
    batches: batches.slice(0, 1),
    steps: [
      ...runningStatus().steps,
      stepOf('catch-up/begin', 40, 12),
      stepOf('cutover/drain', 4, 3, { summary: 'drained' }),
    ],
    differences: [{ where: 'index orders', what: '3 documents were, such as 17, refused by the target' }],
    catchUp: {
      kind: 'sequence',
      state: 'drained',
      rounds: 214,
      lag: 0,
      inStepAt: at(3),
      rate: 840,
      written: 98_765,
      deleted: 432,
      refused: [],
      differences: [{ where: 'index carts', what: 'it was deleted on the source' }],
      steps: [],
    },
  });
}

export function planAnswer(over: Partial<PlanAnswer> = {}): PlanAnswer {
  return {
    checks: [
      {
        id: 'cluster.reachable',
        level: 'mandatory',
        state: 'passed',
        where: 'source',
        seen: '7.17.29',
        wanted: 'an answer',
      },
      {
        id: 'disk.target',
        level: 'warning',
        state: 'failed',
        where: 'target',
        seen: '80 % full after the move',
        wanted: 'below 75 %',
        remedy: 'add a node or a disk',
      },
      {
        id: 'index.nameTaken',
        level: 'mandatory',
        state: 'failed',
        where: 'orders',
        seen: 'orders exists on the target',
        wanted: 'no index of that name',
        remedy: 'delete or rename it, or exclude it',
      },
      { id: 'host.sudo', level: 'mandatory', state: 'not applicable', where: 'h11', seen: '', wanted: '' },
    ],
    plan: planOf(2, {
      source: {
        side: 'source',
        name: 'old',
        uuid: 'uuid-old',
        version: '7.17.29',
        distribution: 'elasticsearch',
        nodes: [nodeOf('h11', '10.0.0.11'), nodeOf('h12', '10.0.0.12')],
      },
      shares: [
        {
          id: 'share',
          server: 'h11',
          exportPath: '/srv/snapshots',
          mountPath: '/mnt/snapshots',
          mountOptions: ['hard'],
          clients: [
            { host: 'h12', access: 'rw' },
            { host: 'h21', access: 'ro' },
          ],
        },
      ],
      batches: [
        {
          number: 1,
          indices: ['a', 'b', 'c', 'd', 'e'].map((name) => indexOf(name)),
          sizeBytes: 500 * mib,
          documents: 5000,
        },
        { number: 2, indices: [indexOf('orders')], sizeBytes: 100 * mib, documents: 1000 },
      ],
      aliases: [{ add: { index: 'orders', alias: 'current', is_write_index: true } }],
      predicted: {
        seconds: 4000,
        sourceShareBytes: 600 * mib,
        targetDiskBytes: 1200 * mib,
        from: '40 MiB/s, the default limit',
      },
    }),
    hostChanges: [
      { host: 'h11', what: '/etc/exports', before: '', after: '/srv/snapshots 10.0.0.12(rw)\n' },
      {
        host: 'h12',
        what: 'elasticsearch.yml',
        before: 'cluster.name: old\n# paths\n',
        after: 'cluster.name: old\n# paths\npath.repo: [/mnt/snapshots]\n',
      },
    ],
    ...over,
  };
}

export interface TestIo extends Io {
  out: () => string;
  err: () => string;
}

/** A process that is not there: what is printed can be read, what is typed is handed in. */
export function testIo(over: { env?: Record<string, string>; input?: string; now?: () => number } = {}): TestIo {
  const collect = (): { stream: OutputStream; text: () => string } => {
    const chunks: string[] = [];
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        chunks.push(chunk.toString());
        done();
      },
    });
    return { stream, text: () => chunks.join('') };
  };
  const [out, err] = [collect(), collect()];
  const stdin = new PassThrough();
  stdin.end(over.input ?? '');
  return {
    env: { HOME: '/nonexistent', PATH: '', ...over.env },
    stdin,
    stdout: out.stream,
    stderr: err.stream,
    now: over.now ?? (() => noon.getTime()),
    onSignal: () => () => undefined,
    out: out.text,
    err: err.text,
  };
}
