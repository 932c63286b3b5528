import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { Cluster, RequestParams } from '../../activities/elasticsearch/cluster';
import { parseVersion } from '../../activities/elasticsearch/version';
import { reindexPart } from '../../activities/reindex/reindex-part';
import { cut } from '../../activities/reindex/plan-parts';
import type { ReindexPartInput } from '../../contracts/reindex';
import { runbookOf } from '../support/fixtures';

interface Body {
  source: { size: number; query: { bool: { filter: unknown[]; must_not: { ids: { values: string[] } }[] } } };
  dest: Record<string, unknown>;
}

type End = Record<string, unknown> | 'lost' | 'running';

/** A target whose tasks end as told, one after the other. */
class FakeTarget {
  readonly begun: Body[] = [];
  readonly queries: RequestParams['query'][] = [];
  readonly cancelled: string[] = [];
  /** Calls before the next answer to POST is lost with its worker. */
  dieAfterPost = false;
  constructor(private readonly ends: End[]) {}

  /** The index was deleted under the task. */
  isDeleted = false;
  readonly cluster: Cluster = {
    side: 'target',
    uuid: 'T',
    version: { text: '8.19.21', ...parseVersion('8.19.21'), distribution: 'elasticsearch' },
    request: <T>(params: RequestParams) => Promise.resolve(this.answer(params) as { status: number; body: T }),
  };

  /** Raised when the primary begins anew. */
  term = 1;
  flushed = 0;

  private answer({ method, path, query, body }: RequestParams): { status: number; body: unknown } {
    if (path === '/_cluster/state/metadata/logs')
      return { status: 200, body: { metadata: { indices: { logs: { primary_terms: { '0': this.term } } } } } };
    if (path === '/logs/_flush') this.flushed += 1;
    if (/_(flush|refresh)$/.test(path)) return { status: 200, body: { _shards: { failed: 0 } } };
    const id = /^\/_tasks\/n%3A(\d+)/.exec(path)?.[1];
    if (path.endsWith('/_settings/index.uuid'))
      return { status: 200, body: { logs: { settings: { index: { uuid: 'U' } } } } };
    if (path.startsWith('/_alias/')) return { status: 200, body: this.isDeleted ? {} : { logs: {} } };
    if (path === '/_reindex') {
      this.begun.push(body as Body);
      this.queries.push(query);
      if (this.dieAfterPost) throw new Error('killed');
      return { status: 200, body: { task: `n:${this.begun.length}` } };
    }
    if (path === '/_tasks') return { status: 200, body: { nodes: { n: { tasks: this.running() } } } };
    if (id !== undefined && method === 'POST') {
      this.cancelled.push(`n:${id}`);
      this.ends[Number(id) - 1] = ended({ canceled: 'by user request', created: 7 });
      return { status: 200, body: {} };
    }
    const end = this.ends[Number(id) - 1] ?? 'lost';
    if (end === 'lost') return { status: 404, body: {} };
    if (end === 'running')
      return { status: 200, body: { completed: false, task: { status: { total: 10, created: 7 } } } };
    return { status: 200, body: { completed: true, task: {}, ...end } };
  }

  private running(): Record<string, unknown> {
    const entries = this.begun.flatMap((body, index) =>
      this.ends[index] === 'running'
        ? [
            [
              `n:${index + 1}`,
              {
                description: `reindex from [host=h port=1 query=${JSON.stringify(body.source.query, undefined, 2)}][logs] to [logs]`,
              },
            ],
          ]
        : [],
    );
    return Object.fromEntries(entries) as Record<string, unknown>;
  }

  end(index: number, end: End): void {
    this.ends[index] = end;
  }
}

function ended(response: object): Record<string, unknown> {
  const nothing = { total: 10, created: 0, updated: 0, deleted: 0, noops: 0, version_conflicts: 0 };
  return { response: { ...nothing, timed_out: false, failures: [], ...response } };
}

const refusal = (id: string) => ({
  index: 'logs',
  id,
  status: 400,
  cause: {
    type: 'mapper_parsing_exception',
    reason: `failed to parse field [n] of type [long] in document with id '${id}'`,
  },
});

const input: ReindexPartInput = {
  run: 'r',
  owner: 'r-0123abcd',
  step: 's',
  runbook: runbookOf('r', { method: 'remote-reindex', snapshot: undefined, reindex: { size: 1000 } }),
  part: { index: 'logs', uuid: 'U', range: { afterSeqNo: -1, toSeqNo: 99 }, documents: 10 },
};

function run(target: FakeTarget, details?: unknown, given = input) {
  // that an activity fails need not be logged here
  const quiet = { logger: new DefaultLogger('ERROR') };
  const env = new MockActivityEnvironment(
    details === undefined ? {} : { heartbeatDetails: details, attempt: 2 },
    quiet,
  );
  const heard: { reindex?: { tasks: string[] } }[] = [];
  env.on('heartbeat', (each: { reindex?: { tasks: string[] } }) => heard.push(structuredClone(each)));
  const sides = { source: target.cluster, target: target.cluster, regardless: <T>(act: () => Promise<T>) => act() };
  return { env, heard, result: env.run(() => reindexPart(given, sides)) };
}

const excludedIn = (body: Body | undefined) => body?.source.query.bool.must_not[0]?.ids.values.slice(1);

describe('reindexPart', () => {
  it('is not done where its index was deleted under the task', async () => {
    const target = new FakeTarget([ended({ created: 10 })]);
    target.isDeleted = true;
    await expect(run(target).result).rejects.toMatchObject({ type: 'IndexMissing', nonRetryable: true });
  });

  it('begins one task for the range, and counts what it did', async () => {
    const target = new FakeTarget([ended({ created: 6, updated: 1, version_conflicts: 3 })]);
    const { heard, result } = run(target);
    expect(await result).toEqual({ isDone: true, written: 7, superseded: 3, refused: 0, causes: [], tasks: 1 });
    expect(target.begun[0]).toMatchObject({
      conflicts: 'proceed',
      source: { index: 'logs', size: 1000, query: { bool: { filter: [{ range: { _seq_no: { gt: -1, lte: 99 } } }] } } },
      // an alias: what writes to the name of an index makes it where it is missing
      dest: { index: expect.stringMatching(/^shardlift-reindex-r-0123abcd-[0-9a-f]{16}$/) as string },
    });
    expect(target.begun[0]?.dest).toMatchObject({ version_type: 'external' });
    const again = new FakeTarget([ended({ created: 1 })]);
    await run(again, undefined, { ...input, part: { ...input.part, replaces: true } }).result;
    expect(again.begun[0]?.dest).toMatchObject({ version_type: 'external_gte' });
    expect(target.queries[0]).toMatchObject({ require_alias: true });
    expect(heard[0]?.reindex?.tasks).toEqual(['n:1']);
  });

  it('killed between the request and the heartbeat: the next attempt follows that task and begins none', async () => {
    const target = new FakeTarget(['running']);
    target.dieAfterPost = true;
    await expect(run(target).result).rejects.toThrow('killed');
    target.dieAfterPost = false;
    setTimeout(() => target.end(0, ended({ created: 10 })), 300);
    expect(await run(target).result).toMatchObject({ isDone: true, written: 10, tasks: 1 });
    expect(target.begun).toHaveLength(1);
  });

  it('killed while following: the next attempt follows the same task by its id', async () => {
    const target = new FakeTarget([ended({ created: 10 })]);
    expect(await run(target, { reindex: { tasks: ['n:1'], size: 1000 } }).result).toMatchObject({ written: 10 });
    expect(target.begun).toHaveLength(0);
  });

  it('begins a lost task again; what the first one wrote is no conflict of others', async () => {
    const target = new FakeTarget(['lost', ended({ created: 10 })]);
    expect(await run(target).result).toMatchObject({ isDone: true, written: 10, tasks: 2 });
  });

  it('leaves out what the target refuses, and counts it by cause', async () => {
    const target = new FakeTarget([
      ended({ created: 4, failures: [refusal('a'), refusal('b')] }),
      ended({ created: 2, version_conflicts: 4, failures: [refusal('c')] }),
      ended({ created: 1, version_conflicts: 6 }),
    ]);
    const answer = await run(target).result;
    expect(answer).toMatchObject({ isDone: true, written: 7, superseded: 0, refused: 3, tasks: 3 });
    expect((answer as { causes: unknown[] }).causes).toEqual([
      expect.objectContaining({ type: 'mapper_parsing_exception', count: 3, example: 'a' }),
    ]);
    expect(excludedIn(target.begun[2])).toEqual(['a', 'b', 'c']);
  });

  it('after a kill reads again what earlier tasks were refused', async () => {
    const target = new FakeTarget([ended({ created: 9, failures: [refusal('a')] }), ended({ version_conflicts: 9 })]);
    target.begun.push({} as Body);
    const answer = await run(target, { reindex: { tasks: ['n:1'], size: 1000 } }).result;
    expect(answer).toMatchObject({ written: 9, superseded: 0, refused: 1 });
    expect(excludedIn(target.begun[1])).toEqual(['a']);
  });

  it('asks for smaller batches when an answer was too large for the buffer', async () => {
    const error = {
      type: 'illegal_argument_exception',
      reason: 'Remote responded with a chunk that was too large. Use a smaller batch size.',
    };
    const target = new FakeTarget([{ error }, ended({ created: 10 })]);
    await run(target).result;
    expect(target.begun.map(({ source }) => source.size)).toEqual([1000, 250]);
  });

  it.each([
    ['a node of the source went away', { error: { type: 'connect_exception', reason: 'Connection refused' } }, false],
    [
      'a queue was full',
      ended({
        failures: [{ index: 'logs', id: 'a', status: 429, cause: { type: 'es_rejected_execution_exception' } }],
      }),
      false,
    ],
    [
      'the index is blocked',
      ended({
        failures: [
          {
            index: 'logs',
            id: 'a',
            status: 403,
            cause: { type: 'cluster_block_exception', reason: 'blocked by: [FORBIDDEN/8/index write (api)]' },
          },
        ],
      }),
      true,
    ],
    ['somebody cancelled it', ended({ canceled: 'by user request' }), true],
    ['the source refuses the user', { error: { type: 'status_exception', reason: 'HTTP/1.1 401 Unauthorized' } }, true],
  ])('%s', async (_, end, isPermanent) => {
    await expect(run(new FakeTarget([end])).result).rejects.toMatchObject({ nonRetryable: isPermanent });
  });

  it('gives up on a part that never comes to its end, with the reasons', async () => {
    const ends = Array.from({ length: 60 }, (_, index) => ended({ failures: [refusal(`d${index}`)] }));
    await expect(run(new FakeTarget(ends)).result).rejects.toMatchObject({
      nonRetryable: true,
      details: [
        expect.objectContaining({ why: expect.stringContaining('50 times mapper_parsing_exception') as string }),
      ],
    });
  });

  it('cancelled by an operator: cancels the task, and answers how far it was', async () => {
    const target = new FakeTarget(['running']);
    const { env, result } = run(target);
    setTimeout(() => env.cancel(), 300);
    expect(await result).toMatchObject({ isDone: false, written: 7 });
    expect(target.cancelled).toEqual(['n:1']);
  });

  it('leaves the task running when only the worker shuts down', async () => {
    const target = new FakeTarget(['running']);
    const { env, result } = run(target);
    setTimeout(() => env.cancel('WORKER_SHUTDOWN'), 300);
    await expect(result).rejects.toThrow();
    expect(target.cancelled).toEqual([]);
  });
});

describe('with an async translog', () => {
  const runbook = runbookOf('r', {
    method: 'remote-reindex',
    snapshot: undefined,
    reindex: { load: { translog: 'async' } },
  });
  const given = { ...input, runbook };

  it('is done once the index is flushed, and no primary has begun anew', async () => {
    const target = new FakeTarget([ended({ created: 10 })]);
    const { heard, result } = run(target, undefined, given);
    expect(await result).toMatchObject({ isDone: true, written: 10 });
    expect(target.flushed).toBe(1);
    expect(heard[0]?.reindex).toMatchObject({ terms: '{"0":1}' });
    const ordinary = new FakeTarget([ended({ created: 10 })]);
    await run(ordinary).result;
    expect(ordinary.flushed).toBe(0);
  });

  it('is fetched once more where a primary began anew before it was flushed', async () => {
    const target = new FakeTarget(['running', ended({ created: 4, version_conflicts: 6 })]);
    const first = run(target, undefined, given);
    const follows = new Promise<void>((follows) => first.env.once('heartbeat', () => follows()));
    await follows;
    target.term = 2;
    target.end(0, ended({ created: 10 }));
    await expect(first.result).rejects.toMatchObject({ type: 'ClusterUnavailable', nonRetryable: false });
    const second = run(target, first.heard.at(-1), given);
    expect(await second.result).toMatchObject({ isDone: true, written: 4, superseded: 6, tasks: 1 });
    expect(target.begun).toHaveLength(2);
  });

  it('ends a task that still runs from before, and begins one that reads the whole part', async () => {
    const target = new FakeTarget(['running', ended({ created: 3, version_conflicts: 7 })]);
    target.dieAfterPost = true;
    await expect(run(target, undefined, given).result).rejects.toThrow('killed');
    target.dieAfterPost = false;
    target.term = 2;
    const details = { reindex: { tasks: ['n:1'], size: 500, terms: '{"0":1}' } };
    expect(await run(target, details, given).result).toMatchObject({ isDone: true, written: 3, tasks: 1 });
    expect([target.cancelled, target.begun[1]?.source.size]).toEqual([['n:1'], 500]);
  });

  it('a lost task is followed by one that reads all of it: the terms before that one count', async () => {
    const target = new FakeTarget(['running', ended({ created: 10 })]);
    const { env, result } = run(target, undefined, given);
    env.once('heartbeat', () => {
      target.term = 2;
      target.end(0, 'lost');
    });
    expect(await result).toMatchObject({ isDone: true, tasks: 2 });
  });
});

describe('cut', () => {
  const known = { index: 'logs', uuid: 'U' };

  it('covers every sequence number of every shard once', () => {
    const shards = [
      { shard: 0, toSeqNo: 99, documents: 100 },
      { shard: 1, toSeqNo: 49, documents: 50 },
    ];
    const parts = cut(known, shards, 60);
    expect(parts.map(({ range }) => [range?.afterSeqNo, range?.toSeqNo])).toEqual([
      [-1, 33],
      [33, 67],
      [67, 99],
    ]);
    expect(parts.reduce((sum, { documents }) => sum + documents, 0)).toBe(150);
  });

  it('makes one part of what is small, however many operations it had', () => {
    expect(cut(known, [{ shard: 0, toSeqNo: 1_000_000, documents: 3 }], 60)).toHaveLength(1);
  });
});
