import { AsyncResource } from 'node:async_hooks';
import { formatBytes } from '../../contracts/bytes';
import type { PauseAbove } from '../../contracts/document-activities';
import type { MigrationRunbook, Side } from '../../contracts/runbook';
import type { Clusters } from '../elasticsearch/cluster';
import { criticalOf, pausing, strainOf, type Reading } from './pressure';
import { rateGate, type RateGate } from './rate-gate';
import { bytesNow } from './rate';
import { readPressure } from './read-pressure';

/** What a part shares with the other parts of its worker that read from, or write to, the same cluster. */
export interface PartRates {
  source: RateGate;
  target: RateGate;
  /** In a few words, for the status. */
  words(bulkBytes: number): string;
  leave(): void;
}

export interface WorkerRates {
  join(
    runbook: MigrationRunbook,
    wishes: { bulksInFlight: number; pauseAbove: PauseAbove | undefined; onChange(): void },
  ): PartRates;
}

const everyMs = 5_000;
/** Where statistics may not be read. */
const againMs = 60_000;
/** After so long a cluster may be in another state: it is got to know anew. */
const forgottenMs = 300_000;

/** One rate for each cluster that this worker works, its statistics read as long as a part is under way. */
export function workerRates(clusters: Clusters): WorkerRates {
  const known = new Map<string, Watched>();
  // outside of any activity: what is read belongs to none, and must not end with the one that came first
  const outside = new AsyncResource('shardlift-rates', { requireManualDestroy: true });

  function watched(runbook: MigrationRunbook, side: Side): Watched {
    const key = JSON.stringify([side, runbook[side]]);
    const found = known.get(key);
    if (found && !found.isForgotten) return found;
    const read = async () => readPressure(await clusters.connect(runbook, side));
    const made = outside.runInAsyncScope(() => new Watched(side, read, (begin) => outside.runInAsyncScope(begin)));
    known.set(key, made);
    return made;
  }

  return {
    join(runbook, { bulksInFlight, pauseAbove, onChange }) {
      const [source, target] = [watched(runbook, 'source'), watched(runbook, 'target')];
      // heartbeats are the part's own
      const tell = AsyncResource.bind(onChange);
      // a part has one search under way at a time
      const left = [source.join(1, pauseAbove, tell), target.join(bulksInFlight, pauseAbove, tell)];
      return {
        source: source.gate,
        target: target.gate,
        words: (bulkBytes) => wordsOf([source, target], bulkBytes),
        leave: () => left.forEach((leave) => leave()),
      };
    },
  };
}

/** One cluster as this worker sees it. */
class Watched {
  readonly gate: RateGate;
  /** Why its statistics cannot be read. */
  unread: string | undefined;
  /** Of each part, and of each reader of a round, its thresholds. */
  private readonly members = new Map<() => void, PauseAbove | undefined>();
  private timer: NodeJS.Timeout | undefined;
  private idleSince: number | undefined;
  private before: Reading | undefined;
  private wasRed: boolean | undefined;
  private judge = pausing();

  constructor(
    readonly side: Side,
    private readonly read: () => Promise<Reading>,
    private readonly outside: (begin: () => void) => void,
  ) {
    // readers are as many as the parts that an operator allows; writers find out how many are good
    this.gate = rateGate({ first: side === 'source' ? Infinity : 2 });
  }

  get isForgotten(): boolean {
    return this.idleSince !== undefined && performance.now() - this.idleSince > forgottenMs;
  }

  /**
   * The thresholds of who came last: a run that is tuned begins its parts anew. None as long as there is one who has none, as a
   * round of a drain, for which writers wait: one gate is for all.
   */
  private get pauseAbove(): PauseAbove | undefined {
    const all = [...this.members.values()];
    return all.includes(undefined) ? undefined : all.at(-1);
  }

  join(requests: number, pauseAbove: PauseAbove | undefined, onChange: () => void): () => void {
    // Who joins is no member yet: it is not to be told before it knows that it has joined.
    if (!pauseAbove) {
      this.judge = pausing();
      this.apply(undefined);
    }
    this.members.set(onChange, pauseAbove);
    this.idleSince = undefined;
    const leave = this.gate.join(requests);
    if (this.timer === undefined) this.outside(() => this.lookIn(0));
    return () => {
      leave();
      this.members.delete(onChange);
      if (this.members.size === 0) this.rest();
    };
  }

  private rest(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.idleSince = performance.now();
    this.before = undefined;
    this.judge = pausing();
    this.gate.resume();
  }

  private lookIn(ms: number): void {
    const timer = setTimeout(() => {
      void this.look().then((next) => {
        if (this.timer === timer) this.lookIn(next);
      });
    }, ms);
    timer.unref();
    this.timer = timer;
  }

  private async look(): Promise<number> {
    let now: Reading;
    try {
      now = await this.read();
    } catch (error) {
      // latency and refusals are seen without; what is not known must stop nothing
      const isForbidden = /^Cluster(PermissionDenied|AuthenticationFailed)$/.test(
        (error as { type?: string }).type ?? '',
      );
      this.unread = isForbidden ? 'the user lacks the cluster privilege monitor' : 'they do not come';
      this.before = undefined;
      this.judge = pausing();
      this.apply(undefined);
      return isForbidden ? againMs : everyMs;
    }
    this.unread = undefined;
    this.wasRed = (this.wasRed ?? true) && now.health === 'red';
    const strain = strainOf(this.before, now);
    this.before = now;
    if (strain !== undefined) this.gate.rate.strained(strain);
    const { pauseAbove } = this;
    if (pauseAbove)
      this.apply(
        this.judge(criticalOf(now, pauseAbove, { side: this.side, wasRed: this.wasRed })),
        strain !== undefined,
      );
    return everyMs;
  }

  private apply(critical: string | undefined, isStrained = false): void {
    const was = this.gate.stopped;
    if (critical !== undefined) this.gate.stop(critical);
    else if (was !== undefined) this.gate.resume();
    if (was !== critical || isStrained) for (const tell of this.members.keys()) tell();
  }
}

function wordsOf(sides: readonly Watched[], bulkBytes: number): string {
  const stopped = sides.flatMap(({ side, gate }) => (gate.stopped === undefined ? [] : [`${side}: ${gate.stopped}`]));
  if (stopped.length > 0) return `paused by itself, ${stopped.join('; ')}; goes on when that is over`;
  const { rate } = sides.find(({ side }) => side === 'target')!.gate;
  const held = sides.flatMap(({ side, gate }) => (gate.rate.held === undefined ? [] : [`${side}: ${gate.rate.held}`]));
  const unread = sides.flatMap(({ side, unread: why }) =>
    why === undefined ? [] : [`no statistics of the ${side}: ${why}`],
  );
  return [
    `${rate.limit} ${rate.limit === 1 ? 'bulk' : 'bulks'} at once of ${formatBytes(bytesNow(rate, bulkBytes))}`,
    ...(held.length > 0 ? [`held back, ${held.join(', ')}`] : []),
    ...unread,
  ].join('; ');
}
