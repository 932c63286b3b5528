import type { HostInput, StepOutcome } from '../../contracts/host-activities';
import type { Change, Undo } from '../../contracts/status';
import { stuck } from './failures';
import type { Host } from './host';
import { readRecord, writeRecord, type RecordKind } from './record';

/** One thing on one host that has to be so: how to see it, and how to make it so. */
export interface Wanted<State> {
  /** Name of its record on the host; the same id is the same change. */
  id: string;
  kind: RecordKind;
  /** What is changed, for the evidence: a file's path, a unit. */
  what: string;
  /** Must change nothing. What it gives goes into the record: JSON, and small. */
  look(): Promise<State>;
  isSo(state: State): boolean;
  /** May find the work half done, by an attempt that was killed. Gets what was there before the first attempt. */
  act(before: State, now: State): Promise<void>;
  /** For the evidence, which goes to history and report: no secrets, a few lines. */
  describe(state: State): string;
  about?: Record<string, string | string[]>;
  /** In words; left out where nothing takes it back. */
  undo?: string;
  /** Thrown when the look after the act still does not find it so. */
  failure?(state: State): Error;
}

/**
 * Look, record, act, look again: how every change on a host is made.
 *
 * It may run twice. Killed before the record: nothing was done, the second run begins. Killed after the record or in the
 * midst of the act: the second run finds the record, so it knows what was there before the first, and acts again on
 * what is not yet so. Killed after the act: the second run finds it so, does nothing, and still reports the change,
 * with the right before, because the record is there. Without a record, and so already: nothing to do, `changed: false`.
 */
export async function makeSo<State>(
  host: Host,
  input: HostInput,
  wanted: Wanted<State>,
): Promise<{ changed: boolean; change?: Change; state: State }> {
  let record = await readRecord<State>(host, input.run, wanted.id);
  let now = await wanted.look();
  if (!record) {
    if (wanted.isSo(now)) return { changed: false, state: now };
    record = await writeRecord<State>(host, wanted.id, {
      kind: wanted.kind,
      run: input.run,
      step: input.step,
      at: new Date().toISOString(),
      before: now,
      about: wanted.about ?? {},
      ...(wanted.undo === undefined ? {} : { undo: wanted.undo }),
    });
  }
  if (!wanted.isSo(now)) {
    await wanted.act(record.before, now);
    now = await wanted.look();
    if (!wanted.isSo(now)) throw wanted.failure?.(now) ?? notSo(host, wanted, now);
  }
  return { changed: true, state: now, change: changeOf(host, input, wanted, record.before, now) };
}

function notSo<State>(host: Host, wanted: Wanted<State>, now: State): Error {
  return stuck({
    type: 'CommandFailed',
    message: `${wanted.what} is not as it was just set`,
    host: host.name,
    at: wanted.what,
    why: `found: ${wanted.describe(now)}`,
    remedy: `see on ${host.name} what sets it back (configuration management?), stop that, then retry`,
  });
}

function changeOf<State>(host: Host, input: HostInput, wanted: Wanted<State>, before: State, after: State): Change {
  return {
    step: input.step,
    at: new Date().toISOString(),
    where: host.name,
    what: wanted.what,
    before: wanted.describe(before),
    after: wanted.describe(after),
    ...(wanted.undo === undefined ? {} : { undo: undoOf(host, wanted, wanted.undo) }),
  };
}

function undoOf<State>(host: Host, wanted: Wanted<State>, summary: string): Undo | undefined {
  if (wanted.kind === 'restart' || wanted.kind === 'pathRepo') return undefined;
  return { kind: 'host', host: host.name, record: wanted.kind, id: wanted.id, summary };
}

/** A step's answer from its parts. */
export function outcome(summary: string, ...changes: (Change | undefined)[]): StepOutcome {
  const made = changes.filter((change) => change !== undefined);
  return { changed: made.length > 0, summary, changes: made };
}
