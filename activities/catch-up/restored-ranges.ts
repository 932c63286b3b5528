import { heartbeat } from '../context';
import { ask, pathOf, type Place } from '../copy/requests';
import { classifyAnswer } from '../elasticsearch/classify-error';

/** Sequence numbers above one and at or below another. */
export interface SeqNoRange {
  after: number;
  through: number;
}

const pieces = 32;
/** About as many ids as one search answers: narrower ranges would not be read any faster. */
const narrow = 5_000;

interface CountAnswer {
  _shards: { failed: number; failures?: unknown[] };
  timed_out: boolean;
  aggregations: { pieces: { buckets: { doc_count: number }[] } };
}

/**
 * A restored document that nobody has written since has the same number on both sides. So below the number where catch-up
 * began, what the target has and the source has not shows in counts of ranges of numbers, which cost an index next to
 * nothing: from 32 ranges to 32 of each that differs, down to those whose ids are worth reading.
 */
export async function differingRanges(
  source: Place,
  target: Place,
  shard: number,
  restoredThrough: number,
): Promise<SeqNoRange[]> {
  const found: SeqNoRange[] = [];
  let open: SeqNoRange[] = [{ after: -1, through: restoredThrough }];
  while (open.length > 0) {
    const next: SeqNoRange[] = [];
    for (const range of open) {
      const cut = cutRange(range);
      // The target first: what a round moves out of a range on the target has left it on the source before. The other way round
      // one such document could make up for a deleted one.
      const here = await counts(target, shard, cut);
      const there = await counts(source, shard, cut);
      for (const [index, piece] of cut.entries())
        if (there[index] !== here[index]) (isNarrow(piece) ? found : next).push(piece);
      heartbeat({
        done: found.length,
        total: found.length + next.length,
        unit: 'checks',
        detail: `${source.index}: comparing counts`,
      });
    }
    open = next;
  }
  return found;
}

function isNarrow({ after, through }: SeqNoRange): boolean {
  return through - after <= narrow;
}

/** Pieces of equal width, none of them narrower than is worth it. */
export function cutRange({ after, through }: SeqNoRange): SeqNoRange[] {
  const width = Math.max(narrow, Math.ceil((through - after) / pieces));
  const cut: SeqNoRange[] = [];
  for (let from = after; from < through; from += width)
    cut.push({ after: from, through: Math.min(through, from + width) });
  return cut;
}

function counts(place: Place, shard: number, ranges: readonly SeqNoRange[]): Promise<number[]> {
  const [first, last] = [ranges[0]?.after ?? -1, ranges.at(-1)?.through ?? -1];
  const filters = ranges.map(({ after, through }) => ({ range: { _seq_no: { gt: after, lte: through } } }));
  const body = {
    size: 0,
    query: { range: { _seq_no: { gt: first, lte: last } } },
    aggs: { pieces: { filters: { filters } } },
  };
  const request = {
    path: pathOf(place, `_search?preference=_shards:${shard}`),
    body: [Buffer.from(JSON.stringify(body))],
  };
  return ask(place, request, (text) => {
    const answer = JSON.parse(text.toString()) as CountAnswer;
    if (answer._shards.failed > 0 || answer.timed_out) {
      const reason = JSON.stringify(answer._shards.failures ?? 'timed out').slice(0, 1000);
      throw classifyAnswer(`${place.where}, ${place.index}`, { status: 503, type: 'shard_failure', reason });
    }
    return answer.aggregations.pieces.buckets.map((bucket) => bucket.doc_count);
  });
}
