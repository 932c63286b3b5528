import { http } from './shared-pair';

/** Numbers that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export interface SourceWriter {
  /** Acknowledged operations. */
  readonly operations: number;
  /** Requests without an answer, or refused, as by a write block: only a patient writer goes on after one. */
  readonly failures: number;
  /** Ends after the request under way. */
  stop(): Promise<void>;
}

interface Line {
  action: object;
  source?: string;
}

/**
 * Adds, updates, deletes, and deletes and creates again, in bulks and one by one, with and without routing, until it is
 * stopped. Ids are few, so that each goes through many lives; some are written under versions of their own, of 19 digits.
 */
export function startWriter(
  url: string,
  index: string,
  /** `members` are put into each document, such as `"at":17`. */
  options: {
    seed: number;
    ids: number;
    members?: (random: () => number) => string;
    isPatient?: boolean;
    mostPauseMs?: number;
  },
): SourceWriter {
  const random = seeded(options.seed);
  const routings = new Map<string, string>();
  let operations = 0;
  let failures = 0;
  let external = 1_700_000_000_000_000_000n;
  let isStopped = false;

  const body = () =>
    `{${options.members === undefined ? '' : `${options.members(random)},`}"n":${operations}.0,  "big":9007199254740993,"m":${Math.floor(random() * 1e6)},"text":"é \\u00e9 ${'x'.repeat(Math.floor(random() * 200))}"}`;

  function write(id: string): Line {
    const routing = routings.get(id) ?? (random() < 0.3 ? `r${Math.floor(random() * 5)}` : '');
    routings.set(id, routing);
    return { action: { index: { _id: id, ...(routing === '' ? {} : { routing }) } }, source: body() };
  }

  function remove(id: string): Line {
    const routing = routings.get(id) ?? '';
    // its next life may have another routing
    routings.delete(id);
    return { action: { delete: { _id: id, ...(routing === '' ? {} : { routing }) } } };
  }

  function linesOfOne(): Line[] {
    const id = `id-${Math.floor(random() * options.ids)}`;
    const what = random();
    if (what < 0.62) return [write(id)];
    if (what < 0.8) return [remove(id)];
    if (what < 0.92) return [remove(id), write(id)];
    external += 7n;
    // as text, since a number would lose its last digits
    return [
      {
        action: { index: { _id: `external-${external % 50n}`, version: `${external}`, version_type: 'external' } },
        source: body(),
      },
    ];
  }

  async function send(lines: Line[]): Promise<void> {
    const text = lines
      .map(({ action, source }) => {
        const line = JSON.stringify(action).replace(/"version":"(\d+)"/, '"version":$1');
        return source === undefined ? `${line}\n` : `${line}\n${source}\n`;
      })
      .join('');
    const { status, body: answer } = await http<{ items: Record<string, { status: number; error?: unknown }>[] }>(
      `${url}/${encodeURIComponent(index)}/_bulk`,
      'POST',
      text,
    );
    const refused = status >= 300 ? answer : answer.items.find((item) => Object.values(item)[0]?.error !== undefined);
    if (refused) throw new Error(JSON.stringify(refused).slice(0, 500));
    operations += lines.length;
  }

  async function go(): Promise<void> {
    while (!isStopped) {
      const many = random() < 0.5 ? 1 : 2 + Math.floor(random() * 80);
      const lines = Array.from({ length: many }, linesOfOne).flat();
      await send(lines).catch((error: unknown) => {
        if (options.isPatient !== true) throw error;
        failures += 1;
      });
      await new Promise((resolve) => setTimeout(resolve, random() * (options.mostPauseMs ?? 100)));
    }
  }

  const going = go();
  going.catch(() => undefined);
  return {
    get operations() {
      return operations;
    },
    get failures() {
      return failures;
    },
    async stop() {
      isStopped = true;
      await going;
    },
  };
}
