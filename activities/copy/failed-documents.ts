import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { mergeCauses } from '../../contracts/refusals';
import type { RefusalCause } from '../../contracts/status';
import type { RefusedDocument } from './bulk-writer';

/**
 * What the target refused, for people: a file for each part below the worker's directory of failed documents, a line a
 * document with what was sent, what was answered, and why. A killed worker's next attempt may write a document's line
 * once more; none is missing of a checkpoint, since lines are on disk before the checkpoint moves.
 */
export interface FailedDocuments {
  add(document: RefusedDocument): void;
  /** Resolves once every line so far is written. */
  written(): Promise<void>;
  causes(): RefusalCause[];
}

/** Of a part the newest lines are kept, in two files of this size. */
const mostFileBytes = 64 << 20;
/** Of a run, on one worker: above, documents are named without their bytes, which are on the source. */
const mostDirectoryBytes = 1024 ** 3;
/** A document of many megabytes is named; its bytes are on the source. */
const mostDocumentBytes = 1 << 20;

export function failedDocuments(directory: string, part: string, index: string): FailedDocuments {
  const file = path.join(directory, `${part}.ndjson`);
  let causes: RefusalCause[] = [];
  let lines: Buffer[] = [];
  let fileBytes: number | undefined;
  let isFull = false;
  let pending: Promise<void> = Promise.resolve();
  let failure: Error | undefined;

  /** Whatever has come together since the last time, in one go. */
  async function append(): Promise<void> {
    if (lines.length === 0) return;
    const text = Buffer.concat(lines);
    lines = [];
    if (fileBytes === undefined) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      fileBytes = await sizeOf(file);
      isFull = (await sizeOfAll(directory)) > mostDirectoryBytes;
    }
    if (fileBytes > 0 && fileBytes + text.length > mostFileBytes) {
      await rename(file, `${file}.1`);
      fileBytes = 0;
      isFull = (await sizeOfAll(directory)) > mostDirectoryBytes;
    }
    await appendFile(file, text, { mode: 0o600 });
    fileBytes += text.length;
  }

  return {
    add(document) {
      const { action, source, status, type, reason } = document;
      const id = idOf(action);
      causes = mergeCauses([...causes, { index, type, reason, count: 1, example: id, remedy: remedyOf(document) }]);
      const told = { at: new Date().toISOString(), index, id, status, type, reason };
      const head = JSON.stringify(told).slice(0, -1);
      const isShown = !isFull && source.length <= mostDocumentBytes;
      // the bytes as they are: they are JSON on one line already, and parsing would change numbers
      const line = Buffer.concat([
        Buffer.from(`${head},"action":`),
        action,
        Buffer.from(isShown ? ',"source":' : `,"sourceBytes":${source.length}`),
        ...(isShown ? [source] : []),
        Buffer.from('}\n'),
      ]);
      lines.push(line);
      pending = pending.then(append).catch((error: unknown) => void (failure ??= error as Error));
    },
    async written() {
      await pending;
      if (failure !== undefined) throw failure;
    },
    causes: () => causes,
  };
}

function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function sizeOfAll(directory: string): Promise<number> {
  const names = await readdir(directory);
  const sizes = await Promise.all(names.map((name) => sizeOf(path.join(directory, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** A name that a file system takes, whatever the index is called. */
export function partFileName(index: string, shard: number, after: number): string {
  const plain = index.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 80);
  const digest = createHash('sha256').update(index).digest('hex').slice(0, 8);
  return `${plain}-${digest}-${shard}-${after + 1}`;
}

function idOf(action: Buffer): string {
  const head = JSON.parse(action.toString()) as Record<string, { _id?: string }>;
  return Object.values(head)[0]?._id ?? '';
}

/** What an operator can do about it, by the type that Elasticsearch gives. */
function remedyOf({ type, status, reason }: RefusedDocument): string {
  if (status === 413 || type === 'content_too_long')
    return 'raise http.max_content_length on the target, then retry with --failed';
  if (/total fields/.test(reason))
    return 'raise index.mapping.total_fields.limit on the target, then retry with --failed';
  if (/Limit of (nested|mapping depth|field name)/i.test(reason))
    return 'raise the limit that is named on the target, then retry with --failed';
  if (/strict_dynamic|dynamic introduction/.test(`${type} ${reason}`))
    return 'add the field to the mapping on the target, or set dynamic there, then retry with --failed';
  if (/pars(e|ing)_exception/.test(type))
    return "the field's type on the target does not take it: correct the mapping there, or the document on the source, then retry with --failed";
  return 'mend what the reason names, then retry with --failed';
}
