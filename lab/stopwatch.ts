/** Starts a stopwatch; the function it gives tells the seconds since, as text. */
export function startedSeconds(): () => string {
  const startedMs = performance.now();
  return () => ((performance.now() - startedMs) / 1000).toFixed(1);
}
