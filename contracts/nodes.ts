import type { NodeFacts } from './plan';
import type { RunbookHost } from './runbook';

/** The node that runs on this host: by the name that the runbook gives, else by an address that the node publishes. */
export function nodeOfHost(
  host: RunbookHost,
  nodes: readonly NodeFacts[],
  hostAddresses: readonly string[] = [],
): NodeFacts | undefined {
  if (host.node !== undefined) return nodes.find((node) => node.name === host.node);
  const addresses = [host.address, ...hostAddresses];
  return (
    nodes.find((node) => node.addresses.some((address) => addresses.includes(address))) ??
    nodes.find((node) => node.name === host.name)
  );
}
