import { targetName } from '../../contracts/ids';
import type {
  MetadataActivities,
  MetadataDigests,
  MetadataInput,
  MetadataItem,
  PlannedItem,
} from '../../contracts/metadata';
import type { Side } from '../../contracts/runbook';
import type { Difference } from '../../contracts/status';
import { askingAgain } from '../elasticsearch/asking-again';
import type { Cluster, Clusters } from '../elasticsearch/cluster';
import { isMarkOf, markSetting } from '../snapshots/restored-indices';
import { adaptIndex, shapeOf, type AdaptedIndex, type SourceIndex } from './adapt-index';
import { isOfTheServer } from './adapt-settings';
import { anyOf, digestOf, surveyCluster, whatDiffers, type SurveyedItem } from './survey';
import { readDefinitions, serverOf } from './read-definitions';
import { kinds, readKind } from './kinds';
import { builtIn } from './built-in';

export function createEvaluateActivities({
  clusters,
}: {
  clusters: Clusters;
}): Pick<MetadataActivities, 'evaluateMetadata' | 'readDrift'> {
  const connect = async ({ runbook }: MetadataInput, side: Side): Promise<Cluster> =>
    askingAgain(await clusters.connect(runbook, side));

  return {
    /** Twice: reads only. */
    async evaluateMetadata(input) {
      const [source, target] = await Promise.all([connect(input, 'source'), connect(input, 'target')]);
      const surveyed = await surveyCluster(source, target, input.metadata);
      const definitions = await readDefinitions(
        source,
        input.indices.map(({ name }) => name),
      );
      // A restore takes settings and mappings along by itself.
      const ofIndices =
        input.runbook.method === 'snapshot' ? [] : await evaluateIndices(source, target, input, definitions);
      const items = [...surveyed.map(itemOf), ...ofIndices];
      const shown = items.filter(({ result, notes }) => result !== 'same' || notes.length > 0);
      return {
        items: shown,
        same: items.length - shown.length,
        planned: plannedOf(surveyed, input),
        digests: await digestsOf(source, input, definitions),
      };
    },

    /** Twice: reads only. */
    async readDrift(input) {
      const source = await connect(input, 'source');
      const definitions = await readDefinitions(
        source,
        input.indices.map(({ name }) => name),
      );
      const digests = await digestsOf(source, input, definitions);
      const differences: Difference[] = [];
      const grown = await alikeMappings(
        source,
        () => connect(input, 'target'),
        input.runbook,
        [...definitions].filter(([name]) => digests[`mappings ${name}`] !== input.digests[`mappings ${name}`]),
      );
      for (const key of [...new Set([...Object.keys(input.digests), ...Object.keys(digests)])].sort()) {
        const [before, now] = [input.digests[key], digests[key]];
        if (before === now || grown.has(key)) continue;
        const what = before === undefined ? 'is new' : now === undefined ? 'is gone' : 'was changed';
        differences.push({
          where: key,
          what: `${what} on the source since it was evaluated; the target does not have that`,
        });
      }
      return { differences, digests };
    },
  };
}

/** Without the bodies: what is shown, and goes into a history. */
function itemOf({ kind, name, result, onTarget, notes, why, remedy }: SurveyedItem): MetadataItem {
  return {
    kind,
    name,
    result,
    notes,
    ...(onTarget === undefined ? {} : { onTarget }),
    ...(why === undefined ? {} : { why }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function plannedOf(items: SurveyedItem[], { metadata }: MetadataInput): PlannedItem[] {
  return items.flatMap(({ of: { kind }, name, result, onTarget, present }) => {
    if (result === 'refused' || result === 'left out' || onTarget === 'same') return [];
    if (result === 'conflict' && metadata.onConflict === 'keep') return [];
    return [{ kind, name, before: present === undefined ? null : JSON.stringify(present) }];
  });
}

async function evaluateIndices(
  source: Cluster,
  target: Cluster,
  { runbook, run, indices }: MetadataInput,
  definitions: Map<string, SourceIndex>,
): Promise<MetadataItem[]> {
  const versions = { from: serverOf(source), target: serverOf(target), shape: shapeOf(runbook) };
  const present = await readDefinitions(
    target,
    indices.map(({ name }) => targetName(runbook, name)),
  );
  const joining = await patternsOf(target);
  return indices.flatMap(({ name }) => {
    const definition = definitions.get(name);
    if (!definition) return [];
    const to = targetName(runbook, name);
    const adapted = adaptIndex(definition, versions);
    const there = present.get(to);
    const items = (['index-settings', 'mappings'] as const).map((kind) => {
      const isMine = ({ path }: { path: string }) => path.startsWith('index.') === (kind === 'index-settings');
      const notes = adapted.notes.filter(isMine);
      const refused = adapted.refusals.find(isMine);
      const item = { kind, name, notes, ...(to === name ? {} : { targetName: to }) };
      if (refused)
        return { ...item, result: 'refused' as const, why: `${refused.path}: ${refused.why}`, remedy: refused.remedy };
      if (there && !isMarkOf(there.settings[markSetting], { run }))
        return { ...item, ...conflict(kind, adapted, there) };
      const isChanged = notes.some(({ result }) => result !== 'same');
      return { ...item, result: isChanged ? ('changed' as const) : ('same' as const) };
    });
    const templates = joining.filter(({ matches }) => matches(to)).map((each) => each.name);
    if (templates.length > 0 && !there) {
      items[0]!.notes.push({
        path: `templates ${templates.slice(0, 5).join(', ')}`,
        result: 'same',
        why: 'templates of the target that fit this name: what they have and the index has not joins in when it is made',
      });
    }
    return items;
  });
}

/** Of mappings that were changed those that the target has by now: documents bring the fields that are mapped by themselves. */
async function alikeMappings(
  source: Cluster,
  target: () => Promise<Cluster>,
  runbook: MetadataInput['runbook'],
  changed: readonly [string, SourceIndex][],
): Promise<Set<string>> {
  if (changed.length === 0) return new Set();
  const to = await target();
  const versions = { from: serverOf(source), target: serverOf(to), shape: shapeOf(runbook) };
  const there = await readDefinitions(
    to,
    changed.map(([name]) => targetName(runbook, name)),
  );
  const alike = changed.filter(([name, definition]) => {
    const onTarget = there.get(targetName(runbook, name));
    return onTarget && whatDiffers(adaptIndex(definition, versions).body.mappings, onTarget.mappings) === '';
  });
  return new Set(alike.map(([name]) => `mappings ${name}`));
}

function conflict(kind: 'index-settings' | 'mappings', { settings, body }: AdaptedIndex, there: SourceIndex) {
  const differs =
    kind === 'mappings'
      ? whatDiffers(body.mappings, there.mappings)
      : whatDiffers(withoutServers(settings), withoutServers(there.settings));
  return {
    result: 'conflict' as const,
    onTarget: differs === '' ? ('same' as const) : ('differs' as const),
    why: `the target has an index of that name${differs === '' ? ', of the same kind' : `: ${differs}`}`,
  };
}

function withoutServers(settings: SourceIndex['settings']): SourceIndex['settings'] {
  return Object.fromEntries(Object.entries(settings).filter(([key]) => !isOfTheServer(key)));
}

/** Templates of the target that somebody made there, and what they fit. */
async function patternsOf(target: Cluster): Promise<{ name: string; matches: (name: string) => boolean }[]> {
  const found: { name: string; matches: (name: string) => boolean }[] = [];
  for (const kind of kinds) {
    if (kind.kind !== 'index-template' && kind.kind !== 'legacy-template') continue;
    for (const [name, body] of (await readKind(kind, target, serverOf(target))) ?? []) {
      if (builtIn(kind.kind, name, body) === 'marked') continue;
      const patterns = body['index_patterns'];
      found.push({ name, matches: anyOf((Array.isArray(patterns) ? patterns : [patterns]).map(String)) });
    }
  }
  return found;
}

/**
 * Of all that goes along, also of what is refused or in conflict. Left out of an index: what the server notes, and what the
 * run itself sets on the source.
 */
async function digestsOf(
  source: Cluster,
  { metadata }: MetadataInput,
  definitions: Map<string, SourceIndex>,
): Promise<MetadataDigests> {
  const digests: MetadataDigests = {};
  const isExcluded = anyOf(metadata.exclude);
  for (const of of kinds) {
    if (!metadata.include.includes(of.kind)) continue;
    for (const [name, body] of (await readKind(of, source, serverOf(source))) ?? []) {
      if (isExcluded(name) || builtIn(of.kind, name, body) !== undefined) continue;
      digests[`${of.kind} ${name}`] = digestOf(of.normal(body));
    }
  }
  for (const [name, { settings, mappings }] of definitions) {
    // never taken along, and set by the run itself
    const own = Object.entries(withoutServers(settings)).filter(([key]) => key !== 'index.blocks.write');
    digests[`index-settings ${name}`] = digestOf(Object.fromEntries(own));
    digests[`mappings ${name}`] = digestOf(mappings);
  }
  return digests;
}
