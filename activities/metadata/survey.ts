import { createHash } from 'node:crypto';
import type { MetadataItem, MetadataSettings } from '../../contracts/metadata';
import { heartbeat } from '../context';
import { readErrorAnswer } from '../elasticsearch/classify-error';
import type { Cluster } from '../elasticsearch/cluster';
import { matcher } from '../planning/select-indices';
import type { Json } from './adapt-field';
import { builtIn, whyClusterOwn } from './built-in';
import { canonical } from './flatten';
import { kinds, readKind, type Kind } from './kinds';
import { serverName, type Server } from './lifetimes';
import { serverOf } from './read-definitions';

/** An item that belongs to no index, with the bodies that its result came from. */
export interface SurveyedItem extends MetadataItem {
  of: Kind;
  /** On the source, as a request body. */
  source: Json;
  /** For the target; left out where it gets none. */
  wanted?: Json;
  /** On the target now, as a request body. */
  present?: Json;
}

/** Every template, policy, pipeline, script and cluster setting that the runbook takes along. Reads only. */
export async function surveyCluster(
  source: Cluster,
  target: Cluster,
  metadata: MetadataSettings,
): Promise<SurveyedItem[]> {
  const versions = { from: serverOf(source), target: serverOf(target) };
  const isExcluded = anyOf(metadata.exclude);
  const items: SurveyedItem[] = [];
  for (const of of kinds) {
    if (!metadata.include.includes(of.kind)) continue;
    const found = await readKind(of, source, versions.from);
    if (found === undefined || found.size === 0) continue;
    const present = await readKind(of, target, versions.target);
    const isAllowed = await allowedBy(of, target);
    for (const [name, body] of found) {
      if (isExcluded(name)) continue;
      const item = await evaluateOne(of, name, body, present?.get(name), {
        ...versions,
        isKnown: present !== undefined,
        isAllowed,
      });
      if (item) items.push(item);
    }
    heartbeat({ done: items.length, total: items.length, unit: 'checks', detail: of.kind });
  }
  if (metadata.include.includes('ilm-policy')) items.push(...(await readIsm(source, versions.from, isExcluded)));
  refuseWithoutParts(items, await componentNames(target, versions.target));
  return items;
}

/** Says why the target would refuse such a body, where it can be asked beforehand. */
type Allowed = (body: Json) => Promise<{ why: string; remedy: string } | undefined>;

async function evaluateOne(
  of: Kind,
  name: string,
  source: Json,
  present: Json | undefined,
  { from, target, isKnown, isAllowed }: { from: Server; target: Server; isKnown: boolean; isAllowed: Allowed },
): Promise<SurveyedItem | undefined> {
  const { kind } = of;
  const item = { kind, name, of, source, notes: [] };
  const made = builtIn(kind, name, source);
  if (made === 'marked') return undefined;
  if (made === 'named')
    return {
      ...item,
      result: 'left out',
      why: 'a name of what Elasticsearch installs itself; the target has its own version',
    };
  if (kind === 'cluster-setting') {
    const why = whyClusterOwn(name);
    if (why !== undefined) return { ...item, result: 'left out', why };
  }
  if (!isKnown) {
    return {
      ...item,
      result: 'refused',
      why: `the target, ${serverName(target)}, has nothing of this kind`,
      remedy:
        kind === 'ilm-policy'
          ? 'write an ISM policy on the target by hand'
          : 'make by hand on the target what takes its place',
    };
  }
  const { body, notes, refusals } = of.adapt(source, { from, target });
  const [refused] = refusals;
  if (refused)
    return { ...item, notes, result: 'refused', why: `${refused.path}: ${refused.why}`, remedy: refused.remedy };
  const evaluated = { ...item, notes, wanted: body, ...(present === undefined ? {} : { present }) };
  const isChanged = notes.some((note) => note.result !== 'same');
  if (present !== undefined && isSame(of, present, body))
    return { ...evaluated, result: isChanged ? 'changed' : 'same', onTarget: 'same' };
  if (present !== undefined)
    return {
      ...evaluated,
      result: 'conflict',
      onTarget: 'differs',
      why: whatDiffers(of.normal(body), of.normal(present)),
    };
  const problem = await isAllowed(body);
  if (problem) return { ...evaluated, result: 'refused', onTarget: 'absent', ...problem };
  return { ...evaluated, result: isChanged ? 'changed' : 'same', onTarget: 'absent' };
}

export function isSame({ normal }: Kind, a: Json, b: Json): boolean {
  return canonical(normal(a)) === canonical(normal(b));
}

/** The beginning of a digest: enough to tell that something changed. */
export function digestOf(body: unknown): string {
  return createHash('sha256').update(canonical(body)).digest('hex').slice(0, 16);
}

export function anyOf(patterns: string[]): (name: string) => boolean {
  const all = patterns.map(matcher);
  return (name) => all.some((matches) => matches(name));
}

/** Places at which two bodies differ, at most a few, with both values. */
export function whatDiffers(wanted: unknown, present: unknown): string {
  const found: string[] = [];
  const walk = (a: unknown, b: unknown, path: string) => {
    if (canonical(a ?? null) === canonical(b ?? null)) return;
    if (isObject(a) && isObject(b)) {
      for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort())
        walk(a[key], b[key], path === '' ? key : `${path}.${key}`);
    } else found.push(`${path} is ${shown(a)} on the source and ${shown(b)} on the target`);
  };
  walk(wanted, present, '');
  return found.slice(0, 5).join('; ') + (found.length > 5 ? `; and ${found.length - 5} more` : '');
}

function shown(value: unknown): string {
  return value === undefined || value === null ? 'not set' : JSON.stringify(value).slice(0, 100);
}

/** Pipelines and scripts need parts of the server that a run finds out about by asking for them, changing nothing. */
async function allowedBy({ kind }: Kind, target: Cluster): Promise<Allowed> {
  const nothing = () => Promise.resolve(undefined);
  if (kind === 'ingest-pipeline') {
    return async (pipeline) => {
      const { status, body } = await target.request({
        method: 'POST',
        path: '/_ingest/pipeline/_simulate',
        body: { pipeline, docs: [{ _source: {} }] },
        allow: [400, 404, 500],
      });
      // What a processor says of an empty document comes with 200.
      if (status === 200) return undefined;
      return {
        why: readErrorAnswer(status, body).reason.slice(0, 500),
        remedy: 'install on the target what the pipeline needs, or leave it out by metadata.exclude',
      };
    };
  }
  if (kind === 'stored-script') {
    const { status, body } = await target.request<{ language_contexts?: { language: string }[] }>({
      method: 'GET',
      path: '/_script_language',
      allow: [400, 404, 405],
    });
    if (status !== 200 || !body.language_contexts) return nothing;
    const languages = body.language_contexts.map(({ language }) => language);
    return ({ script }) => {
      const { lang } = script as { lang: string };
      if (languages.includes(lang)) return Promise.resolve(undefined);
      return Promise.resolve({
        why: `the target has no scripts in ${lang}`,
        remedy: 'install the language on the target, or leave the script out by metadata.exclude',
      });
    };
  }
  if (kind === 'slm-policy') {
    const { body } = await target.request<Record<string, { type: string; settings?: { readonly?: string } }>>({
      method: 'GET',
      path: '/_snapshot',
    });
    return (policy) => {
      const name = String(policy['repository']);
      const repository = body[name];
      if (repository && repository.settings?.readonly !== 'true') return Promise.resolve(undefined);
      return Promise.resolve({
        why: repository ? `the target may only read the repository ${name}` : `the target has no repository ${name}`,
        remedy:
          'register a repository of that name on the target, at a place of its own: two clusters that write to one destroy it',
      });
    };
  }
  return nothing;
}

/** What OpenSearch has in place of ILM is told, so that nobody takes it for moved. */
async function readIsm(
  source: Cluster,
  { distribution }: Server,
  isExcluded: (name: string) => boolean,
): Promise<SurveyedItem[]> {
  const of = kinds.find(({ kind }) => kind === 'ilm-policy');
  if (distribution !== 'opensearch' || !of) return [];
  const { status, body } = await source.request<{ policies?: { _id: string; policy: Json }[] }>({
    method: 'GET',
    path: '/_plugins/_ism/policies',
    query: { size: 1000 },
    allow: [400, 404, 405],
  });
  const policies = status < 300 ? (body.policies ?? []) : [];
  return policies.flatMap(({ _id: name, policy }) => {
    if (isExcluded(name)) return [];
    const why = 'an ISM policy of OpenSearch: its states and transitions have no equal in ILM';
    const remedy = 'write a policy for the target by hand, and leave this one out by metadata.exclude';
    return [
      { kind: of.kind, name, of, source: policy, notes: [], result: 'refused', why, remedy } satisfies SurveyedItem,
    ];
  });
}

async function componentNames(target: Cluster, server: Server): Promise<Set<string>> {
  const components = kinds.find(({ kind }) => kind === 'component-template')!;
  return new Set((await readKind(components, target, server))?.keys());
}

/** An index template cannot be made without its component templates. */
function refuseWithoutParts(items: SurveyedItem[], onTarget: Set<string>): void {
  const coming = new Set(
    items
      .filter(({ kind, result }) => kind === 'component-template' && result !== 'refused' && result !== 'left out')
      .map(({ name }) => name),
  );
  for (const item of items) {
    if (item.kind !== 'index-template' || item.onTarget !== 'absent') continue;
    const optional = new Set((item.wanted?.['ignore_missing_component_templates'] ?? []) as string[]);
    const missing = ((item.wanted?.['composed_of'] ?? []) as string[]).filter(
      (name) => !coming.has(name) && !onTarget.has(name) && !optional.has(name),
    );
    if (missing.length === 0) continue;
    item.result = 'refused';
    item.why = `its component templates are not on the target: ${missing.join(', ')}`;
    item.remedy = 'make them there, or leave the template out by metadata.exclude';
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
