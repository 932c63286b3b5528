/** Byte sizes as Elasticsearch writes them: a number and one of b, kb, mb, gb, tb, pb, each 1024 times the one before. */

const units = ['b', 'kb', 'mb', 'gb', 'tb', 'pb'] as const;

/** What a byte size looks like, for the schema and for editors. */
export const byteSizePattern = /^(\d+(?:\.\d+)?)(b|kb|mb|gb|tb|pb)$/i;

/** @throws RangeError when the text is no byte size; a parsed runbook holds only good ones. */
export function parseBytes(text: string): number {
  const match = byteSizePattern.exec(text);
  const unit = units.indexOf(match?.[2]?.toLowerCase() as (typeof units)[number]);
  if (!match || unit < 0) throw new RangeError(`not a byte size: ${text}`);
  return Math.round(Number(match[1]) * 1024 ** unit);
}

/** 1536 becomes "1.5 KiB"; for people, not for Elasticsearch. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), 5);
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power]}`;
}
