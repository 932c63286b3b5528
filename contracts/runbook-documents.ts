import { z } from 'zod';
import { byteSizePattern } from './bytes';
import { diskWatermarks } from './decisions';
import { durationPattern } from './durations';

/** The parts of a runbook that say how documents are moved one by one: `copy`, `reindex` and `catchUp`. */

const byteSize = z.string().regex(byteSizePattern, 'a byte size as Elasticsearch writes it, such as 500mb or 1.5tb');
const duration = z.string().regex(durationPattern, 'a time as Elasticsearch writes it, such as 30s or 5m');
/** One `*` at most, so that what it stood for can be put into the new name. */
const renamePattern = z.string().regex(/^[^*,\s]*\*?[^*,\s]*$/, 'a name, or a pattern with one *');

export const methods = ['snapshot', 'copy', 'remote-reindex'] as const;
export type Method = (typeof methods)[number];

/** What both document methods have in common: what comes to stand on the target. */
const shape = {
  rename: z
    .array(
      z.strictObject({
        from: renamePattern.describe('Name, or pattern with one *, of indices of the source.'),
        to: renamePattern.describe('Name on the target; its * is what the * of from stood for.'),
      }),
    )
    .default([])
    .describe('Other names on the target. The first rule that fits an index counts.'),
  settings: z
    .record(z.string().startsWith('index.'), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .default({})
    .describe(
      "Index settings on the target in place of the source's, such as index.number_of_shards; null for the default.",
    ),
  query: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("Query that chooses the documents, in Elasticsearch's own form; all of them unless given."),
  pipeline: z
    .string()
    .min(1)
    .optional()
    .describe('Ingest pipeline of the target that documents go through. It changes them.'),
  load: z
    .strictObject({
      refresh: z
        .boolean()
        .default(false)
        .describe('Let the target refresh by its own interval while documents come in.'),
      replicas: z.boolean().default(false).describe('Have replicas from the beginning, not only after the documents.'),
      translog: z
        .enum(['request', 'async'])
        .default('request')
        .describe(
          'index.translog.durability while documents come in; async is faster; where a node of the target dies meanwhile, the parts under way are read once more.',
        ),
    })
    .describe('Settings of the new indices for the length of the move; put to their own values afterwards.')
    .prefault({}),
};

export const copySettings = z
  .strictObject({
    ...shape,
    parts: z
      .strictObject({
        maxDocuments: z
          .int()
          .min(1000)
          .default(1_000_000)
          .describe('Most documents of a part, which is of one shard. Small parts share an activity.'),
        inFlight: z
          .int()
          .min(1)
          .max(64)
          .default(4)
          .describe('Most parts of a batch under way at once, over all workers.'),
      })
      .describe('How the work is cut. Any worker of the task queue takes the next part.')
      .prefault({}),
    limits: z
      .strictObject({
        docsPerSec: z.int().min(1).optional().describe('Most documents a second, for the whole run.'),
        bytesPerSec: byteSize.optional().describe('Most bytes a second, for the whole run.'),
        bulkBytes: byteSize.default('5mb').describe('Size of a bulk request, about.'),
        bulksInFlight: z
          .int()
          .min(1)
          .max(64)
          .default(3)
          .describe('Most bulk requests of a part under way at once; fewer when the target says that it has too much.'),
        pauseAbove: z
          .strictObject({
            heapPercent: z
              .int()
              .min(1)
              .max(100)
              .default(95)
              .describe("Share of a node's heap (its old generation) that is in use for some 15 s, on either cluster."),
            diskWatermark: z
              .enum(diskWatermarks)
              .default('high')
              .describe(
                "The target's own disk watermark: above it on any of its data nodes. Indices there are blocked from flood_stage on.",
              ),
            red: z.boolean().default(true).describe('A cluster that turns red.'),
          })
          .describe(
            'Where the copy pauses by itself. It looks again every 5 s, and goes on once that has been over for some 15 s.',
          )
          .prefault({}),
      })
      .describe('How hard the clusters may be worked. All of it can be changed while the run goes on, by tune.')
      .prefault({}),
    failedDocuments: z
      .strictObject({
        most: z
          .int()
          .min(0)
          .nullable()
          .default(10_000)
          .describe('Of one batch; with more of them the batch is stuck. null for any number.'),
      })
      .describe('Documents that the target refuses: how many are an accident, and no mistake in settings or mappings.')
      .prefault({}),
    dropFields: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Fields left out of _source, as paths with dots. This has bodies parsed by the source and printed anew.',
      ),
  })
  .describe('With method copy: how documents are copied.');

export const reindexSettings = z
  .strictObject({
    ...shape,
    size: z
      .int()
      .min(1)
      .max(10_000)
      .default(1000)
      .describe('Documents of one batch of the remote scroll; its buffer holds 100mb at most.'),
    requestsPerSecond: z
      .number()
      .positive()
      .optional()
      .describe('Most documents a second for each part, as _reindex counts them; unlimited unless given.'),
    parts: z
      .strictObject({
        maxDocuments: z
          .int()
          .min(1000)
          .default(5_000_000)
          .describe('Most documents of a part: what one _reindex task takes.'),
        inFlight: z.int().min(1).max(16).default(2).describe('Most tasks under way at once.'),
      })
      .describe('How the work is cut.')
      .prefault({}),
    remoteHost: z
      .url({ protocol: /^https?$/, hostname: /.+/ })
      .optional()
      .describe("Address at which the target's nodes reach the source; the first of source.urls unless given."),
  })
  .describe("With method remote-reindex: how the target's own _reindex fetches documents.");

export const catchUpKinds = ['sequence', 'time-field', 'time-series', 'append-only'] as const;
export type CatchUpKind = (typeof catchUpKinds)[number];

export const catchUpSettings = z
  .strictObject({
    kind: z
      .enum(catchUpKinds)
      .describe(
        'sequence: every add, update and delete, by sequence number, from 6.0 on. time-field: by a field that every update sets. time-series: finished indices once, the current one until it is finished, new ones as they appear. append-only: by a field that only grows.',
      ),
    field: z
      .string()
      .min(1)
      .optional()
      .describe(
        'With time-field and append-only: the field. With time-series: follow by it, as time-field does, where the source has no sequence numbers (before 6.0).',
      ),
    interval: duration.default('10s').describe('Pause between two rounds.'),
    window: duration
      .default('60s')
      .describe(
        'How late a write may become visible. With time-field and time-series each round reaches so far back; with append-only it begins at the largest value that was there so long ago.',
      ),
    compareDeletesEvery: duration
      .optional()
      .describe(
        'With the last three kinds: how often ids are compared to find deleted documents. Never unless given, but before the cutover.',
      ),
    deletedIndices: z
      .enum(['difference', 'expected'])
      .default('difference')
      .describe(
        'With time-series: whether an index that is deleted on the source while it is followed, as retention does, is a difference at the end, or only told. The target keeps it in both cases.',
      ),
    lagBelow: z
      .int()
      .min(0)
      .default(1000)
      .describe('Documents that may be left to catch up with when the cutover is asked for.'),
  })
  .describe('How later writes of a live source follow, until the cutover. Left out, nothing follows.');

export type CopySettings = z.output<typeof copySettings>;
export type ReindexSettings = z.output<typeof reindexSettings>;
export type CatchUpSettings = z.output<typeof catchUpSettings>;
