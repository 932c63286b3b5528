import { readlinkSync, statSync } from 'node:fs';
import { runOrThrow } from '../process';

/** All labs use the same addresses, each in a network namespace of its own. */
export const NETWORK = '10.99.0';
export const CONTROLLER = `${NETWORK}.1`;

export function namespaceOf(labName: string): string {
  return `shardlift-${labName}`;
}

/** A bridge that hosts hang on, with this machine's side at .1, and loopback for what else runs in there. */
export async function createNamespace(namespace: string): Promise<void> {
  const commands = `set -e
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip -n "$1" link add br0 type bridge
    ip -n "$1" addr add ${CONTROLLER}/24 dev br0
    ip -n "$1" link set br0 up`;
  await runOrThrow('sh', ['-c', commands, 'sh', namespace]);
}

/** The host's network cable, unless it is plugged in already. */
export async function plugIn(namespace: string, device: string): Promise<void> {
  const commands = `ip -n "$1" link show "$2" >/dev/null 2>&1 || {
    ip -n "$1" tuntap add "$2" mode tap && ip -n "$1" link set "$2" master br0 up; }`;
  await runOrThrow('sh', ['-c', commands, 'sh', namespace, device]);
}

/** Cuts the host off the network (`up: false`), or joins it again. */
export async function setLink(namespace: string, device: string, up: boolean): Promise<void> {
  await runOrThrow('ip', ['-n', namespace, 'link', 'set', device, up ? 'up' : 'down']);
}

/** Is this process inside that network namespace? */
export function isInside(namespace: string): boolean {
  try {
    const own = /\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/net'))?.[1];
    return own === String(statSync(`/run/netns/${namespace}`).ino);
  } catch {
    return false;
  }
}

/** That command line, run inside the namespace; as it is when we are in there already. */
export function inNamespace(namespace: string, command: readonly string[]): [string, ...string[]] {
  const [program, ...args] = command;
  if (program === undefined) throw new Error('no command');
  return isInside(namespace) ? [program, ...args] : ['ip', 'netns', 'exec', namespace, program, ...args];
}
