import type { ClusterMetadataKind, MetadataNote, MetadataRefusal } from '../../contracts/metadata';
import type { Cluster, RequestParams } from '../elasticsearch/cluster';
import type { Json } from './adapt-field';
import { adaptMappings } from './adapt-mappings';
import { adaptPipeline } from './adapt-pipeline';
import { adaptPolicy } from './adapt-policy';
import { adaptSettings } from './adapt-settings';
import { flatten } from './flatten';
import { isElasticsearchFrom, isTypeless, serverName, understands, type Lifetime, type Server } from './lifetimes';

export interface Versions {
  from: Server;
  target: Server;
}

export interface AdaptedBody {
  body: Json;
  notes: MetadataNote[];
  refusals: MetadataRefusal[];
}

/** One kind of thing that a cluster keeps by name: how it is read, bridged, and put. */
export interface Kind {
  kind: ClusterMetadataKind;
  /** Servers that have it. */
  lifetime: Lifetime;
  /** Where all of them are read, and their bodies by name as a PUT of that server takes them. */
  list: { path: string; query?: Record<string, string | boolean>; bodies: (answer: Json) => Record<string, Json> };
  put: (name: string, body: Json) => RequestParams;
  remove: (name: string) => RequestParams;
  adapt: (body: Json, versions: Versions) => AdaptedBody;
  /** Without what servers write out by themselves: equal for two bodies that mean the same. */
  normal: (body: Json) => Json;
}

const timeoutMs = 60_000;
const asItIs = (body: Json): AdaptedBody => ({ body, notes: [], refusals: [] });
const itself = (body: Json) => body;

function named(path: string): Pick<Kind, 'put' | 'remove'> {
  const at = (name: string) => `${path}/${encodeURIComponent(name)}`;
  return {
    put: (name, body) => ({ method: 'PUT', path: at(name), body, timeoutMs }),
    remove: (name) => ({ method: 'DELETE', path: at(name), allow: [404], timeoutMs }),
  };
}

const each = (answer: Json, of: (value: Json, name: string) => Json): Record<string, Json> =>
  Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, of(value as Json, name)]));

/** Times that newer servers note by themselves. */
function withoutTimes(body: Json): Json {
  return without(body, ['created_date', 'created_date_millis', 'modified_date', 'modified_date_millis']);
}

export const kinds: Kind[] = [
  {
    kind: 'cluster-setting',
    lifetime: {},
    list: {
      path: '/_cluster/settings',
      query: { flat_settings: true },
      bodies: ({ persistent }) =>
        Object.fromEntries(
          Object.entries(persistent as Json).map(([name, value]) => [name, { persistent: { [name]: value } }]),
        ),
    },
    put: (_name, body) => ({ method: 'PUT', path: '/_cluster/settings', body, timeoutMs }),
    remove: (name) => ({
      method: 'PUT',
      path: '/_cluster/settings',
      body: { persistent: { [name]: null } },
      timeoutMs,
    }),
    adapt: asItIs,
    normal: itself,
  },
  {
    kind: 'stored-script',
    lifetime: {},
    list: {
      path: '/_cluster/state/metadata',
      query: { filter_path: 'metadata.stored_scripts' },
      bodies: ({ metadata }) =>
        each(((metadata as Json | undefined)?.['stored_scripts'] ?? {}) as Json, (script) => ({
          script: scriptOf(script),
        })),
    },
    ...named('/_scripts'),
    adapt: asItIs,
    normal: ({ script }) => ({ script: dropEmpty(script as Json) }),
  },
  {
    kind: 'ingest-pipeline',
    lifetime: {},
    list: { path: '/_ingest/pipeline', bodies: (answer) => each(answer, withoutTimes) },
    ...named('/_ingest/pipeline'),
    adapt: adaptPipeline,
    normal: dropEmpty,
  },
  {
    kind: 'ilm-policy',
    lifetime: { since: '6.6.0', openSearch: false },
    list: { path: '/_ilm/policy', bodies: (answer) => each(answer, ({ policy }) => ({ policy: policy })) },
    ...named('/_ilm/policy'),
    adapt: adaptPolicy,
    normal: normalPolicy,
  },
  {
    kind: 'slm-policy',
    lifetime: { since: '7.4.0', openSearch: false },
    list: { path: '/_slm/policy', bodies: (answer) => each(answer, ({ policy }) => policy as Json) },
    ...named('/_slm/policy'),
    adapt: asItIs,
    normal: dropEmpty,
  },
  {
    kind: 'component-template',
    lifetime: { since: '7.8.0' },
    list: {
      path: '/_component_template',
      query: { flat_settings: true },
      bodies: ({ component_templates: all }) =>
        Object.fromEntries(
          (all as { name: string; component_template: Json }[]).map((one) => [
            one.name,
            withoutTimes(one.component_template),
          ]),
        ),
    },
    ...named('/_component_template'),
    adapt: adaptTemplate,
    normal: normalTemplate,
  },
  {
    kind: 'index-template',
    lifetime: { since: '7.8.0' },
    list: {
      path: '/_index_template',
      query: { flat_settings: true },
      bodies: ({ index_templates: all }) =>
        Object.fromEntries(
          (all as { name: string; index_template: Json }[]).map((one) => [one.name, withoutTimes(one.index_template)]),
        ),
    },
    ...named('/_index_template'),
    adapt: adaptTemplate,
    normal: normalTemplate,
  },
  {
    kind: 'legacy-template',
    lifetime: {},
    list: { path: '/_template', query: { flat_settings: true }, bodies: (answer) => each(answer, itself) },
    ...named('/_template'),
    adapt: adaptLegacyTemplate,
    normal: normalTemplate,
  },
];

/** All of a kind that a cluster has, in the order of their names; undefined where the server does not know the kind. */
export async function readKind(
  { lifetime, list }: Kind,
  cluster: Cluster,
  server: Server,
): Promise<Map<string, Json> | undefined> {
  if (!understands(server, lifetime)) return undefined;
  const { status, body } = await cluster.request<Json>({
    method: 'GET',
    path: list.path,
    ...(list.query ? { query: list.query } : {}),
    // 404: there is none. 400 and 405: a distribution without that part says that it has no such address.
    allow: [400, 404, 405],
    timeoutMs,
  });
  if (status === 404) return new Map();
  if (status >= 300) return undefined;
  return new Map(Object.entries(list.bodies(body)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** 5.x said `code`, and `lang` in the name. */
function scriptOf({ lang, source, code, options }: Json): Json {
  return { lang, source: source ?? code, ...(options === undefined ? {} : { options }) };
}

/** The part that all templates have, whatever stands around it: settings, mappings, aliases. */
function adaptParts(parts: Json, versions: Versions, path: string): AdaptedBody {
  const { from, target } = versions;
  const isOldIndex = !isTypeless(from);
  const adapted: Json = { ...parts };
  const notes: MetadataNote[] = [];
  const refusals: MetadataRefusal[] = [];
  const at = <T extends { path: string }>(all: T[], below: string) =>
    all.map((one) => ({ ...one, path: path + below + one.path }));
  if (isObject(parts['settings'])) {
    const bridged = adaptSettings(flatten(parts['settings']), { target, isOldIndex, overrides: {}, lifecycle: true });
    adapted['settings'] = bridged.settings;
    notes.push(...at(bridged.notes, 'settings.'));
    refusals.push(...at(bridged.refusals, 'settings.'));
  }
  if (isObject(parts['mappings'])) {
    const bridged = adaptMappings(parts['mappings'], { from, target, isOldIndex });
    adapted['mappings'] = bridged.mappings;
    notes.push(...at(bridged.notes, 'mappings.'));
    refusals.push(...at(bridged.refusals, 'mappings.'));
  }
  if ('lifecycle' in parts && !understands(target, { since: '8.11.0', openSearch: false })) {
    delete adapted['lifecycle'];
    notes.push({
      path: `${path}lifecycle`,
      result: 'left out',
      why: `${serverName(target)} has no data stream lifecycle`,
    });
  }
  return { body: adapted, notes, refusals };
}

/** Component and composable templates. */
function adaptTemplate(source: Json, versions: Versions): AdaptedBody {
  const inner = adaptParts((source['template'] ?? {}) as Json, versions, 'template.');
  const body: Json = { ...source, ...(source['template'] === undefined ? {} : { template: inner.body }) };
  const { notes, refusals } = inner;
  for (const [name, since] of [
    ['ignore_missing_component_templates', '8.7.0'],
    ['deprecated', '8.12.0'],
    ['allow_auto_create', '7.11.0'],
  ] as const) {
    if (!(name in body) || understands(versions.target, { since, openSearch: false })) continue;
    delete body[name];
    notes.push({ path: name, result: 'left out', why: `${serverName(versions.target)} does not know it` });
  }
  return { body, notes, refusals };
}

function adaptLegacyTemplate(source: Json, versions: Versions): AdaptedBody {
  const { body, notes, refusals } = adaptParts(source, versions, '');
  const { target } = versions;
  if ('template' in body && (isTypeless(target) || isElasticsearchFrom(target, '6.0.0'))) {
    body['index_patterns'] = [body['template']];
    delete body['template'];
    notes.push({
      path: 'template',
      result: 'changed',
      how: 'index_patterns',
      why: 'a template has a list of patterns from 6.0 on',
    });
  }
  return { body, notes, refusals };
}

function normalTemplate(source: Json): Json {
  const parts = source['template'] !== undefined && isObject(source['template']) ? source['template'] : source;
  const { settings, mappings, aliases, ...rest } = parts;
  const inner = dropEmpty({
    ...rest,
    settings: isObject(settings) ? flatten(settings) : undefined,
    // servers before 7.0 keep the type's level, later ones _doc for templates that were given so
    mappings: isObject(mappings) && Object.keys(mappings).join() === '_doc' ? mappings['_doc'] : mappings,
    aliases,
  });
  const body = parts === source ? inner : { ...source, template: inner };
  const { order, ...others } = dropEmpty(body);
  return order === 0 || order === undefined ? others : { ...others, order };
}

/** Without the defaults that a server writes into a policy. */
function normalPolicy({ policy }: Json): Json {
  const { phases, ...rest } = policy as { phases?: Record<string, Json> };
  return {
    policy: {
      ...rest,
      phases: each(phases ?? {}, ({ min_age: age, actions, ...others }) => ({
        ...others,
        ...(age === undefined || /^"0(ms|s|m|h|d)?"$/.test(JSON.stringify(age)) ? {} : { min_age: age }),
        actions: each((actions ?? {}) as Json, (action) => {
          const { delete_searchable_snapshot: also, ...kept } = action;
          return also === undefined || also === true ? kept : action;
        }),
      })),
    },
  };
}

function without(body: Json, names: string[]): Json {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));
}

function dropEmpty(body: Json): Json {
  return Object.fromEntries(
    Object.entries(body).filter(
      ([, value]) =>
        value !== undefined &&
        value !== null &&
        !(Array.isArray(value) && value.length === 0) &&
        !(isObject(value) && Object.keys(value).length === 0),
    ),
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
