import { ApplicationFailure } from '@temporalio/common';
import { isCancelled, passing, stuck } from './failures';

/**
 * The one place that says what an error of SSH means. Permanent: what only a person can mend (keys, rights). Transient:
 * everything that a network or a reboot can cause. What is not known is taken for transient: every activity looks
 * before it acts, so trying again is safe, and the retries are bounded.
 */
export function classifySshError(error: unknown, host: string, address: string): Error {
  if (error instanceof ApplicationFailure || isCancelled(error)) return error;
  const known = error as NodeJS.ErrnoException & { level?: string };
  const why = known instanceof Error ? known.message : String(error);

  if (known.level === 'client-authentication' || /All configured authentication methods failed/.test(why)) {
    return stuck({
      type: 'SshAuthenticationFailed',
      message: `${host} refuses the SSH key`,
      host,
      at: address,
      why,
      remedy:
        "put the public key into that user's ~/.ssh/authorized_keys on the host (or correct ssh.user or ssh.privateKey), then retry",
    });
  }
  if (/Cannot parse privateKey|passphrase|privateKey value does not contain/i.test(why)) {
    return stuck({
      type: 'SshAuthenticationFailed',
      message: 'the private key cannot be used',
      host,
      at: address,
      why,
      remedy:
        'give ssh.privateKey a private key in OpenSSH or PEM format, and ssh.passphrase where it has one, then retry',
    });
  }
  if (/no matching (host key|key exchange|.*cipher|.*MAC)|Handshake failed: no matching/i.test(why)) {
    return stuck({
      type: 'HostKeyUnknown',
      message: `${host} has no host key of the kind that is known, or no common cipher`,
      host,
      at: address,
      why,
      remedy: `run ssh-keyscan ${address}, compare the fingerprint on the host's console, put the key into known_hosts or ssh.hostKey, then retry`,
    });
  }
  return passing(
    {
      type: 'HostUnreachable',
      message: `${host} cannot be reached by SSH`,
      host,
      at: address,
      why: `${known.code ? `${known.code}: ` : ''}${why}`,
      remedy: unreachableRemedy(known.code, why),
    },
    error,
  );
}

function unreachableRemedy(code: string | undefined, why: string): string {
  if (code === 'ECONNREFUSED') return 'start sshd on the host, or correct ssh.port; the step goes on by itself';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || /getaddrinfo/.test(why)) {
    return "correct the host's address, or the worker's name resolution, then retry";
  }
  return 'see whether the host is up and a firewall lets the worker through to its SSH port; the step goes on by itself once it answers';
}

/** What sudo itself says when it will not, in the C locale. A command's own words begin otherwise. */
const sudoRefusals = [
  /^sudo: .*(password is required|must have a tty|no tty present|not allowed|policy|sudoers)/i,
  /^Sorry, user \S+ (is not allowed|may not run)/,
  /^\S+ is not (in the sudoers file|allowed to run sudo)/,
  /^env: .*sudo.*: No such file/,
];

/** The refusal in a command's stderr, if sudo said one before running anything. */
export function sudoRefusal(code: number, stderr: string): string | undefined {
  if (code === 0) return undefined;
  return stderr.split('\n').find((line) => sudoRefusals.some((refusal) => refusal.test(line)));
}

export function sudoRefused(host: string, user: string, why: string): Error {
  return stuck({
    type: 'SudoRefused',
    message: `sudo refuses to run commands as root for ${user}`,
    host,
    why,
    remedy: `on ${host}, write "${user} ALL=(ALL) NOPASSWD: ALL" into /etc/sudoers.d/shardlift (visudo -cf checks it), then retry`,
  });
}
