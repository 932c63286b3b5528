import pc from 'picocolors';

/** Tells on stderr what takes long: stdout stays free for results. */
export function progress(text: string): void {
  process.stderr.write(`${pc.dim(`[lab] ${text}`)}\n`);
}

/** Tells that something long begins, and afterwards how long it took. */
export async function timed<T>(text: string, work: () => Promise<T>): Promise<T> {
  progress(`${text} …`);
  const startedMs = Date.now();
  const result = await work();
  progress(`${text}: done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  return result;
}
