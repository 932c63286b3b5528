import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Server, utils, type Connection } from 'ssh2';
import { ConnectionPool } from '../../activities/hosts/connection-pool';
import { hostsBy } from '../../activities/hosts/hosts';
import { fingerprint, parseHostKey } from '../../activities/hosts/known-hosts';
import type { FailureInfo } from '../../contracts/failures';
import { hostRunbook } from './hosts-scripted-host';

/** A real SSH server on loopback, which runs what it is asked to in a shell: as sshd does, without one installed. */
/** ssh2 now and then makes a key that it cannot read itself. */
function generateKey(): ReturnType<typeof utils.generateKeyPairSync> {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519');
    if (!(utils.parseKey(pair.private) instanceof Error) && !(utils.parseKey(pair.public) instanceof Error))
      return pair;
  }
}

const hostKey = generateKey();
const otherHostKey = generateKey();
const clientKey = generateKey();
const otherClientKey = generateKey();

let directory: string;
let port: number;
let server: Server;
let pool: ConnectionPool;
let connections: Connection[];
let sessions = 0;
let maxSessions = 10;
let openSessions = 0;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'shardlift-ssh-'));
  const bin = path.join(directory, 'sudo');
  writeFileSync(
    bin,
    '#!/bin/sh\n[ -e "$0.refuses" ] && { echo "sudo: a password is required" >&2; exit 1; }\nshift 2\nexec "$@"\n',
    {
      mode: 0o755,
    },
  );
  writeFileSync(path.join(directory, 'key'), clientKey.private);
  writeFileSync(path.join(directory, 'wrong-key'), otherClientKey.private);
  writeFileSync(path.join(directory, 'no-key'), 'hello');
  connections = [];
  server = new Server({ hostKeys: [hostKey.private] }, (client) => {
    connections.push(client);
    client.on('error', () => undefined);
    client.on('authentication', (context) => {
      const allowed = utils.parseKey(clientKey.public);
      if (allowed instanceof Error || context.method !== 'publickey') return context.reject(['publickey']);
      return context.key.data.equals(allowed.getPublicSSH()) ? context.accept() : context.reject(['publickey']);
    });
    client.on('tcpip', (accept, _reject, info) => {
      const through = connect(info.destPort, info.destIP);
      const channel = accept();
      through.pipe(channel).pipe(through);
      through.on('error', () => channel.end());
      channel.on('error', () => through.destroy());
    });
    client.on('session', (accept, reject) => {
      if (openSessions >= maxSessions) return reject();
      sessions += 1;
      openSessions += 1;
      const session = accept();
      session.on('close', () => (openSessions -= 1));
      session.on('exec', (acceptExec, _rejectExec, info) => {
        const channel = acceptExec();
        const child = spawn('/bin/sh', ['-c', info.command], {
          env: { ...process.env, PATH: `${directory}:${process.env['PATH']}` },
        });
        channel.pipe(child.stdin);
        child.stdout.on('data', (chunk: Buffer) => channel.write(chunk));
        child.stderr.on('data', (chunk: Buffer) => channel.stderr.write(chunk));
        child.stdin.on('error', () => undefined);
        channel.on('error', () => undefined);
        // what a lost connection leaves behind ends by itself; nobody waits for it
        channel.on('close', () => [child.stdin, child.stdout, child.stderr].forEach((stream) => stream.destroy()));
        child.unref();
        child.on('close', (code) => {
          channel.exit(code ?? 1);
          channel.end();
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  for (const connection of connections) connection.end();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(() => {
  pool = new ConnectionPool();
  maxSessions = 10;
});
afterEach(() => pool.close());

const runbook = (over: object = {}) =>
  hostRunbook({
    ssh: {
      user: 'ops',
      port,
      privateKey: `\${file:${directory}/key}`,
      hostKey: hostKey.public.split(' ').slice(0, 2).join(' '),
      ...over,
    },
    hosts: [
      { name: 'h1', address: '127.0.0.1', role: 'source' },
      { name: 'h2', address: '127.0.0.1', role: 'target', ssh: { jumpHost: 'h1' } },
    ],
  });
const host = (over: object = {}, name = 'h1') => hostsBy(pool)(runbook(over), name);
const failureOf = async (over: object) => {
  const error: unknown = await host(over)
    .exec(['true'])
    .catch((thrown: unknown) => thrown);
  const { type, nonRetryable, details } = error as { type: string; nonRetryable: boolean; details: [FailureInfo] };
  return { type, nonRetryable, why: details[0].why ?? '', remedy: details[0].remedy };
};

describe('a command over SSH', () => {
  it('gets its words, its input and its exit code through, whatever they hold', async () => {
    const words = ["it's", '$(touch x)', 'a\nb', '', '*', '"', '\\', 'ü'];
    const said = await host().exec(['printf', '%s\\0', ...words]);
    expect(said.stdout.split('\0').slice(0, -1)).toEqual(words);
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 256));
    expect((await host().exec(['cat'], { stdin: bytes })).bytes.equals(bytes)).toBe(true);
    expect(await host().exec(['sh', '-c', 'echo no >&2; exit 7'])).toMatchObject({
      code: 7,
      stderr: 'no\n',
      stdout: '',
    });
  });

  it('shares one connection, and queues beyond what the server allows at once', async () => {
    const before = connections.length;
    maxSessions = 3;
    const many = Array.from({ length: 30 }, (_, index) =>
      host().exec(['sh', '-c', 'sleep 0.05; echo "$0"', String(index)]),
    );
    expect((await Promise.all(many)).map((each) => each.stdout.trim())).toEqual(
      Array.from({ length: 30 }, (_, index) => String(index)),
    );
    expect(connections.length - before).toBe(1);
    expect(sessions).toBeGreaterThanOrEqual(30);
  });

  it('goes through a jump host', async () => {
    expect((await host({}, 'h2').exec(['echo', 'there'])).stdout).toBe('there\n');
  });

  it('is ended by its time limit, on the host too', async () => {
    const slow = host().exec(['sleep', '31'], { timeoutMs: 1000 });
    await expect(slow).rejects.toMatchObject({ type: 'CommandFailed', nonRetryable: false });
  });

  it('that prints too much is refused, not cut', async () => {
    const loud = host().exec(['head', '-c', '200000', '/dev/zero'], { maxStdoutBytes: 100_000 });
    await expect(loud).rejects.toMatchObject({ type: 'CommandFailed' });
  });

  it('makes a new connection when the old one broke', async () => {
    await host().exec(['true']);
    connections.at(-1)?.end();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await host().exec(['echo', 'again'])).stdout).toBe('again\n');
  });

  it('lost in the midst is tried again by Temporal', async () => {
    const cut = host().exec(['sleep', '5']);
    await new Promise((resolve) => setTimeout(resolve, 500));
    connections.at(-1)?.end();
    await expect(cut).rejects.toMatchObject({ type: 'HostUnreachable', nonRetryable: false });
  });
});

describe('what keeps a command from being run', () => {
  const known = (line: string) => {
    writeFileSync(path.join(directory, 'known_hosts'), line);
    return { hostKey: undefined, knownHosts: path.join(directory, 'known_hosts') };
  };

  it('a host key that nobody knows: shown, and refused', async () => {
    const failure = await failureOf(known('# nothing\n'));
    expect(failure).toMatchObject({ type: 'HostKeyUnknown', nonRetryable: true });
    expect(failure.why).toContain(fingerprint(parseHostKey(hostKey.public)!.blob));
  });

  it('another host key than the known one, pinned or in a file', async () => {
    const other = otherHostKey.public.split(' ').slice(0, 2).join(' ');
    const pinned = await failureOf({ hostKey: other });
    expect(pinned).toMatchObject({ type: 'HostKeyChanged', nonRetryable: true });
    expect(pinned.why).toContain(fingerprint(parseHostKey(other)!.blob));
    expect(await failureOf(known(`[127.0.0.1]:${port} ${other}\n`))).toMatchObject({ type: 'HostKeyChanged' });
  });

  it('a key of a kind that the host does not have any more', async () => {
    const ecdsa = utils.generateKeyPairSync('ecdsa', { bits: 256 }).public.split(' ').slice(0, 2).join(' ');
    const failure = await failureOf({ hostKey: ecdsa });
    expect(failure).toMatchObject({ type: 'HostKeyChanged', nonRetryable: true });
    expect(failure.why).toContain(fingerprint(parseHostKey(hostKey.public)!.blob));
  });

  it('a revoked host key', async () => {
    const failure = await failureOf(known(`@revoked * ${hostKey.public}\n[127.0.0.1]:${port} ${hostKey.public}\n`));
    expect(failure).toMatchObject({ type: 'HostKeyChanged', nonRetryable: true });
  });

  it('the known key, plain in a file, is accepted', async () => {
    expect((await host(known(`[127.0.0.1]:${port} ${hostKey.public}\n`)).exec(['true'])).code).toBe(0);
  });

  it.each([
    ['a key that the host does not take', { privateKey: 'wrong-key' }, 'SshAuthenticationFailed'],
    ['something that is no key', { privateKey: 'no-key' }, 'SshAuthenticationFailed'],
    ['a key file that is not there', { privateKey: 'absent' }, 'SecretUnresolved'],
  ])('%s', async (_, { privateKey }, type) => {
    expect(await failureOf({ privateKey: `\${file:${directory}/${privateKey}}` })).toMatchObject({
      type,
      nonRetryable: true,
    });
  });

  it('nobody listens there: tried again', async () => {
    const failure = await failureOf({ port: 1 });
    expect(failure).toMatchObject({ type: 'HostUnreachable', nonRetryable: false });
    expect(failure.remedy).toContain('sshd');
  });

  it('sudo refuses', async () => {
    writeFileSync(path.join(directory, 'sudo.refuses'), '');
    try {
      expect(await failureOf({})).toMatchObject({ type: 'SudoRefused', nonRetryable: true });
      expect((await host().exec(['true'], { privileged: false })).code).toBe(0);
    } finally {
      rmSync(path.join(directory, 'sudo.refuses'));
    }
  });
});
