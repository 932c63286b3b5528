import type { MigrationRunbook } from '../../contracts/runbook';
import type { ConnectionPool } from './connection-pool';
import type { Host } from './host';
import { LocalHost } from './local-host';
import { SshHost } from './ssh-host';
import { findHost, sshTarget } from './ssh-settings';

/** Gives a host of a runbook; connections are made at the first command, and shared. */
export type HostOf = (runbook: MigrationRunbook, name: string) => Host;

export function hostsBy(pool: ConnectionPool): HostOf {
  return (runbook, name) => {
    const host = findHost(runbook, name);
    if (host.connection === 'ssh') return new SshHost(pool, sshTarget(runbook, name));
    const sudo = host.ssh?.sudo ?? runbook.ssh.sudo ?? process.getuid?.() !== 0;
    return new LocalHost(name, host.address, sudo ? 'sudo' : 'root');
  };
}
