import { randomBytes } from 'node:crypto';
import type { ShareTokenInput, StepOutcome } from '../../contracts/host-activities';
import { outcome } from './change';
import { elasticsearchUser } from './elasticsearch-user';
import { lastLines, passing, stuck } from './failures';
import type { ExecResult, Host, UserIds } from './host';
import { execScript } from './host-files';
import type { HostOf } from './hosts';
import { findHost } from './ssh-settings';

const writeScript = `
umask 027
cat > "$1" || exit 1
[ "$(wc -c < "$1")" = "$2" ] || exit 1
sync "$1"
`;

/**
 * Proves that a host really sees the share: a token written on the server, as the Elasticsearch user, is read on the
 * client as that user, and one written there is read on the server where it may write. By number, as NFS knows no names.
 * May run twice: a killed attempt leaves at most its token, which the next one removes; nothing else is changed. Each
 * attempt's token has a name of its own, since a client may remember for a while that a name was not there.
 */
export async function checkShare(hostOf: HostOf, input: ShareTokenInput): Promise<StepOutcome> {
  const { share, runbook } = input;
  const server = hostOf(runbook, share.server);
  const client = hostOf(runbook, input.host);
  const isServer = input.host === share.server;
  const access = isServer ? 'rw' : (share.clients.find((each) => each.host === input.host)?.access ?? 'ro');
  // a storage host has no Elasticsearch: its files belong to the number that the nodes have
  const settings = findHost(runbook, input.host);
  const user =
    settings.role === 'storage' ? await ownerOf(server, share.exportPath) : await elasticsearchUser(client, settings);
  const base = `.shardlift-token-${input.run}-${input.host}`;
  const name = `${base}-${randomBytes(6).toString('hex')}`;
  const onServer = `${share.exportPath}/${name}`;
  const onClient = `${share.mountPath}/${name}`;

  try {
    await write(server, onServer, input.token, user, share.exportPath);
    await read(
      client,
      onClient,
      input.token,
      user,
      `${share.server} wrote a token, and ${client.name} does not see it`,
    );
    if (access === 'rw') {
      await write(client, `${onClient}-back`, input.token, user, share.mountPath);
      const words = `${client.name} wrote a token, and ${share.server} does not see it`;
      await read(server, `${onServer}-back`, input.token, user, words);
    }
  } finally {
    // best effort, and all of this host's tokens: a leftover is removed by the next attempt, and ES ignores it
    const remove = 'for f in "$1"/"$2"-*; do [ -f "$f" ] && rm -f -- "$f"; done; true';
    await execScript(server, remove, [share.exportPath, base], { asUser: user }).catch(() => undefined);
  }
  const both = access === 'rw' ? 'and back' : 'read-only';
  return outcome(
    `${client.name} reads at ${share.mountPath} what ${share.server} wrote as ${user.uid}:${user.gid}, ${both}`,
  );
}

async function ownerOf(server: Host, path: string): Promise<UserIds> {
  const result = await execScript(server, 'exec stat -c "%u %g" -- "$1"', [path]);
  const [uid, gid] = result.stdout.trim().split(' ').map(Number);
  if (result.code !== 0 || uid === undefined || gid === undefined) {
    throw stuck({
      type: 'ShareNotWritable',
      message: `${path} is not there`,
      host: server.name,
      at: path,
      why: lastLines(result.stderr),
      remedy: 'make the shared directory on the server again, owned by the elasticsearch user, then retry',
    });
  }
  return { uid, gid };
}

async function write(host: Host, path: string, token: string, user: UserIds, directory: string): Promise<void> {
  const size = String(Buffer.byteLength(token));
  const result = await execScript(host, writeScript, [path, size], { asUser: user, stdin: token, timeoutMs: 30_000 });
  if (result.code !== 0) throw shareFailure(host, directory, user, result, 'written');
}

async function read(host: Host, path: string, token: string, user: UserIds, words: string): Promise<void> {
  const result = await host.exec(['cat', '--', path], { asUser: user, timeoutMs: 30_000 });
  if (result.code === 0 && result.stdout === token) return;
  if (result.code === 0 || /No such file/.test(result.stderr)) {
    throw passing({
      type: 'ShareNotWritable',
      message: words,
      host: host.name,
      at: path,
      why: result.code === 0 ? 'the content differs' : lastLines(result.stderr),
      remedy: `see with "findmnt" on ${host.name} that the share itself is mounted there, not an empty directory; the step tries again by itself`,
    });
  }
  throw shareFailure(host, path, user, result, 'read');
}

function shareFailure(host: Host, at: string, user: UserIds, result: ExecResult, verb: 'written' | 'read'): Error {
  const why = lastLines(result.stderr);
  if (/No space left|quota/i.test(why)) {
    return stuck({
      type: 'ShareFull',
      message: 'the share is full',
      host: host.name,
      at,
      why,
      remedy: `make room on the share's file system ("df -h ${at}"), then retry`,
    });
  }
  if (/[Ss]tale/.test(why)) {
    return stuck({
      type: 'MountStale',
      message: 'the mount has a stale file handle: its directory was removed or exported anew on the server',
      host: host.name,
      at,
      why,
      remedy: `stop what uses it on ${host.name} ("fuser -vm"), umount and mount it again, then retry`,
    });
  }
  const remedy = /Read-only/i.test(why)
    ? 'see that the share is exported and mounted rw for this host ("exportfs -v" on the server, "findmnt" here), then retry'
    : `see that the shared directory belongs to ${user.uid}:${user.gid} on the server, and that the Elasticsearch user has these numbers on every host, then retry`;
  return stuck({
    type: 'ShareNotWritable',
    message: `the share cannot be ${verb} on ${host.name} as the Elasticsearch user ${user.uid}:${user.gid}`,
    host: host.name,
    at,
    why,
    remedy,
  });
}
