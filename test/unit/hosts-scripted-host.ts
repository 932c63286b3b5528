import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecOptions, ExecResult, Host } from '../../activities/hosts/host';
import { stateDirectory } from '../../activities/hosts/host-files';
import { migrationRunbook, type MigrationRunbook } from '../../contracts/runbook';

/**
 * A host for unit tests: real shell commands on this machine, as whoever runs the tests, where absolute paths of ours lie
 * in a directory of its own and recorder scripts stand in for commands that would change the machine.
 */
export class ScriptedHost implements Host {
  readonly name = 'h1';
  readonly address = '10.0.0.1';
  readonly root = mkdtempSync(path.join(tmpdir(), 'shardlift-host-'));
  /** Throws when a command matches: a worker that is killed just before it. */
  killBefore: RegExp | undefined;
  private readonly bin = path.join(this.root, 'bin');

  constructor() {
    mkdirSync(this.bin);
    // rights do not matter here
    this.command('setpriv', 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"');
  }

  /** Puts a script in the place of a command; what it is called with is recorded. */
  command(name: string, script: string): void {
    const file = path.join(this.bin, name);
    writeFileSync(
      file,
      `#!/bin/sh\nprintf '%s\\n' "${name} $*" >> '${this.root}/calls'\nroot='${this.root}'\n${script}\n`,
    );
    chmodSync(file, 0o755);
  }

  calls(): string[] {
    const file = path.join(this.root, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  }

  path(inside: string): string {
    return path.join(this.root, inside);
  }

  write(inside: string, text: string | Buffer): void {
    mkdirSync(path.dirname(this.path(inside)), { recursive: true });
    writeFileSync(this.path(inside), text);
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), 'utf8');
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const mapped = argv.map((word) =>
      ['/etc/', `${stateDirectory}`, '/var/lib/nfs/'].reduce(
        (text, prefix) => text.replaceAll(prefix, `${this.root}${prefix}`),
        word,
      ),
    );
    const words = mapped.join(' ');
    if (this.killBefore?.test(words)) return Promise.reject(new Error('killed'));
    return new Promise((resolve, reject) => {
      const child = spawn(mapped[0]!, mapped.slice(1), {
        env: { ...process.env, LC_ALL: 'C', PATH: `${this.bin}:${process.env['PATH']}` },
      });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      child.on('error', reject);
      child.on('close', (code) => {
        const bytes = Buffer.concat(out);
        resolve({ code: code ?? 128, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() });
      });
      child.stdin.on('error', () => undefined);
      child.stdin.end(options.stdin ?? '');
    });
  }
}

export function hostRunbook(over: object = {}): MigrationRunbook {
  return migrationRunbook.parse({
    kind: 'Migration',
    name: 'run',
    source: { urls: ['http://10.0.0.1:9200'] },
    target: { urls: ['http://10.0.0.2:9200'] },
    ssh: { user: 'ops', privateKey: '${env:KEY}', knownHosts: '/etc/known_hosts' },
    hosts: [
      { name: 'h1', address: '10.0.0.1', role: 'source' },
      { name: 'h2', address: '10.0.0.2', role: 'target' },
    ],
    snapshot: {
      repository: { sharedFilesystem: { server: 'h1', exportPath: '/srv/es', mountPath: '/mnt/es' } },
    },
    ...over,
  });
}

export const share = {
  id: 'share' as const,
  server: 'h1',
  exportPath: '/srv/es',
  mountPath: '/mnt/es',
  mountOptions: ['hard'],
  clients: [{ host: 'h2', access: 'rw' as const }],
};
