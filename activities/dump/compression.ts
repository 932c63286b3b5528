import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { Compression } from '../../contracts/dump';
import { permanent } from '../failure';

export const extensionOf: Record<Compression, string> = { none: '.json', gzip: '.json.gz', zstd: '.json.zst' };

/** In Node from 22.15 on. */
interface NodeZstd {
  zstdCompress?: (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void;
  createZstdDecompress?: () => NodeJS.ReadWriteStream;
}
const node: NodeZstd = zlib as unknown as NodeZstd;
const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);

/**
 * Each chunk becomes a whole member of its own: a file may be cut off behind any of them and be gone on with there, and
 * every reader takes members in a row for one text.
 */
export async function compress(bytes: Buffer, how: Compression): Promise<Buffer> {
  if (how === 'none') return bytes;
  if (how === 'gzip') return gzip(bytes, { level: 6 });
  if (node.zstdCompress) return promisify(node.zstdCompress)(bytes);
  return throughZstd(['-q', '-c', '-3'], bytes);
}

/** Throws at once where zstd cannot be done at all, not in the middle of a dump. */
export async function checkCompression(how: Compression): Promise<void> {
  if (how === 'zstd') await compress(Buffer.from('{}'), how);
}

/** By the first bytes, whatever the file is called. */
export function decompressed(input: Readable, head: Buffer): Readable {
  if (head[0] === 0x1f && head[1] === 0x8b) return piped(input, zlib.createGunzip());
  if (head.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) {
    if (node.createZstdDecompress) return piped(input, node.createZstdDecompress());
    const child = spawn('zstd', ['-q', '-d', '-c'], { stdio: ['pipe', 'pipe', 'pipe'] });
    return withProgram(input, child);
  }
  return input;
}

function piped(input: Readable, through: NodeJS.ReadWriteStream): Readable {
  const output = through as unknown as Readable;
  input.on('error', (error) => output.destroy(error));
  output.on('close', () => input.destroy());
  input.pipe(through);
  return output;
}

function withProgram(input: Readable, child: ReturnType<typeof spawn>): Readable {
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error('no pipes');
  let said = '';
  stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-500)));
  child.on('error', (error) => stdout.destroy(noZstd(error)));
  // the program's end says whether what it gave was all of it
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  stdin.on('error', () => undefined);
  input.on('error', (error) => stdout.destroy(error));
  input.pipe(stdin);
  return Readable.from(
    (async function* () {
      try {
        for await (const bytes of stdout) yield bytes as Buffer;
        if ((await ended) !== 0) throw broken(said);
      } finally {
        child.kill();
        input.destroy();
      }
    })(),
    { objectMode: false },
  );
}

function throughZstd(args: string[], bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('zstd', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-500)));
    child.on('error', (error) => reject(noZstd(error)));
    child.on('close', (code) => (code === 0 ? resolve(Buffer.concat(out)) : reject(broken(said))));
    child.stdin.on('error', () => undefined);
    child.stdin.end(bytes);
  });
}

function noZstd(error: Error): Error {
  return permanent(
    {
      type: 'CopyFailed',
      message: 'this machine cannot do zstd',
      where: 'worker',
      why: error.message,
      remedy: 'install the program zstd, or run Node 22.15 or later, or take gzip',
    },
    error,
  );
}

function broken(said: string): Error {
  return permanent({
    type: 'CopyFailed',
    message: 'zstd gave up',
    where: 'worker',
    why: said,
    remedy: 'the file is damaged or cut short: bring a whole one, then retry',
  });
}
