import { readFile } from 'node:fs/promises';
import { passing, stuck } from './failures';
import { fingerprint, hostKeyAlgorithms, keyType, knownKeys, parseHostKey, type KnownKeys } from './known-hosts';
import type { SshTarget } from './ssh-settings';

export interface HostKeyCheck {
  /** For the key exchange: the types that we know. */
  algorithms: string[];
  /** Undefined when the key is the known one; otherwise what to fail with. */
  refusal(blob: Buffer): Error | undefined;
}

/** Reads what is known of a host's key, each time a connection is made: a corrected file counts at the next attempt. */
export async function hostKeyCheck(target: SshTarget): Promise<HostKeyCheck> {
  const keys = await knownKeysOf(target);
  const place = target.hostKey === undefined ? (target.knownHosts ?? 'known_hosts') : 'ssh.hostKey of the runbook';
  const accepted = keys.accepted.filter((key) => !keys.revoked.some((revoked) => revoked.blob.equals(key.blob)));
  return {
    // with nothing known any key may come: it is refused all the same, and its fingerprint is what the operator needs
    algorithms: hostKeyAlgorithms(accepted),
    refusal(blob) {
      const seen = `${keyType(blob)} ${fingerprint(blob)}`;
      if (keys.revoked.some((key) => key.blob.equals(blob))) {
        return stuck({
          type: 'HostKeyChanged',
          message: `${target.name} shows a host key that ${place} says is revoked`,
          host: target.name,
          at: target.address,
          why: `shown: ${seen}`,
          remedy: 'do not connect: find out on the console which machine answers, and give it a new host key',
        });
      }
      if (accepted.some((key) => key.blob.equals(blob))) return undefined;
      if (accepted.length === 0) {
        return stuck({
          type: 'HostKeyUnknown',
          message: `the host key of ${target.name} is not known`,
          host: target.name,
          at: target.address,
          why: `shown: ${seen}; ${place} has none for ${target.address}`,
          remedy: `compare with "ssh-keygen -lf /etc/ssh/ssh_host_${shortType(blob)}_key.pub" on the host's console; if it is the same, add the key to ${place}, then retry`,
        });
      }
      return stuck({
        type: 'HostKeyChanged',
        message: `the host key of ${target.name} is not the known one`,
        host: target.name,
        at: target.address,
        why: `shown: ${seen}; known by ${place}: ${accepted.map((key) => `${key.type} ${fingerprint(key.blob)}`).join(', ')}`,
        remedy: `if the host was installed anew, compare the fingerprint on its console and replace the key in ${place}, then retry; if not, another machine answers at ${target.address}`,
      });
    },
  };
}

function shortType(blob: Buffer): string {
  const type = keyType(blob);
  if (type.startsWith('ecdsa')) return 'ecdsa';
  return type === 'ssh-rsa' ? 'rsa' : 'ed25519';
}

async function knownKeysOf(target: SshTarget): Promise<KnownKeys> {
  if (target.hostKey !== undefined) {
    const key = parseHostKey(target.hostKey);
    if (key) return { accepted: [key], revoked: [] };
    throw stuck({
      type: 'HostKeyUnknown',
      message: `the pinned host key of ${target.name} is not a public key`,
      host: target.name,
      at: target.address,
      remedy: `copy type and base64 of the key from "ssh-keyscan ${target.address}" whole, after comparing the fingerprint`,
    });
  }
  const path = target.knownHosts;
  if (path === undefined) {
    throw stuck({
      type: 'HostKeyUnknown',
      message: `nothing says which host key ${target.name} has`,
      host: target.name,
      at: target.address,
      remedy: 'give ssh.hostKey or ssh.knownHosts in the runbook: host keys are always verified',
    });
  }
  try {
    return knownKeys(await readFile(path, 'utf8'), target.address, target.port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    const problem = {
      type: 'HostKeyUnknown',
      message: `the worker cannot read ${path}: ${code}`,
      host: target.name,
      at: target.address,
      remedy: 'put the known_hosts file there on every machine that runs a worker, readable by its user, then retry',
    } as const;
    // a missing or forbidden file stays so; anything else (too many open files, a slow disk) may pass
    throw ['ENOENT', 'EACCES', 'EISDIR'].includes(code) ? stuck(problem, error) : passing(problem, error);
  }
}
