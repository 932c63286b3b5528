/**
 * Waits for all of them to end, then fails with the first failure. Unlike Promise.all nothing is left running behind the
 * caller's back: an abort must not begin to undo while a sibling is still at work.
 */
export async function allEnded<T>(promises: Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
