import type { HostFacts } from '../../../contracts/host-activities';
import type { ClusterFacts } from '../../../contracts/plan';
import type { MigrationRunbook } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import { matchNodes } from '../match-nodes';
import { listed, noneOf, notApplicable, type CheckSubject } from './make-check';
import { usesRepositories } from './repository-checks';

/** Whether hosts and nodes belong together, one to one: the run mounts on hosts and restarts nodes. */
export function checkNodesKnown(runbook: MigrationRunbook, cluster: ClusterFacts, facts: HostFacts[]): Check {
  const subject: CheckSubject = {
    id: 'cluster.nodes-known',
    level: 'mandatory',
    where: `${cluster.side} cluster ${cluster.name}`,
    wanted: 'a host of the runbook for each node that holds data or may be master, and a node for each host',
  };
  if (!runbook.snapshot?.repository.sharedFilesystem) return notApplicable(subject, 'the run changes no host');
  const hosts = runbook.hosts.filter(({ role }) => role === cluster.side);
  const matches = matchNodes(hosts, facts, cluster.nodes);
  const wrong: string[] = [];
  for (const { host, nodes, by } of matches) {
    if (nodes.length === 0) wrong.push(`host ${host} is no node (looked for ${by})`);
    if (nodes.length > 1) wrong.push(`host ${host} may be ${listed(nodes, 5)}`);
  }
  for (const node of cluster.nodes.filter(({ roles }) => usesRepositories(roles))) {
    const claims = matches.filter(({ nodes }) => nodes.length === 1 && nodes[0] === node.name).map(({ host }) => host);
    const isOpen = matches.some(({ nodes }) => nodes.length > 1 && nodes.includes(node.name));
    if (claims.length > 1) wrong.push(`node ${node.name} is claimed by hosts ${listed(claims, 5)}`);
    if (claims.length === 0 && !isOpen) {
      wrong.push(`node ${node.name} (${node.addresses.join(', ')}) has no host`);
    }
  }
  return noneOf(subject, wrong, {
    good: matches.map(({ host, nodes }) => `${host} is ${nodes[0]}`).join(', '),
    bad: 'wrong',
    remedy:
      'add the missing hosts under hosts, correct address, or give the host its node name (node); every node has to mount the share and to have path.repo',
  });
}
