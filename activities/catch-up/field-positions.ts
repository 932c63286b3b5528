import type { IndicesInput, ShardPositions } from '../../contracts/document-activities';
import { parseDuration } from '../../contracts/durations';
import { heartbeat, pause } from '../context';
import { atOnce, type Place } from '../copy/requests';
import type { ByteClient } from '../elasticsearch/byte-client';
import type { Cluster } from '../elasticsearch/cluster';
import { chunkNames, indexPath } from '../elasticsearch/index-names';
import { permanent } from '../failure';
import type { MappingsAnswer } from '../planning/answers';
import { fieldAt, fieldTypeOf } from '../planning/field-types';
import { largestValue } from './field-requests';
import { readSettings } from './read-shards';

const indicesAtOnce = 4;

/**
 * The largest value of the field in each index, before anything of it is moved. Documents with a smaller one may still become
 * visible, for as long as `catchUp.window`. Times reach back so far in each round. Of a field that only grows nobody knows
 * which values that would be: so the window is waited for, once for all of these indices, and what is moved then has them.
 *
 * Read-only; read once more after a crash it is as right.
 */
export async function readFieldPositions(
  source: Cluster,
  reader: ByteClient,
  { runbook, indices }: Pick<IndicesInput, 'runbook' | 'indices'>,
  signal?: AbortSignal,
): Promise<ShardPositions[]> {
  const { kind, field: name = '', window = '60s' } = runbook.catchUp ?? {};
  const names = indices.filter(({ status }) => status === 'open').map((index) => index.name);
  const settings = await readSettings(source, names, ['index.uuid']);
  const mappings = await readMappings(source, names);
  const positions: ShardPositions[] = [];
  await atOnce(indicesAtOnce, names, async (index) => {
    const type = fieldTypeOf(fieldAt(mappings.get(index), name)?.type ?? '');
    if (type === undefined) throw unmapped(index, name);
    const place: Place = { client: reader, where: 'source cluster', index, ...(signal ? { signal } : {}) };
    const through = await largestValue(place, { name, type });
    positions.push({
      index,
      uuid: settings.get(index)?.['index.uuid'] ?? '',
      seqNos: [],
      field: {
        name,
        type,
        ...(through === undefined ? {} : { through }),
        ...(kind === 'append-only' ? { seen: [], ...(through === undefined ? {} : { from: through }) } : {}),
      },
    });
    heartbeat({ done: positions.length, total: names.length, unit: 'indices' });
  });
  if (kind === 'append-only' && positions.some(({ field }) => field?.through !== undefined)) {
    heartbeat({ done: 0, total: 1, unit: 'waits', detail: `${window} until what lies below ${name} can be seen` });
    await pause(parseDuration(window));
  }
  return positions;
}

async function readMappings(source: Cluster, names: readonly string[]): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const chunk of chunkNames(names)) {
    const { status, body } = await source.request<MappingsAnswer>({
      method: 'GET',
      path: `/${indexPath(chunk)}/_mapping`,
      query: { ignore_unavailable: true, expand_wildcards: 'all' },
      allow: [404],
    });
    if (status >= 300) continue;
    for (const [index, { mappings }] of Object.entries(body)) found.set(index, mappings);
  }
  return found;
}

function unmapped(index: string, name: string): Error {
  return permanent({
    type: 'IndexMissing',
    message: `${name} is no time and no number there, or the index is gone`,
    where: `source cluster: ${index}`,
    remedy:
      'leave the index out by select.exclude, or name another catchUp.field; shardlift plan shows which indices have it',
  });
}
