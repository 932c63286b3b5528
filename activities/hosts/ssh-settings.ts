import type { MigrationRunbook, RunbookHost } from '../../contracts/runbook';
import { permanent } from '../failure';

/** Everything that one connection needs to know; secrets are still references. */
export interface SshTarget {
  name: string;
  address: string;
  port: number;
  user: string;
  privateKey: string;
  passphrase?: string;
  hostKey?: string;
  knownHosts?: string;
  sudo: boolean;
  jump?: SshTarget;
}

export function findHost(runbook: MigrationRunbook, name: string): RunbookHost {
  const host = runbook.hosts.find((each) => each.name === name);
  if (host) return host;
  throw permanent({
    type: 'RunbookInvalid',
    message: `the runbook has no host named ${name}`,
    where: name,
    remedy: 'name it under hosts, or correct the name, and start the run again',
  });
}

/** A host's own ssh settings before the common ones. A jump host is not reached through the common jump host. */
export function sshTarget(runbook: MigrationRunbook, name: string, passed: readonly string[] = []): SshTarget {
  const host = findHost(runbook, name);
  const common = runbook.ssh;
  const own = host.ssh ?? {};
  const wrong = (message: string) =>
    permanent({
      type: 'RunbookInvalid',
      message,
      where: name,
      remedy: `correct the ssh settings of ${name} in the runbook and start the run again`,
    });
  const user = own.user ?? common.user;
  const privateKey = own.privateKey ?? common.privateKey;
  if (!user || !privateKey) throw wrong('no ssh user or private key');
  const jumpName = own.jumpHost ?? (host.role === 'jump' ? undefined : common.jumpHost);
  if (jumpName !== undefined && (jumpName === name || passed.includes(jumpName))) {
    throw wrong(`its jump host ${jumpName} leads back to itself`);
  }
  // a pinned key takes the place of known_hosts, at the level at which it stands: a host's own file beats a common pin
  const pinned = own.hostKey ?? (own.knownHosts === undefined ? common.hostKey : undefined);
  return {
    name,
    address: host.address,
    port: own.port ?? common.port ?? 22,
    user,
    privateKey,
    passphrase: own.passphrase ?? (own.privateKey === undefined ? common.passphrase : undefined),
    hostKey: pinned,
    knownHosts: pinned === undefined ? (own.knownHosts ?? common.knownHosts) : undefined,
    sudo: own.sudo ?? common.sudo ?? user !== 'root',
    jump: jumpName === undefined ? undefined : sshTarget(runbook, jumpName, [...passed, name]),
  };
}

/** The same text for the same connection: what a pool finds it by. */
export function connectionKey(target: SshTarget): string {
  const { name: _name, sudo: _sudo, jump, ...rest } = target;
  return JSON.stringify([rest, jump && connectionKey(jump)]);
}
