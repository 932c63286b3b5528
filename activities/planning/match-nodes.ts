import type { HostFacts } from '../../contracts/host-activities';
import type { NodeFacts } from '../../contracts/plan';
import type { RunbookHost } from '../../contracts/runbook';

export interface NodeMatch {
  host: string;
  /** Nodes that may be this host; exactly one where all is well. */
  nodes: string[];
  /** What it was looked for by. */
  by: string;
}

/**
 * Which nodes may run on each host, by the rule of contracts/nodes.ts, but with all that match: a preflight must see that a
 * host is two nodes, or none, before the run restarts one of them.
 */
export function matchNodes(hosts: RunbookHost[], facts: HostFacts[], nodes: NodeFacts[]): NodeMatch[] {
  return hosts.map((host) => {
    const match = (by: string, wanted: (node: NodeFacts) => boolean): NodeMatch => ({
      host: host.name,
      nodes: nodes.filter(wanted).map(({ name }) => name),
      by,
    });
    if (host.node !== undefined) return match(`node name ${host.node}`, ({ name }) => name === host.node);
    const addresses = [host.address, ...(facts.find((each) => each.host === host.name)?.addresses ?? [])];
    const by = `address ${addresses.join(', ')}`;
    const found = match(by, (node) => node.addresses.some((address) => addresses.includes(address)));
    return found.nodes.length > 0 ? found : match(`${by} and node name ${host.name}`, ({ name }) => name === host.name);
  });
}
