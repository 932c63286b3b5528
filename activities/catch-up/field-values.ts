import type { FieldPosition, FieldType } from '../../contracts/document-activities';
import { isDate } from '../planning/field-types';

/** What is reckoned with the values of a field: bounds, and how far one round goes. No request is made here. */

type Bounds = Partial<Record<'gt' | 'gte' | 'lt' | 'lte', string>>;
type Named = Pick<FieldPosition, 'name' | 'type'>;

/** Of the documents that have the field, those within; all of them without bounds. Values go as text: none loses a digit. */
export function within({ name, type }: Named, bounds: Bounds): Record<string, unknown> {
  if (Object.keys(bounds).length === 0) return { exists: { field: name } };
  return { range: { [name]: { ...asBounds(type, bounds), ...(isDate(type) ? { format: dateFormats } : {}) } } };
}

/** Both are known since 5.0; epoch_millis knows nothing before 1970 in some versions. */
const dateFormats = 'strict_date_optional_time||epoch_millis';

function asBounds(type: FieldType, bounds: Bounds): Bounds {
  if (!isDate(type)) return bounds;
  return Object.fromEntries(
    Object.entries(bounds).map(([bound, value]) => [
      bound,
      value.startsWith('-') ? new Date(Number(value)).toISOString() : value,
    ]),
  );
}

/** A sort value as a search answers it. Nanoseconds are cut to milliseconds: a bound may be too low, never too high. */
export function valueOf(type: FieldType, sortValue: string): string {
  const text = sortValue.trim().replace(/^"|"$/g, '');
  if (type !== 'date_nanos') return text;
  const nanos = BigInt(text);
  const millis = nanos / 1_000_000n;
  return String(nanos < 0n && millis * 1_000_000n !== nanos ? millis - 1n : millis);
}

export function isAbove(type: FieldType, value: string, other: string | undefined): boolean {
  if (other === undefined) return true;
  return type === 'decimal' ? Number(value) > Number(other) : BigInt(value) > BigInt(other);
}

export function larger(type: FieldType, one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined) return other;
  return isAbove(type, one, other) ? one : other;
}

/** A value in the middle of two; nothing when there is none between them. */
export function between(type: FieldType, low: string, high: string): string | undefined {
  if (type === 'decimal') {
    const [from, to] = [Number(low), Number(high)];
    const middle = from / 2 + to / 2;
    return middle > from && middle < to ? String(middle) : undefined;
  }
  const [from, to] = [BigInt(low), BigInt(high)];
  const middle = from + (to - from) / 2n;
  return middle > from && middle < to ? String(middle) : undefined;
}

/** The nearest value below, or one that is near. */
export function below(type: FieldType, value: string): string {
  if (type !== 'decimal') return String(BigInt(value) - 1n);
  const number = Number(value);
  return String(number - Math.max(Math.abs(number) / 1e6, 1e-6));
}

/** More halvings say nothing any more, whatever the numbers. */
const mostHalvings = 200;

/**
 * How far a round goes: to the highest value, or as far as no more than `most` documents lie above the low one and at or
 * below. Of a value that more documents have than that all are taken: they cannot be told apart.
 */
export async function cutOff(
  type: FieldType,
  low: string,
  high: string,
  most: number,
  countUpTo: (value: string) => Promise<number>,
): Promise<string> {
  if ((await countUpTo(high)) <= most) return high;
  let [from, to, hasAny] = [low, high, false];
  for (let halving = 0; halving < mostHalvings; halving++) {
    const middle = between(type, from, to);
    if (middle === undefined) break;
    const found = await countUpTo(middle);
    if (found > most) to = middle;
    else {
      [from, hasAny] = [middle, found > 0];
      if (found >= most / 2) break;
    }
  }
  return hasAny ? from : to;
}

/** From where on a round reads. A field that only grows keeps that itself; times reach back by the window. */
export function lowerBound({ from, through, seen }: FieldPosition, windowMs: number): string | undefined {
  if (seen !== undefined) return from;
  return through === undefined ? undefined : String(BigInt(through) - BigInt(windowMs));
}

/** So many values are kept of a window: they are a message's weight, and a bound that is a little too low does no harm. */
const seenInWindow = 16;

/**
 * Of a field that only grows: what the last round had come to was there before this one was asked for. What was the largest
 * value a window ago has by now all documents below it: whoever wrote them has had the time. So this round, which reads all
 * that can be seen, is the last one that has to look below.
 *
 * Times are those at which rounds are asked for: one clock, that of the Temporal server.
 */
export function aged(field: FieldPosition, atMs: number, windowMs: number): { field: FieldPosition; done?: string } {
  if (field.seen === undefined) return { field };
  const seen = [...field.seen];
  const last = seen.at(-1);
  if (field.through !== undefined && (last === undefined || atMs - last.at >= windowMs / seenInWindow))
    seen.push({ at: atMs, value: field.through });
  const old = seen.filter(({ at }) => at <= atMs - windowMs);
  const done = old.at(-1)?.value;
  return { field: { ...field, seen: seen.slice(old.length) }, ...(done === undefined ? {} : { done }) };
}

/** After everything that could be seen from the lower bound up to a value was read. */
export function advanced(field: FieldPosition, readTo: string | undefined, done: string | undefined): FieldPosition {
  const through = larger(field.type, field.through, readTo);
  const reached = { ...field, ...(through === undefined ? {} : { through }) };
  if (field.seen === undefined || done === undefined) return reached;
  const from = larger(field.type, field.from, done);
  return { ...reached, ...(from === undefined ? {} : { from }) };
}
