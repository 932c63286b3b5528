import { ClientError } from './client-error';
import { exitCodes } from './exit-codes';

/** Numbers, times and texts as people read them. */

/** 3725 becomes "1 h 02 min". */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${whole % 60 === 0 ? '' : ` ${whole % 60} s`}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** UTC, and said to be: several people in several places read the same report. */
export function formatTime(iso: string | undefined): string {
  if (iso === undefined) return '';
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? iso
    : date
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z');
}

/** 1234567 becomes "1,234,567", whatever the locale of the machine. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Whole percent, rounded down so that 100 % means all of it. */
export function percent(done: number, total: number): number {
  if (total <= 0) return done > 0 ? 100 : 0;
  return Math.max(0, Math.min(100, Math.floor((done / total) * 100)));
}

const durationPattern = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?$/;

/** "2h", "1h30m", "45s" in milliseconds. */
export function parseDuration(text: string, option: string): number {
  const match = durationPattern.exec(text.trim());
  const [days, hours, minutes, seconds] = (match ?? []).slice(1).map((each) => Number(each ?? 0));
  const total = (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
  if (match === null || total === 0) {
    throw new ClientError(exitCodes.inputWrong, `${option}: found "${text}", expected a time such as 45s, 30m or 2h`);
  }
  return total * 1000;
}

/** An index name or an error text must not be able to move the cursor, recolour the screen or hide a line. */
export function withoutControls<T>(value: T): T {
  if (typeof value === 'string') {
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    return value.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (found) => {
      return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
    }) as T;
  }
  if (Array.isArray(value)) return value.map((each: unknown) => withoutControls(each)) as T;
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [withoutControls(key), withoutControls(each as unknown)]),
    ) as T;
  }
  return value;
}

/** A word that can be pasted into a POSIX shell as it is. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
