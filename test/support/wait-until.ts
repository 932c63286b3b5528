/** Asks until the answer is right: conditions, never sleeps of a guessed length. */
export async function waitUntil<T>(
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean,
  { timeoutMs = 30_000, everyMs = 50, what = 'the condition' } = {},
): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > until)
      throw new Error(`${what} did not come true in ${timeoutMs} ms; last: ${JSON.stringify(answer)?.slice(0, 2000)}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
