import type { DocumentActivities, IndicesInput } from '../../contracts/document-activities';
import { targetName } from '../../contracts/ids';
import { heartbeat } from '../context';
import { readErrorAnswer } from '../elasticsearch/classify-error';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { flushAll } from '../elasticsearch/flush';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { permanent } from '../failure';
import { changedBy, unchanged } from '../outcome';
import { markOf, markSetting, whoseIndices } from '../snapshots/restored-indices';
import { adaptIndex, shapeOf, type AdaptedIndex } from './adapt-index';
import type { FlatSettings } from './adapt-settings';
import { findAdditions } from './find-additions';
import { readDefinitions, serverOf } from './read-definitions';

/** The server itself waits half a minute for the primary, and as long for its master. */
const createTimeoutMs = 70_000;

export function createIndexActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<DocumentActivities, 'createIndices' | 'endLoad'> {
  return {
    /**
     * Makes the indices one by one. Nothing is made when one of them cannot be. Twice: an index with this execution's mark
     * was made by the first run, whole, as the mark is in the very request, and is left as it is; so killed in between, the
     * second run makes the rest. A request whose answer was lost is found the same way.
     */
    async createIndices(input) {
      const { owner, runbook, step, indices } = input;
      const [source, target] = await connectBoth(clusters, input);
      const names = targetNames(input);
      const owned = await whoseIndices(target, owner, [...names.values()]);
      if (owned.foreign.length > 0) throw taken(owned.foreign);
      const missing = indices.map(({ name }) => name).filter((name) => !owned.ours.includes(names.get(name)!));
      const adapted = await adaptAll(source, target, input, missing);
      const made = indices.map(({ name }) => name).filter((name) => !missing.includes(name));
      const present = await adaptAll(source, target, input, made);
      // Retention is no fault of a time series, and must not hold up what is still there.
      const isSeries = runbook.catchUp?.kind === 'time-series';
      const gone = isSeries
        ? [...missing.filter((name) => !adapted.has(name)), ...made.filter((name) => !present.has(name))]
        : [];
      refuseWhatCannotBe(
        missing.filter((name) => !gone.includes(name)),
        adapted,
      );
      await loadAgain(target, input, present);
      let done = indices.length - adapted.size;
      for (const [name, index] of adapted) {
        await createIndex(target, owner, names.get(name)!, index);
        heartbeat({ done: ++done, total: indices.length, unit: 'indices', detail: names.get(name) });
      }
      const left = gone.length > 0 ? { gone } : {};
      if (adapted.size === 0)
        return { ...unchanged(`${indices.length - gone.length} indices were made already${goneWords(gone)}`), ...left };
      const additions = await findAdditions(
        target,
        new Map([...adapted].map(([name, { body }]) => [names.get(name)!, body])),
      );
      const summary =
        `made ${adapted.size} ${adapted.size === 1 ? 'index' : 'indices'}${goneWords(gone)}` +
        (additions.length > 0 ? `; templates of the target added to them: ${additions.slice(0, 5).join('; ')}` : '');
      const outcome = changedBy(step, summary, {
        where: 'target cluster',
        what: listed([...adapted.keys()].map((name) => names.get(name)!)),
        before: 'absent',
        after: `empty, with adapted settings and mappings${runbook.catchUp ? ', for documents and catch-up' : ', for documents'}`,
      });
      return { ...outcome, ...left };
    },

    /**
     * Puts the settings for loading to what the indices have on the source, or the runbook says; refreshes and flushes. What
     * would hinder catch-up stays: once it has ended this is asked again, with a runbook without it. Twice: the same
     * settings again change nothing, and the flush is asked for in any case, as nobody knows how far the first run came.
     */
    async endLoad(input) {
      const { step, indices } = input;
      const [source, target] = await connectBoth(clusters, input);
      const names = targetNames(input);
      // what somebody has deleted there since is told by the comparison
      const present = await readSettings(target, [...names.values()], { ignoreMissing: true });
      const flushing = flushAll(target, [...present.keys()], (verb) =>
        heartbeat({ done: 0, total: indices.length, unit: 'indices', detail: verb }),
      );
      const reading = adaptAll(
        source,
        target,
        input,
        indices.map(({ name }) => name),
      );
      // together, as documents wait for both
      const [adapted] = await Promise.all([reading, flushing]);
      const groups = new Map<string, string[]>();
      for (const { name } of indices) {
        const at = names.get(name)!;
        if (!present.has(at)) continue;
        // deleted on the source since: nobody says any more what it had
        const wanted = adapted.get(name)?.endLoad ?? nothingOfItsOwn;
        const open = Object.fromEntries(
          Object.entries(wanted).filter(([key, value]) => !isEqual(present.get(at)?.[key], value)),
        );
        if (Object.keys(open).length === 0) continue;
        const body = JSON.stringify(open);
        groups.set(body, [...(groups.get(body) ?? []), at]);
      }
      for (const [body, group] of groups) {
        for (const chunk of chunkNames(group)) {
          await target.request({
            method: 'PUT',
            path: `/${indexPath(chunk)}/_settings`,
            query: { expand_wildcards: 'none' },
            body: JSON.parse(body) as unknown,
          });
        }
      }
      const changed = [...groups.values()].flat();
      if (changed.length === 0) return unchanged('settings are as on the source; refreshed and flushed');
      return changedBy(step, `${changed.length} indices have their own settings; refreshed and flushed`, {
        where: 'target cluster',
        what: `settings for loading of ${listed(changed)}`,
        before: 'refresh off, as the runbook says',
        after: [...groups.keys()].slice(0, 3).join('; ').slice(0, 500),
      });
    },
  };
}

function goneWords(gone: string[]): string {
  return gone.length === 0 ? '' : `; deleted on the source since, and left out: ${gone.slice(0, 5).join(', ')}`;
}

/** What would change documents that are copied once more, or keep them out, into indices that have ended their load before. */
const againSettings = ['index.default_pipeline', 'index.final_pipeline', 'index.gc_deletes'];

async function loadAgain(
  target: Cluster,
  { runbook }: IndicesInput,
  adapted: Map<string, AdaptedIndex>,
): Promise<void> {
  for (const [name, { body }] of adapted) {
    const again = Object.entries(body.settings).filter(([key]) => againSettings.includes(key));
    const wanted = Object.fromEntries(again.filter(([, value]) => value === '_none' || value === '0s'));
    if (Object.keys(wanted).length === 0) continue;
    await target.request({
      method: 'PUT',
      path: `/${indexPath([targetName(runbook, name)])}/_settings`,
      query: { expand_wildcards: 'none' },
      body: wanted,
    });
  }
}

const nothingOfItsOwn: AdaptedIndex['endLoad'] = {
  'index.refresh_interval': null,
  'index.translog.durability': null,
};

async function connectBoth(clusters: Clusters, { runbook }: IndicesInput): Promise<[Cluster, Cluster]> {
  return Promise.all([clusters.connect(runbook, 'source'), clusters.connect(runbook, 'target')]);
}

/** Source to target. Two that would become one are a mistake of the runbook's. */
function targetNames({ runbook, indices }: IndicesInput): Map<string, string> {
  const names = new Map(indices.map(({ name }) => [name, targetName(runbook, name)]));
  const from = new Map<string, string>();
  for (const [name, to] of names) {
    const other = from.get(to);
    if (other !== undefined) {
      throw permanent({
        type: 'RunbookInvalid',
        message: 'two indices would have one name on the target',
        where: `${other} and ${name}: ${to}`,
        remedy: 'correct rename so that each has a name of its own, and start a new run',
      });
    }
    from.set(to, name);
  }
  return names;
}

async function adaptAll(
  source: Cluster,
  target: Cluster,
  { runbook }: Pick<IndicesInput, 'runbook'>,
  names: string[],
): Promise<Map<string, AdaptedIndex>> {
  const versions = { from: serverOf(source), target: serverOf(target), shape: shapeOf(runbook) };
  const adapted = new Map<string, AdaptedIndex>();
  for (const [name, definition] of await readDefinitions(source, names))
    adapted.set(name, adaptIndex(definition, versions));
  return adapted;
}

/** Of indices that cannot be made on the target as they are: why. Reads only. */
export async function whatCannotBe(
  source: Cluster,
  target: Cluster,
  input: Pick<IndicesInput, 'runbook'>,
  names: string[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [name, { refusals }] of await adaptAll(source, target, input, names))
    if (refusals[0]) found.set(name, `${refusals[0].path}: ${refusals[0].why}; ${refusals[0].remedy}`);
  return found;
}

function refuseWhatCannotBe(names: string[], adapted: Map<string, AdaptedIndex>): void {
  const gone = names.filter((name) => !adapted.has(name));
  if (gone.length > 0) {
    throw permanent({
      type: 'IndexMissing',
      message: 'an index is not there (any more)',
      where: `source cluster: ${gone.slice(0, 10).join(', ')}`,
      remedy:
        'bring it back and retry; if it was deleted on purpose, abort and start a run without it (select.exclude): a skip would leave its whole batch unmoved',
    });
  }
  const refusals = [...adapted].flatMap(([name, index]) => index.refusals.map((each) => ({ name, ...each })));
  const [first] = refusals;
  if (first === undefined) return;
  throw permanent({
    type: 'ClusterRequestFailed',
    message: 'what an index has cannot be had on the target',
    where: [...new Set(refusals.map(({ name }) => name))].slice(0, 10).join(', '),
    why: refusals
      .slice(0, 5)
      .map(({ name, path, why }) => `${name}, ${path}: ${why}`)
      .join('; '),
    remedy: first.remedy,
  });
}

async function createIndex(target: Cluster, owner: string, name: string, { body }: AdaptedIndex): Promise<void> {
  const answer = await target.request({
    method: 'PUT',
    path: `/${indexPath([name])}`,
    body: { ...body, settings: { ...body.settings, [markSetting]: markOf(owner) } },
    allow: [400],
    timeoutMs: createTimeoutMs,
  });
  if (answer.status !== 400) return;
  const { type, reason } = readErrorAnswer(answer.status, answer.body);
  if (/already_exists/.test(type)) {
    // a request of an attempt before this one came through after all, or somebody was faster
    const { ours } = await whoseIndices(target, owner, [name]);
    if (ours.includes(name)) return;
    throw taken([name]);
  }
  throw permanent({
    type: 'ClusterRequestFailed',
    message: 'the target refuses to make an index',
    where: `target cluster: ${name}`,
    why: `HTTP 400 ${type}: ${reason}`.slice(0, 2000),
    remedy: /unknown setting/.test(reason)
      ? 'give the setting another value, or null to leave it out, by settings in a new runbook'
      : /maximum .*shards/.test(reason)
        ? 'raise cluster.max_shards_per_node on the target, or add nodes, then retry'
        : /data streams only/.test(reason)
          ? 'a template of the target keeps this name for data streams: give the index another by rename in a new runbook'
          : 'see the reason: mend it on the source or on the target and retry, or leave the index out by select.exclude',
  });
}

function taken(names: string[]) {
  return permanent({
    type: 'IndexNameTaken',
    message: `the target has ${names.length === 1 ? 'an index' : 'indices'} of that name that this run did not make`,
    where: `target cluster: ${names.slice(0, 10).join(', ')}`,
    remedy:
      'delete it there by hand if it is not needed, or give another name by rename or leave it out by select.exclude in a new runbook, then retry',
  });
}

async function readSettings(
  target: Cluster,
  names: string[],
  { ignoreMissing = false } = {},
): Promise<Map<string, FlatSettings>> {
  const found = new Map<string, FlatSettings>();
  for (const chunk of chunkNames(names)) {
    const { status, body } = await target.request<Record<string, { settings: FlatSettings }>>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_settings`,
      query: { flat_settings: true, expand_wildcards: 'all', ...(ignoreMissing ? { ignore_unavailable: true } : {}) },
      ...(ignoreMissing ? { allow: [404] } : {}),
    });
    if (status < 300) for (const [name, { settings }] of Object.entries(body)) found.set(name, settings);
  }
  return found;
}

function isEqual(present: string | string[] | undefined, wanted: string | string[] | null): boolean {
  return JSON.stringify(present ?? null) === JSON.stringify(wanted);
}

function listed(names: string[]): string {
  return `indices ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}
