import { createdAgain, isByField, type SeriesInput, type SeriesNow } from '../../contracts/catch-up';
import { parseBytes } from '../../contracts/bytes';
import { targetName } from '../../contracts/ids';
import type { MigrationRunbook } from '../../contracts/runbook';
import type { Cluster } from '../elasticsearch/cluster';
import { whatCannotBe } from '../metadata/indices';
import { planBatches } from '../planning/batches';
import { fieldProblem } from '../planning/checks/document-checks';
import { staysInStream } from '../planning/data-streams';
import { factsOf } from '../planning/inspect';
import { readNames } from '../planning/read-cluster';
import { readIndices, readSelected } from '../planning/read-indices';
import { selectIndices, selectsName } from '../planning/select-indices';
import type { SelectedIndex } from '../planning/view';
import { whoseIndices } from '../snapshots/restored-indices';
import { readStates } from './read-shards';

/**
 * What has come to the source, and what has gone, since the run last knew. Whatever the checks of a plan would refuse is
 * told, and left alone: it must not hold up the others.
 */
export async function readSeries(
  input: SeriesInput,
  { source, target }: { source: Cluster; target: Cluster },
): Promise<SeriesNow> {
  const { runbook, followed, unfollowed, joining, deleted } = input;
  const present = await readIndexNames(source);
  const known = new Set([...followed, ...unfollowed, ...joining, ...deleted]);
  const differences = deleted.filter((name) => present.has(name)).map(createdAgain);
  const isSelected = selectsName(runbook.select);
  const candidates = [...present].filter((name) => !known.has(name) && isSelected(name));
  const found = await selectedOf(source, runbook, candidates);
  const reasons = await whyNot(found, input, { source, target });
  for (const [name, why] of reasons)
    differences.push({ where: `index ${name}`, what: `it has appeared on the source, and is not moved: ${why}` });
  const movable = found.filter(({ name }) => !reasons.has(name)).map(factsOf);
  return {
    appeared: planBatches(movable, {
      maxSizeBytes: parseBytes(runbook.batches.maxSize),
      maxIndices: runbook.batches.maxIndices,
    }),
    deleted: await confirmDeleted(
      source,
      [...followed, ...unfollowed].filter((name) => !present.has(name)),
    ),
    differences,
  };
}

/** Cheap enough for every round: names, and no statistics. */
async function readIndexNames(source: Cluster): Promise<Set<string>> {
  const { body } = await source.request<Record<string, unknown>>({
    method: 'GET',
    path: '/_alias',
    query: { expand_wildcards: 'all' },
  });
  return new Set(Object.keys(body));
}

/** A node may answer from a state that is a moment old: the master has the last word. */
async function confirmDeleted(source: Cluster, missing: string[]): Promise<string[]> {
  if (missing.length === 0) return [];
  const states = await readStates(source, missing);
  return missing.filter((name) => !states.has(name));
}

/** As a plan would choose among them. */
async function selectedOf(
  source: Cluster,
  { select, catchUp }: MigrationRunbook,
  names: string[],
): Promise<SelectedIndex[]> {
  if (names.length === 0) return [];
  const views = await readIndices(source, await readNames(source), names);
  const { selected } = selectIndices(select, views);
  const { field } = catchUp ?? {};
  return readSelected(source, selected, { watchWrites: false, ...(field === undefined ? {} : { field }) });
}

async function whyNot(
  indices: SelectedIndex[],
  { runbook, owner, followed, unfollowed, joining, deleted }: SeriesInput,
  { source, target }: { source: Cluster; target: Cluster },
): Promise<Map<string, string>> {
  const reasons = new Map<string, string>();
  if (indices.length === 0) return reasons;
  const called = (name: string) => targetName(runbook, name);
  for (const index of indices) {
    const why = whyNotReadable(index, runbook);
    if (why !== undefined) reasons.set(index.name, why);
  }
  const sound = () => indices.map(({ name }) => name).filter((name) => !reasons.has(name));
  // What carries our mark under a name that is wanted once more is another index of this run.
  const taken = new Map([...followed, ...unfollowed, ...joining, ...deleted].map((name) => [called(name), name]));
  for (const name of sound()) {
    const other = taken.get(called(name));
    if (other === undefined) taken.set(called(name), name);
    else reasons.set(name, `${other} is called ${called(name)} on the target already; give it another name by rename`);
  }
  for (const name of sound()) {
    // one by one: an alias answers with the name of the index behind it
    const { ours, foreign } = await whoseIndices(target, owner, [called(name)]);
    if (ours.length + foreign.length === 0) continue;
    reasons.set(
      name,
      `the target has an index or alias ${called(name)} that this run did not make for it; take it away there by hand if it is not needed`,
    );
  }
  if (runbook.method !== 'snapshot')
    for (const [name, why] of await whatCannotBe(source, target, { runbook }, sound())) reasons.set(name, why);
  return reasons;
}

/** What the checks of a plan refuse of an index as it is on the source. */
function whyNotReadable(index: SelectedIndex, runbook: MigrationRunbook): string | undefined {
  const { method, catchUp } = runbook;
  const { status, dataStream, health, hasSource, settings } = index;
  if (staysInStream(index, runbook))
    return `it is a backing index of the data stream ${dataStream}, which takes no documents with versions of their own; give it another name by rename`;
  if (settings['index.store.type'] === 'snapshot') return 'it is mounted from a snapshot';
  if (health === 'red') return 'it has no primary shard at present; it is taken once it has';
  const unlike = status === 'open' && catchUp && isByField(catchUp) ? fieldProblem(catchUp.kind, index) : undefined;
  if (unlike !== undefined) return `${catchUp?.field} is no date there that can be searched by (${unlike})`;
  if (method === 'snapshot') {
    const isPiped = ['index.default_pipeline', 'index.final_pipeline'].some(
      (key) => (settings[key] ?? '_none') !== '_none',
    );
    return isPiped ? 'it has an ingest pipeline of its own, which would change what follows' : undefined;
  }
  if (status === 'close') return 'it is closed, so that its documents cannot be read; it is taken once it is open';
  if (!hasSource) return 'its documents cannot be read back: _source is switched off, or fields are left out of it';
  return undefined;
}
