/**
 * Index names in request paths. Names are percent-encoded: Elasticsearch permits quotes, dollars and parentheses in them.
 * A path that is too long is refused by the server (4096 bytes for the request line), so lists are cut into chunks.
 */
export function indexPath(names: readonly string[]): string {
  return names.map((name) => encodeURIComponent(name)).join(',');
}

/** Leaves room for the rest of the request line: verb, query and host. */
const longestPathBytes = 3_000;

export function chunkNames(names: readonly string[], longest: number = longestPathBytes): string[][] {
  const chunks: string[][] = [];
  let length = Infinity;
  for (const name of names) {
    const size = encodeURIComponent(name).length + 1;
    if (length + size > longest) {
      chunks.push([]);
      length = 0;
    }
    chunks.at(-1)?.push(name);
    length += size;
  }
  return chunks;
}
