import { createInterface } from 'node:readline';
import { cleanUp } from './cleanup';

/** Started by guard.ts, which writes on our stdin which labs to guard. The end of stdin is the end of that process. */
async function main(): Promise<void> {
  const labs = new Set<string>();
  for await (const line of createInterface({ input: process.stdin })) {
    const [, word, directory] = /^(guard|unguard) (.+)$/.exec(line) ?? [];
    if (directory === undefined) continue;
    if (word === 'guard') labs.add(directory);
    else labs.delete(directory);
  }
  await Promise.allSettled([...labs].map(cleanUp));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
void main();
