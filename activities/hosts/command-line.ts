import type { ExecOptions } from './host';

/** How root is reached on a host: already, or through sudo. */
export type RootBy = 'root' | 'sudo';

/**
 * Most commands look at something or write a small file: that is long for them even on a busy machine, and short enough
 * to fail with words before the activity's own minute is over. What takes longer (packages) says so itself.
 */
export const defaultTimeoutMs = 40_000;

/** What the worker waits beyond the host's own limit: for the kill there, and for the answer to come back. */
export const graceMs = 10_000;

/** Exit codes of `timeout`: 124 when TERM was enough, 137 when the process had to be killed (a hung NFS call). */
export function isTimeoutExit(code: number): boolean {
  return code === 124 || code === 137;
}

/**
 * The arguments that run a command with its rights, in the C locale (its messages are classified), and under
 * `timeout`: a mount whose server is gone hangs for ever, and only KILL ends what waits for it.
 */
export function commandArgv(argv: readonly string[], rootBy: RootBy, options: ExecOptions): string[] {
  const seconds = Math.ceil((options.timeoutMs ?? defaultTimeoutMs) / 1000);
  const bounded = ['env', 'LC_ALL=C', 'timeout', '-k', '5', String(seconds), ...argv];
  if (options.privileged === false && !options.asUser) return bounded;
  const asUser = options.asUser
    ? [
        'setpriv',
        `--reuid=${options.asUser.uid}`,
        `--regid=${options.asUser.gid}`,
        // no other groups: what works here must not work thanks to a group that another host does not give
        '--clear-groups',
        '--',
      ]
    : [];
  const sudo = rootBy === 'sudo' ? ['env', 'LC_ALL=C', 'sudo', '-n', '--'] : [];
  return [...sudo, ...asUser, ...bounded];
}
