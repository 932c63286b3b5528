import type { MetadataNote } from '../../contracts/metadata';
import type { Json } from './adapt-field';
import type { AdaptedBody, Versions } from './kinds';
import { isElasticsearchFrom } from './lifetimes';

/** ILM policies: what a version does not take it refuses itself; what it takes for nothing is left out. */
export function adaptPolicy({ policy }: Json, { target }: Versions): AdaptedBody {
  const notes: MetadataNote[] = [];
  const { phases, ...rest } = policy as { phases?: Record<string, Json> };
  const adapted: Record<string, Json> = {};
  for (const [phase, body] of Object.entries(phases ?? {})) {
    const actions: Json = {};
    for (const [action, options] of Object.entries((body['actions'] ?? {}) as Record<string, Json>)) {
      const path = `phases.${phase}.actions.${action}`;
      if (action === 'freeze' && isElasticsearchFrom(target, '8.0.0')) {
        notes.push({ path, result: 'left out', why: 'indices are not frozen any more: from 8.0 on it does nothing' });
        continue;
      }
      actions[action] = options;
      const repository = options['snapshot_repository'];
      if (action === 'searchable_snapshot')
        notes.push({
          path,
          result: 'same',
          why: `the target must have the repository ${String(repository)}`,
        });
      if (action === 'wait_for_snapshot')
        notes.push({
          path,
          result: 'same',
          why: `the target must have the SLM policy ${String(options['policy'])}`,
        });
      if (action === 'allocate' && ['include', 'exclude', 'require'].some((filter) => isFilter(options[filter])))
        notes.push({ path, result: 'same', why: "it asks for node attributes: the target's nodes must have them" });
    }
    adapted[phase] = { ...body, actions };
  }
  return { body: { policy: { ...rest, phases: adapted } }, notes, refusals: [] };
}

function isFilter(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
