import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Compression } from '../../contracts/dump';
import { compress } from './compression';
import { fileFailure, syncDirectory } from './state-file';

/** A file under way. It has its own name only once it is whole. */
export interface DataFile {
  /** Bytes on disk that count, once `sync` has returned. */
  readonly bytes: number;
  append(text: Buffer): Promise<void>;
  /** All that was appended is on disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** So much is compressed at once: enough to compress well, little enough to hold. */
const memberBytes = 4 << 20;

/** What lies behind `bytes` was written by an attempt that did not come to its checkpoint: it is cut off. */
export async function openDataFile(file: string, bytes: number, compression: Compression): Promise<DataFile> {
  let handle: FileHandle;
  try {
    handle = await open(file, bytes === 0 ? 'w' : 'r+');
    await handle.truncate(bytes);
  } catch (error) {
    throw fileFailure(error, file, 'the file cannot be written', 'see to the directory and its rights, then retry');
  }
  let at = bytes;
  let held: Buffer[] = [];
  let heldBytes = 0;

  async function write(): Promise<void> {
    if (heldBytes === 0) return;
    const member = await compress(Buffer.concat(held), compression);
    held = [];
    heldBytes = 0;
    try {
      for (let sent = 0; sent < member.length;) {
        const { bytesWritten } = await handle.write(member, sent, member.length - sent, at + sent);
        sent += bytesWritten;
      }
    } catch (error) {
      throw fileFailure(
        error,
        file,
        'the file cannot be written',
        'make room on the disk, then retry: it goes on from its last checkpoint',
      );
    }
    at += member.length;
  }

  return {
    get bytes() {
      return at;
    },
    async append(text) {
      held.push(text);
      heldBytes += text.length;
      if (heldBytes >= memberBytes) await write();
    },
    async sync() {
      await write();
      await handle.datasync().catch((error: unknown) => {
        throw fileFailure(error, file, 'the file cannot be written', 'make room on the disk, then retry');
      });
    },
    close: () => handle.close(),
  };
}

/** Gives a whole file its name. Again: it has it already. */
export async function publish(partial: string, file: string): Promise<void> {
  if (await exists(partial)) await rename(partial, file);
  await syncDirectory(path.dirname(file));
}

export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
