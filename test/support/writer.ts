import { http } from './shared-pair';
import { seeded } from './source-writer';

export interface Written {
  adds: number;
  deletes: number;
  /** Refused, as by a write block. */
  refused: number;
}

export interface WriterOptions {
  seed: number;
  perSecond: number;
  ids: number;
  /** Put into each document, such as `"at":17,`. */
  members?: (n: number) => string;
  /** Each document is a new one, and none is deleted. */
  addsOnly?: boolean;
}

/**
 * An application that writes to a live cluster: adds, updates, deletes, and documents that come again after their delete,
 * some with routing. Bulks as they come, until it is stopped.
 */
export function startWriter(
  url: string,
  indices: readonly string[],
  { seed, perSecond, ids, members = () => '', addsOnly = false }: WriterOptions,
) {
  const random = seeded(seed);
  const written: Written = { adds: 0, deletes: 0, refused: 0 };
  let isStopped = false;
  let counter = 0;

  async function write(): Promise<void> {
    const lines: string[] = [];
    const count = Math.max(1, Math.round(perSecond / 5));
    for (let each = 0; each < count; each++) {
      const index = indices[Math.floor(random() * indices.length)];
      const id = addsOnly ? ids + counter : Math.floor(random() * ids);
      const routing = id % 17 === 0 ? `,"routing":"r${id % 5}"` : '';
      if (!addsOnly && random() < 0.2) lines.push(`{"delete":{"_index":"${index}","_id":"${id}"${routing}}}`);
      else {
        lines.push(`{"index":{"_index":"${index}","_id":"${id}"${routing}}}`);
        counter += 1;
        lines.push(`{${members(counter)}"n":${counter},"exact":1.0,"text":"written ${random()}"}`);
      }
    }
    const { body } = await http<{ items?: Record<string, { status: number }>[] }>(
      `${url}/_bulk`,
      'POST',
      `${lines.join('\n')}\n`,
    );
    for (const item of body.items ?? []) {
      const [[verb, { status }]] = Object.entries(item) as [[string, { status: number }]];
      if (status >= 400 && status !== 404) written.refused += 1;
      else if (verb === 'delete') written.deletes += 1;
      else written.adds += 1;
    }
  }

  const writing = (async () => {
    while (!isStopped) {
      const startedAt = Date.now();
      await write();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 200 - (Date.now() - startedAt))));
    }
  })();

  return {
    async stop(): Promise<Written> {
      isStopped = true;
      await writing;
      return written;
    },
  };
}
