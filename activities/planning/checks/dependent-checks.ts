import type { Check } from '../../../contracts/status';
import { listed, notApplicable } from './make-check';

/** Checks that need both clusters: an operator sees what could not be looked at, instead of missing it. */
const ids = [
  ...[
    'cluster.different',
    'cluster.health',
    'cluster.versions',
    'cluster.plugins',
    'select.empty',
    'index.created-version',
  ],
  ...['index.red', 'index.name-free', 'index.plugins', 'alias.free', 'disk.target', 'shards.limit', 'repository.free'],
  ...['cluster.path-repo', 'snapshot.idle', 'ilm.deletes', 'slm'],
];

export function dependentChecks(missing: string[]): Check[] {
  const where = listed(missing.map((side) => `${side} cluster`));
  return ids.map((id) =>
    notApplicable(
      { id, level: 'mandatory', where, wanted: 'both clusters answer' },
      `not looked at: ${missing.join(' and ')} cannot be read`,
    ),
  );
}
