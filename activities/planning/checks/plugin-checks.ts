import type { Check } from '../../../contracts/status';
import { componentsNeeded } from '../component-needs';
import type { ClusterView, SelectedIndex } from '../view';
import { nameOf } from './cluster-checks';
import { listed, noneOf } from './make-check';

/** Whether the target can open what moves: plugins and modules that mappings and analyzers need, on every node. */
export function checkNeededPlugins(target: ClusterView, selected: SelectedIndex[]): Check {
  const users = new Map<string, string[]>();
  for (const { name, fieldTypes, settings } of selected) {
    for (const component of componentsNeeded(fieldTypes, settings)) {
      users.set(component, [...(users.get(component) ?? []), name]);
    }
  }
  const lacking: string[] = [];
  for (const [component, indices] of [...users].sort()) {
    const nodes = target.nodes.filter(
      ({ plugins, modules }) => !plugins.includes(component) && !modules.includes(component),
    );
    if (nodes.length === 0) continue;
    const where =
      nodes.length === target.nodes.length
        ? 'no node'
        : `not on ${listed(
            nodes.map(({ name }) => name),
            5,
          )}`;
    lacking.push(`${component} (${where}; needed by ${listed(indices, 3)})`);
  }
  return noneOf(
    {
      id: 'index.plugins',
      level: 'mandatory',
      where: nameOf(target),
      wanted: 'every plugin and module that a mapping or analyzer of what moves needs, on every node',
    },
    lacking,
    {
      good: users.size === 0 ? 'no index needs any' : listed([...users.keys()].sort()),
      bad: 'missing',
      remedy:
        'an index that lacks one cannot be restored: bin/elasticsearch-plugin install it on every node of the target and restart them, or exclude the index',
    },
  );
}
