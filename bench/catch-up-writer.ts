import { setTimeout as sleep } from 'node:timers/promises';
import { order } from '../lab/corpus/documents';
import { seededRandom } from '../lab/corpus/random';
import { request, segment } from '../lab/http';

/**
 * An application that writes to the source: adds, updates and deletes, a third each, at a steady rate until a write block
 * meets it. Each bulk ends with the marker: how many operations there were up to it, and when. It runs in a process of its
 * own; its arguments are url, index, documents that are there already, and operations a second.
 */
export interface Marker {
  operations: number;
  /** Milliseconds of the epoch. */
  at: number;
  /** A document of those that were there at the beginning, and that this bulk deletes. */
  gone?: string;
}

export const markerId = 'marker';
const bulksPerSecond = 10;
const documentBytes = 1_100;

async function main([url = '', index = '', there = '0', perSecond = '1000']: string[]): Promise<void> {
  process.on('disconnect', () => process.exit(0));
  const random = seededRandom(1, 'catch-up');
  const ids = Array.from({ length: Number(there) }, (_, number) => number);
  const each = Math.max(3, Math.round(Number(perSecond) / bulksPerSecond));
  let next = ids.length;
  let operations = 0;
  let lastGone: string | undefined;
  const write = (number: number): string => {
    const { id, source } = order(random, number, documentBytes);
    return `{"index":{"_id":"${id}"}}\n${source}\n`;
  };
  const line = (kind: number): string => {
    if (kind === 0 || ids.length < 1000) {
      ids.push(next);
      return write(next++);
    }
    const at = random.below(ids.length);
    if (kind === 1) return write(ids[at] as number);
    const [gone] = ids.splice(at, 1, ids.at(-1) as number);
    ids.pop();
    const id = `order-${gone}`;
    if ((gone as number) < Number(there)) lastGone = id;
    return `{"delete":{"_id":"${id}"}}\n`;
  };
  const startedMs = Date.now();
  for (;;) {
    lastGone = undefined;
    const lines = Array.from({ length: each - 1 }, (_, position) => line(position % 3));
    const marker: Marker = { operations: operations + each, at: Date.now(), ...(lastGone ? { gone: lastGone } : {}) };
    lines.push(`{"index":{"_id":"${markerId}"}}\n${JSON.stringify(marker)}\n`);
    const { status, body } = await request({
      method: 'POST',
      url: `${url}/${segment(index)}/_bulk`,
      body: Buffer.from(lines.join('')),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const answer = JSON.parse(body.toString()) as { errors: boolean };
    if (status === 200 && !answer.errors) operations += each;
    else if (body.includes('cluster_block_exception')) break;
    else throw new Error(`the source refuses a write: ${status} ${body.toString('utf8', 0, 500)}`);
    // a bulk that took longer is made up for: the rate is that of the whole
    await sleep(Math.max(0, startedMs + (operations / Number(perSecond)) * 1000 - Date.now()));
  }
  process.send?.({ operations, seconds: (Date.now() - startedMs) / 1000 }, () => process.exit(0));
}

if (require.main === module) void main(process.argv.slice(2));
