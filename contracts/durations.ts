/** Times as Elasticsearch writes them: a number and one of ms, s, m, h, d. */

const milliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What a time looks like, for the schema and for editors. */
export const durationPattern = /^[1-9]\d*(ms|s|m|h|d)$/;

/** @throws RangeError when the text is no time; a parsed runbook holds only good ones. */
export function parseDuration(text: string): number {
  const unit = durationPattern.exec(text)?.[1] as keyof typeof milliseconds | undefined;
  if (unit === undefined) throw new RangeError(`not a time: ${text}`);
  return Number.parseInt(text, 10) * milliseconds[unit];
}
